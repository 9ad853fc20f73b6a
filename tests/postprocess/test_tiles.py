"""Tiles: they cover, they meet without a seam, and for whom one pixel is enough they change nothing."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.tiles import (
    FLOOR,
    blend_tiles,
    cut_tiles,
    gaussian_window,
    plan_tiles,
    through_tiles,
)

SIZES = [
    ((37, 53), (16, 24)),
    ((16, 24), (16, 24)),
    ((5, 7), (16, 24)),
    ((1, 1), (8, 8)),
    ((100, 9), (16, 16)),
    ((17, 25), (16, 24)),
]


def pointwise(tiles):
    """A made-up network that looks at one pixel at a time: probabilities of three classes."""
    for tile in tiles:
        powers = np.exp(
            tile.astype(np.float32)
            @ np.array([[0.01, -0.02, 0.005], [0, 0.01, 0.02], [0.02, 0, -0.01]], np.float32)
        )
        yield powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize(("size", "tile"), SIZES)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
def test_a_pointwise_network_says_the_same_in_tiles_and_whole(size, tile, overlap) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    (whole,) = pointwise([image])
    np.testing.assert_allclose(through_tiles(image, tile, overlap, pointwise), whole, atol=1e-6)


@pytest.mark.parametrize(("size", "tile"), SIZES)
def test_a_constant_comes_out_as_that_constant(size, tile) -> None:
    grid = plan_tiles(size, tile, 0.4)
    constant = np.array([0.1, 0.7, 0.2], np.float32)
    answer = blend_tiles((np.broadcast_to(constant, (*tile, 3)) for _ in grid.corners), grid)
    np.testing.assert_allclose(answer, np.broadcast_to(constant, (*size, 3)), rtol=1e-6)


@pytest.mark.parametrize(("size", "tile"), SIZES)
@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5])
def test_tiles_cover_stay_inside_and_overlap_as_asked(size, tile, overlap) -> None:
    grid = plan_tiles(size, tile, overlap)
    for starts, part, length in zip((grid.rows, grid.columns), tile, grid.padded, strict=True):
        assert starts[0] == 0 and starts[-1] + part == length
        steps = np.diff(starts)
        assert (steps <= max(1, part * (1 - overlap))).all() and (steps > 0).all()


def test_blending_is_the_weighted_mean_of_a_slow_loop() -> None:
    rng = np.random.default_rng(1)
    grid = plan_tiles((13, 9), (6, 5), 0.5)
    answers = [rng.random((6, 5, 2)).astype(np.float32) for _ in grid.corners]
    total, weights = np.zeros((13, 9, 2)), np.zeros((13, 9, 1))
    for (top, left), answer in zip(grid.corners, answers, strict=True):
        for y in range(6):
            for x in range(5):
                weight = max(np.exp(-((y - 2.5) ** 2) / (2 * 0.75**2)), FLOOR) * max(
                    np.exp(-((x - 2) ** 2) / (2 * 0.625**2)), FLOOR
                )
                total[top + y, left + x] += weight * answer[y, x]
                weights[top + y, left + x] += weight
    np.testing.assert_allclose(blend_tiles(answers, grid), total / weights, rtol=1e-5)


def test_the_window_is_symmetric_and_highest_in_the_middle() -> None:
    for length in (1, 2, 7, 64):
        window = gaussian_window(length)
        np.testing.assert_array_equal(window, window[::-1])
        assert window.argmax() in ((length - 1) // 2, length // 2) and window.min() >= FLOOR


def test_beyond_the_edge_the_image_is_mirrored() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    (tile,) = cut_tiles(image, plan_tiles((2, 3), (4, 3)))
    assert tile[..., 0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5], [3, 4, 5]]


def test_mistakes_are_sentences() -> None:
    grid = plan_tiles((20, 20), (8, 8))
    with pytest.raises(SegcoreError, match="overlap"):
        plan_tiles((20, 20), (8, 8), 1.0)
    with pytest.raises(SegcoreError, match="answers for 16 tiles, received 2"):
        blend_tiles([np.zeros((8, 8, 2), np.float32)] * 2, grid)
    with pytest.raises(SegcoreError, match=r"received \(7, 8, 2\)"):
        blend_tiles([np.zeros((7, 8, 2), np.float32)], grid)
