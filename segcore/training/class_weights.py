"""How much each class weighs in the loss, from how often it occurs."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import unknown

Counts = npt.NDArray[np.int64]


def _inverse_frequency(counts: Counts) -> npt.NDArray[np.float64]:
    return 1.0 / counts.sum(axis=0)


def _inverse_root(counts: Counts) -> npt.NDArray[np.float64]:
    return 1.0 / np.sqrt(counts.sum(axis=0))


def _median_frequency(counts: Counts) -> npt.NDArray[np.float64]:
    shown = counts > 0
    shares = counts.sum(axis=0) / (counts.sum(axis=1, keepdims=True) * shown).sum(axis=0)
    return np.median(shares) / shares


_RULES: dict[str, Callable[[Counts], npt.NDArray[np.float64]]] = {
    "inverse_frequency": _inverse_frequency,
    "inverse_root": _inverse_root,
    "median_frequency": _median_frequency,
}


def class_weights(name: str, counts: Counts) -> list[float] | None:
    """Return one weight a class, scaled to a mean of 1 over the classes that occur.

    n_ic are the pixels of class c in image i: inverse_frequency w_c = 1 / sum_i n_ic;
    inverse_root w_c = 1 / sqrt(sum_i n_ic); median_frequency w_c = median(f) / f_c with
    f_c = sum_i n_ic / (all valid pixels of the images that hold c) (Eigen, Fergus, ICCV 2015).

    Args:
        name: A name in ``catalog.CLASS_WEIGHTS``.
        counts: (N, C) int64 pixels of each class in each training image.

    Returns:
        C weights above 0 (1 for a class that never occurs), or None for "none".

    Raises:
        SegcoreError: The name is unknown.
    """
    if name == "none":
        return None
    if name not in _RULES:
        raise unknown("class weighting", name, ["none", *_RULES])
    occurs = counts.sum(axis=0) > 0
    if not occurs.any():
        return None
    weights = np.ones(counts.shape[1])
    found = _RULES[name](counts[:, occurs])
    weights[occurs] = found / found.mean()
    return [float(w) for w in weights]


def count_classes(masks: Iterable[npt.NDArray[Any]], num_classes: int) -> Counts:
    """Count the pixels of each class in each mask.

    Args:
        masks: (H, W) integer indices each; values outside 0..C-1 are not counted.
        num_classes: C.

    Returns:
        (N, C) int64 pixels.
    """
    rows: Sequence[Counts] = [np.bincount(mask.reshape(-1), minlength=num_classes)[:num_classes] for mask in masks]
    return np.array(rows, np.int64).reshape(-1, num_classes)
