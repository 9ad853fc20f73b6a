"""Which settings are best: the form, a search and its status, and the link to the Train page."""

import shlex

import pytest

from segcore.cli import build_parser
from segcore.config import ModelConfig, Range, RecipeConfig, SearchSpace, TrainConfig, TuneConfig
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import engines
from segcore.workspace.launch.command_line import search_command

BASE = TrainConfig(
    "tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=2, batch_size=2), (32, 64)
)
SPACE = SearchSpace(loss=("jaccard_distance", "dice"), learning_rate=Range(1e-4, 1e-2))


def row(
    number: int, state: str, score: float | None, loss: str, rate: float, cause: str = ""
) -> dict:
    scores = {} if score is None else {"1": score / 2, "2": score}
    values = {"loss": loss, "learning_rate": rate}
    run = f"tiny-tune-made-{number}"
    return {
        "trial": number,
        "run": run,
        "state": state,
        "values": values,
        "score": score,
        "scores": scores,
        "cause": cause,
        "began": 1.0,
        "ended": 2.0,
    }


@pytest.fixture
def search(workspace, made_up) -> RunFolder:
    """A search of four trials: two finished, one ended early, one failed."""
    run = made_up.write(
        "tiny-tune-made",
        TuneConfig("tiny", BASE, SPACE, trials=4),
        state="interrupted",
        cause="Stopped on request.",
    )
    trials = [
        row(1, "complete", 0.4, "jaccard_distance", 1e-3),
        row(2, "complete", 0.6, "dice", 2e-3),
        row(
            3,
            "pruned",
            0.1,
            "dice",
            1e-4,
            "Its best mean IoU after epoch 1 was 5.0 %, the others' median 25.0 %.",
        ),
        row(4, "failed", None, "dice", 9e-3, "The memory did not suffice."),
    ]
    run.write_json(
        "study",
        {
            "format": 1,
            "planned": 4,
            "names": SPACE.names,
            "trials": trials,
            "best": 2,
            "importances": {"loss": 0.7, "learning_rate": 0.3},
        },
    )
    for number in range(1, 5):
        made_up.write(f"tiny-tune-made-{number}", BASE)
    return run


def test_a_search_begins_with_the_press_of_a_button(workspace, started, open_page, read) -> None:
    at = open_page("tune")
    at.selectbox(key="tune_encoder_one").set_value("tiny").run()
    assert any("unknown until a run has finished" in c.value for c in at.caption)
    read.check(at.button(key="start_search").click().run())
    assert workspace.searches.ids("tiny") == []  # twenty trainings are confirmed first
    assert "starts 20 training runs" in " ".join(m.value for m in at.markdown)
    read.check(at.button(key="confirm_start_search").click().run())
    (run,) = workspace.searches.ids("tiny")
    config = workspace.searches.open(run).config
    assert (config.base.model.encoder, config.base.model.weights, config.base.size) == (
        "tiny",
        "none",
        (32, 64),
    )
    assert config.space.names == ["loss", "learning_rate", "augmentation"]  # the quick preset
    assert config.base.validation_split == "validation"
    assert any("not started" in info.value for info in at.info)
    read.check(at.button(key="study_stop").click().run())
    assert workspace.searches.open(run).status.state == "interrupted"
    read.check(at.button(key="study_resume").click().run())
    assert workspace.searches.open(run).status.state == "queued"


def test_ten_trials_start_at_once_with_an_estimated_time(trained, started, open_page, read) -> None:
    at = open_page("tune", dataset="tiny")
    at.selectbox(key="tune_encoder_one").set_value("tiny").run()
    (trials,) = [box for box in at.number_input if box.label == "Trials"]
    read.check(trials.set_value(10).run())
    assert any("Estimated time, one trial after another: up to" in c.value for c in at.caption)
    read.check(at.button(key="start_search").click().run())
    (run,) = trained.workspace.searches.ids("tiny")
    assert trained.workspace.searches.open(run).config.trials == 10


def test_without_tensorflow_a_search_begins_with_an_engine_that_is_there(
    trained, started, open_page, read, monkeypatch
) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda name: name == "jax")
    at = open_page("tune", dataset="tiny")
    for base in ("recommended values", trained.members[0]):  # the member was TensorFlow's
        read.check(at.selectbox(key="tune_base").set_value(base).run())
        (trials,) = [box for box in at.number_input if box.label == "Trials"]
        read.check(trials.set_value(2).run())
        read.check(at.button(key="start_search").click().run())
    searches = trained.workspace.searches
    assert [searches.open(run).config.base.engine for run in searches.ids()] == ["jax", "jax"]


def test_what_a_search_found(search, open_page, read) -> None:
    at = open_page("tune", study=search.id)
    shown = read.metrics(at)
    assert shown["Best validation mean IoU"] == "60.0 %" and shown["Trials ended"] == "4 of 4"
    assert (shown["Pruned"], shown["Failed"]) == ("1", "1")
    assert [m.delta for m in at.metric if m.label == "Best validation mean IoU"] == [
        "+20.0 pp over trial 1"
    ]
    table = at.dataframe[0].value
    assert list(table["state"]) == ["Finished", "★ Finished", "Pruned", "Failed"]
    assert table["cause"][3] == "The memory did not suffice." and "median" in table["cause"][2]
    assert read.figure(at, "study_importance")["data"][0]["x"]
    assert at.selectbox(key="trial").value == "best"
    links = {
        link.proto.label: (link.proto.page, link.proto.query_string) for link in at.get("page_link")
    }
    assert (
        links["Use as training config"][0] == "train"
        and "from_run=tiny-tune-made-2" in links["Use as training config"][1]
    )
    read.check(at.selectbox(key="trial").set_value("1").run())
    links = {link.proto.label: link.proto.query_string for link in at.get("page_link")}
    assert "from_run=tiny-tune-made-1" in links["Use as training config"]


def test_nothing_is_started_that_would_fail(workspace, open_page) -> None:
    at = open_page("tune")
    (vary,) = [m for m in at.multiselect if m.label == "Encoder"]
    vary.set_value(["resnet50", "tiny"]).run()
    assert any("no download exists" in w.value for w in at.warning)
    assert not [b for b in at.button if b.key == "start_search"]


def test_a_damaged_search_is_one_sentence(search, open_page) -> None:
    (search.folder / "study.json").write_text('{"trials": [{"trial": 1}]}')
    (message,) = open_page("tune", study=search.id).error
    assert "study.json" in message.value and message.value.endswith(".")


def test_the_command_line_begins_the_same_search(tmp_path, monkeypatch, workspace) -> None:
    begun = []
    monkeypatch.setattr(
        "segcore.workspace.searches.Searches.start",
        lambda self, config: begun.append(config) or "none",
    )
    monkeypatch.setattr(
        "segcore.workspace.searches.Searches.open",
        lambda self, run: type("S", (), {"to_json": lambda self: {}})(),
    )
    config = TuneConfig("tiny", BASE, SPACE, trials=7, sampler="random", pruner="none", seed=3)
    command, space = search_command(config)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.json").write_text(space)
    words = shlex.split(command)
    options = build_parser().parse_args(
        [*words[words.index("tune") :], "--workspace", str(workspace.folder)]
    )
    options.chosen.run(options)
    assert begun == [config]
