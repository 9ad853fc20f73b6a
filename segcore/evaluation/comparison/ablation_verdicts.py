"""Whether a recipe beats another: several runs over the same images; intervals over both.

All runs share the draws of images. Of P pairs (a dataset and a seed each, the row's run and the
one it is compared with) the difference is

    d = mean over pairs of (score of the row - score of the other)

and each of R resamples gives one ``d* + s / sqrt(P) * t``: d* is d over images drawn again, s the
standard deviation of a single pair's difference, and t a draw of Student's distribution with as
many degrees of freedom as s has. The interval is the percentiles of that. So images that were drawn
by chance and seeds that fell by chance are both in it.

From :data:`OWN_PAIRS` pairs on s is that of the row's own pairs. Fewer say little, so s is then
``sqrt(2)`` times the standard deviation of a run's score about the mean of its row on its dataset,
pooled over the rows that were trained. It is taken from scores and not from differences because all
rows share the base's runs: differences would count the base's own luck once a row, as if it were
new each time.

A recipe may help in one fold and not in another. From :data:`FEWEST_FOLDS` datasets or folds on,
seeds are therefore averaged within each, and s is the standard deviation of these means, P their
number: a t interval over folds. Below that an interval holds for these folds only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import (
    METHOD,
    Interval,
    Resampling,
    expanded_tail,
    percentiles,
    zero_p_value,
)
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.report import Protocol

Floats = npt.NDArray[np.float64]

OWN_PAIRS = 6
"""Pairs from which on a row's spread is taken from itself."""

FEWEST_FOLDS = 3
"""Datasets or folds from which on their own spread is that of the interval."""


@dataclass(frozen=True, eq=False)
class DrawnScore:
    """The mean IoU of one run, over its images and over resamples of them.

    Attributes:
        observed: Over the set, 0..1; counts of all images added up.
        draws: (R,) over each resample; NaN where the units are too few for an interval.
        drawn: Ids of the images, or the groups, that were drawn from.
        unit: "images" or "groups".
    """

    observed: float
    draws: Floats
    drawn: frozenset[str]
    unit: str = "images"


def draw_score(
    counts: SampleCounts | npt.NDArray[Any],
    names: Sequence[str],
    resamples: int,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> DrawnScore:
    """Score a run; runs over the same images or groups, in any order, share their draws.

    Args:
        counts: (N, C, C) pixel counts, rows true, one matrix for each image.
        names: Id of each image, length N.
        resamples: R.
        seed: Of the draws.
        groups: Draw whole groups of images; length N.
    """
    counts = SampleCounts.of(counts)
    statistic = scores.mean_by_class(scores.iou, counts.held)
    margins = counts.margins()
    drawing = Resampling([margins], groups, resamples=resamples, seed=seed, names=names)
    observed = float(scores.mean_iou(counts.total))
    draws = np.full(resamples, np.nan)
    if drawing.is_enough:
        draws = np.concatenate([statistic(*block) for block in drawing.sums(margins)])
    return DrawnScore(observed, draws, drawing.drawn, drawing.unit)


@dataclass(frozen=True)
class Spread:
    """How far single pairs lie from their row's mean.

    Attributes:
        deviation: Standard deviation s; 0 where there are no degrees of freedom.
        freedom: Degrees of freedom of s.
    """

    deviation: float
    freedom: int


def pooled_spread(rows: Sequence[Sequence[float]]) -> Spread:
    """Return the standard deviation of values about their row's mean, pooled over rows.

    ``sqrt(sum over rows of sum (x - mean)**2 / sum over rows of (n - 1))``.
    """
    squares = sum(
        float(((np.asarray(row) - np.mean(row)) ** 2).sum()) for row in rows if len(row) > 1
    )
    freedom = sum(len(row) - 1 for row in rows if len(row) > 1)
    return Spread(float(np.sqrt(squares / freedom)) if freedom else 0.0, freedom)


def spread_of(values: Sequence[float], pool: Spread) -> Spread:
    """Return the spread of a row's interval: its own from :data:`OWN_PAIRS` pairs, else pooled."""
    return pooled_spread([values]) if len(values) >= OWN_PAIRS or not pool.freedom else pool


def spread_of_difference(score: Spread) -> Spread:
    """Return the spread of the difference of two independent scores of the spread ``score``."""
    return Spread(float(np.sqrt(2)) * score.deviation, score.freedom)


def mean_over_pairs(
    observed: Sequence[float],
    draws: Sequence[Floats],
    spread: Spread,
    unit: tuple[str, int] = ("images", 0),
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the mean of P values with an interval over images and seeds.

    Args:
        observed: A score, or a difference, of each pair.
        draws: (R,) of each pair over resampled images.
        spread: Of single pairs; with no degrees of freedom the interval covers images only.
        unit: What was drawn ("images" or "groups") and how many of them.
        level: Nominal coverage.
        seed: Seed of the Student draws.
    """
    value, drawn = float(np.mean(observed)), np.mean(np.stack(draws), 0)
    if spread.freedom:
        noise = _student(spread.freedom, len(drawn), seed)
        drawn = drawn + spread.deviation / np.sqrt(len(observed)) * noise
    units = np.array([unit[1]])
    tail = expanded_tail(level, units)
    low, high = percentiles(drawn[:, None], np.stack([tail, 1 - tail]))[:, 0]
    p_value = float(zero_p_value(drawn[:, None], units)[0]) if not np.isnan(low) else float("nan")
    made = (level, METHOD, *unit, len(drawn))
    return Interval(value, float(low), float(high), *made, p_value)


def _student(freedom: int, number: int, seed: int) -> Floats:
    """Return Student's quantiles at evenly spaced levels in random order: (number,)."""
    quantiles: Floats = scipy.special.stdtrit(freedom, (np.arange(number) + 0.5) / number)
    return np.random.default_rng(seed).permutation(quantiles)


@dataclass(frozen=True, eq=False)
class DrawnDifference:
    """By how much a row beats what it is compared with, in one pair.

    Attributes:
        fold: Name of the dataset or fold.
        observed: Difference of the two mean IoU over the set.
        draws: (R,) the same over each resample of the images.
    """

    fold: str
    observed: float
    draws: Floats


def mean_by_fold(gains: Sequence[DrawnDifference]) -> list[DrawnDifference]:
    """Average the pairs of each fold, seeds that is; one difference a fold, in order of their names."""
    folds = sorted({gain.fold for gain in gains})
    own = [[gain for gain in gains if gain.fold == fold] for fold in folds]
    return [
        DrawnDifference(
            fold,
            float(np.mean([gain.observed for gain in of_fold])),
            np.mean(np.stack([gain.draws for gain in of_fold]), 0),
        )
        for fold, of_fold in zip(folds, own, strict=True)
    ]


def difference_over_folds(
    gains: Sequence[DrawnDifference],
    spread: Spread,
    unit: tuple[str, int] = ("images", 0),
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Interval, Spread]:
    """Return the difference of a row with an interval over images, seeds and folds.

    Args:
        gains: Of each pair.
        spread: Of single pairs on one dataset; used below :data:`FEWEST_FOLDS` folds.
        unit: What was drawn ("images" or "groups") and how many of them.
        level: Nominal coverage.
        seed: Seed of the Student draws.

    Returns:
        The interval of the mean over pairs, over folds from :data:`FEWEST_FOLDS` on; and the
        spread that it was made with.
    """
    by_fold = mean_by_fold(gains)
    if len(by_fold) >= FEWEST_FOLDS:
        gains, spread = by_fold, pooled_spread([[gain.observed for gain in by_fold]])
    observed, draws = [gain.observed for gain in gains], [gain.draws for gain in gains]
    return mean_over_pairs(observed, draws, spread, unit, level, seed), spread


def compare_claim(verdict: str, claim: str) -> str:
    """Return how a verdict compares with a claim: "agrees", "contradicts", "cannot tell", or "".

    Args:
        verdict: As :func:`judge_difference` gives it.
        claim: "helps", "hurts", "no gain" (it does not help: hurting agrees, helping contradicts),
            or "".
    """
    if not claim or not verdict:
        return ""
    if verdict == "cannot tell":
        return verdict
    return "agrees" if verdict == ("hurts" if claim == "no gain" else claim) else "contradicts"


@dataclass(frozen=True)
class Terms:
    """What two runs must share before their scores are set against each other.

    Attributes:
        protocol: Which images, classes and pixels were scored.
        size: (height, width) that the network was trained at and looks at.
        views: How it saw an image: whole or in tiles, and in how many views.
    """

    protocol: Protocol
    size: tuple[int, int]
    views: str


def unlike_terms(ours: Terms, theirs: Terms, sizes_differ: bool = False) -> list[str]:
    """Return one sentence for each reason why two runs may not be compared; [] when they may.

    Args:
        ours: Of the row.
        theirs: Of what it is compared with.
        sizes_differ: Whether the training size is the very thing that the row changes.
    """
    found = ours.protocol.differences(theirs.protocol)
    if ours.size != theirs.size and not sizes_differ:
        mine, other = (f"{height} x {width}" for height, width in (ours.size, theirs.size))
        found.append(f"Not comparable: different training sizes ({mine} against {other}).")
    if ours.views != theirs.views:
        found.append(
            f"Not comparable: different inference views ({ours.views} against {theirs.views})."
        )
    return found
