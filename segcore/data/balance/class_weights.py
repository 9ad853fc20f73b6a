"""Class weights for a loss: how much more an error on a rare class costs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.statistics.imbalance import Floats, shares_of
from segcore.errors import SegcoreError, unknown


def _median_frequency(counts: npt.NDArray[Any]) -> Floats:
    """Median frequency balancing: median(f) / f_c (Eigen, Fergus, ICCV 2015).

    f_c = pixels of c / labelled pixels of the images that contain c.
    """
    around = (counts.sum(1, keepdims=True) * (counts > 0)).sum(0)
    frequency = _divide(counts.sum(0), around)
    return _divide(np.full(len(frequency), np.nanmedian(frequency)), frequency)


def _enet(counts: npt.NDArray[Any]) -> Floats:
    """1 / ln(1.02 + p_c), which lies between 1.4 and 50.5 (Paszke et al., ENet, 2016)."""
    shares = shares_of(counts.sum(0))
    return np.where(shares > 0, 1 / np.log(1.02 + shares), np.nan)


def _inverse_frequency(counts: npt.NDArray[Any]) -> Floats:
    """1 / (C p_c): 1 for a class with an even share."""
    shares = shares_of(counts.sum(0))
    return _divide(np.full(len(shares), 1 / len(shares)), shares)


def _inverse_root(counts: npt.NDArray[Any]) -> Floats:
    """1 / sqrt(C p_c), the root of the inverse frequency."""
    return np.sqrt(_inverse_frequency(counts))


def _effective_number(counts: npt.NDArray[Any], beta: float = 0.99) -> Floats:
    """(1 - beta) / (1 - beta^n_c) with n_c = images that hold c (Cui et al., CVPR 2019).

    The paper counts samples; pixels of one image are no independent samples, so images are counted
    here.
    """
    images = (counts > 0).sum(0)
    return np.where(images > 0, (1 - beta) / np.maximum(1 - beta**images, 1e-300), np.nan)


def _divide(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


RULES: dict[str, Callable[[npt.NDArray[Any]], Floats]] = {
    "inverse_frequency": _inverse_frequency,
    "inverse_root": _inverse_root,
    "median_frequency": _median_frequency,
    "enet": _enet,
    "effective_number": _effective_number,
}
"""The rules of ``catalog.CLASS_WEIGHTS``: (N, C) pixel counts -> (C,) weights.

NaN for a class that never occurs.
"""


def class_weights(
    counts: npt.NDArray[Any], rule: str = "median_frequency", *, normalise: bool = False
) -> Floats:
    """Return a weight for each class.

    Args:
        counts: (N, C) pixels of each class in each image.
        rule: A name in :data:`RULES`.
        normalise: Whether to divide by the mean over the classes that occur, as training does.

    Returns:
        (C,) float64, above 0; 0 for a class that never occurs.

    Raises:
        SegcoreError: The rule is unknown, or nothing is labelled.
    """
    if rule not in RULES:
        raise unknown("class weighting", rule, RULES)
    table = np.asarray(counts)
    if table.ndim != 2 or not table.any():
        raise SegcoreError(
            "Expected counts of at least one labelled pixel, received none: choose a split "
            "that has labelled masks."
        )
    found = RULES[rule](table)
    return np.nan_to_num(found / np.nanmean(found) if normalise else found, nan=0.0)
