"""Evaluate, below the counts: the pages show the workspace's own numbers."""

import numpy as np
import pytest

from segcore import formatting
from segcore.evaluation.metrics.robustness import stage_name
from segcore.runs.folder.run_folder import RunFolder
from segcore.ui.shared.run_names import called
from segcore.ui.shared.session import plain


def tab(open_page, title: str, run: str):
    return open_page("evaluate", run=run, split="test", tab=title)


def test_borders_and_confidence_are_the_workspaces(trained, open_page, read) -> None:
    run, measures = trained.members[0], trained.workspace.pixel_metrics
    at = tab(open_page, "Overview", run)
    found = measures.measure(run, "test")
    assert read.metrics(at)["Mean boundary IoU"] == formatting.percent(
        found.measures.borders().mean_boundary
    )
    at = tab(open_page, "Calibration and label errors", run)
    confidence = found.measures.confidence()
    shown = read.metrics(at)
    assert (
        shown["ECE"] == formatting.percent(confidence.ece)
        and shown["Brier score"] == f"{confidence.brier:.4f}"
    )
    temperature = measures.measure(run, "validation").temperature
    assert any(f"temperature {temperature:.2f}" in c.value for c in at.caption)
    scaled = measures.scaled(run, "test", temperature)
    (metric,) = [m for m in at.metric if m.label == "ECE"]
    assert metric.delta == formatting.points(scaled.ece - confidence.ece)


def test_members_that_were_stopped_are_named_and_resumed_together(
    trained, started, open_page, read
) -> None:
    runs = [trained.workspace.runs.open(f"{member}--test") for member in trained.members]
    for run in runs:
        run.write_status(state="interrupted", cause="Stopped on request.")
    at = tab(open_page, "Calibration and label errors", trained.ensemble)
    for member in trained.members:
        assert any(
            plain(member) in m.value and plain("Stopped on request.") in m.value
            for m in at.markdown
        )
    (together,) = [b for b in at.button if b.label == "Resume all 2"]
    read.check(together.click().run())
    assert [run.status().state for run in runs] == ["queued", "queued"]


def test_an_ensemble_is_called_by_what_it_combines_when_robustness_is_asked(
    trained, open_page
) -> None:
    at = tab(open_page, "Slices and robustness", trained.ensemble)
    (network,) = [box for box in at.selectbox if box.label == "Model"]
    assert (
        network.options == [called(trained.ensemble), *trained.members]
        and called(trained.ensemble) != trained.ensemble
    )


def test_contradicted_labels_are_listed_and_pictured(trained, open_page, read) -> None:
    run = trained.members[0]
    at = tab(open_page, "Calibration and label errors", run)
    found = trained.workspace.pixel_metrics.suspects(run, "test")
    listed = [i for i in found.images if i.pixels]
    assert found.pixels == sum(i.pixels for i in listed) == int(np.sum(found.pairs))
    for image in listed:
        where = trained.workspace.pixel_metrics.suspicion(run, "test", image.id).suspected
        assert int(where.sum()) == image.pixels
    table = [d.value for d in at.dataframe if "perhaps" in d.value and "image" in d.value]
    assert [list(t["pixels"]) for t in table] == ([[i.pixels for i in listed]] if listed else [])


def test_robustness_is_launched_by_one_click_and_drawn(trained, started, open_page, read) -> None:
    workspace, run = trained.workspace, trained.members[0]
    workspace.runs.open(run).model_path.touch()
    at = tab(open_page, "Slices and robustness", run)
    read.check(at.button(key="robust_start").click().run())
    (name,) = workspace.robustness.started(run, "test")
    folder = workspace.runs.open(name)
    assert folder.status().state == "queued"
    ids, counts = workspace.scores.counts(run, "test")
    folder.write_counts("test", "clean", ids, counts)
    wrong = np.roll(counts, 1, axis=2)
    for corruption in folder.config.corruptions:
        for severity in range(1, 6):
            folder.write_counts(
                "test", stage_name(corruption, severity), ids, wrong if severity == 5 else counts
            )
    RunFolder(folder.folder).write_status(state="finished", finished=1.0)
    at = tab(open_page, "Slices and robustness", run)
    summary = workspace.robustness.result(name).summary
    assert summary.curves[0].drop == 0 and summary.curves[4].drop > 0
    drawn = [t for t in read.figure(at, "corruption_curves")["data"] if t.get("name") == "Noise"]
    assert drawn[0]["y"] == pytest.approx(
        [
            100 * v
            for v in [summary.clean.mean_iou, *(point.mean_iou for point in summary.curves[:5])]
        ]
    )
    assert "Under noise" in read.metrics(at)


def test_what_is_not_measured_yet_says_what_it_brings(trained, open_page, monkeypatch) -> None:
    monkeypatch.setattr("segcore.ui.shared.background_tasks.AT_ONCE", 0)
    at = tab(open_page, "Calibration and label errors", trained.ensemble)
    assert any(words.value.startswith("How well boundaries are hit") for words in at.caption)
