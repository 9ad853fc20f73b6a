"""Runs of equal values in a mask: masks hold few, so what is done to runs costs next to nothing."""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

_WORD = 8
_KEPT = 1 << 22
"""Pixels up to which a thread keeps its scratch memory: new pages cost more."""

_scratch = threading.local()


def runs_of(codes: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """Break a mask into runs of one code, row after row.

    Args:
        codes: (H, W) integers, at least one.

    Returns:
        The code of each run, (R,) of the same kind, and its pixels, (R,).
    """
    flat = codes.reshape(-1)
    ends = _ends(flat)
    lengths = np.empty_like(ends)
    lengths[0] = ends[0] + 1
    np.subtract(ends[1:], ends[:-1], out=lengths[1:])
    return flat.take(ends), lengths


def count_values(indices: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Count how often each value is in a mask, by its runs.

    Args:
        indices: (H, W) uint8 or uint16, at least one.

    Returns:
        (V,) int64, V one more than the largest value.
    """
    values, lengths = runs_of(indices)
    return np.bincount(values, weights=lengths).astype(
        np.int64
    )  # float64 counts exactly up to 2**53


def _ends(flat: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Position of the last pixel of each run, ascending.

    Words of eight pixels in which no run ends are skipped whole.
    """
    size = -(-flat.size // _WORD) * _WORD
    is_end = _flags(size)
    np.not_equal(flat[1:], flat[:-1], out=is_end[: flat.size - 1])
    is_end[flat.size - 1] = True
    is_end[flat.size :] = False
    words = np.flatnonzero(is_end.view(np.uint64) != 0)
    within = np.flatnonzero(is_end.reshape(-1, _WORD).take(words, 0))
    return words.take(within // _WORD) * _WORD + within % _WORD


def _flags(size: int) -> npt.NDArray[np.bool_]:
    """Scratch memory of this thread, (size,) bool of any content."""
    if size > _KEPT:
        return np.empty(size, np.bool_)
    kept: npt.NDArray[np.bool_] | None = getattr(_scratch, "flags", None)
    if kept is None or kept.size < size:
        kept = _scratch.flags = np.empty(size, np.bool_)
    return kept[:size]
