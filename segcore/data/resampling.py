"""Oversampling rules from the literature, to stand beside a balance plan: LVIS repeat factors and ML-ROS."""

from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.imbalance import Floats, label_imbalance
from segcore.errors import SegcoreError

Repeats = npt.NDArray[np.int64]


def repeat_factors(counts: npt.NDArray[Any], threshold: float = 0.5) -> Floats:
    """Repeat factor of each image: r_i = max over its classes of max(1, sqrt(t / f_c)), f_c = share of images with c.

    Gupta, Dollar, Girshick: LVIS, CVPR 2019.

    Args:
        counts: (N, C) pixels of each class in each image.
        threshold: t, the share of images below which a class is rare; above 0, at most 1.

    Returns:
        (N,) float64, 1 or more; an image without labels keeps 1.

    Raises:
        SegcoreError: The threshold is out of range.
    """
    if not 0 < threshold <= 1:
        raise SegcoreError(f"Expected a threshold above 0 and at most 1, received {threshold}: choose a share of the images.")
    present = np.asarray(counts) > 0
    frequency = np.maximum(present.mean(0), 1e-300)
    by_class = np.maximum(1.0, np.sqrt(threshold / frequency))
    return np.where(present, by_class, 1.0).max(1)


def round_factors(factors: Floats, rng: np.random.Generator) -> Repeats:
    """Turn repeat factors into whole repeats that have them as their mean: the fractional part is a chance.

    Args:
        factors: (N,) float64, 1 or more.
        rng: Source of randomness.

    Returns:
        (N,) int64.
    """
    whole = np.floor(factors)
    return (whole + (rng.random(len(factors)) < factors - whole)).astype(np.int64)


def clone_minority(counts: npt.NDArray[Any], share: float, rng: np.random.Generator) -> Repeats:
    """Multi-label random oversampling, ML-ROS: clone random images of the labels that are rarer than usual.

    A label is in the minority while its IRLbl exceeds the MeanIR of the split without copies. By turns
    each such label clones one random image that holds it, until ``share`` more images are there or no
    label is left. Charte et al., Neurocomputing 2015.

    Args:
        counts: (N, C) pixels of each class in each image.
        share: Copies to add, as a share of N; 0 or more.
        rng: Source of randomness.

    Returns:
        (N,) int64 repeats, 1 or more.

    Raises:
        SegcoreError: The share is negative.
    """
    if share < 0:
        raise SegcoreError(f"Expected a share of 0 or more, received {share}: choose another.")
    present = np.asarray(counts) > 0
    images = present.sum(0)
    mean = float(np.nanmean(label_imbalance(images))) if images.any() else 1.0
    repeats = np.ones(len(present), np.int64)
    left = round(share * len(present))
    minority = [int(c) for c in np.flatnonzero(np.nan_to_num(label_imbalance(images), nan=0.0) > mean)]
    holders = {c: np.flatnonzero(present[:, c]) for c in minority}
    while left > 0 and minority:
        for c in list(minority):
            if left == 0:
                break
            image = int(rng.choice(holders[c]))
            repeats[image] += 1
            images = images + present[image]
            left -= 1
            if label_imbalance(images)[c] <= mean:
                minority.remove(c)
    return repeats
