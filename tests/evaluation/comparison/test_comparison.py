"""A against B: identities, a case worked by hand, and what may not be compared."""

import json

import numpy as np
import pytest

from segcore.evaluation.comparison.comparison import compare_reports
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import swap_p_value
from segcore.evaluation.metrics.report import evaluate
from segcore.labels import LabelClass, LabelSet
from tests.evaluation.plain_loop import plain_interval

LABELS = LabelSet(
    (
        LabelClass(7, "field", (1, 2, 3)),
        LabelClass(9, "road", (4, 5, 6)),
        LabelClass(4, "roof", (7, 8, 9)),
    )
)
NAMES = [f"image {i}" for i in range(8)]


def answers(rng: np.random.Generator, truth: np.ndarray, skill: float) -> np.ndarray:
    """Counts (N, C, C) with the row sums ``truth`` (N, C): each pixel is right by a chance of ``skill``, else anything."""
    size = truth.shape[1]
    chances = skill * np.eye(size) + (1 - skill) / size
    return np.array([[rng.multinomial(n, chances[c]) for c, n in enumerate(row)] for row in truth])


@pytest.fixture
def pair():
    rng = np.random.default_rng(5)
    truth = rng.integers(20, 200, (8, 3))
    truth[:, 2] = 0  # never true
    return [evaluate(answers(rng, truth, skill), NAMES, LABELS, "test") for skill in (0.9, 0.5)]


def test_a_run_against_itself_differs_by_nothing(pair) -> None:
    same = compare_reports(pair[0], pair[0])
    assert (
        same.reasons == ()
        and same.difference.value == 0
        and same.difference.ends() == [0, 0]
        and same.p_value == 1
    )
    assert same.wins == (0, 0, 8)
    assert [c.ends() for c in same.class_difference] == [[0, 0], [0, 0], [None, None]]


def test_swapping_a_and_b_turns_every_sign(pair) -> None:
    there, back = compare_reports(*pair), compare_reports(*pair[::-1])
    assert there.difference.value == -back.difference.value > 0
    for one, other in zip(
        (there.difference, *there.class_difference),
        (back.difference, *back.class_difference),
        strict=True,
    ):
        np.testing.assert_allclose([one.low, one.high], [-other.high, -other.low])
    assert there.wins == (back.wins[1], back.wins[0], back.wins[2])
    assert there.p_value == back.p_value


def test_it_agrees_with_what_it_is_made_of(pair) -> None:
    a, b = pair
    found = compare_reports(a, b)
    total = [r.counts.sum(0) for r in pair]
    gain = found.difference
    assert gain.value == pytest.approx(scores.mean_iou(total[0]) - scores.mean_iou(total[1]))
    assert found.p_value == swap_p_value(a.counts, b.counts, scores.mean_iou)
    twin = plain_interval(
        [a.counts, b.counts], lambda x, y: scores.mean_iou(x) - scores.mean_iou(y)
    )
    assert gain.groups == 8
    assert found.class_difference[2].groups == 0  # true in no image
    assert twin[0] == pytest.approx(gain.value)
    gains = found.image_iou[0] - found.image_iou[1]
    assert (np.diff(gains) <= 0).all() and sorted(found.sample_ids) == NAMES


def test_the_order_of_images_does_not_matter(pair) -> None:
    a, b = pair
    turned = evaluate(b.counts[::-1], NAMES[::-1], LABELS, "test")
    assert compare_reports(a, turned).to_json() == compare_reports(a, b).to_json()


def test_what_is_not_comparable_is_told_and_not_computed(pair) -> None:
    a, b = pair
    other_split = evaluate(b.counts, NAMES, LABELS, "validation")
    other_images = evaluate(b.counts, [f"other {i}" for i in range(8)], LABELS, "test")
    moved = np.asarray(b.counts).copy()
    moved[[0, 1]] = moved[[1, 0]]  # the totals agree, the images do not
    for other, word in (
        (other_split, "splits"),
        (other_images, "images"),
        (evaluate(moved, NAMES, LABELS, "test"), "ground-truth masks"),
    ):
        found = compare_reports(a, other)
        assert len(found.reasons) == 1 and word in found.reasons[0]
        assert np.isnan(found.difference.value) and found.to_json()["classes"] == []


def test_one_image_has_no_interval_and_all_is_json(pair) -> None:
    single = [evaluate(r.counts[:1], NAMES[:1], LABELS, "test") for r in pair]
    found = compare_reports(*single).to_json()
    assert found["interval"] == [None, None] and found["p_value"] is None and found["units"] == 1
    assert [c["id"] for c in found["classes"]] == [7, 9, 4]
    json.dumps(found, allow_nan=False)
