"""Regions of suspected labels: what hangs together, in which order, and when two are the same."""

import numpy as np
import pytest

from segcore.evaluation.metrics.label_errors import LabelErrors
from segcore.evaluation.metrics.suspected_regions import is_same, surprise, suspected_regions


def _case():
    """A confident network over four classes, and a mask with two planted errors of one pair and one speck."""
    truth = np.zeros((20, 30), np.uint8)
    truth[:, 15:] = 1
    truth[15:] = 2
    probabilities = np.full((20, 30, 4), 0.05)
    np.put_along_axis(probabilities, truth[..., None].astype(int), 0.85, -1)
    mask = truth.copy()
    mask[2:6, 2:8] = 3  # 24 pixels
    mask[8:14, 2:8] = 3  # 36 pixels
    mask[0, 29] = 0  # one pixel
    mask[16:19, 20:26] = 255
    return probabilities, mask


def test_planted_errors_are_found_whole_the_larger_first():
    probabilities, mask = _case()
    errors = LabelErrors(4, 255)
    errors.observe(probabilities, mask)
    regions = suspected_regions(
        probabilities, mask, errors.suspect(probabilities, mask), np.ones((4, 4))
    )
    assert [(r.given, r.suggested, r.pixels) for r in regions] == [(3, 0, 36), (3, 0, 24)]
    painted = np.zeros_like(mask)
    for row, first, last in regions[0].rows:
        painted[row, first:last] = 1
    assert np.argwhere(painted).min(0).tolist() == [8, 2] and painted.sum() == 36
    assert regions[0].gain == pytest.approx(36 * (0.85 - 0.05))


def test_a_rare_contradiction_comes_before_a_larger_region_of_a_frequent_one():
    probabilities, mask = _case()
    mask[8:14, 2:8] = 1
    errors = LabelErrors(4, 255)
    errors.observe(probabilities, mask)
    suspicion = errors.suspect(probabilities, mask)
    weights = np.ones((4, 4))
    assert [
        (r.given, r.suggested) for r in suspected_regions(probabilities, mask, suspicion, weights)
    ] == [(1, 0), (3, 0)]
    weights[3, 0] = 3
    weights[0, 3] = 99  # the other way round is another contradiction
    assert [r.given for r in suspected_regions(probabilities, mask, suspicion, weights)] == [3, 1]


def test_the_surprise_of_a_contradiction_is_the_bits_of_its_share():
    pairs = np.array([[0, 3, 0], [7, 0, 127], [0, 0, 0]])
    weights = surprise(pairs, np.array([127, 127, 0]))
    assert weights[0, 1] == pytest.approx(1 + np.log2(128 / 4))
    assert weights[0, 2] == pytest.approx(1 + 7)  # never seen yet
    assert weights[1].tolist() == pytest.approx([1 + 4, 1 + 7, 1])  # always: its pixels count once
    assert weights[2].tolist() == [1, 1, 1]  # no such labels


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (((0, 0, 4), (1, 0, 4)), True),
        (((0, 0, 4), (1, 0, 2)), True),
        (((0, 0, 2), (1, 0, 2)), True),  # half of it
        (((0, 0, 3),), False),
        (((5, 0, 4), (6, 0, 4)), False),
        (((0, 0, 9), (1, 0, 9)), False),
    ],
)
def test_regions_are_the_same_from_half_an_overlap_on(other, same):
    assert is_same(((0, 0, 4), (1, 0, 4)), other) == same
