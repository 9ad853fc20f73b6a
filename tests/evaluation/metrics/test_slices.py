import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.metrics.slices import (
    brightness,
    count_by_size,
    score_slices,
    slice_by_class,
    slice_by_tag,
    slice_by_tags,
    slice_by_value,
)

COUNTS = np.random.default_rng(1).integers(0, 30, (6, 3, 3)) + 40 * np.eye(3, dtype=int)


def test_tags_keep_their_order_and_cover_their_images():
    found = slice_by_tag(["b", "a", "b", "", "a", "b"], "drive")
    assert [(s.name, s.positions) for s in found] == [
        ("drive = b", (0, 2, 5)),
        ("drive = a", (1, 4)),
    ]


def test_an_image_with_several_tags_counts_in_each():
    found = slice_by_tags([("rain", "night"), (), ("night",), ("fog",)])
    assert [(s.name, s.positions) for s in found] == [
        ("tag = rain", (0,)),
        ("tag = night", (0, 2)),
        ("tag = fog", (3,)),
    ]


def test_class_slices_hold_the_images_with_the_class():
    counts = COUNTS.copy()
    counts[1:, 2, :] = 0
    assert [s.positions for s in slice_by_class(counts, ["x", "y", "z"])] == [
        tuple(range(6)),
        tuple(range(6)),
        (0,),
    ]
    counts[0, 2] = 0
    assert [s.name for s in slice_by_class(counts, ["x", "y", "z"])] == ["contains x", "contains y"]


def test_values_are_parted_into_near_equal_numbers():
    found = slice_by_value([9, 1, 5, 2, 8, 4, float("nan")], "brightness", 3)
    assert [s.positions for s in found] == [(1, 3), (2, 5), (0, 4)]
    assert found[0].name == "brightness 1 to 2"
    assert len(slice_by_value([3, 3, 3], "x")) == 1
    assert slice_by_value([float("nan")], "x") == []


def test_scores_of_a_slice_are_those_of_its_total():
    many = np.concatenate([COUNTS, COUNTS])
    row = score_slices(many, slice_by_tag(["a"] * 2 + ["b"] * 10), resamples=50)[1]
    assert row.num_samples == 10
    assert row.mean_iou == pytest.approx(float(scores.mean_iou(many[2:].sum(0))))
    assert row.interval[0] <= row.mean_iou <= row.interval[1]
    assert score_slices(COUNTS, slice_by_tag(["a"] + [""] * 5))[0].interval == [None, None]


def test_brightness():
    assert brightness(np.full((4, 5, 3), 80, np.uint8)) == pytest.approx(80)
    green = np.zeros((2, 2, 3), np.uint8)
    green[..., 1] = 100
    assert brightness(green) == pytest.approx(58.7)


def test_recall_by_size_of_things():
    true = np.zeros((30, 30), np.uint8)
    true[1:4, 1:4] = 1  # 9 pixels
    true[10:20, 10:20] = 1  # 100 pixels
    true[0] = 255
    predicted = true.copy()
    predicted[0] = 0
    predicted[1:4, 1:4] = 0
    predicted[10, 10:20] = 0
    found = count_by_size(true, predicted, 3, 255, (50,))
    assert found[1].tolist() == [[0, 9, 1], [90, 100, 1]]
    assert found[2].sum() == 0
    assert found[:, :, 1].sum() == (true != 255).sum()
    assert count_by_size(true, predicted, 3, 255, (9,))[1, 1].tolist() == [90, 109, 2]
    with pytest.raises(SegcoreError, match="one size"):
        count_by_size(true, predicted[1:], 3, 255)


def test_diagonal_neighbours_are_one_thing():
    assert count_by_size(np.eye(4, dtype=np.uint8), np.eye(4, dtype=np.uint8), 2, 255, (3,))[
        1
    ].tolist() == [[0, 0, 0], [4, 4, 1]]
