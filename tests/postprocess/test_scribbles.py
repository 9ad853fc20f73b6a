"""Strokes that spread: over what looks like them, as far as a network agrees, and never over each other."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.dense_crf import is_available
from segcore.postprocess.scribbles import NOT_STROKED, fill_strokes

pytestmark = pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed")
SIZE = (60, 80)


def two_halves(size=SIZE):
    """A picture, red on the left and green on the right, and one stroke on each."""
    image = np.zeros((*size, 3), np.uint8)
    middle = size[1] // 2
    image[:, :middle], image[:, middle:] = (200, 30, 30), (30, 200, 30)
    strokes = np.full(size, NOT_STROKED, np.int32)
    strokes[20:24, 5:15] = 0
    strokes[40:44, middle + 10 : middle + 20] = 1
    return image, strokes


def nothing(strokes):
    return np.zeros(strokes.shape, bool)


def test_strokes_take_what_looks_like_them():
    image, strokes = two_halves()
    expected = np.where(np.arange(SIZE[1]) < 40, 0, 1)
    assert (fill_strokes(image, strokes, nothing(strokes)) == expected).all()


def test_what_is_under_a_stroke_keeps_it_whatever_it_looks_like():
    image, strokes = two_halves()
    strokes[5:9, 60:70] = 0  # on green
    filled = fill_strokes(image, strokes, nothing(strokes))
    under = strokes != NOT_STROKED
    assert (filled[under] == strokes[under]).all() and filled[50, 70] == 1


def test_what_looks_like_the_rest_is_left_as_it_is():
    image, strokes = two_halves()
    image[:20], strokes[strokes == 1] = (30, 30, 200), NOT_STROKED
    image[20:, 40:] = (30, 30, 200)
    rest = np.zeros(SIZE, bool)
    rest[:10] = True
    filled = fill_strokes(image, strokes, rest)
    expected = np.full(SIZE, NOT_STROKED)
    expected[20:, :40] = 0
    assert np.array_equal(filled, expected)


def test_where_colours_say_nothing_a_network_decides():
    image, strokes = two_halves()
    image[:] = 128
    right = np.zeros((*SIZE, 3), np.float32)
    right[:, :20, 0] = right[:, 20:, 1] = 0.98
    right += np.float32(0.02 / 3)
    filled = fill_strokes(image, strokes, nothing(strokes), right)
    assert (filled[:, :18] == 0).all() and (filled[:, 24:] == 1).all()


def test_a_large_image_is_filled_at_a_smaller_size_and_a_thin_stroke_does_not_vanish():
    image, _ = two_halves((900, 1200))
    strokes = np.full(image.shape[:2], NOT_STROKED, np.int32)
    strokes[451, 101:300], strokes[303:700, 901] = 0, 1  # one pixel wide
    filled = fill_strokes(image, strokes, nothing(strokes))
    assert filled.shape == (900, 1200)
    assert (filled[:, :595] == 0).all() and (filled[:, 605:] == 1).all()


def test_the_same_strokes_give_the_same_region():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    _, strokes = two_halves()
    one, other = (fill_strokes(image, strokes, nothing(strokes)) for _ in range(2))
    assert np.array_equal(one, other)


def test_no_strokes_and_arrays_of_other_sizes_are_refused():
    image, strokes = two_halves()
    with pytest.raises(SegcoreError, match="draw a stroke first"):
        fill_strokes(image, np.full_like(strokes, NOT_STROKED), nothing(strokes))
    with pytest.raises(SegcoreError, match="draw a stroke first"):
        fill_strokes(image[:-1], strokes, nothing(strokes))
