"""What "detail" is worth: the weights under which the entropy of a label set is taken.

Under pixel weights, merging rare classes looks free; so the loss of detail is always shown under
more than one prior.

How much a prediction tells about the truth: mutual information, and its share of what there was to
tell.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.counts.scores import ratio
from segcore.labels import LabelSet

Floats = npt.NDArray[np.float64]

PRIORS: dict[str, str] = {
    "pixel": "Share of true pixels: what a random pixel reveals.",
    "image": "Share of (image, class) pairs: how often a class occurs at all.",
    "uniform": "Every class weighs the same, however rare.",
    "importance": "Weights given by the user.",
}
"""Name and meaning of each prior."""


def xlog2(values: npt.NDArray[Any]) -> Floats:
    """Return x log2 x, element by element, with 0 log 0 = 0."""
    values = np.asarray(values, np.float64)
    return values * np.log2(values, out=np.zeros(values.shape), where=values > 0)


def entropy(weights: npt.NDArray[Any]) -> Floats:
    """-sum p log2 p over the last axis, (..., C) shares -> (...) bits (Shannon 1948)."""
    return np.maximum(-xlog2(weights).sum(-1), 0.0)


def label_priors(
    confusion: npt.NDArray[Any],
    image_counts: SampleCounts | npt.NDArray[Any] | None = None,
    importance: npt.ArrayLike | None = None,
) -> dict[str, Floats]:
    """Return every prior that can be known, (C,) float64 each; NaN where no pixel is scored.

    Args:
        confusion: (C, C) pixel counts, rows true.
        image_counts: (N, C, C) counts for each image; needed for "image".
        importance: (C,) non-negative weights; needed for "importance".

    Raises:
        SegcoreError: Importance weights that are none.
    """
    rows = np.asarray(confusion, np.float64).sum(1)
    priors = {"pixel": ratio(rows, np.asarray(rows.sum()))}
    if image_counts is not None:
        seen = (SampleCounts.of(image_counts).true > 0).sum(0)
        priors["image"] = ratio(seen, np.asarray(seen.sum()))
    priors["uniform"] = np.full(len(rows), 1 / len(rows))
    if importance is not None:
        weights = np.asarray(importance, np.float64)
        if (
            weights.shape != rows.shape
            or not np.isfinite(weights).all()
            or weights.min() < 0
            or weights.sum() <= 0
        ):
            raise SegcoreError(
                f"Expected {len(rows)} non-negative importance weights, one above 0, "
                f"received {weights.tolist()}: give one for each class."
            )
        priors["importance"] = weights / weights.sum()
    return priors


def importance_weights(label_set: LabelSet, given: Mapping[str, float]) -> Floats:
    """Return the user's importance of each class, (C,) weights; classes that are not named weigh 1.

    Args:
        label_set: The classes.
        given: Weight by class name or id, at least 0.

    Raises:
        SegcoreError: A class is unknown, or a weight is negative or no number.
    """
    weights = np.ones(label_set.num_classes)
    for name, value in given.items():
        if not np.isfinite(value) or value < 0:
            raise SegcoreError(
                f"Expected an importance of at least 0 for {name!r}, received {value!r}: "
                "give a number."
            )
        weights[label_set.index_of(name)] = value
    return weights


def choose_prior(priors: Mapping[str, Floats], name: str) -> Floats:
    """Return the weights of one prior.

    Raises:
        SegcoreError: No prior has that name, or what it needs was not given.
    """
    if name not in PRIORS:
        raise unknown("prior", name, PRIORS)
    if name not in priors:
        need = "counts for each image" if name == "image" else "importance weights"
        raise SegcoreError(
            f"Expected {need} for the {name!r} prior, received none: give them, or choose "
            f"one of {', '.join(priors)}."
        )
    return priors[name]


def mutual_information(counts: npt.NDArray[Any]) -> Floats:
    """Mutual information of truth and prediction, (..., C, C) pixel counts -> (...) bits.

    I(Y; prediction) = sum_ij c_ij / N log2(N c_ij / (r_i s_j)) (Shannon 1948).
    Never negative; NaN where no pixel is scored.
    """
    counts = np.asarray(counts, np.float64)
    rows, columns = counts.sum(-1), counts.sum(-2)
    total = rows.sum(-1)
    joint = (
        xlog2(counts).sum((-1, -2)) - xlog2(rows).sum(-1) - xlog2(columns).sum(-1) + xlog2(total)
    )
    return np.maximum(ratio(joint, total), 0.0)


def truth_entropy(counts: npt.NDArray[Any]) -> Floats:
    """H(Y) = -sum_i r_i / N log2(r_i / N), (..., C, C) -> (...) bits; NaN without scored pixels."""
    rows = np.asarray(counts, np.float64).sum(-1)
    total = rows.sum(-1)
    return np.maximum(ratio(xlog2(total) - xlog2(rows).sum(-1), total), 0.0)


def honest_accuracy(counts: npt.NDArray[Any]) -> Floats:
    """U = I(Y; prediction) / H(Y), (..., C, C) -> (...) in 0..1 (Theil 1970); 0: no information.

    NaN where the truth holds one label only: nothing can be learned.
    """
    return np.minimum(ratio(mutual_information(counts), truth_entropy(counts)), 1.0)
