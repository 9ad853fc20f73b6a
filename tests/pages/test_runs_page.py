"""How is it going: the table, one run's curves and log, and its buttons."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from segcore.catalog import RUN_KINDS
from segcore.config import EvaluateConfig, ModelConfig, RecipeConfig, TrainConfig
from segcore.runs.folder.environment import note_environment
from segcore.runs.folder.listing import RunSummary
from segcore.runs.folder.run_folder import RunFolder, mask_history_stage
from segcore.runs.folder.status import Status
from segcore.runs.queue import jobs
from segcore.runs.queue.queue import Queue
from segcore.ui.runs import queue
from segcore.workspace.predictions.imported import HowToImport
from segcore.workspace.runs.rows import RunRow, run_row


def test_the_table_is_the_workspaces_rows(trained, open_page, read) -> None:
    at = open_page("runs")
    read.check(at.button_group(key="kinds").set_value(["train", "predict", "evaluate"]).run())
    rows = trained.workspace.runs.rows()
    table = at.dataframe[0].value
    table = table[~table["run"].str.startswith("▾")].reset_index()
    assert list(table["run"]) == [r.run for r in rows]
    assert list(table["dataset"]) == ["tiny"] * len(rows)
    assert set(table["state"]) == {"Finished"}
    scores = np.array([100 * r.status.mean_iou for r in rows])
    trains = np.array([r.kind == "train" for r in rows])
    np.testing.assert_allclose(table["mean IoU"], np.where(trains, np.nan, scores))
    np.testing.assert_allclose(table["in training"], np.where(trains, scores, np.nan))
    assert set(table["scored on"][trains]) == {"validation, 32 x 64"}
    assert set(table["scored on"][~trains]) == {"test, own size", "validation, own size"}
    read.check(at.button_group(key="kinds").set_value(["evaluate"]).run())
    assert list(at.dataframe[0].value["run"]) == [trained.ensemble]


def test_the_run_that_opens_first_is_one_that_the_table_lists(trained, tmp_path, open_page) -> None:
    """An import is newer than every training, and the table shows trainings."""
    sample = trained.samples["test"][0]
    mask = trained.workspace.scenes.truth("tiny", sample)
    masks = tmp_path / "masks of another tool"
    masks.mkdir()
    Image.fromarray(mask.astype(np.uint8)).save(masks / f"{Path(sample).name}.png")
    trained.workspace.imports.import_(
        "tiny", masks, "theirs", HowToImport("test", "indices", partial=True)
    )
    assert trained.workspace.runs.rows()[0].run.startswith("theirs")
    at = open_page("runs")
    assert at.selectbox(key="run").value in set(at.dataframe[0].value["run"])


def test_list_and_run_follow_the_dataset(trained, made_up, open_page, read) -> None:
    """Another dataset has an older training and a newer evaluation, which the table does not list."""
    workspace = trained.workspace
    folder = workspace.datasets.folder
    shutil.copytree(folder / "tiny", folder / "other")
    config = TrainConfig("other", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=2))
    made_up.write("other-training-1", config)
    made_up.write("other-evaluation", EvaluateConfig("other", ("other-training-1",), "test"))
    at = open_page("runs", dataset="tiny")
    assert at.selectbox(key="run").value == trained.members[1]
    assert set(at.dataframe[0].value["run"]) >= set(trained.members)
    assert "Runs of other are not listed: Filters, Dataset." in [c.value for c in at.caption]
    read.check(at.selectbox(key="dataset").set_value("other").run())
    assert at.selectbox(key="run").value == "other-training-1"
    assert list(at.dataframe[0].value["run"]) == ["other-training-1"]
    kinds = [workspace.runs.open(run).config.kind for run in at.selectbox(key="run").options]
    assert kinds == sorted(kinds, key=list(RUN_KINDS).index)


def test_a_training_run_shows_its_curves_and_its_log(trained, open_page, read) -> None:
    at = open_page("runs", run=trained.members[0])
    lines = [t for t in read.figure(at, "curves")["data"] if t["mode"] != "markers"]
    drawn = {(t["yaxis"], t["name"]): t for t in lines}
    assert drawn["y", "training"]["x"] == [1, 2] and drawn["y", "training"]["y"] == [0.9, 0.5]
    assert drawn["y", "validation"]["y"] == [1.0, 0.6]
    np.testing.assert_allclose(drawn["y2", "validation"]["y"], [0.8 - 0.9, 0.8 - 0.5])
    assert trained.workspace.monitor.best_epoch(trained.members[0]) == 2
    stars = [t for t in read.figure(at, "curves")["data"] if t["mode"] == "markers"]
    assert [t["x"] for t in stars] == [[2], [2]]
    read.check(at.button_group(key="run_tab_train").set_value("Log").run())
    assert any("was made up" in code.value for code in at.code)
    read.check(at.text_input(key="log_search").set_value("made (up|down)").run())
    assert any("was made up" in code.value for code in at.code)
    read.check(
        at.text_input(key="log_search").set_value("(").run()
    )  # no regular expression: taken as it is
    assert [code.value for code in at.code] == ["No matching lines."]


def test_an_active_run_can_be_stopped_and_resumed(workspace, started, open_page, read) -> None:
    from_page = open_page("train")
    (encoder,) = [s for s in from_page.selectbox if s.label == "Encoder"]
    encoder.set_value("tiny").run()
    (start,) = [b for b in from_page.button if b.label == "Start training"]
    read.check(start.click().run())
    (run,) = [row.run for row in workspace.runs.rows() if row.kind == "train"]
    at = open_page("runs", run=run)
    read.check(at.button(key="stop").click().run())
    assert workspace.runs.open(run).status().state == "interrupted"
    assert "resume it" in " ".join(w.value for w in at.warning)
    read.check(at.button(key="resume").click().run())
    assert workspace.runs.open(run).status().state == "queued"


def test_a_running_run_shows_how_far_it_is(trained, open_page) -> None:
    run = trained.workspace.runs.open(trained.members[0])
    run.write_status(
        state="running", epoch=7, epochs=20, progress=0.35, seconds_left=130.0, message="Epoch 8"
    )
    at = open_page("runs", run=run.id)
    texts = [p.proto.text for p in at.get("progress")]
    assert any("epoch 7 of 20" in text and "2 min left" in text for text in texts)
    assert [b.key for b in at.button if b.key in ("stop", "resume", "delete")] == ["stop"]
    assert any(
        "may hang" in w.value for w in at.warning
    )  # nothing was heard of it since it was made up


def test_a_failed_run_says_why(trained, open_page) -> None:
    trained.workspace.runs.open(trained.members[0]).write_status(
        state="failed", cause="The memory did not suffice."
    )
    at = open_page("runs", run=trained.members[0])
    assert "The memory did not suffice." in [w.value for w in at.warning]
    assert [b.key for b in at.button if b.key in ("stop", "resume", "delete")] == [
        "resume",
        "delete",
    ]


def test_a_run_that_failed_before_its_first_epoch_leads_to_its_settings(
    workspace, made_up, open_page, read
) -> None:
    cause = "The weights could not be had."
    config = TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=7))
    run = made_up.write("tiny-failed-1", config, state="failed", cause=cause)
    at = open_page("runs", run=run.id)
    assert cause in [w.value for w in at.warning]
    assert any(c.value.startswith("No curves: the run failed before") for c in at.caption)
    assert at.button(key="resume").label == "Try again"
    read.check(at.button(key="change_settings").click().run())
    assert read.title(at) == "Train"
    assert [n.value for n in at.number_input if n.label == "Epochs"] == [7]


def delete(at, read) -> None:
    """Delete the run that is shown, by the dialog that asks."""
    read.check(at.button(key="delete").click().run())
    read.check(at.button(key="confirm_delete").click().run())


def test_a_deletion_is_asked_for_and_can_be_cancelled(trained, open_page, read) -> None:
    run, before = trained.members[0], trained.workspace.runs.ids()
    at = open_page("runs", run=run)
    read.check(at.button(key="delete").click().run())
    words = " ".join(m.value for m in at.markdown).replace("\\", "")
    assert run in words and "2 predictions" in words and "30 days" in words
    read.check(at.button(key="cancel_delete").click().run())
    assert not [b for b in at.button if b.key == "confirm_delete"]
    assert trained.workspace.runs.ids() == before


def test_probabilities_are_dropped_after_a_question(trained, open_page, read) -> None:
    run, storage = trained.members[0], trained.workspace.probability_storage
    stored = storage.stored(run)
    assert storage.has_any(run) and stored.images and stored.bytes
    at = open_page("runs", run=run)
    read.check(at.button(key="drop_probabilities").click().run())
    assert storage.stored(run) == stored  # asked first
    read.check(at.button(key="confirm_drop_probabilities").click().run())
    assert not storage.has_any(run) and storage.stored(run).images == 0
    assert not [b for b in at.button if b.key == "drop_probabilities"]


def test_a_run_is_deleted_with_its_predictions(trained, open_page, read) -> None:
    at = open_page("runs", run=trained.members[0])
    delete(at, read)
    assert not [run for run in trained.workspace.runs.ids() if run.startswith(trained.members[0])]
    assert at.selectbox(key="run").value in trained.workspace.runs.ids()


def test_a_deletion_is_undone(trained, open_page, read) -> None:
    before = trained.workspace.runs.ids()
    at = open_page("runs", run=trained.members[0])
    delete(at, read)
    assert len(trained.workspace.runs.ids()) == len(before) - 3
    read.check(at.button(key="undo").click().run())
    assert trained.workspace.runs.ids() == before and trained.workspace.annotations.trash() == []
    assert at.selectbox(key="run").value == trained.members[0] and not [
        b for b in at.button if b.key == "undo"
    ]
    delete(at, read)
    read.check(at.button(key="empty_trash").click().run())
    assert len(trained.workspace.annotations.trash()) == 1  # asked first
    read.check(at.button(key="confirm_empty_trash").click().run())
    assert trained.workspace.annotations.trash() == [] and not [
        b for b in at.button if b.key == "undo"
    ]


def test_notes_are_kept_and_found(trained, open_page, read) -> None:
    run, other = trained.members
    trained.workspace.annotations.write(other, archived=True, tags=["old"])
    at = open_page("runs", run=run)
    assert list(at.dataframe[0].value["run"]) == [run]
    read.check(at.button_group(key="run_tab_train").set_value("Notes").run())
    at.text_area[0].set_value("a Müller loss\nsecond line")
    read.check(next(b for b in at.button if b.label == "Save notes").click().run())
    assert trained.workspace.annotations.notes(run).text.startswith("a Müller loss")
    assert list(at.dataframe[0].value["note"]) == ["a Müller loss"]
    read.check(at.text_input(key="runs_text").set_value("müller TINY").run())
    assert list(at.dataframe[0].value["run"]) == [run]
    read.check(at.text_input(key="runs_text").set_value("focal").run())
    assert len(at.dataframe[0].value) == 0
    at.text_input(key="runs_text").set_value("")
    read.check(at.toggle(key="runs_archived").set_value(True).run())
    assert list(at.dataframe[0].value["run"]) == [other]


def test_the_queue_is_reordered_held_and_left_from_the_page(
    workspace, started, open_page, read
) -> None:
    config = TrainConfig(
        "tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=1), (32, 64)
    )
    runs = workspace.runs.train(config, members=3)
    at = open_page("runs", run=runs[0])
    assert at.button(key=f"up_{runs[0]}").disabled and at.button(key=f"down_{runs[2]}").disabled
    read.check(at.button(key=f"first_{runs[2]}").click().run())
    read.check(at.button(key=f"hold_{runs[0]}").click().run())
    assert [(w.run, w.held) for w in workspace.queue.rows()] == [
        (runs[2], False),
        (runs[0], True),
        (runs[1], False),
    ]
    read.check(at.button(key=f"plus_{runs[1]}").click().run())
    assert workspace.queue.rows()[0].run == runs[1]
    read.check(at.toggle(key="hold_queue_False").set_value(True).run())
    assert workspace.queue.is_paused
    read.check(at.button(key=f"cancel_{runs[1]}").click().run())
    left = workspace.runs.open(runs[1]).status()
    assert left.state == "interrupted" and left.cause.startswith("Cancelled before it started")
    table = at.dataframe[0].value
    assert list(table["state"][table["run"] == runs[1]]) == ["Cancelled"]
    assert [w.run for w in workspace.queue.rows()] == [runs[2], runs[0]]


def test_a_training_stands_in_the_queue_once_with_its_predictions_beneath(
    workspace, started, open_page, read
) -> None:
    config = TrainConfig(
        "tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=1), (32, 64)
    )
    runs = workspace.launch.start(config, 2)
    at = open_page("runs", run=runs[0])

    def lines() -> list[str]:
        return [m.value.split("`")[1] for m in at.markdown if m.value[:2] in ("1.", "2.", "3.")]

    assert lines() == runs and "**Queued 2**" in [m.value for m in at.markdown]
    assert [c.value for c in at.caption].count("then predicts validation, test") == 2
    read.check(at.button(key=f"up_{runs[1]}").click().run())
    assert lines() == runs[::-1]
    waiting = [w for w in workspace.queue.rows() if w.after]
    assert len(waiting) == 4 and {w.priority for w in waiting} == {1}  # only trainings were moved
    read.check(at.button(key=f"cancel_after_{runs[0]}").click().run())
    assert {w.after for w in workspace.queue.rows()} == {(), (runs[1],)}


def test_masks_by_epoch_and_what_it_was_made_with(trained, open_page, read) -> None:
    run = trained.workspace.runs.open(trained.members[0])
    dataset = trained.workspace.datasets.open("tiny")
    run.write_json("labels", {"label_set": dataset.label_set.to_json(), "label_map": None})
    run.write_json(
        "evolution", {"split": "validation", "samples": ["validation/scene_0"], "size": [16, 24]}
    )
    truth = dataset.read_mask(dataset.sample("validation/scene_0"))
    for epoch, mask in ((1, np.zeros((32, 48), np.uint8)), (3, truth)):
        run.write_mask("validation", mask_history_stage(epoch), "validation/scene_0", mask)
    image, true, predicted = trained.workspace.monitor.masks_at(run.id, "validation/scene_0", 3)
    assert image.shape == (32, 48, 3) and (true == truth).all() and (predicted == truth).all()
    at = open_page("runs", run=run.id)
    read.check(at.button_group(key="run_tab_train").set_value("Validation previews").run())
    words = " ".join(image.proto.imgs[0].caption for image in at.get("image"))
    assert "epoch 3: 100.0 % correct" in words
    note_environment(run.folder, "another dataset")
    read.check(at.button_group(key="run_tab_train").set_value("Environment").run())
    assert "dataset has changed" in " ".join(w.value for w in at.warning)
    assert "numpy" in list(at.dataframe[-1].value["package"])


def test_a_damaged_run_is_in_the_table_whatever_kinds_are_shown(trained, open_page) -> None:
    (trained.workspace.runs.folder / trained.ensemble / "config.json").write_text("{")
    table = open_page("runs", run=trained.members[0]).dataframe[0].value.set_index("run")
    assert table["state"][trained.ensemble] == "Failed"
    assert "damaged" in table["cause"][trained.ensemble]


def test_the_card_notices_a_run_that_only_changed_its_state() -> None:
    def rows(*states: str) -> list[RunRow]:
        return [
            run_row(RunSummary(name, Path(name), "train", "tiny", Status(state=state)))
            for name, state in zip("bac", states, strict=True)
        ]

    busy = queue._busy(rows("queued", "running", "finished"))
    assert busy == [("a", "running", 0), ("b", "queued", 0)]
    assert queue._busy(rows("starting", "running", "finished")) != busy


def test_a_run_that_waits_on_a_cluster_says_why_and_can_be_taken_back(
    workspace, open_page, read, monkeypatch
) -> None:
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    config = TrainConfig("tiny", device="slurm")
    run = RunFolder.create(workspace.folder / "runs", "far", config)
    jobs.submit(workspace.folder, ["far"])
    with Queue(workspace.folder) as rows:
        token = rows.claim("far", [], "west")
        assert rows.confirm("far", token, None, "", "slurm")
    run.write_status(message="Waits in Slurm for free nodes (job 3)")
    at = open_page("runs")
    shown = " ".join(m.value for m in at.markdown)
    assert "**Queued 1**" in shown and "Waits in Slurm for free nodes" in shown
    read.check(at.button(key="cancel_far").click().run())
    assert run.status().state == "stopping"
