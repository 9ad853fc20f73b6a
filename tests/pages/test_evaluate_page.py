"""How good is it: the page shows the workspace's own numbers, and the same ones everywhere."""

import numpy as np
import pytest

from segcore.ui.shared import figures


def assert_shows(at, read, workspace, run: str, split: str, stage: str = "") -> None:
    report = workspace.scores.report(run, split, stage).to_json()
    shown = read.metrics(at)
    assert shown["Mean IoU"] == figures.percent(report["mean_iou"])
    assert shown["Pixel accuracy"] == figures.percent(report["pixel_accuracy"])
    assert shown["Images"] == str(report["num_samples"])
    assert shown["Ignored pixels"] == figures.percent(report["ignored_share"])
    (interval,) = [value for label, value in shown.items() if label.startswith("95 % CI")]
    assert interval == figures.interval(*report["interval"]["mean_iou"])
    classes, images = at.dataframe[0].value, at.dataframe[1].value
    for column, key in (
        ("class", "name"),
        ("IoU", "iou"),
        ("Dice", "dice"),
        ("precision", "precision"),
        ("recall", "recall"),
    ):
        assert list(classes[column]) == [
            c[key] if column == "class" else 100 * c[key] for c in report["classes"]
        ]
    assert list(classes["pixels"]) == [c["support"] for c in report["classes"]]
    assert list(images["image"]) == [i["id"] for i in report["images"]]
    assert list(images["mean IoU"]) == sorted(images["mean IoU"])
    bars = read.figure(at, "class_iou")["data"][0]
    assert bars["x"] == [c["name"] for c in report["classes"]]
    np.testing.assert_allclose(
        np.asarray(bars["y"], float), [100 * c["iou"] for c in report["classes"]]
    )


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_members_numbers_are_the_reports(trained, open_page, read, split) -> None:
    at = open_page("evaluate", run=trained.members[1], split=split)
    assert [s.value for s in at.selectbox] == [trained.members[1]]
    assert_shows(at, read, trained.workspace, trained.members[1], split)


def test_an_ensemble_is_shown_before_and_after_the_crf(trained, open_page, read) -> None:
    at = open_page("evaluate", run=trained.ensemble, split="test")
    assert_shows(at, read, trained.workspace, trained.ensemble, "test", "ensemble")
    read.check(at.button_group(key="stage").set_value("crf").run())
    assert_shows(at, read, trained.workspace, trained.ensemble, "test", "crf")
    read.check(at.selectbox(key="run").set_value(trained.members[0]).run())
    assert_shows(at, read, trained.workspace, trained.members[0], "test")
    assert not [g for g in at.button_group if g.key == "stage"]


@pytest.mark.parametrize("normalise", ["row", "column", "all"])
def test_the_confusion_matrix_has_true_rows(trained, open_page, read, normalise) -> None:
    at = open_page("evaluate", run=trained.members[0], split="test")
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
        ["test/scene_0"],
        np.array([[[1000, 4, 0, 0], [0, 500, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]),
    )
    at = open_page("evaluate", run="rare-1", split="test")
    assert list(at.dataframe[0].value["IoU"].isna()) == [False, False, True, True]
    assert read.metrics(at)["Mean IoU"] == figures.percent((1000 / 1004 + 500 / 504) / 2)


def test_a_split_that_was_not_predicted_is_offered_and_queued(
    trained, started, open_page, read
) -> None:
    at = open_page("evaluate", run=trained.members[0], split="train")
    assert not at.metric
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
