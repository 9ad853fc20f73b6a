"""What B mends and breaks of A: by hand, by a slow twin, and as a difference of right pixels."""

import json

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts.fixed_broken import FixedBroken, count_fixed_broken
from segcore.evaluation.counts.sample_counts import SampleCounts


def test_by_hand() -> None:
    true = np.array([[0, 0, 1, 1, 255]])
    a = np.array([[0, 1, 0, 1, 0]])
    b = np.array([[2, 0, 1, 1, 1]])
    fixed, broken = count_fixed_broken(true, a, b, 3, 255)
    expected_fixed, expected_broken = np.zeros((3, 3), int), np.zeros((3, 3), int)
    expected_fixed[0, 1] = expected_fixed[1, 0] = (
        1  # A took a 0 for 1 and a 1 for 0; B has both right
    )
    expected_broken[0, 2] = 1  # A has it right, B takes it for 2
    np.testing.assert_array_equal(fixed, expected_fixed)
    np.testing.assert_array_equal(broken, expected_broken)


@pytest.mark.parametrize("seed", range(4))
def test_the_net_is_the_difference_of_right_pixels_and_swapping_turns_it_round(seed) -> None:
    rng = np.random.default_rng(seed)
    true, a, b = (rng.integers(0, 5, (30, 40)).astype(np.uint8) for _ in range(3))
    true[rng.random(true.shape) < 0.2] = 255
    fixed, broken = count_fixed_broken(true, a, b, 5, 255)
    assert fixed.sum() - broken.sum() == (b == true).sum() - (a == true).sum()
    assert not fixed.diagonal().any()
    again = count_fixed_broken(true, b, a, 5, 255)
    np.testing.assert_array_equal(again[0], broken)
    np.testing.assert_array_equal(again[1], fixed)
    slow = np.zeros((5, 5), int)
    for t, x, y in zip(true.ravel(), a.ravel(), b.ravel(), strict=True):
        slow[t % 5, x] += t != 255 and x != t and y == t
    np.testing.assert_array_equal(fixed, slow)


def test_the_images_of_a_pair_come_by_size_of_change() -> None:
    fixed, broken = np.zeros((3, 2, 2), np.int64), np.zeros((3, 2, 2), np.int64)
    fixed[0, 0, 1], broken[1, 0, 1], fixed[2, 1, 0] = 4, 9, 5
    found = FixedBroken(("x", "y", "z"), SampleCounts.of(fixed), SampleCounts.of(broken), 100)
    for what, dense in (("fixed", fixed), ("broken", broken), ("net", fixed - broken)):
        np.testing.assert_array_equal(found.pixels(what), dense.sum((1, 2)))
    assert found.cells == 3
    assert found.hardest(0, 1) == [("y", -9), ("x", 4)]
    assert found.hardest(0, 1, "fixed") == [("x", 4)]
    assert found.net.tolist() == [[0, -5], [5, 0]]
    again = FixedBroken.from_json(json.loads(json.dumps(found.to_json())))
    assert (again.sample_ids, again.scored) == (found.sample_ids, 100)
    np.testing.assert_array_equal(again.fixed, fixed)
    np.testing.assert_array_equal(again.broken, broken)
    with pytest.raises(SegcoreError, match="counted again"):
        FixedBroken.from_json(
            {"images": ["x"], "classes": 2, "scored": 1, "fixed": [[7, 0, 1, 4]], "broken": []}
        )


def test_masks_of_unlike_sizes_are_refused() -> None:
    with pytest.raises(SegcoreError, match="one size"):
        count_fixed_broken(
            np.zeros((2, 2), int), np.zeros((2, 2), int), np.zeros((2, 3), int), 2, 255
        )
