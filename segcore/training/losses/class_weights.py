"""How much each class weighs in the loss, from how often it occurs."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.balance import class_weights as balance_class_weights
from segcore.errors import unknown

Counts = npt.NDArray[np.int64]


def class_weights(name: str, counts: Counts) -> list[float] | None:
    """Return one weight a class, scaled to a mean of 1 over the classes that occur.

    Formulas: ``data/balance/class_weights.py``.

    Args:
        name: A name in ``catalog.CLASS_WEIGHTS``.
        counts: (N, C) int64 pixels of each class in each training image.

    Returns:
        C weights above 0 (1 for a class that never occurs), or None for "none" and where nothing is
        labelled.

    Raises:
        SegcoreError: The name is unknown.
    """
    if name == "none":
        return None
    if name not in balance_class_weights.RULES:
        raise unknown("class weighting", name, ["none", *balance_class_weights.RULES])
    if not counts.any():
        return None
    weights = balance_class_weights.class_weights(counts, name, normalise=True)
    return [float(w) if w > 0 else 1.0 for w in weights]


def count_classes(masks: Iterable[npt.NDArray[Any]], num_classes: int) -> Counts:
    """Count the pixels of each class in each mask.

    Args:
        masks: (H, W) integer indices each; values outside 0..C-1 are not counted.
        num_classes: C.

    Returns:
        (N, C) int64 pixels.
    """
    rows: Sequence[Counts] = [
        np.bincount(mask.reshape(-1), minlength=num_classes)[:num_classes] for mask in masks
    ]
    return np.array(rows, np.int64).reshape(-1, num_classes)
