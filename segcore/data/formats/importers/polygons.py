"""Shapes drawn into masks: polygons, run-length codes and boxes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.png import MAX_PIXELS
from segcore.errors import SegcoreError

BACKGROUND = "background"


MAX_REACH = 0.05
"""How far, of a side, a shape may reach beyond its image; drawing tools overshoot a little."""


def draw_polygon(mask: npt.NDArray[np.uint16], points: Sequence[Any], value: int) -> None:
    """Draw a shape in place with :func:`cover_polygon`, and refuse one that leaves no trace.

    Raises:
        SegcoreError: As :func:`cover_polygon`, or the shape covers no pixel.
    """
    if not cover_polygon(mask, points, value):
        raise SegcoreError(
            "Expected a shape with an area, received one that covers no pixel: correct or remove "
            "it."
        )


def cover_polygon(mask: npt.NDArray[np.uint16], points: Sequence[Any], value: int) -> int:
    """Draw a shape in place with :func:`fill_polygon`, if it lies where its image is.

    A shape smaller than a pixel marks the pixel in which its middle lies.

    Returns:
        The number of pixels covered; 0 for a shape without area.

    Raises:
        SegcoreError: As :func:`fill_polygon`, or the shape reaches far beyond the image.
    """
    corners = _corners(points)
    check_reach(corners, mask.shape)
    return fill_polygon(mask, corners, value) or _mark_pixel(mask, corners, value)


def fill_polygon(mask: npt.NDArray[np.uint16], points: Any, value: int) -> int:
    """Fill a polygon in place: every pixel whose centre (x + .5, y + .5) is inside, even-odd.

    Each edge flips what lies right of it in the rows it crosses; the parity of the flips is the
    inside. What lies beyond the image is cut off.

    Args:
        mask: (H, W) uint16.
        points: (x, y) corners in pixels, three or more; or the same numbers in one flat list.
        value: What its pixels become.

    Returns:
        The number of pixels filled.

    Raises:
        SegcoreError: There are fewer than three corners, or they are no numbers.
    """
    corners = _corners(points)
    height, width = mask.shape
    first = np.clip(np.ceil(corners.min(0) - 0.5), 0, (width, height)).astype(int)
    last = np.clip(np.ceil(corners.max(0) - 0.5), 0, (width, height)).astype(int)
    if (last <= first).any():
        return 0
    start, end = corners, np.roll(corners, -1, axis=0)
    tops = np.clip(np.ceil(np.minimum(start[:, 1], end[:, 1]) - 0.5), first[1], last[1]).astype(int)
    bottoms = np.clip(np.ceil(np.maximum(start[:, 1], end[:, 1]) - 0.5), first[1], last[1]).astype(
        int
    )
    edges = np.repeat(
        np.arange(len(corners)), bottoms - tops
    )  # one entry for each row an edge crosses
    rows = np.arange(len(edges)) - np.repeat(np.cumsum(bottoms - tops) - bottoms, bottoms - tops)
    (x0, y0), (x1, y1) = start[edges].T, end[edges].T
    crossings = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    columns = np.clip(np.ceil(crossings - 0.5), first[0], last[0]).astype(int) - first[0]
    flips = np.zeros((last[1] - first[1], last[0] - first[0] + 1), np.int32)
    np.add.at(flips, (rows - first[1], columns), 1)
    inside = np.cumsum(flips, axis=1)[:, :-1] % 2 == 1
    mask[first[1] : last[1], first[0] : last[0]][inside] = value
    return int(np.count_nonzero(inside))


def _corners(points: Any) -> npt.NDArray[np.float64]:
    """Return (N, 2) x and y of a polygon of three or more corners."""
    try:
        corners = np.asarray(points, np.float64).reshape(-1, 2)
    except (ValueError, TypeError, OverflowError) as error:
        raise SegcoreError(
            f"Expected polygon corners as pairs of numbers, received {str(points)[:60]}: "
            "correct the annotation."
        ) from error
    if len(corners) < 3 or not np.isfinite(corners).all():
        raise SegcoreError(
            f"Expected a polygon of at least three corners, received {len(corners)}: "
            "correct the annotation."
        )
    return corners


def check_reach(corners: npt.NDArray[np.float64], shape: tuple[int, ...]) -> None:
    """Refuse a shape that lies outside its image, or reaches far beyond it.

    Args:
        corners: (N, 2) x and y.
        shape: (height, width) of the image.

    Raises:
        SegcoreError: It does; the image may have been scaled since.
    """
    sides = np.array([shape[1], shape[0]], np.float64)
    room = np.maximum(3.0, MAX_REACH * sides)
    low, high = corners.min(0), corners.max(0)
    if (
        (low < -room).any()
        or (high > sides + room).any()
        or (low > sides).any()
        or (high < 0).any()
    ):
        raise SegcoreError(
            f"Expected shapes within {shape[0]} x {shape[1]} pixels (height x width), received one "
            f"from x {low[0]:.6g}, y {low[1]:.6g} to x {high[0]:.6g}, y {high[1]:.6g}: the image "
            "may have another size than when it was annotated, annotate it again or restore it."
        )


def check_pixels_meant(points: Any, shape: tuple[int, ...]) -> None:
    """Refuse corners in shares of the sides where pixels are meant: all from 0 to 1, not whole.

    Args:
        points: (x, y) corners, or the same numbers in one flat list.
        shape: (height, width) of the image.

    Raises:
        SegcoreError: They look like shares.
    """
    corners = _corners(points)
    if min(shape) > 2 and corners.min() >= 0 and corners.max() <= 1 and (corners % 1).any():
        raise SegcoreError(
            "Expected corners in pixels, received a shape between 0 and 1, as shares of width and "
            "height are: multiply x by the width and y by the height."
        )


def _mark_pixel(mask: npt.NDArray[np.uint16], corners: npt.NDArray[np.float64], value: int) -> int:
    """Mark the pixel under the middle of a polygon smaller than a pixel, and count it."""
    x, y = np.floor(corners.mean(0)).astype(int)
    height, width = mask.shape
    inside = 0 <= x < width and 0 <= y < height
    if not inside or (np.ptp(corners, axis=0) > 1).any() or not np.ptp(corners, axis=0).all():
        return 0
    mask[y, x] = value
    return 1


def decode_runs(runs: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Decode COCO's run-length code.

    Runs of zeros and ones take turns, zeros first, down the columns. The packed text holds each run
    in groups of five bits from 48 on, a sixth bit saying that more follow; from the third run on,
    the difference to the run two before is stored.

    Args:
        runs: ``{"size": [H, W], "counts": list or text}``.

    Returns:
        (H, W) bool.

    Raises:
        SegcoreError: The runs do not fill the size.
    """
    height, width = (int(v) for v in runs["size"])
    counts = runs["counts"]
    lengths = _unpack_runs(counts) if isinstance(counts, str) else [int(c) for c in counts]
    if not 0 < height * width <= MAX_PIXELS:
        raise SegcoreError(
            f"Expected runs of an image of at most {MAX_PIXELS // 1_000_000} megapixels, received "
            f"{height} x {width}: correct the annotation."
        )
    if sum(lengths) != height * width or min(lengths, default=0) < 0:
        raise SegcoreError(
            f"Expected runs that fill {height} x {width} pixels, received {sum(lengths)}: "
            "correct the annotation."
        )
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(width, height).T


def _unpack_runs(text: str) -> list[int]:
    lengths: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value |= -1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value, shift = 0, 0
    return lengths
