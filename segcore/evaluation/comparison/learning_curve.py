"""A learning curve: the score against the number of training images, and what more would bring.

The mean score of each size is fitted by a power law, score(n) = a - b n^-c with b >= 0, c > 0 and
a <= 1 (Hestness et al., "Deep Learning Scaling is Predictable, Empirically", arXiv 1712.00409). Its
interval draws images of the test split, the same for all runs, and the seeds of each size again, and
fits each draw. Beyond twice the largest size nothing is said: a power law that fits well may
bend there.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore import formatting
from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import Interval, Part, Resampling

Floats = npt.NDArray[np.float64]

FEWEST = 3
"""Sizes that a fit needs."""

FARTHEST = 2
"""How many times the largest size is the largest that is predicted."""

USUAL_MORE = 50
"""More images that are predicted unless asked otherwise, where so many can be."""

EXPONENTS = np.geomspace(0.05, 3.0, 60)
"""Values of c that are tried."""


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """A fitted curve.

    Attributes:
        sizes: (S,) numbers of training images, ascending.
        scores: Mean IoU of each seed, for each size.
        fit: (3,) a, b and c.
        more: Images beyond the largest size that the gain is for.
        gain: What they should bring, in mean IoU.
        line: (P, 4) size, score, low, high: the curve up to ``largest + more``.
    """

    sizes: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    fit: tuple[float, float, float]
    more: int
    gain: Interval
    line: Floats

    @property
    def sentence(self) -> str:
        """What more images should bring, in one sentence."""
        said = f"{self.more} more images should bring {formatting.points(self.gain.value, unit='')}"
        if not self.gain.is_known:
            return f"{said} points of mean IoU; {self.gain.reason()}"
        return f"{said} points of mean IoU ({self.gain.range(signed=True)})."


def fit_power_law(sizes: Floats, scores: Floats) -> Floats:
    """Fit a - b n^-c by least squares.

    Args:
        sizes: (S,) ascending.
        scores: (R, S), a curve each row.

    Returns:
        (R, 3): a, b, c.
    """
    best = np.full(len(scores), np.inf)
    found = np.zeros((len(scores), 3))
    for c in EXPONENTS:
        x = -(sizes**-c)
        centred = x - x.mean()
        b = scores @ centred / max(float(centred @ centred), 1e-300)
        b = np.maximum(b, 0)
        a = scores.mean(axis=1) - b * x.mean()
        over = a > 1
        b = np.where(over, np.maximum((scores - 1) @ x / float(x @ x), 0), b)
        a = np.where(over, 1.0, a)
        wrong = ((scores - a[:, None] - b[:, None] * x) ** 2).sum(axis=1)
        better = wrong < best - 1e-15
        best = np.where(better, wrong, best)
        found[better] = np.stack([a, b, np.full(len(a), c)], axis=1)[better]
    return found


def predict_score(fits: Floats, size: float) -> Floats:
    """Return the score of fits (R, 3) at a number of images, (R,)."""
    return np.asarray(fits[:, 0] - fits[:, 1] * size ** -fits[:, 2])


def usual_more(largest: int) -> int:
    """Return how many more images a curve is followed for unless asked otherwise.

    Args:
        largest: Training images of the largest run.
    """
    return min(USUAL_MORE, (FARTHEST - 1) * largest)


def check_more(more: int, largest: int) -> None:
    """Refuse to follow a curve further than its data allow.

    Args:
        more: Images more than the largest run has.
        largest: Training images of that run.

    Raises:
        SegcoreError: There are none, or more than as many again.
    """
    most = (FARTHEST - 1) * largest
    if not 1 <= more <= most:
        raise SegcoreError(
            f"Expected 1 to {most} more images than the {largest} of the largest run, received "
            f"{more}: choose {usual_more(largest)}, since a curve is not followed beyond twice its data."
        )


def learning_curve(
    sizes: Sequence[int],
    counts: Sequence[Sequence[Part]],
    more: int,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> LearningCurve:
    """Fit a learning curve and predict what more images would bring.

    Args:
        sizes: Numbers of training images, ascending.
        counts: For each size, for each seed: counts of the same test images, in one order.
        more: Images beyond the largest size.
        groups: Group of each test image; whole groups are drawn.
        resamples: How often the test images and the seeds are drawn again.
        seed: Seed of the draws.

    Raises:
        SegcoreError: There are fewer than three sizes or a size has no run, or more than as many
            images again as there are.
    """
    if len(sizes) < FEWEST or list(sizes) != sorted(set(sizes)) or not all(counts):
        raise SegcoreError(
            f"Expected {FEWEST} numbers of training images or more with a run each, received "
            f"{len(sizes)}: add sizes, or wait for their runs."
        )
    largest = max(sizes)
    check_more(more, largest)
    parts = [part for row in counts for part in row]
    drawing = Resampling(parts, groups, resamples=resamples, seed=seed)
    whole = next(drawing.sums(*parts, weights=np.ones((1, drawing.units), np.int32)))
    mean_iou = scores.mean_by_class(scores.iou, scores.parts(whole[0])[1][0] > 0)
    values = np.array([float(np.asarray(mean_iou(part))[0]) for part in whole])
    blocks = [
        np.stack([mean_iou(part) for part in block], axis=1) for block in drawing.sums(*parts)
    ]
    draws = np.concatenate(blocks) if drawing.is_enough else np.zeros((0, len(parts)))
    ends = np.cumsum([0, *map(len, counts)])
    rng = np.random.default_rng(seed)
    n = np.asarray(sizes, np.float64)
    fit = fit_power_law(n, _means(values[None], ends, None))
    fits = fit_power_law(n, _means(draws, ends, rng))
    steps = np.unique(np.linspace(min(sizes), largest + more, 40).round())
    line = []
    for step in steps:
        value = predict_score(fit, step)
        (own,) = drawing.intervals(value, predict_score(fits, step)[:, None])
        line.append((step, own.value, own.low, own.high))
    change = [predict_score(f, largest + more) - predict_score(f, largest) for f in (fit, fits)]
    (gain,) = drawing.intervals(change[0], change[1][:, None])
    by_size = tuple(tuple(values[start:end].tolist()) for start, end in itertools.pairwise(ends))
    a, b, c = fit[0].tolist()
    return LearningCurve(tuple(sizes), by_size, (a, b, c), more, gain, np.array(line))


def _means(values: Floats, ends: npt.NDArray[np.intp], rng: np.random.Generator | None) -> Floats:
    """Average runs (R, K) by size, (R, S); with a generator the seeds of each size are drawn again."""
    columns = []
    for start, end in itertools.pairwise(ends):
        own = values[:, start:end]
        if rng is not None and end - start > 1:
            picked = rng.integers(0, end - start, own.shape)
            own = np.take_along_axis(own, picked, axis=1)
        columns.append(own.mean(axis=1))
    return np.stack(columns, axis=1)
