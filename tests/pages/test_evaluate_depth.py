"""Evaluate, looked into: A against B, cells of the confusion matrix, parts of the split, members, the report."""

import numpy as np
import pytest

from segcore import formatting
from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.evaluation.metrics.slices import score_slices, slice_by_class
from segcore.ui.evaluate import charts


def tab(open_page, title: str, run: str, **query: str):
    return open_page("evaluate", run=run, split="test", tab=title, **query)


def test_a_against_b_shows_the_workspaces_comparison(trained, open_page, read) -> None:
    first, second = trained.members
    at = tab(open_page, "A/B test", first, against=second)
    found = trained.workspace.reports.compare(first, second, "test").to_json()
    shown = read.metrics(at)
    assert shown["A minus B, mean IoU"] == f"{100 * found['difference']:+.1f} pp"
    assert shown["p value"] == f"{found['p_value']:.3f}"
    assert shown["Images won"] == f"{found['wins']['a']} : {found['wins']['b']}"
    assert len(read.figure(at, "against_images")["data"][0]["x"]) == 3


def test_what_is_not_comparable_is_a_warning_and_no_number(
    trained, made_up, open_page, read
) -> None:
    made_up.train("few-1")
    ids, counts = trained.workspace.scores.counts(trained.members[0], "test")
    made_up.predict("few-1", "test", 3).write_counts("test", "prediction", ids, counts[::-1])
    at = tab(open_page, "A/B test", trained.members[0], against="few-1")
    assert "masks differ" in at.warning[0].value
    assert "p value" not in read.metrics(at)


def test_an_ensemble_is_compared_with_its_own_crf(trained, open_page, read) -> None:
    at = tab(open_page, "A/B test", trained.ensemble, against=trained.ensemble, stage="Ensemble")
    found = trained.workspace.reports.compare(
        trained.ensemble, trained.ensemble, "test", "ensemble", "crf"
    ).to_json()
    assert (
        read.metrics(at)["Images won"] == f"{found['wins']['a']} : {found['wins']['b']}" == "0 : 3"
    )
    assert "B is significantly better than A" in " ".join(m.value for m in at.markdown)


def test_b_that_was_not_predicted_is_offered(trained, made_up, open_page, read) -> None:
    made_up.train("fresh-1")
    at = tab(open_page, "A/B test", trained.members[0], against="fresh-1")
    assert [b for b in at.button if b.key == "predict_split"] and "p value" not in read.metrics(at)


def test_classes_answered_alike_stand_together(trained, open_page, read) -> None:
    at = tab(open_page, "Confusion", trained.members[0])
    read.check(at.button_group(key="order").set_value("clustered").run())
    total = trained.workspace.scores.counts(trained.members[0], "test")[1].sum(0)
    names = ["field", "forest", "road", "roof"]
    drawn = read.figure(at, "confusion")["data"][0]
    assert drawn["x"] == drawn["y"] == [names[i] for i in build_dendrogram(total).order]


def test_a_cell_lists_the_images_with_most_of_its_pixels(trained, open_page, read) -> None:
    at = tab(open_page, "Confusion", trained.members[0])
    ids, counts = trained.workspace.scores.counts(trained.members[0], "test")
    wrong = counts.sum(0) * (1 - np.eye(4, dtype=int))
    true, predicted = divmod(
        int(wrong.argmax()), 4
    )  # where nothing was clicked: the largest confusion
    (box,) = [s for s in at.selectbox if s.label == "True class"]
    assert box.value == true
    pixels = counts[:, true, predicted]
    listed = [d.value for d in at.dataframe if "of class" in d.value]
    assert list(listed[0]["image"]) == [
        ids[i] for i in np.argsort(-pixels, kind="stable") if pixels[i]
    ]
    assert list(listed[0]["pixels"]) == sorted((p for p in pixels if p), reverse=True)
    (box,) = [s for s in at.selectbox if s.label == "Predicted as"]
    read.check(box.set_value(true).run())  # the diagonal: what was found
    assert "are found" in " ".join(c.value for c in at.caption)


def test_parts_are_the_slices_of_the_counts(trained, open_page, read) -> None:
    at = tab(open_page, "Slices and robustness", trained.members[0])
    counts = trained.workspace.scores.counts(trained.members[0], "test")[1]
    rows = score_slices(counts, slice_by_class(counts, ["field", "forest", "road", "roof"]))
    table = next(d.value for d in at.dataframe if "slice" in d.value)
    assert list(table["slice"]) == [r.name for r in rows]
    np.testing.assert_allclose(list(table["mean IoU"]), [100 * r.mean_iou for r in rows])
    read.check(at.button_group(key="part").set_value("brightness").run())
    assert next(d.value for d in at.dataframe if "slice" in d.value)["images"].sum() == 3
    read.check(at.button_group(key="part").set_value("object size").run())
    assert len(read.figure(at, "sizes")["data"]) == len(charts.SIZES)


def test_runs_are_spread_only_where_there_are_some(trained, open_page, read) -> None:
    at = tab(open_page, "Slices and robustness", trained.ensemble)
    _, spread = trained.workspace.reports.spread(trained.ensemble, "test")
    one = spread.overall["mean_iou"]
    assert (
        read.metrics(at)["Mean IoU per run"]
        == f"{formatting.percent(one.mean)} ± {100 * one.deviation:.1f} pp"
    )
    drawn = read.figure(at, "members")["data"]
    for row, trace in zip(spread.class_iou, drawn, strict=False):
        np.testing.assert_allclose(np.asarray(trace["x"], float), 100 * row)
    (choice,) = [m for m in at.multiselect if m.label == "Repeated runs"]
    read.check(choice.set_value(list(trained.members[:1])).run())
    assert "Mean IoU per run" not in read.metrics(at) and any(
        "at least two runs" in i.value for i in at.info
    )


@pytest.mark.parametrize("title", ["A/B test", "Slices and robustness", "Confusion"])
def test_a_single_run_of_one_image_has_no_interval_and_no_traceback(
    made_up, open_page, read, title
) -> None:
    made_up.train("one-1")
    counts = np.array([[[900, 4, 0, 0], [0, 500, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]])
    made_up.predict("one-1", "test", 0).write_counts("test", "prediction", ["test/scene_0"], counts)
    at = tab(open_page, title, "one-1")
    assert not at.error
    assert not any("[" in m.value for m in at.markdown if m.value.startswith("### Mean IoU"))


def test_the_report_can_be_downloaded(trained, open_page) -> None:
    at = tab(open_page, "Overview", trained.members[0])
    assert [b.label for b in at.get("download_button")] == [
        "Download report (HTML)",
        "Download report (JSON)",
        "Download class scores (CSV)",
    ]
