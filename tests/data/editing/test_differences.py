"""Differences between two masks are counted by class before and after."""

import numpy as np

from segcore.data.editing.differences import ClassChange, class_changes


def test_changes_are_counted_by_pair_the_most_first():
    before = np.array([[0, 0, 0, 1], [1, 1, 255, 2]], np.uint16)
    after = np.array([[0, 1, 1, 1], [1, 0, 2, 2]], np.uint16)
    assert class_changes(before, after) == (
        ClassChange(0, 1, 2),
        ClassChange(1, 0, 1),
        ClassChange(255, 2, 1),
    )
    assert class_changes(before, before) == ()
