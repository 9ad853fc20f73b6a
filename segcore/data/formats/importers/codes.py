"""Masks as codes: the class id of a pixel, or its colour as 0xRRGGBB; and lookup tables over them.

``masks.NO_DATA`` and ``masks.HIDDEN`` are codes too: what they mark belongs to no class.
"""

from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.masks import HIDDEN, NO_DATA
from segcore.data.statistics.mask_runs import runs_of
from segcore.errors import SegcoreError
from segcore.labels import Color

UNKNOWN = 65534
"""Entry of a lookup table for codes that stand for nothing."""

ID_CODES = NO_DATA + 1
COLOR_CODES = HIDDEN + 1
MAX_COLORS_OF_A_MASK = 4096


def color_code(color: Color) -> int:
    """Return 0xRRGGBB."""
    red, green, blue = color
    return red << 16 | green << 8 | blue


def code_color(code: int) -> Color:
    """Return (red, green, blue) of 0xRRGGBB."""
    return (code >> 16 & 255, code >> 8 & 255, code & 255)


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

    def withdraw(self, code: int) -> tuple[int, int]:
        """Take a code out of the survey; return in how many pixels and masks it occurred."""
        self.example.pop(code, None)
        return self.pixels.pop(code, 0), self.masks.pop(code, 0)

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
