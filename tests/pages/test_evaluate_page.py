"""How good is it: the page shows the workspace's own numbers, and the same ones everywhere."""

import numpy as np
import pytest

from segcore import formatting


def assert_shows(at, read, workspace, run: str, split: str, stage: str = "") -> None:
    report = workspace.scores.report(run, split, stage).to_json()
    low, high = report["interval"]["mean_iou"]
    headline = next(m.value for m in at.markdown if m.value.startswith("### Mean IoU"))
    assert formatting.percent(report["mean_iou"]) in headline
    if low is None:
        assert "[" not in headline
    else:
        assert f"[{100 * low:.1f}, {100 * high:.1f}]" in headline
    line = next(c.value for c in at.caption if c.value.startswith("Pixel accuracy"))
    assert formatting.percent(report["pixel_accuracy"]) in line
    assert f"{report['num_samples']} images" in line
    assert formatting.percent(report["ignored_share"]) in line
    classes = next(d.value for d in at.dataframe if "IoU" in d.value)
    images = next(d.value for d in at.dataframe if "image" in d.value)
    for column, key in (
        ("IoU", "iou"),
        ("Dice", "dice"),
        ("precision", "precision"),
        ("recall", "recall"),
    ):
        assert list(classes[column]) == [100 * c[key] for c in report["classes"]]
    assert list(classes["class"]) == [c["name"] for c in report["classes"]]
    assert list(classes["pixels"]) == [c["support"] for c in report["classes"]]
    for column, end in (("from", 0), ("to", 1)):
        ends = [c["interval"][end] for c in report["classes"]]
        shown = [None if v != v else v for v in classes[column].tolist()]
        assert shown == [None if v is None else 100 * v for v in ends]
    assert list(images["image"]) == [i["id"] for i in report["images"]]
    assert list(images["mean IoU"]) == sorted(images["mean IoU"])
    bars = read.figure(at, "class_iou")["data"][0]
    expected = sorted((c["iou"], c["name"]) for c in report["classes"])
    np.testing.assert_allclose(np.asarray(bars["x"], float), [100 * iou for iou, _ in expected])
    assert set(bars["y"]) == {name for _, name in expected}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_members_numbers_are_the_reports(trained, open_page, read, split) -> None:
    at = open_page("evaluate", run=trained.members[1], split=split)
    assert at.selectbox(key="run").value == trained.members[1]
    assert_shows(at, read, trained.workspace, trained.members[1], split)


def test_an_ensemble_is_shown_before_and_after_the_crf(trained, open_page, read) -> None:
    at = open_page("evaluate", run=trained.ensemble, split="test")
    # the run is named for its CRF, so its scores after the CRF are shown first
    assert_shows(at, read, trained.workspace, trained.ensemble, "test", "crf")
    read.check(at.button_group(key="stage").set_value("ensemble").run())
    assert_shows(at, read, trained.workspace, trained.ensemble, "test", "ensemble")
    read.check(at.selectbox(key="run").set_value(trained.members[0]).run())
    assert_shows(at, read, trained.workspace, trained.members[0], "test")
    assert not [g for g in at.button_group if g.key == "stage"]


@pytest.mark.parametrize("normalise", ["row", "column", "all"])
def test_the_confusion_matrix_has_true_rows(trained, open_page, read, normalise) -> None:
    at = open_page("evaluate", run=trained.members[0], split="test", tab="Confusion")
    read.check(at.button_group(key="normalise").set_value(normalise).run())
    counts = trained.workspace.scores.counts(trained.members[0], "test")[1].sum(0)
    total = {
        "row": counts.sum(1, keepdims=True),
        "column": counts.sum(0, keepdims=True),
        "all": counts.sum(),
    }[normalise]
    drawn, *written = read.figure(at, "confusion")["data"][:3]
    names = ["field", "forest", "road", "roof"]
    assert drawn["x"] == drawn["y"] == names
    shares = 100 * counts / total
    expected = {
        (y, x): f"{shares[t, p]:.0f}"
        for t, y in enumerate(names)
        for p, x in enumerate(names)
        if shares[t, p] >= 0.5
    }
    assert {
        (y, x): text
        for trace in written
        for y, x, text in zip(trace["y"], trace["x"], trace["text"], strict=True)
    } == expected


def test_a_class_without_a_score_is_a_dash_and_no_nought(trained, made_up, open_page, read) -> None:
    made_up.train("rare-1")
    run = made_up.predict("rare-1", "test", 0)
    run.write_counts(
        "test",
        "prediction",
        [f"test/scene_{i}" for i in range(3)],
        np.array([[[1000, 4, 0, 0], [0, 500, 0, 0], [0] * 4, [0] * 4], *np.zeros((2, 4, 4))], int),
    )
    at = open_page("evaluate", run="rare-1", split="test")
    table = next(d.value for d in at.dataframe if "IoU" in d.value)
    assert list(table["IoU"].isna()) == [False, False, True, True]
    score = formatting.percent((1000 / 1004 + 500 / 504) / 2)
    assert any(m.value.startswith(f"### Mean IoU {score}") for m in at.markdown)


def test_a_split_that_was_not_predicted_is_offered_and_queued(
    trained, started, open_page, read
) -> None:
    at = open_page("evaluate", run=trained.members[0], split="train")
    assert not at.get("plotly_chart")
    (button,) = [b for b in at.button if b.key == "predict_split"]
    read.check(button.click().run())
    assert trained.workspace.runs.open(f"{trained.members[0]}--train").status().state == "queued"
    assert not [
        b for b in at.button if b.key == "predict_split"
    ]  # it follows what is under way instead


def test_a_failed_prediction_is_told_with_its_cause(trained, started, open_page, read) -> None:
    at = open_page("evaluate", run=trained.members[0], split="train")
    read.check(at.button(key="predict_split").click().run())
    run = trained.workspace.runs.open(f"{trained.members[0]}--train")
    run.write_status(state="failed", cause="The memory did not suffice.")
    read.check(at.run())
    text = " ".join([*(e.value for e in at.error), *(w.value for w in at.warning)])
    assert "The memory did not suffice." in text
    assert at.button(key="predict_split")


def test_an_ensemble_on_another_split_queues_what_it_lacks(
    trained, started, open_page, read
) -> None:
    at = open_page("evaluate", run=trained.ensemble, split="validation")
    read.check(at.button(key="predict_split").click().run())
    assert (
        trained.workspace.runs.open(trained.workspace.runs.on_split(trained.ensemble, "validation"))
        .status()
        .state
        == "queued"
    )
    assert all(trained.workspace.scores.has_counts(m, "validation") for m in trained.members)


def test_intervals_are_checked_by_simulation_on_request(trained, open_page, read) -> None:
    at = open_page("evaluate", run=trained.members[0], split="test")
    plan = trained.workspace.scores.plan_test(trained.members[0], "test").sentence()
    assert any(plan in caption.value for caption in at.caption)
    key = f"coverage_{trained.members[0]}_test_prediction"
    read.check(at.toggle(key=key).set_value(True).run())
    sentence = trained.workspace.scores.coverage(trained.members[0], "test").sentence()
    assert any(sentence in text.value for text in (*at.caption, *at.warning))


@pytest.mark.parametrize("page_of_runs", ["evaluate", "compare"])
def test_a_link_to_a_run_that_is_gone_says_so_across_the_page(
    trained, open_page, page_of_runs
) -> None:
    at = open_page(page_of_runs, run="gone")
    assert [w.value for w in at.warning] == ["The run gone of this link does not exist."]
    assert not any(column.warning for column in at.columns)
    assert at.selectbox(key="run").value in (*trained.members, trained.ensemble)
