"""The first chunks of a PNG, read without Pillow: an import asks thousands of files for their size.

PNGs decoded by OpenCV: faster than Pillow, and other threads run meanwhile.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damage is a sentence
MAX_PIXELS = 100_000_000
"""Largest height times width that is decoded."""

TILING = "import it by windows (--windows 512), or scale it down"


def check_pixels(height: int, width: int, name: str) -> None:
    """Refuse an image that is too large to decode, at every entry point alike.

    Raises:
        SegcoreError: It has more than :data:`MAX_PIXELS`, or none.
    """
    if height * width > MAX_PIXELS:
        raise SegcoreError(
            f"Expected an image of at most {MAX_PIXELS // 1_000_000} megapixels, received {name} "
            f"with {width} x {height}: {TILING}."
        )
    if height < 1 or width < 1:
        raise SegcoreError(f"Expected an image with pixels, received {name} with none: remove it.")


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LOOKED_AT = 2048
_MODES = {(8, 0): "L", (16, 0): "I;16", (8, 2): "RGB", (8, 4): "LA", (8, 6): "RGBA"} | {
    (bits, 3): "P" for bits in (1, 2, 4, 8)
}


@dataclass(frozen=True)
class PngHeader:
    """What the header says.

    Attributes:
        height: Rows.
        width: Columns.
        mode: Pillow's word for the kind of its pixels: "L", "P", "RGB", "I;16".
    """

    height: int
    width: int
    mode: str


def read_png_header(path: Path) -> PngHeader | None:
    """Read the header of a plain PNG.

    Args:
        path: The file.

    Returns:
        The header; None for anything else (absence, damage, excess, unusual pixels, a note on how
        to turn it), for Pillow to judge.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            start = file.read(_LOOKED_AT)
    except OSError:
        return None
    mode = _MODES.get((start[24], start[25])) if len(start) > 33 else None
    if mode is None or not start.startswith(_SIGNATURE) or start[8:16] != b"\x00\x00\x00\rIHDR":
        return None
    at = 33
    while (kind := start[at + 4 : at + 8]) != b"IDAT":
        if len(kind) < 4 or kind in (b"eXIf", b"IEND"):
            return None
        at += 12 + int.from_bytes(start[at : at + 4], "big")
    width, height = int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big")
    return PngHeader(height, width, mode) if 0 < width * height <= MAX_PIXELS else None


_GREY, _RGB, _RGBA = 0, 2, 6


def decode_grey(path: Path) -> npt.NDArray[Any] | None:
    """Decode a grey PNG of whole bytes a pixel.

    Args:
        path: The file.

    Returns:
        (H, W) uint8 or uint16; None for anything else, absence, damage and excess included, for
        Pillow to judge.
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
    pixels = (
        None
        if data is None
        else cv2.imdecode(data, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION)
    )
    return (
        np.asarray(pixels, np.uint8) if pixels is not None and pixels.shape == (*size, 3) else None
    )


def _read(
    path: Path, kinds: set[tuple[int, int]]
) -> tuple[npt.NDArray[np.uint8] | None, tuple[int, int]]:
    """Read a PNG of one of the kinds (bits, colour type) that is not too large; and its size."""
    try:
        with open(path, "rb") as file:
            start = file.read(32)
            width, height = int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big")
            fits = (
                start.startswith(b"\x89PNG\r\n\x1a\n")
                and len(start) > 26
                and (start[24], start[25]) in kinds
            )
            if not fits or width * height > MAX_PIXELS:
                return None, (height, width)
            file.seek(0)
            return np.frombuffer(file.read(), np.uint8), (height, width)
    except OSError:
        return None, (0, 0)
