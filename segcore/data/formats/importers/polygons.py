"""Shapes drawn into masks: polygons, run-length codes and boxes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

BACKGROUND = "background"


def draw_polygon(mask: npt.NDArray[np.uint16], points: Sequence[Any], value: int) -> None:
    """Fill a polygon in place: every pixel whose centre (x + .5, y + .5) is inside, by the even-odd rule.

    Each edge flips what lies right of it in the rows it crosses; the parity of the flips is the
    inside.

    Args:
        mask: (H, W) uint16.
        points: (x, y) corners in pixels, three or more; or the same numbers in one flat list.
        value: What its pixels become.

    Raises:
        SegcoreError: There are fewer than three corners, or they are no numbers.
    """
    try:
        corners = np.asarray(points, np.float64).reshape(-1, 2)
    except (ValueError, TypeError) as error:
        raise SegcoreError(
            f"Expected polygon corners as pairs of numbers, received {str(points)[:60]}: "
            "correct the annotation."
        ) from error
    if len(corners) < 3 or not np.isfinite(corners).all():
        raise SegcoreError(
            f"Expected a polygon of at least three corners, received {len(corners)}: "
            "correct the annotation."
        )
    height, width = mask.shape
    first = np.clip(np.ceil(corners.min(0) - 0.5), 0, (width, height)).astype(int)
    last = np.clip(np.ceil(corners.max(0) - 0.5), 0, (width, height)).astype(int)
    if (last <= first).any():
        return
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
