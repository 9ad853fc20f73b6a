"""Merged labels beside the own ones: the same pixels by two names, in one label set."""

import numpy as np

from segcore.labels import LabelClass, LabelMap, LabelSet
from segcore.ui.compare.merged_panels import Beside


def labels(count: int, names: tuple[str, ...] = ()) -> LabelSet:
    named = (*names, *(f"class {i}" for i in range(len(names), count)))
    classes = tuple(LabelClass(10 * i, name, (i % 256, 7, 9)) for i, name in enumerate(named))
    return LabelSet(classes, (LabelClass(9999, "void", (0, 0, 0)),))


def test_a_merged_mask_is_the_merge_in_other_numbers() -> None:
    own, merge = labels(4, ("a", "b", "c", "d")), LabelMap(((0, 3), (1,), (2,)), "x")
    beside = Beside(own, merge)
    assert beside.label_set.class_names == ["a", "b", "c", "d", "a + d"]
    assert beside.label_set.classes[4].color == own.classes[0].color
    mask = np.array([[0, 1, 2], [3, 255, 0]], np.uint8)
    np.testing.assert_array_equal(beside.merged(mask), [[4, 1, 2], [4, 255, 4]])
    groups = merge.apply(mask, own)
    np.testing.assert_array_equal(
        beside.merged(mask)[mask != 255], beside.places[groups[mask != 255]]
    )
    assert beside.plain(mask) is mask


def test_a_name_that_is_taken_gets_another() -> None:
    beside = Beside(labels(4, ("a", "b", "a + b", "c")), LabelMap(((0, 1), (2, 3))))
    assert beside.label_set.class_names[4:] == ["a + b (merged)", "a + b + c"]


def test_ignored_pixels_stay_ignored_where_the_labels_need_more_bits() -> None:
    own = labels(255)
    beside = Beside(own, LabelMap.merging(255, [(0, 1)]))
    assert (own.ignore_index, beside.label_set.ignore_index) == (255, 65535)
    mask = np.array([[0, 254, 255]], np.uint8)
    np.testing.assert_array_equal(beside.plain(mask), [[0, 254, 65535]])
    np.testing.assert_array_equal(beside.merged(mask), [[255, 254, 65535]])
    assert beside.plain(mask).dtype == beside.merged(mask).dtype == np.uint16
