"""Masks as codes: the class id of a pixel, or its colour as 0xRRGGBB; and lookup tables over them."""

from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.files.images import open_image, read_indices
from segcore.data.files.png import decode_grey, decode_rgb, read_png_header
from segcore.data.statistics.mask_runs import runs_of
from segcore.errors import SegcoreError
from segcore.labels import Color

UNKNOWN = 65534
"""Entry of a lookup table for codes that stand for nothing."""

ID_CODES = 1 << 16
COLOR_CODES = 1 << 24
MAX_COLORS_OF_A_MASK = 4096
Codes = npt.NDArray[np.uint32]


def color_code(color: Color) -> int:
    """Return 0xRRGGBB."""
    red, green, blue = color
    return red << 16 | green << 8 | blue


def code_color(code: int) -> Color:
    """Return (red, green, blue) of 0xRRGGBB."""
    return (code >> 16 & 255, code >> 8 & 255, code & 255)


def mode_of(path: Path) -> str:
    """Return Pillow's mode of a mask ("L", "P", "RGB", "I;16"), from its header."""
    header = read_png_header(path)
    if header is not None:
        return header.mode
    with open_image(path) as image:
        return image.mode


def read_colors(path: Path) -> Codes:
    """Read a mask by the colour of each pixel, whether stored as RGB, by palette, or grey.

    Args:
        path: A mask; an alpha channel is dropped.

    Returns:
        (H, W) uint32, 0xRRGGBB.

    Raises:
        SegcoreError: The file cannot be read.
    """
    pixels = decode_rgb(path)
    if pixels is not None:
        return pack_colors(pixels)
    with open_image(path) as image:
        if image.mode == "P":
            palette = np.zeros((256, 3), np.uint32)
            colors = np.array(image.getpalette("RGB") or [], np.uint32).reshape(-1, 3)
            palette[: len(colors)] = colors
            return (palette @ np.array([1 << 16, 1 << 8, 1], np.uint32)).astype(np.uint32)[
                np.asarray(image)
            ]
        return pack_colors(np.asarray(image.convert("RGB"))[:, :, ::-1])


def pack_colors(pixels: npt.NDArray[np.uint8]) -> Codes:
    """Pack colours into one number a pixel.

    Args:
        pixels: (H, W, 3) uint8, blue, green, red.

    Returns:
        (H, W) uint32, 0xRRGGBB.
    """
    codes: Codes = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_BGR2BGRA).view(np.uint32)[
        :, :, 0
    ]
    codes &= 0xFFFFFF
    return codes


def read_ids(path: Path) -> npt.NDArray[Any]:
    """Read a mask by the number of each pixel; an RGB mask must be grey, and its red channel is taken.

    Returns:
        (H, W) uint8 or uint16.

    Raises:
        SegcoreError: The file cannot be read, or is coloured.
    """
    ids = decode_grey(path)
    if ids is not None:
        return ids
    if mode_of(path) not in ("RGB", "RGBA", "LA"):
        return read_indices(path)
    with open_image(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    red = pixels[:, :, 0]
    if not (np.array_equal(red, pixels[:, :, 1]) and np.array_equal(red, pixels[:, :, 2])):
        raise SegcoreError(
            f"Expected a mask of class ids in {path.name}, received colours: declare the "
            "class colours in classes.csv."
        )
    return np.ascontiguousarray(red)


class Survey:
    """Which codes occur in many masks, how often, and where first. May be fed from several threads.

    A table over all codes numbers those met so far, so that counting a mask is one lookup and one
    bincount of its runs; only codes never met before are sorted.
    """

    def __init__(self, size: int) -> None:
        """Start empty.

        Args:
            size: Number of possible codes: ``ID_CODES`` or ``COLOR_CODES``.
        """
        self._number_of = np.full(size, UNKNOWN, np.uint16)
        self._lock = Lock()
        self.codes: list[int] = []
        self.pixels: dict[int, int] = {}
        self.masks: dict[int, int] = {}
        self.example: dict[int, str] = {}

    def add(self, name: str, codes: npt.NDArray[Any]) -> None:
        """Count one mask.

        Args:
            name: Its sample id.
            codes: (H, W) integer codes.

        Raises:
            SegcoreError: It holds thousands of codes, as a photograph does.
        """
        values, lengths = runs_of(codes)
        numbers = self._number_of.take(values)
        new = numbers == UNKNOWN
        if new.any():
            fresh = np.unique(values[new])
            if len(fresh) > MAX_COLORS_OF_A_MASK:
                raise SegcoreError(
                    f"Expected a mask with few colours, received {len(fresh)}: is this a "
                    "photograph, or a JPEG?"
                )
            with self._lock:
                for code in fresh.tolist():
                    if self._number_of[code] == UNKNOWN:
                        if len(self.codes) >= UNKNOWN:
                            raise SegcoreError(
                                "Expected masks with few colours, received too many to "
                                "count: save them as PNG, not JPEG."
                            )
                        self.codes.append(
                            code
                        )  # before the table knows it: other threads look codes up without the lock
                        self._number_of[code] = len(self.codes) - 1
            numbers = self._number_of.take(values)
        counts = np.bincount(numbers, weights=lengths)
        with self._lock:
            for number in np.flatnonzero(counts).tolist():
                code = self.codes[number]
                self.pixels[code] = self.pixels.get(code, 0) + int(counts[number])
                self.masks[code] = self.masks.get(code, 0) + 1
                self.example[code] = min(self.example.get(code, name), name)

    @property
    def total(self) -> int:
        """Pixels counted."""
        return sum(self.pixels.values())


def build_lookup(size: int, indices: dict[int, int]) -> npt.NDArray[np.uint16]:
    """Build the table from code to class index.

    Args:
        size: Number of possible codes: ``ID_CODES`` or ``COLOR_CODES``.
        indices: Code to class index or ``ignore_index``.

    Returns:
        (size,) uint16, :data:`UNKNOWN` where a code stands for nothing.
    """
    lookup = np.full(size, UNKNOWN, np.uint16)
    lookup[list(indices)] = list(indices.values())
    return lookup


def look_up(table: npt.NDArray[Any], codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Map codes through a table.

    Args:
        table: (size,) of any kind.
        codes: (H, W) integers, 0..size - 1.

    Returns:
        (H, W) of the table's kind.
    """
    values, lengths = runs_of(codes)
    return np.repeat(table.take(values), lengths).reshape(codes.shape)
