"""Tiles cover, meet without a seam, change nothing for a pointwise network, and stay in strips."""

import tracemalloc

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.tiles import (
    FLOOR,
    blend_strips,
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
    """A made-up network of single pixels: probabilities of three classes."""
    for tile in tiles:
        powers = np.exp(
            tile.astype(np.float32)
            @ np.array([[0.01, -0.02, 0.005], [0, 0.01, 0.02], [0.02, 0, -0.01]], np.float32)
        )
        yield powers / powers.sum(-1, keepdims=True)


def blended(answers, grid):
    return np.concatenate(list(blend_strips(answers, grid)))


def blended_whole(answers, grid):
    """The same mean with every pixel of the image in memory."""
    weights = [gaussian_window(length) for length in grid.tile]
    sums = [np.zeros(length, np.float32) for length in grid.padded]
    for total, starts, g in zip(sums, (grid.rows, grid.columns), weights, strict=True):
        for start in starts:
            total[start : start + len(g)] += g
    total = None
    for (top, left), answer in zip(grid.corners, answers, strict=True):
        if total is None:
            total = np.zeros((*grid.padded, answer.shape[-1]), np.float32)
        window = weights[0][:, None, None] * weights[1][None, :, None]
        total[top : top + grid.tile[0], left : left + grid.tile[1]] += window * answer
    total /= sums[0][:, None, None]
    total /= sums[1][None, :, None]
    top, left = ((p - s) // 2 for p, s in zip(grid.padded, grid.size, strict=True))
    return total[top : top + grid.size[0], left : left + grid.size[1]]


@pytest.mark.parametrize(("size", "tile"), SIZES)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
def test_strips_are_bit_for_bit_the_whole_array(size, tile, overlap) -> None:
    grid = plan_tiles(size, tile, overlap)
    rng = np.random.default_rng(2)
    answers = [rng.random((*tile, 4)).astype(np.float32) for _ in grid.corners]
    strips = list(blend_strips(answers, grid))
    if len(grid.corners) > 1:
        np.testing.assert_array_equal(np.concatenate(strips), blended_whole(answers, grid))
    assert all(len(strip) <= tile[0] for strip in strips)


def test_memory_is_flat_in_the_height_of_the_image() -> None:
    def peak(height):
        grid = plan_tiles((height, 96), (32, 32), 0.5)
        answer = np.full((32, 32, 20), 0.05, np.float32)
        tracemalloc.start()
        rows = sum(len(strip) for strip in blend_strips((answer for _ in grid.corners), grid))
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert rows == height
        return taken

    assert peak(3200) < 1.2 * peak(320)


@pytest.mark.parametrize(("size", "tile"), SIZES)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
def test_a_pointwise_network_says_the_same_in_tiles_and_whole(size, tile, overlap) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    (whole,) = pointwise([image])
    answer = np.concatenate(list(through_tiles(image, tile, overlap, pointwise)))
    np.testing.assert_allclose(answer, whole, atol=1e-6)


@pytest.mark.parametrize(("size", "tile"), SIZES)
def test_a_constant_comes_out_as_that_constant(size, tile) -> None:
    grid = plan_tiles(size, tile, 0.4)
    constant = np.array([0.1, 0.7, 0.2], np.float32)
    answer = blended((np.broadcast_to(constant, (*tile, 3)) for _ in grid.corners), grid)
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
    np.testing.assert_allclose(blended(answers, grid), total / weights, rtol=1e-5)


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
    with pytest.raises(SegcoreError, match="answers for 16 tiles, received fewer"):
        blended([np.zeros((8, 8, 2), np.float32)] * 2, grid)
    with pytest.raises(SegcoreError, match=r"received \(7, 8, 2\)"):
        blended([np.zeros((7, 8, 2), np.float32)], grid)
