"""What a step changed: the same intervals as the paired bootstrap, and bands worked by hand."""

import numpy as np
import pytest

from segcore.evaluation.comparison.crf_effect import (
    Outcome,
    by_class,
    by_distance,
    difference,
    judge,
    verdict,
)
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.counts.scores import mean_iou
from tests.evaluation.plain_loop import plain_interval


def outcome(confusion, changes=None) -> Outcome:
    images, size = confusion.shape[:2]
    if changes is None:
        changes = np.zeros((images, 2, size, 4), np.int64)
    return Outcome(
        SampleCounts.of(confusion),
        np.ones((images, size, 2), np.int64),
        changes.sum((0, 1)),
        changes.sum(2),
    )


@pytest.fixture
def pair():
    rng = np.random.default_rng(5)
    before = rng.integers(0, 50, (15, 3, 3))
    after = before.copy()
    moved = rng.integers(0, 1 + before[:, 0, 1])
    after[:, 0, 1] -= moved
    after[:, 0, 0] += moved
    return before, after


def test_a_difference_has_the_interval_of_the_paired_bootstrap(pair) -> None:
    before, after = pair
    wanted = plain_interval([after, before], lambda x, y: mean_iou(x) - mean_iou(y))
    (found,) = difference(before, after, mean_iou)
    assert (found.value, found.low, found.high) == pytest.approx(wanted, abs=1e-12)
    assert judge(outcome(before), outcome(after))["gain"]["mean_iou"] == found.as_difference()


def test_no_step_changes_nothing(pair) -> None:
    same = outcome(pair[0])
    assert judge(same, same)["gain"]["mean_iou"] == {"difference": 0, "interval": [0, 0]}
    assert all(
        c["difference"] == 0 and c["before"] == c["after"] for c in by_class(same, same, "abc")
    )


def test_bands_by_hand() -> None:
    changes = np.zeros((2, 2, 1, 4), np.int64)
    changes[:, 0, 0] = [[50, 30, 10, 10], [60, 20, 20, 0]]  # right, fixed, broken, wrong
    changes[:, 1, 0] = [[90, 0, 5, 5], [100, 0, 0, 0]]
    near, far = by_distance(outcome(np.ones((2, 1, 1), np.int64), changes), [3.0])
    assert (near["from"], near["to"], far["from"], far["to"]) == (0, 3, 3, None)
    assert (near["pixels"], near["fixed"], near["broken"]) == (200, 50 / 200, 30 / 200)
    assert near["difference"] == pytest.approx(20 / 200)
    assert near["interval"] == [None, None]  # two images
    assert far["difference"] == pytest.approx(-5 / 200)
    many = outcome(np.ones((20, 1, 1), np.int64), np.tile(changes, (10, 1, 1, 1)))
    near, far = by_distance(many, [3.0])
    assert 0.0 <= near["interval"][0] < 0.1 < near["interval"][1] <= 0.2
    assert far["interval"][1] <= 0


def test_a_class_that_never_occurs_is_left_undefined() -> None:
    counts = np.zeros((4, 2, 2), np.int64)
    counts[:, 0, 0] = 7
    rows = by_class(outcome(counts), outcome(counts), ["there", "absent"])
    assert (
        rows[1]["before"] is None
        and rows[1]["difference"] is None
        and rows[1]["interval"] == [None, None]
    )
    assert judge(outcome(counts[:1]), outcome(counts[:1]))["gain"]["mean_iou"]["interval"] == [
        None,
        None,
    ]


ENDS = [((0.001, 0.01), "helps"), ((-0.02, -0.001), "hurts"), ((-0.01, 0.02), "no difference")]


def gain(ends):
    return Interval.from_difference({"difference": 0.0042, "interval": ends})


@pytest.mark.parametrize(("ends", "word"), ENDS)
def test_the_verdict_follows_the_interval(ends, word):
    sentence = verdict("mean IoU", gain(ends))
    assert word in sentence and "+0.42 points" in sentence and "95 %" in sentence


@pytest.mark.parametrize(("ends", "word"), ENDS)
def test_nothing_is_judged_where_it_was_chosen(ends, word):
    sentence = verdict("mean IoU", gain(ends), chosen_on="validation")
    assert word not in sentence and sentence.startswith("Chosen on validation, so not judged")


def test_a_loss_where_it_was_chosen_is_no_flattery():
    lost = Interval.from_difference({"difference": -0.0372, "interval": (-0.0715, 0.0132)})
    sentence = verdict("mean IoU", lost, chosen_on="validation")
    assert "the CRF loses" in sentence and "Leave it off" in sentence and "-3.72" in sentence
    assert "flatters" not in sentence
    assert "flatters" in verdict("mean IoU", gain((0.001, 0.01)), chosen_on="validation")


def test_too_few_images_are_not_judged():
    assert verdict("mean IoU", gain((None, None))).startswith("Too few images")
