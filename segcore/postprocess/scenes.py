"""A scene of any size through a network: tile by tile, column by column of tiles, memory flat.

The numbers are those of :func:`segcore.postprocess.tiles.through_tiles` over the whole scene. A
scene is parted into stripes of columns; a stripe is predicted from top to bottom by all tiles that
reach into it, so that every pixel is blended from the same answers. Tiles at the border of two
stripes are computed twice.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.postprocess.tiles import FloatArray, TileGrid, blend_strips

Pixels = npt.NDArray[Any]
ReadPixels = Callable[[int, int, int, int], Pixels]
"""(top, left, height, width) inside the scene -> its pixels, (height, width, D)."""

STRIPE_BYTES = 16 << 20
"""Sums of a row of tiles that are held at once."""

BLOCK = 512
"""Stripes are a multiple of this many columns, as the blocks of a tiled raster."""


def stripes(
    size: tuple[int, int], tile: tuple[int, int], num_classes: int
) -> list[tuple[int, int]]:
    """Part a scene into stripes of columns, each as wide as its sums allow.

    Args:
        size: (H, W) of the scene.
        tile: (h, w) of a tile.
        num_classes: C.

    Returns:
        (first column, one past the last) of each, from left to right.
    """
    columns = STRIPE_BYTES // (tile[0] * num_classes * 4) // BLOCK * BLOCK
    width = max(columns, -(-2 * tile[1] // BLOCK) * BLOCK)
    return [(left, min(left + width, size[1])) for left in range(0, size[1], width)]


def predict_stripe(
    read: ReadPixels,
    grid: TileGrid,
    stripe: tuple[int, int],
    answer: Callable[[Iterable[Pixels]], Iterable[FloatArray]],
) -> Iterator[FloatArray]:
    """Yield the blended answers of one stripe, from top to bottom.

    Args:
        read: Reads a part of the scene.
        grid: The tiles of the whole scene.
        stripe: One of :func:`stripes`.
        answer: From tiles (h, w, D) to probabilities (h, w, C), in order.

    Yields:
        (rows, columns of the stripe, C) float32.
    """
    width = grid.tile[1]
    before = (grid.padded[1] - grid.size[1]) // 2
    first, last = stripe[0] + before, stripe[1] + before
    reaching = [column for column in grid.columns if column < last and column + width > first]
    base = reaching[0]
    reach = reaching[-1] + width - base
    own = replace(
        grid,
        size=(grid.size[0], reach),
        columns=tuple(column - base for column in reaching),
        padded=(grid.padded[0], reach),
    )
    tiles = _tiles(read, grid, base, own)
    for strip in blend_strips(answer(tiles), own):
        yield strip[:, first - base : last - base]


def _tiles(read: ReadPixels, grid: TileGrid, base: int, own: TileGrid) -> Iterator[Pixels]:
    """Yield a stripe's tiles row by row; beyond the scene's edge it is mirrored."""
    (height, width), (tall, wide) = grid.size, grid.padded
    above, left = (tall - height) // 2, (wide - width) // 2
    columns = _mirrored(np.arange(base, base + own.padded[1]) - left, width)
    for top in grid.rows:
        rows = _mirrored(np.arange(top, top + grid.tile[0]) - above, height)
        band = _read_at(read, rows, columns)
        for column in own.columns:
            yield band[:, column : column + grid.tile[1]]


def _mirrored(places: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.intp]:
    """Return where each place lies within 0..length - 1 if what is beyond is mirrored."""
    period = places % (2 * length)
    return np.where(period < length, period, 2 * length - 1 - period)


def _read_at(read: ReadPixels, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Pixels:
    top, left = int(rows.min()), int(columns.min())
    height, width = int(rows.max()) + 1 - top, int(columns.max()) + 1 - left
    pixels = read(top, left, height, width)
    if height == len(rows) and width == len(columns):
        return pixels
    return pixels[rows - top][:, columns - left]
