"""How much a prediction tells about the truth: mutual information, and its share of what there was to tell."""

from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.priors import xlog2
from segcore.evaluation.scores import ratio

Floats = npt.NDArray[np.float64]


def mutual_information(counts: npt.NDArray[Any]) -> Floats:
    """I(Y; prediction) = sum_ij c_ij / N log2(N c_ij / (r_i s_j)), (..., C, C) pixel counts -> (...) bits (Shannon 1948).

    Never negative; NaN where no pixel is scored.
    """
    counts = np.asarray(counts, np.float64)
    rows, columns = counts.sum(-1), counts.sum(-2)
    total = rows.sum(-1)
    joint = xlog2(counts).sum((-1, -2)) - xlog2(rows).sum(-1) - xlog2(columns).sum(-1) + xlog2(total)
    return np.maximum(ratio(joint, total), 0.0)


def truth_entropy(counts: npt.NDArray[Any]) -> Floats:
    """H(Y) = -sum_i r_i / N log2(r_i / N), (..., C, C) pixel counts -> (...) bits; NaN where no pixel is scored."""
    rows = np.asarray(counts, np.float64).sum(-1)
    total = rows.sum(-1)
    return np.maximum(ratio(xlog2(total) - xlog2(rows).sum(-1), total), 0.0)


def honest_accuracy(counts: npt.NDArray[Any]) -> Floats:
    """U = I(Y; prediction) / H(Y), (..., C, C) -> (...) in 0..1 (Theil 1970): 0 for a constant or random answer.

    NaN where the truth holds one label only: there is nothing to tell.
    """
    return np.minimum(ratio(mutual_information(counts), truth_entropy(counts)), 1.0)
