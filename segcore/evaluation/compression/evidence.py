"""How well a merge is supported: over resampled images, and over the members of an ensemble."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.compression.compression import to_assignments
from segcore.evaluation.compression.search import pair_costs
from segcore.evaluation.counts.bootstrap import Interval, Resampling
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.counts.scores import ratio
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]
Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What supports a what-if besides the total counts, and how its intervals are drawn.

    Attributes:
        image_counts: (N, C, C) counts of each image; gives intervals, stability, and the images
            that hold a label. None when unknown.
        groups: Group of each image (drive, tile), length N; intervals then draw whole groups.
        member_counts: (R, C, C) counts of each ensemble member on the same images.
        resamples: Resamples of the intervals.
        seed: Seed of everything random.
    """

    image_counts: SampleCounts | npt.NDArray[Any] | None = None
    groups: Sequence[str] | None = None
    member_counts: npt.NDArray[Any] | None = None
    resamples: int = 500
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Support:
    """What one pass over resampled images says about merges.

    Attributes:
        lifts: The interval of each map's lift over a random merge; NaN for the map with one group.
        gains: The interval of the accuracy, 0..1, that each map adds.
        stability: (P,) share of resamples, 0..1, in which the pair at rank k is among the k best
            pairs; NaN with too few units.
    """

    lifts: tuple[Interval, ...]
    gains: tuple[Interval, ...]
    stability: Floats


def merge_support(
    image_counts: SampleCounts | npt.NDArray[Any],
    maps: Sequence[LabelMap],
    pairs: Sequence[Pair] = (),
    forbidden: npt.NDArray[np.bool_] | None = None,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> Support:
    """Resample images once: intervals of lifts and gains, and how often pairs are chosen again.

    Args:
        image_counts: (N, C, C) counts of each image.
        maps: Label maps over the C classes, whose lifts and gains get intervals.
        pairs: Suggested pairs, best first by accuracy per bit of entropy, whose choice is checked.
        forbidden: (C, C) pairs that are no candidates; none by default.
        groups: Draw whole groups of images; length N.
        resamples: How often the images are drawn again.
        seed: Seed of the draws.
    """
    counts = SampleCounts.of(image_counts)
    drawing = Resampling([counts], groups, resamples=resamples, seed=seed)
    changes = _changes_of(maps, counts.num_classes) if maps else None
    size = (counts.num_classes, counts.num_classes)
    upper = np.triu(np.ones(size, bool) if forbidden is None else ~forbidden, 1)
    draws, hits = [], np.zeros(len(pairs))
    if drawing.is_enough:
        for (block,) in drawing.sums(counts):
            if changes:
                draws.append(changes(block))
            if len(pairs):
                hits += _chosen_again(block, pairs, upper)
    found: tuple[Interval, ...] = ()
    if changes:
        (whole,) = next(drawing.sums(counts, weights=np.ones((1, drawing.units), np.int32)))
        found = drawing.intervals(
            changes(whole)[0], np.concatenate(draws) if draws else np.zeros((0, 1))
        )
    stability = hits / resamples if drawing.is_enough else np.full(len(pairs), np.nan)
    return Support(found[: len(maps)], found[len(maps) :], stability)


def _changes_of(maps: Sequence[LabelMap], size: int) -> Callable[[Floats], Floats]:
    """Return what turns (B, C, C) counts into (B, 2 M): the maps' lifts, then their gains."""
    groups_of = to_assignments(maps)
    together = (
        (groups_of[:, :, None] == groups_of[:, None, :]).reshape(len(maps), -1).astype(np.float64)
    )
    meet = (together.sum(1) - size) / (size * (size - 1)) if size > 1 else np.ones(len(maps))

    def changes(block: Floats) -> Floats:
        flat = block.reshape(len(block), -1)
        total = flat.sum(1)
        before = ratio(np.trace(block, axis1=1, axis2=2), total)[:, None]
        after = ratio(flat @ together.T, total[:, None])
        room = (1 - before) * (1 - meet)
        gains = after - before
        lifts = ratio(gains - (1 - before) * meet, np.where(room > 1e-15, room, 0))
        return np.concatenate([lifts, gains], axis=1)

    return changes


def _chosen_again(block: Floats, pairs: Sequence[Pair], upper: npt.NDArray[np.bool_]) -> Floats:
    """Count the resamples of a block in which the pair at rank k is among the k best."""
    first, second = np.array(pairs).T
    rates = np.where(upper, pair_rates(block), -np.inf)
    mine = rates[:, first, second]
    better = np.stack([(rates > value[:, None, None]).sum((1, 2)) for value in mine.T], axis=1)
    return ((better <= np.arange(len(pairs))) & (mine > 0)).sum(0).astype(np.float64)


def pair_rates(counts: npt.NDArray[Any], weights: Floats | None = None) -> Floats:
    """Accuracy gained for each bit of entropy lost when two labels are merged.

    Args:
        counts: (..., C, C) pixel counts, rows true.
        weights: (C,) prior of the entropy; the pixel shares of each matrix by default.

    Returns:
        (..., C, C) float64, symmetric, unit 1 / bit; 0 where nothing is confused, infinite where a
        gain costs nothing.
    """
    counts = np.asarray(counts, np.float64)
    total = counts.sum((-1, -2))
    shared = ratio(counts + np.swapaxes(counts, -1, -2), total[..., None, None])
    shares = np.nan_to_num(ratio(counts.sum(-1), total[..., None])) if weights is None else weights
    costs = np.broadcast_to(pair_costs(shares), shared.shape)
    free = costs <= 1e-15
    rates = np.nan_to_num(shared) / np.where(free, 1.0, costs)
    return np.where(free & (shared > 0), np.inf, rates)


@dataclass(frozen=True)
class Agreement:
    """How alike the members of an ensemble confuse one pair of labels.

    Attributes:
        rates: Confused pixels over true pixels of the pair, one value for each member, 0..1.
        share: Share of members whose rate is at least half of the highest, 0..1. Near 1: the labels
            are ambiguous to every member. Near 1 / members: one member's own weakness.
    """

    rates: tuple[float, ...]
    share: float


def member_agreement(member_counts: npt.NDArray[Any], pair: Pair) -> Agreement:
    """Compare how often each member confuses a pair.

    Args:
        member_counts: (R, C, C) total counts of each member on the same images.
        pair: Two class indices.
    """
    counts = np.asarray(member_counts, np.float64)
    a, b = pair
    confused = counts[:, a, b] + counts[:, b, a]
    rates = np.nan_to_num(ratio(confused, counts[:, a].sum(-1) + counts[:, b].sum(-1)))
    highest = rates.max()
    share = float((rates >= highest / 2).mean()) if highest > 0 else float("nan")
    return Agreement(tuple(rates.tolist()), share)
