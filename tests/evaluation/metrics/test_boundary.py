import cv2
import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.metrics.boundary import (
    border_distances,
    boundary_distance,
    boundary_iou,
    count_boundary,
    count_trimap,
)

rng = np.random.default_rng(2)


def blobs(seed, classes=4, void=False):
    draw = np.random.default_rng(seed)
    mask = cv2.resize(
        draw.integers(0, classes, (5, 7)).astype(np.uint8),
        (70, 50),
        interpolation=cv2.INTER_NEAREST,
    )
    if void:
        mask[draw.random(mask.shape) < 0.05] = 255
    return mask


def eroded(mask, index, distance):
    """The authors' way: the class minus its erosion, the image's edge counting as outside."""
    own = np.pad((mask == index).astype(np.uint8), 1)
    return (own - cv2.erode(own, np.ones((3, 3), np.uint8), iterations=distance))[1:-1, 1:-1] > 0


@pytest.mark.parametrize("distance", [1, 2, 5])
def test_equals_erosion_when_the_edge_is_a_contour(distance):
    true, predicted = blobs(0), blobs(1)
    found = count_boundary(true, predicted, 4, 255, distance, image_edge=True)
    for index in range(4):
        a, b = eroded(true, index, distance), eroded(predicted, index, distance)
        assert found[index].tolist() == [(a & b).sum(), (a | b).sum()]


def test_plain_search_with_ignored_pixels():
    true, predicted = blobs(3, void=True)[:20, :24], blobs(4)[:20, :24]
    scored = true != 255

    def rim(mask, index):
        out = np.zeros(mask.shape, bool)
        for y, x in zip(*np.nonzero((mask == index) & scored), strict=True):
            window = (slice(max(y - 2, 0), y + 3), slice(max(x - 2, 0), x + 3))
            out[y, x] = ((mask[window] != index) & scored[window]).any()
        return out

    found = count_boundary(true, predicted, 4, 255, 2)
    for index in range(4):
        a, b = rim(true, index), rim(predicted, index)
        assert found[index].tolist() == [(a & b).sum(), (a | b).sum()]


def test_perfect_prediction_is_one_and_a_flat_image_has_no_boundary():
    true = blobs(5)
    values = boundary_iou(count_boundary(true, true, 5, 255))
    assert np.nanmin(values) == 1
    assert np.isnan(values[4])
    flat = np.zeros((9, 9), np.uint8)
    assert count_boundary(flat, flat, 2, 255).sum() == 0
    assert boundary_distance(360, 480) == 12
    assert boundary_distance(5, 5) == 1


def test_shifted_edge_hurts_the_boundary_more_than_the_area():
    true, predicted = np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.uint8)
    true[:, 30:] = predicted[:, 33:] = 1
    assert boundary_iou(count_boundary(true, predicted, 2, 255, 3))[1] == 0
    assert count_confusion(true, predicted, 2, 255)[1, 1] / (60 * 30) == 0.9


def test_trimap_bands_nest_and_end_at_the_whole_image():
    true, predicted = blobs(6, void=True), blobs(7)
    counts = count_trimap(true, predicted, 4, 255, (1, 3, 9, 1e9))
    assert (np.diff(counts, axis=0) >= 0).all()
    np.testing.assert_array_equal(counts[-1], count_confusion(true, predicted, 4, 255))
    distances = border_distances(true, 255)
    assert counts[1].sum() == ((distances < 3) & (true != 255)).sum()


def test_distances_to_a_straight_border():
    mask = np.zeros((4, 10), np.uint8)
    mask[:, 5:] = 1
    np.testing.assert_allclose(border_distances(mask, 255)[2], [4, 3, 2, 1, 0, 0, 1, 2, 3, 4])
    assert np.isinf(border_distances(np.zeros((3, 3), np.uint8), 255)).all()
    mask[:, 5] = 255  # a void seam is no border
    assert np.isinf(border_distances(mask, 255)).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(SegcoreError, match="one size"):
        count_boundary(np.zeros((3, 3), np.uint8), np.zeros((3, 4), np.uint8), 2, 255)
    with pytest.raises(SegcoreError, match="at least 1"):
        count_boundary(np.zeros((3, 3), np.uint8), np.zeros((3, 3), np.uint8), 2, 255, 0)
