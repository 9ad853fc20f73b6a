"""PNGs decoded by OpenCV: faster than Pillow, and other threads run meanwhile."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.png_header import MAX_PIXELS

_GREY, _RGB, _RGBA = 0, 2, 6


def decode_grey(path: Path) -> npt.NDArray[Any] | None:
    """Decode a grey PNG of whole bytes a pixel.

    Args:
        path: The file.

    Returns:
        (H, W) uint8 or uint16; None for whatever else, absence, damage and excess included, for Pillow to judge.
    """
    data, size = _read(path, {(8, _GREY), (16, _GREY)})  # fewer bits would be stretched to 0..255
    pixels = None if data is None else cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    return pixels if pixels is not None and pixels.shape == size else None


def decode_rgb(path: Path) -> npt.NDArray[np.uint8] | None:
    """Decode an RGB PNG of 8 bits a channel, without turning it; an alpha channel is dropped.

    Args:
        path: The file.

    Returns:
        (H, W, 3) uint8 in the order **blue, green, red**; None as :func:`decode_grey`.
    """
    data, size = _read(path, {(8, _RGB), (8, _RGBA)})
    pixels = None if data is None else cv2.imdecode(data, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(pixels, np.uint8) if pixels is not None and pixels.shape == (*size, 3) else None


def _read(path: Path, kinds: set[tuple[int, int]]) -> tuple[npt.NDArray[np.uint8] | None, tuple[int, int]]:
    """Read a file if it is a PNG of one of the kinds (bits, colour type) and of a size that is decoded; and that size."""
    try:
        with open(path, "rb") as file:
            start = file.read(32)
            width, height = int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big")
            fits = start.startswith(b"\x89PNG\r\n\x1a\n") and len(start) > 26 and (start[24], start[25]) in kinds
            if not fits or width * height > MAX_PIXELS:
                return None, (height, width)
            file.seek(0)
            return np.frombuffer(file.read(), np.uint8), (height, width)
    except OSError:
        return None, (0, 0)
