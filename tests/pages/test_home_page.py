"""Where do I stand, what is next."""

import shutil

import pytest

from segcore.config import ModelConfig, PredictConfig, RecipeConfig, TrainConfig
from segcore.data.synthetic import make_synthetic
from segcore.ui.shared import session
from segcore.ui.shared.run_names import middle
from segcore.workspace import demo


def done(at) -> dict[str, bool]:
    """Which steps are ticked off, by title."""
    return {
        link.proto.label.strip("*"): "check_circle" in link.proto.icon
        for link in at.get("page_link")
        if link.proto.label.startswith("**")
    }


STEPS = [
    "Demo",
    "Your data",
    "Health",
    "Splits",
    "Balance",
    "Train",
    "Monitor",
    "Compare",
    "Evaluate",
    "Merge labels",
    "Report",
]


def test_no_step_is_done_in_an_empty_workspace(empty_workspace, open_page) -> None:
    at = open_page("home")
    assert done(at) == dict.fromkeys(STEPS, False)
    marked = [
        link.proto.label.strip("*")
        for link in at.get("page_link")
        if "arrow_circle_right" in link.proto.icon
    ]
    assert marked == ["Demo"]


def test_data_and_runs_tick_their_steps(trained, open_page) -> None:
    assert [title for title, ticked in done(open_page("home")).items() if ticked] == [
        "Your data",
        "Splits",
        "Train",
    ]


def test_pages_tick_what_they_show(trained, open_page) -> None:
    run = trained.ensemble
    open_page("dataset", dataset="tiny", show="Health")
    open_page("balance", dataset="tiny")
    open_page("runs", run=trained.members[0])
    open_page("compare", run=run)
    open_page("compress", run=run, split="test")
    evaluated = open_page("evaluate", run=run)

    def open_steps() -> list[str]:
        return [title for title, ticked in done(open_page("home")).items() if not ticked]

    assert open_steps() == ["Demo", "Report"]
    trained.workspace.checklist.note(
        "report", "tiny"
    )  # the button's function does, when the browser fetches the file
    home = open_page("home")
    assert done(home)["Report"] and not evaluated.error
    links = {link.proto.label.strip("*"): link.proto for link in home.get("page_link")}
    assert (
        links["Evaluate"].page == "evaluate"
        and f"run={trained.workspace.runs.ids()[0]}" in links["Evaluate"].query_string
    )
    assert (
        "show=Health" in links["Health"].query_string
        and "dataset=tiny" in links["Health"].query_string
    )


def test_tables_are_the_workspaces_rows(trained, open_page) -> None:
    data, runs = (d.value for d in open_page("home").dataframe)
    assert data.to_dict("records") == [{"dataset": "tiny", "samples": 12, "classes": 4}]
    assert list(runs["run"]) == [middle(run) for run in trained.workspace.runs.ids()[:8]]
    rows = {middle(row.run): row for row in trained.workspace.runs.rows()}
    for name, score, where in zip(runs["run"], runs["mean IoU"], runs["scored on"], strict=True):
        assert where == rows[name].scored_on
        assert not where or score == pytest.approx(100 * rows[name].status.mean_iou)


def test_a_failure_is_one_row_whatever_waited_for_it(workspace, made_up, open_page) -> None:
    training = made_up.train("tiny-unet-tiny-made-1")
    training.write_status(state="failed", cause="The weights could not be had.")
    for split in ("validation", "test"):
        config = PredictConfig("tiny", training.id, split)
        made_up.write(
            f"{training.id}--{split}", config, state="failed", started=None, after=[training.id]
        )
    runs = open_page("home").dataframe[-1].value
    assert list(runs["run"]) == [middle(training.id)] and list(runs["state"]) == ["Failed"]


def test_the_queue_is_counted_as_on_the_runs_page(workspace, started, open_page) -> None:
    model, recipe = ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=1)
    workspace.launch.start(TrainConfig("tiny", model, recipe, (32, 64)), 2)
    labels = [link.proto.label for link in open_page("home").get("page_link")]
    assert "2 queued" in labels and len(workspace.queue.rows()) == 6


def test_the_demo_opens_with_one_click(
    workspace, trained, tmp_path, monkeypatch, started, open_page, read
) -> None:
    """The made-up runs stand for the members that come with Segscope."""
    assets = tmp_path / "assets"
    for name in [*trained.members, *(f"{m}--test" for m in trained.members), trained.ensemble]:
        shutil.copytree(trained.workspace.runs.folder / name, assets / "runs" / name)
    shutil.rmtree(trained.workspace.runs.folder)
    monkeypatch.setattr(demo, "ASSETS", assets)
    monkeypatch.setattr(demo, "MEMBERS", 2)
    few = {"train": 2, "validation": 1, "test": 1}
    monkeypatch.setattr(
        demo,
        "make_synthetic",
        lambda folder, seed, progress=None: make_synthetic(folder, seed, few, progress),
    )
    at = open_page("home")
    (button,) = [b for b in at.button if b.label == "Open demo"]
    read.check(button.click().run())
    assert workspace.datasets.names() == ["demo", "tiny"]
    assert set(workspace.runs.ids()) >= {*trained.members, trained.ensemble}
    assert read.title(at) == "Compare"
    monkeypatch.setattr(session, "own_datasets", list)  # the made-up runs are of another dataset
    home = open_page("home")
    (further,) = [b for b in home.button if b.label == "Train another model"]
    read.check(further.click().run())
    (queued,) = [r for r in workspace.runs.rows() if r.status.state == "queued"]
    assert queued.dataset == "demo"
    assert workspace.runs.open(queued.run).config.model == ModelConfig("unet", "tiny", "none")


def test_a_demo_without_its_members_is_told_in_a_sentence(
    tmp_path, monkeypatch, open_page, read
) -> None:
    monkeypatch.setattr(demo, "ASSETS", tmp_path / "nothing")
    at = open_page("home")
    (button,) = [b for b in at.button if b.label == "Open demo"]
    read.check(button.click().run())
    assert "demo --rebuild" in at.error[0].value
