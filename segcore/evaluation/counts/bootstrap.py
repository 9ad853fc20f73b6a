"""How sure a score is: resampling whole images, never pixels.

Pixels of one image are not independent, and frames of one drive hardly are; so images (or groups of
images) are drawn with replacement and their counts added up (Efron 1979; percentile intervals).
Since a resample is a weighted sum of the per-image matrices, all resamples are one matrix product.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import check_counts

Floats = npt.NDArray[np.float64]
Statistic = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
"""Counts (B, C, C) -> one or more numbers for each matrix, (B, ...); see :mod:`segcore.evaluation.counts.scores`."""

_BYTES = 64 << 20


@dataclass(frozen=True)
class Interval:
    """A percentile interval of one score.

    Attributes:
        low: Lower end; NaN where the score is undefined or there are fewer than two units to draw.
        high: Upper end.
        level: Nominal coverage, 0..1.
        units: How many units (images or groups) were drawn from. Below about 20 the interval is too
            narrow.
    """

    low: float
    high: float
    level: float
    units: int

    def to_json(self) -> list[float | None]:
        """Return ``[low, high]`` with None for NaN."""
        return [None if np.isnan(v) else float(v) for v in (self.low, self.high)]


@dataclass(frozen=True)
class PairedDifference:
    """Score of A minus score of B on the same images.

    Attributes:
        difference: A - B on the whole set.
        low: Lower end of the percentile interval of A - B over resampled images.
        high: Upper end.
        p_value: Two-sided, by exchanging A and B at random within each unit.
        units: How many units were drawn from.
    """

    difference: float
    low: float
    high: float
    p_value: float
    units: int


def group_counts(counts: npt.NDArray[Any], groups: Sequence[str] | None) -> npt.NDArray[np.int64]:
    """Add up the matrices of each group, in order of first appearance.

    Args:
        counts: (N, C, C) pixel counts.
        groups: Group of each image, length N (a drive, a tile, a patient); None leaves images
            apart.

    Returns:
        (G, C, C) int64.

    Raises:
        SegcoreError: Another number of groups than images, or counts that are none.
    """
    counts = check_counts(counts, "counts", images=True)
    if groups is None:
        return counts
    if len(groups) != len(counts):
        raise SegcoreError(
            f"Expected one group for each of {len(counts)} images, received {len(groups)}: "
            "name the group of every image."
        )
    names = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    out = np.zeros((len(names), *counts.shape[1:]), np.int64)
    np.add.at(out, [names[g] for g in groups], counts)
    return out


def draw_weights(
    units: int, resamples: int, seed: int | np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return how often each unit is drawn in each resample, (resamples, units) int64; rows sum to ``units``."""
    drawn = np.random.default_rng(seed).integers(0, units, (resamples, units))
    places = drawn + units * np.arange(resamples)[:, None]
    return np.bincount(places.ravel(), minlength=resamples * units).reshape(resamples, units)


def resample(counts: npt.NDArray[Any], weights: npt.NDArray[Any]) -> Iterator[Floats]:
    """Yield the summed counts of the resamples in blocks, (B, C, C) float64, exact below 2**53 pixels.

    Args:
        counts: (N, C, C) counts of the units.
        weights: (resamples, N) how often each unit is drawn, from :func:`draw_weights`.

    Yields:
        Blocks that hold a bounded amount of memory; in the order of ``weights``.
    """
    size = counts.shape[-1] ** 2
    used = np.flatnonzero(counts.any(0).reshape(-1)) if len(counts) else np.arange(0)
    flat = counts.reshape(len(counts), size)[:, used].astype(np.float64)
    block = max(1, _BYTES // (8 * size))
    for start in range(0, len(weights), block):
        part = weights[start : start + block]
        out = np.zeros((len(part), size))
        out[:, used] = part.astype(np.float64) @ flat
        yield out.reshape(-1, *counts.shape[1:])


def _quantiles(values: Floats, level: float) -> tuple[Floats, Floats]:
    """Percentile ends over the first axis, without NaN; NaN where all are."""
    empty = np.isnan(values).all(0)
    filled = np.where(empty, 0.0, values)
    low, high = np.nanquantile(filled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def bootstrap(
    counts: npt.NDArray[Any],
    statistics: Mapping[str, Statistic],
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> dict[str, tuple[Floats, Floats]]:
    """Percentile intervals of several statistics from the same resamples.

    Args:
        counts: (N, C, C) pixel counts, one matrix for each image.
        statistics: What to compute, by name.
        groups: Draw whole groups instead of images; length N.
        resamples: How many times the set is drawn anew.
        level: Nominal coverage, 0..1.
        seed: Seed or generator of the draws.

    Returns:
        For each name (low, high), each of the statistic's own shape; NaN with fewer than two units.
        A class that a resample lacks is NaN there and left out, as in the score itself.
    """
    if not 0 < level < 1 or resamples < 1:
        raise SegcoreError(
            f"Expected 0 < level < 1 and resamples >= 1, received {level:g} and "
            f"{resamples}: take .95 and 1000."
        )
    units = group_counts(counts, groups)
    if len(units) < 2:
        nothing = {
            name: np.asarray(f(units.sum(0)[None]), np.float64)[0] * np.nan
            for name, f in statistics.items()
        }
        return {name: (v, v) for name, v in nothing.items()}
    found: dict[str, list[Floats]] = {name: [] for name in statistics}
    for block in resample(units, draw_weights(len(units), resamples, seed)):
        for name, function in statistics.items():
            found[name].append(np.asarray(function(block), np.float64))
    return {name: _quantiles(np.concatenate(values), level) for name, values in found.items()}


def interval(
    counts: npt.NDArray[Any],
    statistic: Statistic,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> Interval:
    """Percentile interval of one number; arguments as in :func:`bootstrap`."""
    low, high = bootstrap(
        counts, {"it": statistic}, groups=groups, resamples=resamples, level=level, seed=seed
    )["it"]
    units = len(counts) if groups is None else len(set(groups))
    return Interval(float(low), float(high), level, units)


def paired_difference(
    counts_a: npt.NDArray[Any],
    counts_b: npt.NDArray[Any],
    statistic: Statistic,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> PairedDifference:
    """Compare A with B on the same images.

    The interval resamples images and keeps each image's pair together. The p value exchanges A and
    B within each unit by a fair coin: p = (1 + #{|d*| >= |d|}) / (1 + resamples) (Fisher's
    randomisation test).

    Args:
        counts_a: (N, C, C) counts of A.
        counts_b: (N, C, C) counts of B, the same images in the same order.
        statistic: One number for each matrix, for example
            :func:`segcore.evaluation.counts.scores.mean_iou`.
        groups: Keep whole groups together; length N.
        resamples: Draws of each kind.
        level: Nominal coverage of the interval.
        seed: Seed or generator.

    Raises:
        SegcoreError: A and B have other shapes, or their images have other true pixels.
    """
    a, b = group_counts(counts_a, groups), group_counts(counts_b, groups)
    if a.shape != b.shape:
        raise SegcoreError(
            f"Expected the same images and classes for A and B, received {a.shape}, "
            f"{b.shape}: evaluate both on one split."
        )
    if not np.array_equal(a.sum(-1), b.sum(-1)):
        raise SegcoreError(
            "Expected the same true pixels for A and B, received others: evaluate both on "
            "the same masks in the same order."
        )
    observed = float((statistic(a.sum(0)[None]) - statistic(b.sum(0)[None]))[0])
    if len(a) < 2:
        return PairedDifference(observed, float("nan"), float("nan"), float("nan"), len(a))
    draw = np.random.default_rng(seed)
    weights = draw_weights(len(a), resamples, draw)
    drawn = [
        statistic(x) - statistic(y)
        for x, y in zip(resample(a, weights), resample(b, weights), strict=True)
    ]
    low, high = _quantiles(np.concatenate(drawn), level)
    coins = draw.integers(0, 2, weights.shape)
    both = np.concatenate([a, b])
    swapped = [
        statistic(x) - statistic(y)
        for x, y in zip(
            resample(both, np.hstack([coins, 1 - coins])),
            resample(both, np.hstack([1 - coins, coins])),
            strict=True,
        )
    ]
    extreme = np.abs(np.concatenate(swapped)) >= abs(observed) - 1e-15
    return PairedDifference(
        observed, float(low), float(high), (1 + int(extreme.sum())) / (1 + resamples), len(a)
    )
