"""Scores of confusion matrices, for one matrix or for many at once.

Every function takes counts of shape (..., C, C), rows true, columns predicted, and keeps the
leading axes; so one matrix, a matrix per image and a thousand resamples are scored by one formula.
No score here needs more of a matrix than its :class:`Margins`, so they are taken too.
With diagonal d, row sums r (true pixels), column sums s (predicted pixels) and N pixels in all, the
formula is in each function. What is undefined (0 / 0) is NaN, never 0 and never 1: a class
absent from truth and prediction has no IoU, and :func:`mean_present` leaves it out of means.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Margins:
    """What scores need of confusion matrices: (..., C) pixels each.

    Attributes:
        right: The diagonal.
        true: Row sums.
        predicted: Column sums.
    """

    right: npt.NDArray[Any]
    true: npt.NDArray[Any]
    predicted: npt.NDArray[Any]

    def sum(self, axis: int) -> "Margins":
        """Sum over a leading axis."""
        return Margins(self.right.sum(axis), self.true.sum(axis), self.predicted.sum(axis))


class HasMargins(Protocol):
    """Counts in another form, as :class:`segcore.evaluation.counts.sample_counts.SampleCounts`."""

    def margins(self) -> Margins:
        """Right, true and predicted pixels, (..., C) each."""


Counts = npt.NDArray[Any] | Margins | HasMargins
"""(..., C, C) whole numbers >= 0, unit pixels, rows true, columns predicted; or their margins."""

Statistic = Callable[..., npt.NDArray[Any]]
"""Counts (B, ...) of one or more sets, as many arguments, to a number or several each: (B, ...)."""


def ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> Floats:
    """Divide element by element; 0 / 0 and x / 0 give NaN without a warning."""
    bottom = np.asarray(denominator, np.float64)
    top = np.broadcast_to(
        np.asarray(numerator, np.float64), np.broadcast_shapes(np.shape(numerator), bottom.shape)
    )
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)


def mean_present(values: npt.NDArray[Any]) -> Floats:
    """Mean over the last axis of what is not NaN, (..., C) -> (...); NaN where nothing is left."""
    there = ~np.isnan(values)
    return ratio(np.where(there, values, 0.0).sum(-1), there.sum(-1))


def parts(counts: Counts) -> tuple[Floats, Floats, Floats]:
    """Return diagonal, row sums and column sums, (..., C) float64 each (exact below 2**53)."""
    if isinstance(counts, Margins) or hasattr(counts, "margins"):
        found = counts if isinstance(counts, Margins) else counts.margins()
        return (
            np.asarray(found.right, np.float64),
            np.asarray(found.true, np.float64),
            np.asarray(found.predicted, np.float64),
        )
    whole = np.asarray(counts, np.float64)
    return np.diagonal(whole, axis1=-2, axis2=-1), whole.sum(-1), whole.sum(-2)


def iou(counts: Counts) -> Floats:
    """Intersection over union, d / (r + s - d), (..., C) in 0..1 (Jaccard 1912)."""
    d, r, s = parts(counts)
    return ratio(d, r + s - d)


def dice(counts: Counts) -> Floats:
    """Dice or F1, 2 d / (r + s), (..., C) in 0..1 (Dice 1945)."""
    d, r, s = parts(counts)
    return ratio(2 * d, r + s)


def precision(counts: Counts) -> Floats:
    """Correct share of the pixels predicted as a class, d / s, (..., C); NaN if never predicted."""
    d, _, s = parts(counts)
    return ratio(d, s)


def recall(counts: Counts) -> Floats:
    """Correct share of the true pixels of a class, d / r, (..., C); NaN if absent from truth."""
    d, r, _ = parts(counts)
    return ratio(d, r)


def specificity(counts: Counts) -> Floats:
    """Share of other classes' pixels not predicted as this, (N - r - s + d) / (N - r), (..., C)."""
    d, r, s = parts(counts)
    total = r.sum(-1, keepdims=True)
    return ratio(total - r - s + d, total - r)


def mean_iou(counts: Counts) -> Floats:
    """Mean of :func:`iou` over the classes that occur in truth or prediction, (...)."""
    return mean_present(iou(counts))


def mean_iou_in_truth(counts: Counts) -> Floats:
    """Mean of :func:`iou` over the classes that occur in truth, (...); others do not count."""
    _, r, _ = parts(counts)
    return mean_present(np.where(r > 0, iou(counts), np.nan))


def mean_dice(counts: Counts) -> Floats:
    """Mean of :func:`dice` over the classes that occur in truth or prediction, (...)."""
    return mean_present(dice(counts))


def pixel_accuracy(counts: Counts) -> Floats:
    """Share of scored pixels that are right, sum d / N, (...) in 0..1."""
    d, r, _ = parts(counts)
    return ratio(d.sum(-1), r.sum(-1))


def mean_accuracy(counts: Counts) -> Floats:
    """Mean of :func:`recall` over the classes that occur in truth, (...) in 0..1."""
    return mean_present(recall(counts))


def frequency_weighted_iou(counts: Counts) -> Floats:
    """IoU weighted by true pixels, sum_c r_c IoU_c / N, (...) in 0..1 (Long et al., CVPR 2015)."""
    _, r, _ = parts(counts)
    return ratio((r * np.nan_to_num(iou(counts))).sum(-1), r.sum(-1))


def kappa(counts: Counts) -> Floats:
    """Agreement beyond chance, (a - e) / (1 - e), (...) (Cohen 1960); e = sum_c r_c s_c / N**2.

    NaN where chance alone already agrees always (e = 1), as with a single class.
    """
    d, r, s = parts(counts)
    total = r.sum(-1)
    chance = (r * s).sum(-1)
    return ratio(d.sum(-1) * total - chance, total * total - chance)


def matthews(counts: Counts) -> Floats:
    """Multiclass Matthews correlation, (...) in -1..1 (Gorodkin 2004); NaN if one is constant.

    (N sum d - sum r s) / sqrt((N**2 - sum r**2)(N**2 - sum s**2)).
    """
    d, r, s = parts(counts)
    total = r.sum(-1)
    square = total * total
    spread = np.sqrt((square - (r * r).sum(-1)) * (square - (s * s).sum(-1)))
    return ratio(d.sum(-1) * total - (r * s).sum(-1), spread)


def by_class(score: Callable[[Counts], Floats], held: npt.NDArray[np.bool_]) -> Statistic:
    """Return a class score for resamples: NaN for a class that only the resample's truth lacks.

    There the score would be 0 whatever the model answers about the class, for no pixel of it was
    drawn.

    Args:
        score: (..., C, C) -> (..., C).
        held: (C,) whether the truth of the whole set holds the class.
    """

    def drawn(counts: Counts) -> Floats:
        return np.where(held & (parts(counts)[1] == 0), np.nan, score(counts))

    return drawn


def mean_by_class(score: Callable[[Counts], Floats], held: npt.NDArray[np.bool_]) -> Statistic:
    """Return the mean over classes of :func:`by_class`, (...): the mean IoU of a resample."""
    own = by_class(score, held)
    return lambda counts: mean_present(own(counts))


CLASS_SCORES: dict[str, Callable[[Counts], Floats]] = {
    "iou": iou,
    "dice": dice,
    "precision": precision,
    "recall": recall,
    "specificity": specificity,
}
"""Scores with one value for each class: (..., C, C) -> (..., C)."""

SET_SCORES: dict[str, Callable[[Counts], Floats]] = {
    "mean_iou": mean_iou,
    "mean_iou_in_truth": mean_iou_in_truth,
    "mean_dice": mean_dice,
    "pixel_accuracy": pixel_accuracy,
    "mean_accuracy": mean_accuracy,
    "frequency_weighted_iou": frequency_weighted_iou,
    "kappa": kappa,
    "mcc": matthews,
}
"""Scores with one value for the whole matrix: (..., C, C) -> (...)."""
