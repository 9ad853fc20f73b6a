"""What was fixed and broken: a hand-worked image, and the identity with confusion counts."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.crf_gain import count_changes


def test_a_hand_worked_row():
    true = np.array([[0, 0, 0, 1, 1, 255]])
    before = np.array([[0, 1, 1, 1, 1, 0]])
    after = np.array([[0, 0, 1, 0, 1, 0]])
    distance = np.array([[2.0, 1, 0, 0, 1, np.inf]])
    counts = count_changes(true, before, after, distance, 2, bands=(0.5, 1.5))
    assert counts.shape == (3, 2, 4) and counts.sum() == 5
    assert counts[0].tolist() == [
        [0, 0, 0, 1],
        [0, 0, 1, 0],
    ]  # next to the boundary: wrong stays wrong, right breaks
    assert counts[1].tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert counts[2].tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]


def test_gains_of_classes_are_the_changes_of_recall():
    rng = np.random.default_rng(0)
    true, before, after = rng.integers(0, 4, (3, 40, 50))
    true[:2] = 255
    changes = count_changes(true, before, after, rng.random(true.shape) * 40, 4).sum(0)
    for c, (right, fixed, broken, wrong) in enumerate(changes):
        there = true == c
        assert right + fixed + broken + wrong == there.sum()
        assert (fixed - broken) / there.sum() == pytest.approx(
            (after[there] == c).mean() - (before[there] == c).mean()
        )


def test_a_class_that_is_absent_changes_nothing():
    zeros = np.zeros((4, 4), int)
    counts = count_changes(zeros, zeros, zeros, np.full((4, 4), np.inf), 3)
    assert not counts[:, 2].any()
    assert counts[-1, 0, 0] == 16  # no boundary: the open band


def test_masks_of_other_sizes_are_refused():
    with pytest.raises(SegcoreError, match="one size"):
        count_changes(
            np.zeros((2, 2), int), np.zeros((2, 3), int), np.zeros((2, 2), int), np.zeros((2, 2)), 2
        )
