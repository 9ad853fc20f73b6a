import csv
import io
import json

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.metrics.report import Protocol, evaluate
from segcore.labels import LabelClass, LabelSet
from tests.promises import SCORES

LABELS = LabelSet(
    tuple(
        LabelClass(10 * i + 7, name, (i, i, i))
        for i, name in enumerate(["road", "tree; big", "sky", "boat"])
    )
)


def counts_of(n=6):
    rng = np.random.default_rng(2)
    counts = rng.integers(0, 20, (n, 4, 4)) + 60 * np.eye(4, dtype=int)
    counts[:, 3, :] = counts[:, :, 3] = 0
    return counts


def report(n=6, **more):
    counts = counts_of(n)
    sizes = [(20, int(c.sum()) // 10) for c in counts]
    return evaluate(
        counts, [f"image {i}" for i in range(n)], LABELS, "test", sizes=sizes, resamples=200, **more
    )


def test_json_holds_the_contract():
    data = report().to_json()
    text = json.dumps(data, allow_nan=False)
    assert json.loads(text) == data
    assert set(data) >= SCORES
    for row in data["classes"]:
        assert {"id", "name", "iou", "dice", "precision", "recall", "support"} <= set(row)
    assert [row["id"] for row in data["classes"]] == [7, 17, 27, 37]
    assert data["classes"][3]["iou"] is None
    assert data["classes"][3]["support"] == 0
    total = counts_of().sum(0)
    assert data["confusion"] == total.tolist()
    assert data["mean_iou"] == pytest.approx(float(np.mean(scores.iou(total)[:3])))
    low, high = data["interval"]["mean_iou"]
    assert low < data["mean_iou"] < high
    assert data["ignored_share"] == pytest.approx(0.5, abs=0.01)


def test_an_ignored_class_without_a_name_is_named_by_its_colour_once():
    ignored = (LabelClass(1, "void", (0, 0, 0)), LabelClass(2, "#ff0000", (255, 0, 0)))
    made = evaluate(counts_of(), [*"abcdef"], LabelSet(LABELS.classes, ignored), "test")
    assert made.protocol.ignored == ("void (#000000)", "#ff0000")


def test_set_and_image_means_are_named_apart():
    made = report()
    data = made.to_json()
    by_image = scores.mean_iou(made.counts)
    assert data["mean_over_images"]["mean_iou"] == pytest.approx(by_image.mean())
    assert data["mean_over_images"]["mean_iou"] != data["mean_iou"]
    assert [row["mean_iou"] for row in data["images"]] == sorted(by_image)


def test_hardest_first_and_unscored_images_last():
    counts = np.stack(
        [
            np.diag([5, 5, 0, 0]),
            np.zeros((4, 4), int),
            np.array([[1, 9, 0, 0], [0, 5, 0, 0], [0] * 4, [0] * 4]),
        ]
    )
    made = evaluate(counts, ["good", "void", "bad"], LABELS)
    assert [row["id"] for row in made.to_json()["images"]] == ["bad", "good", "void"]
    assert made.to_json()["images"][-1]["mean_iou"] is None


def test_label_scores_table():
    rows = list(csv.reader(io.StringIO(report().label_scores()), delimiter=";"))
    assert rows[0] == [
        "id",
        "name",
        "support",
        "iou",
        "dice",
        "precision",
        "recall",
        "iou_low",
        "iou_high",
    ]
    assert [r[1] for r in rows[1:]] == ["road", "tree; big", "sky", "boat"]
    assert rows[4][3:] == [""] * 6
    assert float(rows[1][7]) <= float(rows[1][3]) <= float(rows[1][8])


def test_protocol_is_stated_and_compared():
    made = report()
    assert "test" in made.protocol.sentence()
    assert "255" in made.protocol.sentence()
    assert made.protocol.differences(report().protocol) == []
    assert Protocol.from_json(json.loads(json.dumps(made.to_json()["protocol"]))) == made.protocol
    other = evaluate(counts_of(), list("abcdef"), LABELS, "validation")
    assert any(
        "splits (test against validation)" in line
        for line in made.protocol.differences(other.protocol)
    )
    counts = counts_of()
    counts[0, 0, 0] += 1
    moved = evaluate(counts, list("abcdef"), LABELS, "test").protocol
    kept = evaluate(counts_of(), list("abcdef"), LABELS, "test").protocol
    assert kept.differences(moved) == ["Not comparable: the ground-truth masks differ."]


def test_size_is_given_only_when_shared():
    counts = np.stack([np.diag([5, 5, 0, 0])] * 2)
    assert evaluate(counts, ["a", "b"], LABELS, sizes=[(5, 4), (5, 4)]).to_json()["size"] == [5, 4]
    mixed = evaluate(counts, ["a", "b"], LABELS, sizes=[(5, 4), (4, 5)])
    assert mixed.to_json()["size"] is None
    assert "own size" in mixed.protocol.sentence()
    assert evaluate(counts, ["a", "b"], LABELS).to_json()["ignored_share"] is None


def test_all_ignored_is_null_throughout():
    data = evaluate(np.zeros((2, 4, 4), int), ["a", "b"], LABELS, sizes=[(2, 2), (2, 2)]).to_json()
    assert data["mean_iou"] is None
    assert data["ignored_share"] == 1
    assert data["interval"]["mean_iou"] == [None, None]
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counts": np.zeros((2, 3, 3))}, "4 classes, received 3"),
        ({"counts": np.zeros((0, 4, 4)), "sample_ids": []}, "at least one image"),
        ({"counts": -np.ones((2, 4, 4))}, "non-negative"),
        ({"counts": np.zeros((4, 4))}, "images, classes, classes"),
        ({"sample_ids": ["a"]}, "sample ids for 2 images, received 1"),
        ({"groups": ["a"]}, "groups for 2 images"),
        ({"sizes": [(1, 1), (1, 1)]}, "own size"),
    ],
)
def test_what_does_not_fit_is_refused(change, words):
    given = {
        "counts": np.ones((2, 4, 4), int),
        "sample_ids": ["a", "b"],
        "label_set": LABELS,
        **change,
    }
    with pytest.raises(SegcoreError, match=words):
        evaluate(**given)
