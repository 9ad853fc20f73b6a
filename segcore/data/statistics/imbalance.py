"""How uneven classes are: label imbalance, and distances between two distributions over classes.

Counts are pixels (by pixel) or images that hold the class (by count). A class that never occurs
has no ratio: it is NaN, and leaves the means.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy
from scipy.sparse import csr_array

from segcore.errors import SegcoreError

Floats = npt.NDArray[np.float64]
Ground = Literal["nominal", "ordered"] | npt.NDArray[np.floating]
"""What it costs to move a share from one class to another: 1 between any two (nominal), the number
of steps between their positions over C - 1 (ordered), or a (C, C) matrix.
"""


def shares_of(counts: npt.NDArray[Any]) -> Floats:
    """Divide counts by their sum: (C,) float64 summing to 1, or zeros for no counts."""
    values = np.asarray(counts, np.float64)
    total = values.sum()
    return values / total if total > 0 else np.zeros_like(values)


def label_imbalance(counts: npt.NDArray[Any]) -> Floats:
    """Imbalance ratio per label: IRLbl_c = max_k n_k / n_c.

    Charte et al., Neurocomputing 2015.

    Args:
        counts: (C,) pixels or images of each class.

    Returns:
        (C,) float64, 1 for the most frequent class; NaN for a class that never occurs.
    """
    values = np.asarray(counts, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, values.max(initial=0) / values, np.nan)


def mean_imbalance(counts: npt.NDArray[Any]) -> float:
    """MeanIR: mean of IRLbl over the classes that occur (Charte et al. 2015); else NaN."""
    ratios = label_imbalance(counts)
    return float(np.nanmean(ratios)) if np.isfinite(ratios).any() else float("nan")


def scumble_by_sample(present: npt.NDArray[np.bool_]) -> Floats:
    """How much rare and frequent labels share each image.

    SCUMBLE_i = 1 - (product of IRLbl_c over c in i)^(1/|i|) / mean of IRLbl_c over c in i.
    Charte et al., HAIS 2014; 0 where all labels are equally frequent, near 1 where a rare label
    stands next to frequent ones.

    Args:
        present: (N, C) bool, whether the image holds the class.

    Returns:
        (N,) float64 in 0..1; 0 for an image without labels.
    """
    ratios = np.nan_to_num(label_imbalance(present.sum(0)), nan=1.0)
    labels = present.sum(1)
    held = np.maximum(labels, 1)
    geometric = np.exp((present @ np.log(ratios)) / held)
    arithmetic = (present @ ratios) / held
    return np.where(labels > 0, 1 - geometric / np.where(labels > 0, arithmetic, 1), 0.0)


def scumble(present: npt.NDArray[np.bool_]) -> float:
    """Mean of :func:`scumble_by_sample` over the images; 0 without images."""
    return float(scumble_by_sample(present).mean()) if len(present) else 0.0


def entropy_bits(shares: npt.NDArray[Any]) -> float:
    """Shannon entropy of a distribution, -sum p log2 p, in bits; log2 C when even."""
    p = np.asarray(shares, np.float64)
    p = p[p > 0]
    return max(0.0, float(-(p * np.log2(p)).sum()))


@dataclass(frozen=True)
class LinearDistance:
    """Sum of |M (p - t)|, which covers nominal and ordered classes.

    Nominal: M = identity / 2, the total variation. Ordered: the sum over k < C - 1 of
    |P_k - T_k| / (C - 1) with cumulative P and T, so that it lies in 0..1.

    Attributes:
        matrix: (K, C) float64, M.
        target: (C,) float64, t.
    """

    matrix: Floats
    target: Floats

    def values(self, shares: Floats) -> Floats:
        """Distances of (M, C) distributions, (M,) float64."""
        return np.abs((shares - self.target) @ self.matrix.T).sum(1)

    def slopes(self, shares: Floats) -> Floats:
        """A subgradient of the distance at one distribution, (C,) float64."""
        return self.matrix.T @ np.sign(self.matrix @ (shares - self.target))


@dataclass(frozen=True)
class TransportDistance:
    """Optimal transport cost from p to t with ground distances ``ground[a, b]``.

    Attributes:
        ground: (C, C) float64, 0 on the diagonal, not negative.
        target: (C,) float64, t.
    """

    ground: Floats
    target: Floats

    def _solve(self, shares: Floats) -> tuple[float, Floats]:
        c = len(self.target)
        ones = np.ones(c * c)
        source, sink = np.repeat(np.arange(c), c), c + np.tile(np.arange(c), c)
        rows = csr_array(
            (
                np.concatenate([ones, ones]),
                (np.concatenate([source, sink]), np.tile(np.arange(c * c), 2)),
            ),
            (2 * c, c * c),
        )
        result = scipy.optimize.linprog(
            self.ground.ravel(),
            A_eq=rows[:-1],
            b_eq=np.concatenate([shares, self.target])[:-1],
            method="highs",
        )
        if result.status != 0:
            raise SegcoreError(
                f"The earth-mover distance could not be computed ({result.message}): check "
                "the ground distances."
            )
        return float(result.fun), np.asarray(result.eqlin.marginals[:c], np.float64)

    def values(self, shares: Floats) -> Floats:
        """Distances of (M, C) distributions, (M,) float64."""
        return np.array([self._solve(p)[0] for p in shares])

    def slopes(self, shares: Floats) -> Floats:
        """A subgradient of the distance at one distribution, (C,) float64."""
        return self._solve(shares)[1]


Distance = LinearDistance | TransportDistance
"""Both have ``values`` of (M, C) distributions, and ``slopes`` at one of them."""


def build_distance(target: npt.NDArray[Any], ground: Ground = "nominal") -> Distance:
    """Build the distance to a target.

    Args:
        target: (C,) shares that sum to 1.
        ground: What moving costs, see :data:`Ground`.

    Returns:
        A distance with ``values`` and ``slopes``.

    Raises:
        SegcoreError: The target is no distribution, or the ground distances do not fit it.
    """
    t = np.asarray(target, np.float64)
    if t.ndim != 1 or not np.isfinite(t).all() or (t < 0).any() or not np.isclose(t.sum(), 1):
        raise SegcoreError(
            "Expected target shares that are not negative and sum to 1, received a sum of "
            f"{t.sum():.6g}: divide by it."
        )
    c = len(t)
    if isinstance(ground, str):
        if ground == "nominal":
            return LinearDistance(np.eye(c) / 2, t)
        if ground == "ordered":
            return LinearDistance(np.tril(np.ones((c, c)))[:-1] / max(c - 1, 1), t)
        raise SegcoreError(
            "Expected ground distances 'nominal', 'ordered' or a matrix, received "
            f"{ground!r}: choose one of them."
        )
    costs = np.asarray(ground, np.float64)
    if (
        costs.shape != (c, c)
        or not np.isfinite(costs).all()
        or (costs < 0).any()
        or np.diagonal(costs).any()
    ):
        raise SegcoreError(
            f"Expected ground distances as a {c} x {c} matrix, not negative and 0 on the "
            f"diagonal, received shape {costs.shape}: correct it."
        )
    return TransportDistance(costs, t)


def earth_mover_distance(
    shares: npt.NDArray[Any], target: npt.NDArray[Any] | None = None, ground: Ground = "nominal"
) -> float:
    """Earth-mover distance between two distributions over classes.

    For nominal classes, where every move costs 1, it is the total variation 1/2 sum |p_c - t_c|;
    for ordered ones the mean of |P_k - T_k| over the C - 1 cut points. Feeding the shares
    themselves to a one-dimensional Wasserstein routine as positions gives neither.

    Args:
        shares: (C,) shares that sum to 1 (see :func:`shares_of`).
        target: (C,) shares that sum to 1; None for uniform.
        ground: What moving costs, see :data:`Ground`.

    Returns:
        0 when equal; at most 1 for nominal and ordered classes; NaN when ``shares`` are all 0.

    Raises:
        SegcoreError: As :func:`build_distance`.
    """
    p = np.asarray(shares, np.float64)
    t = np.full(len(p), 1 / len(p)) if target is None else np.asarray(target, np.float64)
    distance = build_distance(t, ground)
    return float(distance.values(p[None])[0]) if p.sum() > 0 else float("nan")
