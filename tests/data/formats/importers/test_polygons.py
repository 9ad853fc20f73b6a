"""Shapes are drawn by the centre rule, and run-length codes by COCO's."""

import numpy as np
import pytest

from segcore.data.formats.importers.polygons import decode_runs, draw_polygon, fill_polygon
from segcore.errors import SegcoreError


def draw_slowly(height, width, corners):
    """Even-odd rule at every pixel centre, one by one."""
    out = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            x, y = column + 0.5, row + 0.5
            for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
                if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
                    out[row, column] ^= True
    return out


@pytest.mark.parametrize("seed", range(8))
def test_polygons_agree_with_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    corners = [tuple(p) for p in rng.uniform(-8, 30, (int(rng.integers(3, 9)), 2)).tolist()]
    mask = np.zeros((17, 23), np.uint16)
    assert fill_polygon(mask, corners, 7) == (mask == 7).sum()
    np.testing.assert_array_equal(mask == 7, draw_slowly(17, 23, corners))


def test_a_box_covers_its_pixels_and_no_more():
    mask = np.zeros((5, 6), np.uint16)
    draw_polygon(mask, [1, 2, 4, 2, 4, 5, 1, 5], 1)
    np.testing.assert_array_equal(np.argwhere(mask), [(y, x) for y in (2, 3, 4) for x in (1, 2, 3)])


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ([(10, 10), (20, 10), (20, 20)], "within 4 x 4"),
        ([(0, 0), (40, 0), (40, 40)], "within 4 x 4"),
        ([(1, 1), (3, 1), (2, 1)], "no pixel"),
        ([(0, 0), (1, 1)], "corners"),
        ([(0, 0), (1, float("nan")), (2, 2)], "corners"),
        (["a", "b", "c"], "corners"),
        ([1, 2, 3], "corners"),
    ],
)
def test_shapes_that_leave_no_trace_or_lie_outside_are_one_sentence(points, sentence):
    mask = np.zeros((4, 4), np.uint16)
    with pytest.raises(SegcoreError, match=sentence):
        draw_polygon(mask, points, 1)
    assert not mask.any()


def test_a_shape_smaller_than_a_pixel_marks_the_one_it_lies_in():
    mask = np.zeros((4, 4), np.uint16)
    draw_polygon(mask, [(2.1, 1.1), (2.3, 1.1), (2.2, 1.3)], 5)
    np.testing.assert_array_equal(np.argwhere(mask == 5), [(1, 2)])


def pack(lengths):
    """COCO's packed text, written from its definition."""
    text = ""
    for position, length in enumerate(lengths):
        value = length - (lengths[position - 2] if position > 2 else 0)
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr((bits | 32 * more) + 48)
    return text


@pytest.mark.parametrize("packed", [False, True])
def test_runs_are_decoded(packed):
    truth = np.random.default_rng(2).random((70, 40)) < 0.4
    truth[:, 10:30] = True
    flat = truth.T.ravel()
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flat]).astype(int)))
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    np.testing.assert_array_equal(
        decode_runs({"size": [70, 40], "counts": pack(counts) if packed else counts}), truth
    )


def test_runs_that_do_not_fit_are_told():
    with pytest.raises(SegcoreError, match="fill 2 x 2"):
        decode_runs({"size": [2, 2], "counts": [1, 2]})
