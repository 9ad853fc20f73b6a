"""Masks as codes: the class id of a pixel, or its colour as 0xRRGGBB; and lookup tables over them.

``masks.NO_DATA`` and ``masks.HIDDEN`` are codes too: what they mark belongs to no class.
"""

from collections.abc import Collection
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
VOID_CODES = (255, 65535)
"""What masks of 8 and of 16 bits hold where nothing is labelled, by convention."""

MAX_COLORS_OF_A_MASK = 4096


def color_code(color: Color) -> int:
    """Return 0xRRGGBB."""
    red, green, blue = color
    return red << 16 | green << 8 | blue


def code_color(code: int) -> Color:
    """Return (red, green, blue) of 0xRRGGBB."""
    return (code >> 16 & 255, code >> 8 & 255, code & 255)


class Survey:
    """Which codes masks hold: pixels, masks and runs of each, and what occurs next to void.

    May be filled from several threads.

    Attributes:
        codes: Codes in the order in which they were met.
        pixels: Pixels of each code.
        masks: Masks that hold each code.
        runs: Runs of equal pixels along the rows, of each code.
        example: First name, in alphabetical order, of a mask that holds each code.
        beside: For each code of :data:`VOID_CODES`, how many of its masks hold each other code.
        num_masks: Masks counted.
        counted_up: Masks whose codes above 0 are 1 to k without a gap, k two or more.
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
        self.runs: dict[int, int] = {}
        self.example: dict[int, str] = {}
        self.beside: dict[int, dict[int, int]] = {code: {} for code in VOID_CODES}
        self.num_masks = 0
        self.counted_up = 0

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
            self._number(np.unique(values[new]))
            numbers = self._number_of.take(values)
        counts = np.bincount(numbers, weights=lengths)
        runs = np.bincount(numbers)
        with self._lock:
            present = [self.codes[number] for number in np.flatnonzero(runs).tolist()]
            for code, pixels, times in zip(
                present, counts[runs > 0].tolist(), runs[runs > 0].tolist(), strict=True
            ):
                self.pixels[code] = self.pixels.get(code, 0) + int(pixels)
                self.masks[code] = self.masks.get(code, 0) + 1
                self.runs[code] = self.runs.get(code, 0) + times
                self.example[code] = min(self.example.get(code, name), name)
            for void in set(present) & set(VOID_CODES):
                for code in present:
                    self.beside[void][code] = self.beside[void].get(code, 0) + 1
            numbered = sorted(
                code for code in present if code and code not in (*VOID_CODES, NO_DATA)
            )
            self.counted_up += len(numbered) > 1 and numbered[-1] == len(numbered)
            self.num_masks += 1

    def _number(self, fresh: npt.NDArray[Any]) -> None:
        """Give each new code a number."""
        if len(fresh) > MAX_COLORS_OF_A_MASK:
            raise SegcoreError(
                f"Expected a mask with few colours, received {len(fresh)}: is this a "
                "photograph, or a JPEG?"
            )
        with self._lock:
            for code in fresh.tolist():
                if self._number_of[code] != UNKNOWN:
                    continue
                if len(self.codes) >= UNKNOWN:
                    raise SegcoreError(
                        "Expected masks with few colours, received too many to "
                        "count: save them as PNG, not JPEG."
                    )
                self.codes.append(code)  # first: other threads look codes up without the lock
                self._number_of[code] = len(self.codes) - 1

    def withdraw(self, code: int) -> tuple[int, int]:
        """Take a code out of the survey; return in how many pixels and masks it stood."""
        self.example.pop(code, None)
        self.runs.pop(code, None)
        for others in self.beside.values():
            others.pop(code, None)
        return self.pixels.pop(code, 0), self.masks.pop(code, 0)

    @property
    def total(self) -> int:
        """Pixels counted."""
        return sum(self.pixels.values())

    def share(self, codes: Collection[int]) -> float:
        """Share of all pixels that these codes hold."""
        return sum(self.pixels.get(code, 0) for code in codes) / self.total

    def mean_run(self, codes: Collection[int]) -> float:
        """Mean length of the runs of these codes, in pixels."""
        runs = sum(self.runs.get(code, 0) for code in codes)
        return sum(self.pixels.get(code, 0) for code in codes) / max(1, runs)


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
