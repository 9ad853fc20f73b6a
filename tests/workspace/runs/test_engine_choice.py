"""The engine of a run is settled when it is queued."""

import pytest

from segcore import worker
from segcore.api import params
from segcore.cli import build_parser
from segcore.cli.training import train_config
from segcore.config import (
    EvaluateConfig,
    ModelConfig,
    PredictConfig,
    PredictOptions,
    RobustnessConfig,
    SearchSpace,
    TrainConfig,
    TuneConfig,
)
from segcore.config.ablation import ablation_from_json
from segcore.errors import SegcoreError
from segcore.runs.folder.environment import engine_reason, note_engine
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import engines


def config(**words):
    """A training config of the tiny network on the CPU."""
    model = ModelConfig("unet", "tiny", "none")
    return TrainConfig("tiny", model, size=(32, 64), **{"device": "cpu", **words})


def test_auto_is_settled_when_a_run_is_queued(workspace, started, monkeypatch) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")
    run = workspace.runs.train(config(engine="auto"))[0]
    folder = workspace.runs.open(run)
    assert folder.config.engine == "jax", "so a resumed run keeps it"
    assert engine_reason(folder.folder).startswith("auto: JAX")
    with pytest.raises(SegcoreError, match="tensorflow"):
        workspace.runs.train(config())
    assert len(workspace.runs.ids()) == 1
    note_engine(folder.folder, engines.EngineChoice("jax"))
    assert engine_reason(folder.folder).startswith("auto: JAX"), "nothing to say, nothing written"


@pytest.fixture
def only_jax(monkeypatch):
    """A machine where JAX is the only engine."""
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")


def ablation(workspace, **base):
    """Two recipes of the tiny network, set on the dataset "tiny"."""
    base = {"model": {"encoder": "tiny", "weights": "none"}, "size": [32, 64], **base}
    rows = [{"name": "dice", "changes": {"recipe.loss": "dice"}}]
    data = {"name": "small", "base": base, "rows": rows, "seeds": [0]}
    return workspace.ablations.plan(ablation_from_json(data), ["tiny"])


def refusal(start, *words):
    """The sentence with which a start is refused."""
    with pytest.raises(SegcoreError) as caught:
        start(*words)
    return str(caught.value)


def test_a_new_config_gets_an_engine_that_is_installed(workspace, only_jax, monkeypatch) -> None:
    def shell(*words):
        return train_config(build_parser().parse_args(["train", "tiny", *words])).engine

    assert (shell(), shell("--engine", "torch")) == ("jax", "torch")
    told = {"dataset": "tiny", "workspace": str(workspace.datasets.folder.parent)}
    assert params.settings(told).config.engine == "jax"
    assert params.settings({**told, "engine": "torch"}).config.engine == "torch"
    assert workspace.launch.suggest("tiny").config.engine == "jax"
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine != "torch")
    assert shell() == "tensorflow", "the first of them"
    monkeypatch.setattr(engines, "is_installed", lambda engine: False)
    assert shell() == "tensorflow", "none: a start says how to install it"


def test_a_search_on_an_engine_that_is_absent_is_refused_like_a_training(
    workspace, started, only_jax
) -> None:
    space = SearchSpace(loss=("dice", "jaccard_distance"))
    said = refusal(workspace.runs.train, config())
    assert said == refusal(workspace.searches.start, TuneConfig("tiny", config(), space))
    assert workspace.searches.ids() == []
    assert workspace.searches.start(TuneConfig("tiny", config(engine="jax"), space))


def test_an_ablation_on_an_engine_that_is_absent_is_refused_like_a_training(
    workspace, started, only_jax
) -> None:
    said = refusal(workspace.runs.train, config())
    assert said == refusal(workspace.ablations.start, ablation(workspace, engine="tensorflow"))
    assert (workspace.ablations.names(), workspace.runs.ids()) == ([], [])
    workspace.ablations.start(ablation(workspace))
    trained = [workspace.runs.open(run).config for run in workspace.runs.ids()]
    assert {one.engine for one in trained if isinstance(one, TrainConfig)} == {"jax"}


def test_an_ablation_begun_with_tensorflow_stays_one_of_tensorflow(
    workspace, started, monkeypatch
) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda engine: True)
    plan = ablation(workspace)
    workspace.ablations.start(plan)
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")
    again = workspace.ablations.open(plan.name)
    assert all(cell.runs[0] for own in workspace.ablations.cells(again).values() for cell in own)
    assert workspace.ablations.start(again) == [], "all of it is there"


def test_a_run_whose_engine_is_gone_is_refused_when_it_is_resumed(
    workspace, started, only_jax, monkeypatch
) -> None:
    (run,) = workspace.runs.train(config(engine="jax"))
    later = PredictConfig("tiny", run, "test")
    workspace.runs.ensure(f"{run}--test", later, 0.0, after=[run])
    for one in (run, f"{run}--test"):
        workspace.runs.stop(one)
    space = SearchSpace(loss=("dice", "jaccard_distance"))
    search = workspace.searches.start(TuneConfig("tiny", config(engine="jax"), space))
    workspace.runs.stop(search)
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "torch")
    for one, words in ((run, (0.5,)), (run, ()), (search, ()), (f"{run}--test", ())):
        said = refusal(workspace.runs.resume, one, *words)
        assert "received 'jax', which is not" in said
        assert said.endswith("or start a new run with the engine torch.")
        assert workspace.runs.open(one).status().state == "interrupted"
    assert not (workspace.runs.open(run).folder / "resume.json").exists(), "the rate is as it was"
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")
    workspace.runs.resume(run)
    assert workspace.runs.open(run).status().state == "queued"


def test_only_what_computes_here_needs_an_engine_here(monkeypatch) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda engine: False)
    engines.refuse_without_engine(config(engine="jax", device="cluster"), begun=True)
    for one in (RobustnessConfig("tiny", "a"), PredictConfig("tiny", "a", "test")):
        assert "found none" in refusal(engines.refuse_without_engine, one)
    engines.refuse_without_engine(EvaluateConfig("tiny", ("a",)))


def test_a_prediction_on_an_engine_that_is_absent_leaves_what_there_is(
    trained, started, monkeypatch
) -> None:
    runs, member = trained.workspace.runs, trained.members[0]
    done = runs.open(f"{member}--test")
    before = done.status()
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")
    for backend, lacks in (("torch", "PyTorch is"), ("openvino", "TensorFlow and OpenVINO are")):
        said = refusal(runs.predict, member, "test", PredictOptions(backend=backend))
        assert f"received {backend!r}" in said and f"{lacks} not installed" in said
        assert said.endswith("or predict with the backend jax.")
        assert "received" in refusal(
            runs.predict, member, "train", PredictOptions(backend=backend)
        ), "nothing is there yet"
    assert done.status() == before and done.ids_with_probabilities("test")
    assert f"{member}--train" not in runs.ids()
    monkeypatch.setattr(engines, "is_installed", lambda engine: False)
    assert runs.predict(member, "test") == done.id, "it is done, and needs no engine"
    combined = runs.ensemble(trained.members, "test")
    assert runs.open(combined).status().state == "queued", "nor does combining"
    assert "found none" in refusal(runs.predict, member, "train")


def test_what_was_trained_on_an_engine_that_is_gone_is_trained_again_on_another(
    trained, started, monkeypatch
) -> None:
    """The commands that train like another run have no flag for the engine."""
    workspace, member = trained.workspace, trained.members[0]
    before = workspace.runs.open(member)
    before.model_path.write_bytes(b"a network")

    def started_by(start, *words):
        known = {*workspace.runs.ids()}
        start(*words)
        made = [workspace.runs.open(run).config for run in {*workspace.runs.ids()} - known]
        return {one.engine for one in made if isinstance(one, TrainConfig)}

    def every_way():
        first, second, *rest = workspace.scores.label_set(member).class_names
        merged = [(first, second), *((name,) for name in rest)]
        yield started_by(workspace.retrainings.start, member)
        yield started_by(workspace.learning_curves.start, member, [1, 2, 3], 1)
        yield started_by(workspace.tiers.retrain, member, merged, ["test"])

    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")
    assert [*every_way()] == [{"jax"}] * 3
    again = workspace.retrainings.start(member, warm=False)
    assert again.note == "JAX trains it, as that run's engine is not installed here."
    assert workspace.retrainings.of(again.run) == again
    monkeypatch.setattr(engines, "is_installed", lambda engine: True)
    assert [*every_way()] == [{"tensorflow"}] * 3
    assert workspace.retrainings.start(member).note == ""
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "torch")
    workspace.demo.open()
    assert started_by(workspace.demo.train_further) == {"torch"}


def test_one_network_is_made_from_members_whose_engine_is_gone(
    trained, started, monkeypatch
) -> None:
    for member in trained.members:
        folder = trained.workspace.runs.open(member)
        folder.model_path.write_bytes(b"a network")
    networks = trained.workspace.one_networks
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")
    assert networks.check_average(trained.members).engine == "jax"
    assert networks.student(trained.members).engine == "jax"
    said = refusal(networks.student, trained.members, {"engine": "torch"})
    assert "received 'torch', which is not" in said
    monkeypatch.setattr(engines, "is_installed", lambda engine: True)
    assert networks.check_average(trained.members).engine == "tensorflow", "the members'"


def test_a_machine_of_a_cluster_without_the_engine_says_so(workspace, only_jax) -> None:
    """Its own process is the first to know; no engine is imported."""
    away = config(engine="torch", device="cluster")
    run = RunFolder.create(workspace.runs.folder, "away", away)
    assert worker.main([str(run.folder)]) == 1
    status = run.status()
    assert status.state == "failed" and "received 'torch', which is not" in status.cause
