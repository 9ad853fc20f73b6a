"""How is it going: the table, one run's curves and log, and its buttons."""

import numpy as np


def test_the_table_is_the_workspaces_rows(trained, open_page, read) -> None:
    at = open_page("runs")
    read.check(at.button_group(key="kinds").set_value(["train", "predict", "evaluate"]).run())
    rows = trained.workspace.runs.rows()
    table = at.dataframe[0].value
    assert list(table["run"]) == [r["run"] for r in rows]
    assert list(table["data set"]) == ["tiny"] * len(rows)
    assert set(table["state"]) == {"Finished"}
    np.testing.assert_allclose(table["mean IoU"], [r["mean_iou"] for r in rows])
    read.check(at.button_group(key="kinds").set_value(["evaluate"]).run())
    assert list(at.dataframe[0].value["run"]) == [trained.ensemble]


def test_a_training_run_shows_its_curves_and_its_log(trained, open_page, read) -> None:
    at = open_page("runs", run=trained.members[0])
    loss = {trace["name"]: trace for trace in read.figure(at, "curve_loss")["data"]}
    assert loss["loss"]["x"] == [1, 2] and loss["loss"]["y"] == [0.9, 0.5]
    assert loss["val_loss"]["y"] == [1.0, 0.6]
    scores = {trace["name"]: trace for trace in read.figure(at, "curve_iou")["data"]}
    np.testing.assert_allclose(scores["val_mean_iou"]["y"], [0.8 - 0.9, 0.8 - 0.5])
    assert any("was made up" in code.value for code in at.code)


def test_an_active_run_can_be_stopped_and_resumed(workspace, started, open_page, read) -> None:
    from_page = open_page("train")
    (encoder,) = [s for s in from_page.selectbox if s.label == "Encoder"]
    encoder.set_value("tiny").run()
    (start,) = [b for b in from_page.button if b.label == "Start training"]
    read.check(start.click().run())
    (run,) = workspace.runs.ids()
    at = open_page("runs", run=run)
    read.check(at.button(key="stop").click().run())
    assert workspace.runs.open(run).status().state == "interrupted"
    assert "resume it" in " ".join(w.value for w in at.warning)
    read.check(at.button(key="resume").click().run())
    assert workspace.runs.open(run).status().state == "queued"


def test_a_running_run_shows_how_far_it_is(trained, open_page) -> None:
    run = trained.workspace.runs.open(trained.members[0])
    run.write_status(state="running", epoch=7, epochs=20, progress=0.35, seconds_left=130.0, message="Epoch 8")
    at = open_page("runs", run=run.id)
    texts = [p.proto.text for p in at.get("progress")]
    assert any("epoch 7 of 20" in text and "2 min left" in text for text in texts)
    assert [b.key for b in at.button if b.key in ("stop", "resume", "delete")] == ["stop"]
    assert any("may hang" in w.value for w in at.warning)  # nothing was heard of it since it was made up


def test_a_failed_run_says_why(trained, open_page) -> None:
    trained.workspace.runs.open(trained.members[0]).write_status(state="failed", cause="The memory did not suffice.")
    at = open_page("runs", run=trained.members[0])
    assert "The memory did not suffice." in [w.value for w in at.warning]
    assert [b.key for b in at.button if b.key in ("stop", "resume", "delete")] == ["resume", "delete"]


def test_a_run_is_deleted_with_its_predictions(trained, open_page, read) -> None:
    at = open_page("runs", run=trained.members[0])
    read.check(at.button(key="delete").click().run())
    assert not [run for run in trained.workspace.runs.ids() if run.startswith(trained.members[0])]
    assert at.selectbox(key="run").value in trained.workspace.runs.ids()


def test_a_damaged_run_is_in_the_table_whatever_kinds_are_shown(trained, open_page) -> None:
    (trained.workspace.runs.folder / trained.ensemble / "config.json").write_text("{")
    table = open_page("runs", run=trained.members[0]).dataframe[0].value.set_index("run")
    assert table["state"][trained.ensemble] == "Failed"
    assert "damaged" in table["cause"][trained.ensemble]
