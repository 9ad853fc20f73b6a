"""Where two labels are confused: the densest square by plain search, and a line round every marked region."""

import numpy as np
import pytest

from segcore.evaluation.pages.confused_pixels import confused, densest_box, outline


def test_each_direction_is_marked_apart_and_ignored_pixels_never() -> None:
    truth = np.array([[0, 0, 1, 255]], np.uint8)
    forward, backward = confused(truth, np.array([[0, 1, 0, 1]]), 0, 1)
    assert forward.tolist() == [[False, True, False, False]] and backward.tolist() == [
        [False, False, True, False]
    ]


@pytest.mark.parametrize("seed", range(4))
def test_no_square_holds_more(seed) -> None:
    marked = np.random.default_rng(seed).random((17, 23)) < 0.1
    top, left, height, width = densest_box(marked, 6)
    every = [marked[y : y + 6, x : x + 6].sum() for y in range(12) for x in range(18)]
    assert (height, width) == (6, 6) and 0 <= top <= 11 and 0 <= left <= 17
    assert marked[top : top + 6, left : left + 6].sum() == max(every)


def test_a_small_image_is_taken_whole_and_one_spot_stands_in_the_middle() -> None:
    marked = np.zeros((40, 60), bool)
    marked[18:22, 28:32] = True
    assert densest_box(marked, 100) == (0, 0, 40, 60)
    assert densest_box(marked, 20) == (10, 20, 20, 20)


def test_a_line_is_drawn_round_the_region_and_nothing_far_from_it() -> None:
    marked = np.zeros((20, 20), bool)
    marked[5:9, 5:9] = True
    image = np.full((20, 20, 3), 90, np.uint8)
    drawn = outline(image, [marked], [(255, 149, 0)], scale=3)
    assert drawn.shape == (60, 60, 3) and (image == 90).all()
    assert (drawn == (255, 149, 0)).all(2).any() and (drawn == 0).all(2).any()
    assert (drawn[40:] == 90).all() and (drawn[20, 20] == 90).all()
