"""An image of any size predicted in tiles of one size, blended by Gaussian weights.

A network answers worst at the border of its input. So tiles overlap, and where several answer
for a pixel each counts with

    w(y, x) = g(y) g(x),  g(i) = max(exp(-(i - m)^2 / (2 s^2)), FLOOR),  m = (n - 1) / 2,  s = n / 8

(Isensee et al.: nnU-Net, Nature Methods 2021). Weights and the grid of tiles are products of rows
and columns, so the sum of the weights over a pixel is one too and is divided by exactly: a constant
answer comes out as that constant, without a seam.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

FloatArray = npt.NDArray[np.float32]
Image = npt.NDArray[Any]

SIGMA_SHARE = 1 / 8
FLOOR = 1e-3
"""Least weight of a tile's edge, so that where one tile reaches nothing tiny is divided by."""


@dataclass(frozen=True)
class TileGrid:
    """Where tiles lie on an image.

    Attributes:
        size: (H, W) of the image.
        tile: (h, w) of every tile.
        rows: Top row of each row of tiles, in order; the last tile ends at the image's last row.
        columns: Left column of each column of tiles.
        padded: (H, W) of the image filled up to at least one tile.
    """

    size: tuple[int, int]
    tile: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    padded: tuple[int, int]

    @property
    def corners(self) -> list[tuple[int, int]]:
        """(top, left) of every tile, row by row."""
        return [(top, left) for top in self.rows for left in self.columns]


def plan_tiles(size: tuple[int, int], tile: tuple[int, int], overlap: float = 0.5) -> TileGrid:
    """Spread tiles evenly over an image so that neighbours share at least ``overlap`` of a tile.

    Args:
        size: (H, W) of the image, any.
        tile: (h, w); an image that is smaller in a direction gets one tile there and is filled up.
        overlap: Share of a tile, 0 to less than 1.

    Raises:
        SegcoreError: A size is not positive, or the overlap is out of range.
    """
    if min(*size, *tile) < 1 or not 0 <= overlap < 1:
        raise SegcoreError(
            f"Expected positive sizes and an overlap of 0 to 0.9, received {size}, {tile} "
            f"and {overlap:g}: change them."
        )
    padded = (max(size[0], tile[0]), max(size[1], tile[1]))
    rows, columns = (
        _starts(length, part, overlap) for length, part in zip(padded, tile, strict=True)
    )
    return TileGrid(size, tile, rows, columns, padded)


def _starts(length: int, part: int, overlap: float) -> tuple[int, ...]:
    room = length - part
    step = max(1, int(part * (1 - overlap)))
    count = -(-room // step) + 1
    return tuple(room * i // (count - 1) for i in range(count)) if count > 1 else (0,)


def gaussian_window(length: int) -> FloatArray:
    """Return g of the module's docstring, (length,) float32 in FLOOR..1, symmetric."""
    offset = np.arange(length) - (length - 1) / 2
    return np.maximum(np.exp(-(offset**2) / (2 * (length * SIGMA_SHARE) ** 2)), FLOOR).astype(
        np.float32
    )


def cut_tiles(image: Image, grid: TileGrid) -> Iterator[Image]:
    """Yield the tiles of an image (H, W, D), row by row; beyond its edge it is mirrored."""
    height, width = grid.size
    extra = (grid.padded[0] - height, grid.padded[1] - width)
    if any(extra):
        before = (extra[0] // 2, extra[1] // 2)
        image = np.pad(
            image,
            [(b, e - b) for b, e in zip(before, extra, strict=True)] + [(0, 0)],
            mode="symmetric",
        )
    for top, left in grid.corners:
        yield image[top : top + grid.tile[0], left : left + grid.tile[1]]


def blend_strips(answers: Iterable[FloatArray], grid: TileGrid) -> Iterator[FloatArray]:
    """Yield the blended answers as strips of rows, from top to bottom.

    Only as many rows are in memory as one row of tiles reaches: once the next row of tiles begins
    below a row, no further answer changes it.

    Args:
        answers: (h, w, C) float32 for each tile of ``grid.corners``, in that order.
        grid: Where they lie.

    Yields:
        (rows, W, C) float32: the weighted mean of the answers at each pixel of these rows.

    Raises:
        SegcoreError: An answer is of another size than a tile, or their number is another.
    """
    height, width = grid.tile
    window = gaussian_window(height)[:, None, None] * gaussian_window(width)[None, :, None]
    of_rows = _summed(gaussian_window(height), grid.rows, grid.padded[0])[:, None, None]
    of_columns = _summed(gaussian_window(width), grid.columns, grid.padded[1])[None, :, None]
    above, left = ((p - s) // 2 for p, s in zip(grid.padded, grid.size, strict=True))
    below, right = above + grid.size[0], left + grid.size[1]
    ends = [*grid.rows[1:], grid.padded[0]]
    alone = len(grid.corners) == 1
    rest = iter(answers)
    total: FloatArray | None = None
    for top, end in zip(grid.rows, ends, strict=True):
        for column in grid.columns:
            answer = _next_answer(rest, grid)
            if total is None:
                total = np.zeros((height, grid.padded[1], answer.shape[-1]), np.float32)
            total[:, column : column + width] += answer if alone else window * answer
        if total is None:
            continue
        strip = total[: end - top].copy()
        if not alone:
            strip /= of_rows[top:end]
            strip /= of_columns
        total[: height - len(strip)] = total[len(strip) :].copy()
        total[height - len(strip) :] = 0
        first, last = max(above - top, 0), min(below, end) - top
        if first < last:
            yield np.ascontiguousarray(strip[first:last, left:right])


def _next_answer(answers: Iterator[FloatArray], grid: TileGrid) -> FloatArray:
    answer = next(answers, None)
    if answer is None:
        raise SegcoreError(
            f"Expected answers for {len(grid.corners)} tiles, received fewer: predict the image "
            "again."
        )
    if answer.shape[:2] != grid.tile:
        raise SegcoreError(
            f"Expected an answer of {grid.tile} for each tile, received "
            f"{answer.shape}: choose another network."
        )
    return answer


def _summed(weights: FloatArray, starts: Sequence[int], length: int) -> FloatArray:
    """The sum of the weights of all tiles along one side, (length,) float32."""
    total = np.zeros(length, np.float32)
    for start in starts:
        total[start : start + len(weights)] += weights
    return total


def through_tiles(
    image: Image,
    tile: tuple[int, int],
    overlap: float,
    answer: Callable[[Iterable[Image]], Iterable[FloatArray]],
) -> Iterator[FloatArray]:
    """Yield the answers to an image's tiles, blended, as strips of rows.

    Args:
        image: (H, W, 3) uint8.
        tile: (h, w).
        overlap: As in :func:`plan_tiles`.
        answer: From tiles (h, w, 3) to probabilities (h, w, C), in order.

    Yields:
        (rows, W, C) float32, from top to bottom.
    """
    grid = plan_tiles((image.shape[0], image.shape[1]), tile, overlap)
    yield from blend_strips(answer(cut_tiles(image, grid)), grid)
