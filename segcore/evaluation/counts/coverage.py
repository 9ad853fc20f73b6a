"""How often an interval contains what it should, and how many images a difference needs.

The scored images stand for a population. From it, sets of n images (or groups) are drawn with
replacement; each gets its interval as any set would, and the share of intervals that contain the
population's own value is the **coverage**. A 95 % interval that covers 86 % is too narrow.

All sets are resampled at once: a resample of a drawn set is a draw of draws, so again a vector
of weights over the population's units, and all of them are one matrix product.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import (
    LEVEL,
    MINIMUM,
    MINIMUM_HELD,
    Part,
    Resampling,
    counted_units,
    expanded_tail,
    paired,
    percentiles,
)
from segcore.evaluation.counts.sample_counts import SampleCounts

Floats = npt.NDArray[np.float64]

ENOUGH = 0.93
"""Below this share of 95 % intervals a page says that they are too narrow."""

DRAWS = 2000
RESAMPLES = 200
POWER = 0.8


@dataclass(frozen=True)
class Coverage:
    """How often intervals of one number contained the population's value.

    Attributes:
        value: The population's value.
        share: Share of the drawn sets' intervals that contained it, 0..1; NaN where there was none.
        known: Share of the drawn sets that had an interval at all, 0..1.
        error: Standard error of ``share`` from the number of sets.
    """

    value: float
    share: float
    known: float
    error: float

    @property
    def is_enough(self) -> bool:
        """Whether the intervals may be called by their level."""
        return self.share >= ENOUGH

    def to_json(self) -> dict[str, Any]:
        """Return the fields, NaN as None."""
        return {key: float(v) if np.isfinite(v) else None for key, v in vars(self).items()}


@dataclass(frozen=True)
class CoverageTable:
    """Coverage of the intervals over one set of images.

    Attributes:
        units: How many images or groups each drawn set had.
        unit: "images" or "groups".
        draws: How many sets were drawn.
        level: Nominal coverage.
        scores: By name; a class score has one entry a class.
    """

    units: int
    unit: str
    draws: int
    level: float
    scores: Mapping[str, tuple[Coverage, ...]] = field(default_factory=dict)

    def sentence(self, name: str = "mean_iou") -> str:
        """Say what the intervals of one score are worth."""
        one = self.scores[name][0]
        what = counted_units(self.units, self.unit)
        nominal = f"{100 * self.level:g} %"
        if np.isnan(one.value):
            return "The score is undefined, so it has no interval."
        if np.isnan(one.share):
            verb = "has" if self.units == 1 else "have"
            return f"{what} {verb} no interval: at least {MINIMUM} are needed."
        measured = f"{100 * one.share:.0f} %"
        if one.is_enough:
            return f"{nominal} here means {measured} (simulated with {what})."
        return f"{nominal} here means {measured}: too few {self.unit} (simulated with {what})."

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; undefined is None."""
        return {
            "units": self.units,
            "unit": self.unit,
            "draws": self.draws,
            "level": self.level,
            "scores": {name: [c.to_json() for c in own] for name, own in self.scores.items()},
            "sentence": self.sentence(next(iter(self.scores))),
        }


Scoring = Callable[[npt.NDArray[np.bool_]], scores.Statistic]
"""From (..., C) classes that a set's truth holds to the statistic of its resamples."""


@dataclass(frozen=True)
class _Sample:
    """The population's units and what is asked of them."""

    drawing: Resampling
    parts: tuple[Part, ...]
    scorings: Mapping[str, Scoring]
    present: npt.NDArray[np.bool_]

    def draws(self, weights: npt.NDArray[Any], held: npt.NDArray[np.bool_]) -> dict[str, Floats]:
        """Every score for each row of weights over the units; ``held`` is of the row's set."""
        blocks: dict[str, list[Floats]] = {name: [] for name in self.scorings}
        start = 0
        for block in self.drawing.sums(*self.parts, weights=weights):
            rows = len(block[0].true)
            for name, scoring in self.scorings.items():
                statistic = scoring(held[start : start + rows])
                blocks[name].append(np.asarray(statistic(*block), np.float64))
            start += rows
        return {name: np.concatenate(own) for name, own in blocks.items()}


def coverage(
    counts: Sequence[SampleCounts],
    scorings: Mapping[str, Scoring],
    n: int | None = None,
    *,
    groups: Sequence[str] | None = None,
    draws: int = DRAWS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> CoverageTable:
    """Simulate how often intervals contain the population's value.

    Args:
        counts: (N, C, C) pixel counts of one run, or of two over the same images.
        scorings: By name, how a set is scored from the summed margins of each run; one number, or
            one for each class.
        n: Images or groups of each drawn set; as many as there are by default.
        groups: Draw whole groups; length N.
        draws: How many sets are drawn.
        resamples: Resamples of each set.
        seed: Seed of everything random.

    Raises:
        SegcoreError: A number below 1.
    """
    parts = tuple(one.margins() for one in counts)
    drawing = Resampling(parts, groups, resamples=1)
    size = drawing.units if n is None else n
    if min(size, draws, resamples) < 1:
        raise SegcoreError(
            f"Expected positive numbers, received n = {size}, {draws} draws of {resamples} "
            "resamples: leave them at their defaults."
        )
    present = np.zeros((drawing.units, counts[0].num_classes), bool)
    np.logical_or.at(present, drawing.unit_of, counts[0].present)
    sample = _Sample(drawing, parts, scorings, present)
    whole = sample.draws(np.ones((1, drawing.units), np.int32), np.atleast_2d(present.any(0)))
    values = {name: own.reshape(-1) for name, own in whole.items()}
    inside = {name: np.zeros(len(v)) for name, v in values.items()}
    known = {name: np.zeros(len(v)) for name, v in values.items()}
    generator = np.random.default_rng(seed)
    at_once = max(1, 40_000 // resamples)
    for start in range(0, draws if size >= MINIMUM else 0, at_once):
        shape = (min(at_once, draws - start), size, resamples)
        _simulate(sample, values, shape, generator, inside, known)
    table = {}
    for name, value in values.items():
        share = scores.ratio(inside[name], known[name])
        error = np.sqrt(scores.ratio(share * (1 - share), known[name]))
        table[name] = tuple(
            Coverage(*map(float, row))
            for row in zip(value, share, known[name] / draws, error, strict=True)
        )
    return CoverageTable(size, drawing.unit, draws, LEVEL, table)


def _simulate(
    sample: _Sample,
    values: Mapping[str, Floats],
    shape: tuple[int, int, int],
    generator: np.random.Generator,
    inside: dict[str, Floats],
    known: dict[str, Floats],
) -> None:
    """Draw sets of units, take their intervals, and count those that contain the value."""
    sets, size, resamples = shape
    units = sample.drawing.units
    chosen = generator.integers(0, units, (sets, size))
    again = generator.integers(0, size, (sets, resamples, size), np.int32)
    drawn = np.take_along_axis(chosen[:, None], again, 2)
    rows = np.arange(sets * resamples)[:, None] * units
    places = (drawn.reshape(sets * resamples, size) + rows).ravel()
    weights = np.bincount(places, minlength=sets * resamples * units).reshape(-1, units)
    by_class = sample.present[chosen].sum(1)
    held = np.repeat(by_class > 0, resamples, axis=0)
    for name, own in sample.draws(weights, held).items():
        draws = own.reshape(sets, resamples, -1)
        holders = by_class if own.ndim == 2 else np.full((sets, 1), size)
        tail = expanded_tail(LEVEL, holders)
        columns = np.moveaxis(draws, 1, 0).reshape(resamples, -1)
        ends = percentiles(columns, np.stack([tail, 1 - tail]).reshape(2, -1))
        low, high = ends.reshape(2, sets, -1)
        there = (holders >= MINIMUM_HELD) & ~np.isnan(low)
        known[name] += there.sum(0)
        inside[name] += (there & (low <= values[name]) & (values[name] <= high)).sum(0)


def score_coverage(
    counts: SampleCounts,
    other: SampleCounts | None = None,
    n: int | None = None,
    *,
    groups: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> CoverageTable:
    """Return the coverage of mean IoU, of each class, and of a difference from another run.

    Args:
        counts: (N, C, C) pixel counts of a run.
        other: The same of another run over the same images.
        n: Images or groups of each drawn set; as many as there are by default.
        groups: Draw whole groups; length N.
        draws: How many sets are drawn.
        seed: Seed of everything random.

    Returns:
        Scores "mean_iou", "iou" (C) and, with another run, "difference" (of mean IoU).
    """
    scorings: dict[str, Scoring] = {
        "mean_iou": lambda held: _first(scores.mean_by_class(scores.iou, held)),
        "iou": lambda held: _first(scores.by_class(scores.iou, held)),
    }
    if other is None:
        return coverage([counts], scorings, n, groups=groups, draws=draws, seed=seed)
    scorings["difference"] = lambda held: paired(scores.mean_by_class(scores.iou, held))
    return coverage([counts, other], scorings, n, groups=groups, draws=draws, seed=seed)


def _first(statistic: scores.Statistic) -> scores.Statistic:
    """A statistic of the first run alone."""
    return lambda first, *_: statistic(first)


@dataclass(frozen=True)
class DifferencePlan:
    """How many images or groups a difference needs.

    Attributes:
        points: The difference, in points of mean IoU.
        unit: "images" or "groups".
        now: How many there are.
        deviation: Standard error of the difference with as many as there are, points.
        needed: How many are needed to tell the difference from chance at 95 % in 80 of 100 such
            tests; None where nothing varies.
        smallest: Smallest difference that ``now`` can tell in 80 of 100 tests, points.
        pair: Whether the difference is that of two runs; else of one run on two such test sets.
    """

    points: float
    unit: str
    now: int
    deviation: float
    needed: int | None
    smallest: float
    pair: bool

    def sentence(self) -> str:
        """Say it in words."""
        if self.needed is None:
            if self.pair:
                return "These two never differ, so no number of images shows a difference."
            return f"All {self.unit} score alike, so their spread says nothing about how many it takes."
        two = "these two runs" if self.pair else "two runs"
        most = "" if self.pair else " at most"
        return (
            f"Telling {two} apart by {self.points:g} "
            f"point{'' if self.points == 1 else 's'} takes about {self.needed:,} test "
            f"{self.unit}{most}; the {self.now:,} here show differences from "
            f"{self.smallest:.1f} points on."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields and the sentence."""
        return {**vars(self), "sentence": self.sentence()}


def plan_test(
    counts: SampleCounts,
    other: SampleCounts | None = None,
    *,
    points: float = 1.0,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> DifferencePlan:
    """Return how many images or groups are needed to tell a difference of mean IoU from chance.

    The standard error s of the difference comes from resampling and falls as 1 / sqrt(n), so
    n = now * ((z_.975 + z_.8) s / points)^2. Of one run alone, s is that of the difference of two
    independent test sets, sqrt(2) times its own: an upper bound, for two runs on the same images
    err alike.

    Args:
        counts: (N, C, C) pixel counts of a run.
        other: The same of another run over the same images.
        points: The difference, in points of mean IoU (hundredths).
        groups: Draw whole groups; length N.
        seed: Seed of the draws.

    Raises:
        SegcoreError: Points out of range, too few units to resample, or no labelled pixel.
    """
    if not 0.01 <= points <= 100:
        raise SegcoreError(
            f"Expected a difference of 0.01 to 100 points, received {points:g}: choose 1."
        )
    mean_iou = scores.mean_by_class(scores.iou, counts.held)
    parts: list[Part] = [counts.margins()]
    statistic: scores.Statistic = mean_iou
    if other is not None:
        parts, statistic = [*parts, other.margins()], paired(mean_iou)
    drawing = Resampling(parts, groups, resamples=2000, seed=seed)
    if not drawing.is_enough:
        raise SegcoreError(
            f"Expected at least {MINIMUM} {drawing.unit} to plan a test from, received "
            f"{drawing.units}: choose a larger split"
            f"{'' if groups is None else ', or draw single images'}."
        )
    draws = np.concatenate([statistic(*block) for block in drawing.sums(*parts)])
    if np.isnan(draws).all():
        raise SegcoreError(
            "Expected labelled pixels to plan a test from, found none: choose another split."
        )
    deviation = 100 * float(np.nanstd(draws, ddof=1)) * (1 if other is not None else 2**0.5)
    factor = float(scipy.special.ndtri(0.5 + LEVEL / 2) + scipy.special.ndtri(POWER))
    needed = int(np.ceil(drawing.units * (factor * deviation / points) ** 2))
    return DifferencePlan(
        points,
        drawing.unit,
        drawing.units,
        deviation,
        max(needed, MINIMUM) if deviation > 1e-9 else None,
        factor * deviation,
        other is not None,
    )
