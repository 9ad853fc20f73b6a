"""What differs between two masks, by class before and after."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ClassChange:
    """Pixels that went from one class to another.

    Attributes:
        before: Index before, or ``ignore_index``.
        after: Index now.
        pixels: How many.
    """

    before: int
    after: int
    pixels: int


def class_changes(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> tuple[ClassChange, ...]:
    """Return the pixels that differ between two masks of one size by pair, the most first."""
    changed = before != after
    pairs = before[changed].astype(np.int64) << 32 | after[changed].astype(np.int64)
    codes, counts = np.unique(pairs, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple(
        ClassChange(int(codes[i]) >> 32, int(codes[i]) & 0xFFFFFFFF, int(counts[i])) for i in order
    )
