import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.confusion import ConfusionMatrix, check_counts, count_confusion

rng = np.random.default_rng(7)


def slow_count(true, predicted, num_classes, ignore):
    counts = np.zeros((num_classes, num_classes), np.int64)
    for t, p in zip(true.ravel().tolist(), predicted.ravel().tolist(), strict=True):
        if t != ignore:
            counts[t, p] += 1
    return counts


@pytest.mark.parametrize("num_classes", [1, 2, 11, 150, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_equals_a_plain_loop(num_classes, dtype):
    true = rng.integers(0, num_classes, (23, 31)).astype(dtype)
    predicted = rng.integers(0, num_classes, (23, 31)).astype(dtype)
    true[rng.random(true.shape) < 0.2] = 255
    np.testing.assert_array_equal(
        count_confusion(true, predicted, num_classes, 255),
        slow_count(true, predicted, num_classes, 255),
    )


def test_more_than_255_classes():
    true = rng.integers(0, 300, (40, 50)).astype(np.uint16)
    predicted = rng.integers(0, 300, (40, 50)).astype(np.uint16)
    true[0] = 65535
    counts = count_confusion(true, predicted, 300, 65535)
    np.testing.assert_array_equal(counts, slow_count(true, predicted, 300, 65535))


def test_exact_above_what_float32_can_count():
    # 2**24 + 8192 equal pixels: a float32 counter would stop at 2**24.
    mask = np.zeros((4098, 4096), np.uint8)
    assert count_confusion(mask, mask, 2, 255)[0, 0] == 4098 * 4096


def test_strided_and_read_only_views():
    true = rng.integers(0, 5, (20, 30)).astype(np.uint8)
    predicted = rng.integers(0, 5, (20, 30)).astype(np.uint8)
    true.setflags(write=False)
    np.testing.assert_array_equal(
        count_confusion(true[::2, ::-3], predicted[::2, ::-3], 5, 255),
        slow_count(true[::2, ::-3], predicted[::2, ::-3], 5, 255),
    )


def test_negative_ignore_index():
    true = np.array([[0, -1, 1]])
    assert count_confusion(true, np.array([[0, -1, 0]]), 2, -1).tolist() == [[1, 0], [1, 0]]


def test_everything_ignored_or_empty_gives_zero_counts():
    void = np.full((4, 4), 255, np.uint8)
    assert count_confusion(void, np.zeros((4, 4), np.uint8), 3, 255).sum() == 0
    assert count_confusion(void, void, 3, 255).sum() == 0
    assert (
        count_confusion(np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8), 3, 255).sum() == 0
    )


@pytest.mark.parametrize(
    ("true", "predicted", "words"),
    [
        ([[0, 7]], [[0, 0]], "ground-truth mask, received 7"),
        ([[0, 1]], [[0, 9]], "prediction, received 9"),
        ([[0, 255]], [[0, 9]], "prediction, received 9"),
        ([[0, 1]], [[0, 255]], "ignored value 255 in the prediction at 1"),
        ([[0, -2]], [[0, 0]], "ground-truth mask, received -2"),
        ([[0, 1]], [[0, -3]], "prediction, received -3"),
        ([[0, 1]], [[0, 1, 1]], "mask's own size"),
        ([[0, 1]], [[0.0, 1.0]], "float64"),
    ],
)
def test_bad_masks_are_named(true, predicted, words):
    with pytest.raises(SegcoreError, match=words):
        count_confusion(np.array(true), np.array(predicted), 3, 255)
    if np.array(predicted).dtype.kind == "i" and np.min(predicted) >= 0 and np.min(true) >= 0:
        with pytest.raises(SegcoreError, match=words):
            count_confusion(np.array(true, np.uint8), np.array(predicted, np.uint8), 3, 255)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_counts_sum_to_scored_pixels_and_rows_to_the_truth(num_classes, seed):
    draw = np.random.default_rng(seed)
    true = draw.integers(0, num_classes, (9, 7)).astype(np.uint8)
    predicted = draw.integers(0, num_classes, (9, 7)).astype(np.uint8)
    true[draw.random(true.shape) < 0.3] = 255
    counts = count_confusion(true, predicted, num_classes, 255)
    np.testing.assert_array_equal(
        counts.sum(1), np.bincount(true[true != 255], minlength=num_classes)
    )
    np.testing.assert_array_equal(
        counts.sum(0), np.bincount(predicted[true != 255], minlength=num_classes)
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([[1, 2]], r"received \(1, 2\)"),
        ([1, 2], r"received \(2,\)"),
        (np.zeros((0, 0)), r"received \(0, 0\)"),
        ([[1, 2], [3]], "unequal length"),
        ([[1, -2], [0, 1]], "received -2"),
        ([[1.5, 0], [0, 1]], "received 1.5"),
        ([[float("nan"), 0], [0, 1]], "NaN or infinity"),
        ([[float("inf"), 0], [0, 1]], "NaN or infinity"),
        ([["a", "b"], ["c", "d"]], "whole numbers"),
        ([[2.0**53, 0], [0, 1]], "2\\*\\*53"),
    ],
)
def test_matrices_that_are_no_counts_are_refused(counts, words):
    with pytest.raises(SegcoreError, match=words) as caught:
        ConfusionMatrix(counts)
    assert "\n" not in str(caught.value)


def test_counts_are_kept_apart_from_the_caller_and_frozen():
    own = np.array([[1, 0], [0, 1]])
    matrix = ConfusionMatrix(own)
    own[0, 0] = 9
    assert matrix.counts[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        matrix.counts[0, 0] = 3


def test_whole_floats_pass_and_names_must_fit():
    assert check_counts([[1.0, 2.0], [0.0, 3.0]]).dtype == np.int64
    with pytest.raises(SegcoreError, match="2 class names"):
        ConfusionMatrix(np.eye(2, dtype=int), ("a",))


def test_worked_two_class_case():
    # truth: 8 of class 0 (6 found, 2 taken for 1), 4 of class 1 (3 found, 1 taken for 0)
    matrix = ConfusionMatrix([[6, 2], [1, 3]])
    np.testing.assert_allclose(scores.iou(matrix.counts), [6 / 9, 3 / 6])
    np.testing.assert_allclose(scores.dice(matrix.counts), [12 / 15, 6 / 9])
    np.testing.assert_allclose(scores.precision(matrix.counts), [6 / 7, 3 / 5])
    np.testing.assert_allclose(scores.recall(matrix.counts), [6 / 8, 3 / 4])
    np.testing.assert_allclose(scores.specificity(matrix.counts), [3 / 4, 6 / 8])
    assert scores.pixel_accuracy(matrix.counts) == 9 / 12
    chance = (8 * 7 + 4 * 5) / 144
    assert scores.kappa(matrix.counts) == pytest.approx((0.75 - chance) / (1 - chance))
    assert scores.frequency_weighted_iou(matrix.counts) == pytest.approx((8 * 6 / 9 + 4 * 0.5) / 12)
    assert matrix.total == 12
    assert matrix.support.tolist() == [8, 4]


def test_normalisation():
    matrix = ConfusionMatrix([[6, 2], [0, 0]])
    np.testing.assert_allclose(matrix.normalized("row"), [[0.75, 0.25], [np.nan, np.nan]])
    np.testing.assert_allclose(matrix.normalized("column"), [[1, 1], [0, 0]])
    np.testing.assert_allclose(matrix.normalized("all"), [[0.75, 0.25], [0, 0]])
    with pytest.raises(SegcoreError, match="row"):
        matrix.normalized("rows")


def test_histogram_drops_what_is_outside_its_range():
    # count_confusion relies on this behaviour of OpenCV to notice strange values.
    pair = [np.array([[0, 1, 2]], np.uint8), np.array([[0, 5, 1]], np.uint8)]
    assert cv2.calcHist(pair, [0, 1], None, [2, 2], [0, 2, 0, 2]).sum() == 1
