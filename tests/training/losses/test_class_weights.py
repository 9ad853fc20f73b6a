"""Class weights by hand."""

import numpy as np
import pytest

from segcore.catalog import CLASS_WEIGHTS
from segcore.errors import SegcoreError
from segcore.training.losses.class_weights import class_weights, count_classes

COUNTS = np.array([[60, 20, 0, 0], [20, 0, 20, 0]])  # sums 80, 20, 20, 0; 80 and 40 valid pixels


def test_weights_by_hand():
    assert class_weights("none", COUNTS) is None
    assert class_weights("inverse_frequency", COUNTS) == pytest.approx(
        [1 / 3, 4 / 3, 4 / 3, 1]
    )  # 1:4:4, mean 1
    assert class_weights("inverse_root", COUNTS) == pytest.approx([0.6, 1.2, 1.2, 1])  # 1:2:2
    # shares 80/120, 20/80, 20/40; median 1/2; weights 3/4, 2, 1
    assert class_weights("median_frequency", COUNTS) == pytest.approx([0.6, 1.6, 0.8, 1])
    # classes 1 and 2 are in one image of two, class 0 in both: 1 - .99 over 1 - .99^2, that is 1 /
    # 1.99, then 1 and 1
    assert class_weights("effective_number", COUNTS) == pytest.approx(
        [w * 3 / (1 / 1.99 + 2) for w in (1 / 1.99, 1, 1)] + [1]
    )


@pytest.mark.parametrize("name", sorted(set(CLASS_WEIGHTS) - {"none"}))
def test_equal_classes_weigh_the_same_and_empty_sets_nothing(name):
    assert class_weights(name, np.full((3, 4), 7)) == pytest.approx([1, 1, 1, 1])
    assert class_weights(name, np.zeros((2, 3), np.int64)) is None


def test_classes_are_counted_without_ignored_pixels():
    masks = [np.array([[0, 1], [255, 1]], np.uint8), np.array([[2, 2, 2]], np.uint8)]
    np.testing.assert_array_equal(count_classes(masks, 3), [[1, 2, 0], [0, 0, 3]])
    assert count_classes([], 3).shape == (0, 3)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(SegcoreError, match="median_frequency"):
        class_weights("median_freq", COUNTS)
