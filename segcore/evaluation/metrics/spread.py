"""How far a score moves when the same recipe is repeated: over seeds, folds or ensemble members.

This is another question than an interval over images: images say how well the test set pins the
score of one network, repetitions say how well the recipe pins the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.confusion import check_counts


@dataclass(frozen=True)
class Spread:
    """Spread of one number over repetitions.

    Attributes:
        values: One value for each repetition.
        mean: Their mean.
        deviation: Sample standard deviation (n - 1); NaN for one repetition.
        low: Smallest.
        high: Largest.
        interval: Student-t interval of the mean at 95 %; NaN for one repetition.
    """

    values: tuple[float, ...]
    mean: float
    deviation: float
    low: float
    high: float
    interval: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return the fields, NaN as None."""
        return {
            "values": [_plain(v) for v in self.values],
            "mean": _plain(self.mean),
            "deviation": _plain(self.deviation),
            "range": [_plain(self.low), _plain(self.high)],
            "interval": [_plain(v) for v in self.interval],
        }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def spread(values: Sequence[float]) -> Spread:
    """Summarise repeated scores; NaN values are left out.

    Raises:
        SegcoreError: No value is left.
    """
    kept = np.array([v for v in values if not np.isnan(v)], np.float64)
    if not len(kept):
        raise SegcoreError(
            "Expected at least one defined score, received none: evaluate a run first."
        )
    mean, several = float(kept.mean()), len(kept) > 1
    deviation = float(kept.std(ddof=1)) if several else float("nan")
    half = (
        float(scipy.special.stdtrit(len(kept) - 1, 0.975)) * deviation / np.sqrt(len(kept))
        if several
        else float("nan")
    )
    return Spread(
        tuple(kept.tolist()),
        mean,
        deviation,
        float(kept.min()),
        float(kept.max()),
        (mean - half, mean + half),
    )


@dataclass(frozen=True, eq=False)
class Reliability:
    """Spread over repetitions, for the set and for each class.

    Attributes:
        overall: Spread of each of :data:`segcore.evaluation.counts.scores.SET_SCORES` by name.
        class_iou: (R, C) IoU of each repetition and class, NaN where undefined.
        class_deviation: (C,) sample standard deviation of the IoU over repetitions; NaN below two
            values.
        agreement: How much of the confusion all repetitions have in common: the sum over
            off-diagonal cells of the smallest share of pixels, divided by that of the mean share. 1
            when every repetition confuses the same classes equally often, 0 when none is shared,
            NaN without errors.
    """

    overall: dict[str, Spread]
    class_iou: npt.NDArray[np.float64]
    class_deviation: npt.NDArray[np.float64]
    agreement: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields, NaN as None."""
        return {
            "scores": {name: value.to_json() for name, value in self.overall.items()},
            "class_deviation": [_plain(v) for v in self.class_deviation],
            "agreement": _plain(self.agreement),
        }


def reliability(counts: npt.NDArray[Any]) -> Reliability:
    """Measure the spread over repetitions.

    Args:
        counts: (R, C, C) total counts, one matrix for each seed, fold or member.

    Raises:
        SegcoreError: Counts that are none, or no repetition.
    """
    counts = check_counts(counts, "counts", images=True)
    overall = {}
    for name, function in scores.SET_SCORES.items():
        values = function(counts)
        if not np.isnan(values).all():
            overall[name] = spread(values.tolist())
    if not overall:
        raise SegcoreError(
            "Expected at least one repetition with scored pixels, received none: evaluate "
            "a run first."
        )
    class_iou = scores.iou(counts)
    known = (~np.isnan(class_iou)).sum(0)
    centre = scores.ratio(np.nan_to_num(class_iou).sum(0), known)
    squares = np.nan_to_num((class_iou - centre) ** 2).sum(0)
    deviation = np.sqrt(scores.ratio(squares, np.where(known > 1, known - 1, 0)))
    shares = scores.ratio(counts, counts.sum((1, 2), keepdims=True))
    shares = shares * (1 - np.eye(counts.shape[-1]))
    agreement = float(
        scores.ratio(np.asarray(shares.min(0).sum()), np.asarray(shares.mean(0).sum()))
    )
    return Reliability(overall, class_iou, deviation, agreement)
