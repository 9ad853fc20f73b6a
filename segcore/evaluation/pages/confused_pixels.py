"""Where two labels are confused in an image: the densest place, cropped, those pixels outlined."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""Top, left, height, width in pixels."""


def confused(
    truth: npt.NDArray[Any], predicted: npt.NDArray[Any], first: int, second: int
) -> tuple[Bools, Bools]:
    """Mark the pixels where two labels are taken for each other.

    Args:
        truth: (H, W) class indices, perhaps ignored.
        predicted: (H, W) class indices.
        first: A class index.
        second: Another one.

    Returns:
        (H, W) bool where ``first`` is taken for ``second``, and where ``second`` is taken for
        ``first``.
    """
    return (truth == first) & (predicted == second), (truth == second) & (predicted == first)


def densest_box(marked: Bools, side: int) -> Box:
    """Find the square with most marked pixels; of equals, the first from the top left.

    Args:
        marked: (H, W) bool.
        side: Height and width of the square, pixels; smaller where the image is.
    """
    height, width = min(side, marked.shape[0]), min(side, marked.shape[1])
    table = np.zeros((marked.shape[0] + 1, marked.shape[1] + 1), np.int64)
    table[1:, 1:] = marked.cumsum(0, dtype=np.int64).cumsum(1)
    inside = (
        table[height:, width:]
        - table[:-height, width:]
        - table[height:, :-width]
        + table[:-height, :-width]
    )
    top, left = divmod(int(inside.argmax()), inside.shape[1])
    # of all places with as many, take the one whose marked pixels lie in the middle
    rows, columns = np.nonzero(marked[top : top + height, left : left + width])
    if rows.size:
        top = int(
            np.clip(
                top + (int(rows.min()) + int(rows.max()) + 1 - height) // 2,
                0,
                marked.shape[0] - height,
            )
        )
        left = int(
            np.clip(
                left + (int(columns.min()) + int(columns.max()) + 1 - width) // 2,
                0,
                marked.shape[1] - width,
            )
        )
    return top, left, height, width


def outline(
    image: npt.NDArray[np.uint8],
    marked: Sequence[Bools],
    colors: Sequence[tuple[int, int, int]],
    scale: int = 1,
) -> npt.NDArray[np.uint8]:
    """Enlarge an image and draw a line round each marked region, in its colour on a dark rim.

    Args:
        image: (h, w, 3) uint8 RGB.
        marked: Each (h, w) bool.
        colors: RGB 0..255, one for each of ``marked``.
        scale: How many times larger, a whole number from 1.

    Returns:
        (scale h, scale w, 3) uint8 RGB.
    """
    size = (image.shape[1] * scale, image.shape[0] * scale)  # OpenCV says (width, height)
    out = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) if scale > 1 else image.copy()
    for region, color in zip(marked, colors, strict=True):
        large = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        lines, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, lines, -1, (0, 0, 0), 4)
        cv2.drawContours(out, lines, -1, tuple(int(v) for v in color), 2)
    return np.asarray(out, np.uint8)
