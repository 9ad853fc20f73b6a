"""Which labels to merge next: the greedy path, and a beam of paths for large label sets.

A state is a partly merged label set: its folded counts and the weight of each group under the
chosen prior. Merging groups a and b with x = C_ab + C_ba adds x / N to accuracy and costs (w_a +
w_b) h2(w_a / (w_a + w_b)) bits of entropy; both are exact and additive.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown
from segcore.evaluation.compression.compression import to_map
from segcore.evaluation.compression.information import xlog2
from segcore.evaluation.counts.scores import iou, ratio
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def forbidden_pairs(num_classes: int, pairs: Iterable[tuple[int, int]] = ()) -> Bools:
    """Return the (C, C) symmetric table of classes that must never share a group.

    Raises:
        SegcoreError: A pair names a class twice, or one that does not exist.
    """
    table = np.zeros((num_classes, num_classes), bool)
    for a, b in pairs:
        if not (0 <= a < num_classes and 0 <= b < num_classes) or a == b:
            raise SegcoreError(
                f"Expected two different classes of 0..{num_classes - 1} to keep apart, "
                f"received {a} and {b}: name two."
            )
        table[a, b] = table[b, a] = True
    return table


def pair_gains(folded: Floats, gain: str) -> Floats:
    """Change of a score when two groups merge, (K, K) symmetric float64; the diagonal is unused.

    Args:
        folded: (K, K) counts of the groups.
        gain: A name of :data:`GAINS`.

    Raises:
        SegcoreError: An unknown name.
    """
    if gain not in GAINS:
        raise unknown("gain", gain, GAINS)
    return GAINS[gain](np.asarray(folded, np.float64))


def _accuracy_gain(folded: Floats) -> Floats:
    """The shared counts x / N."""
    return np.nan_to_num(ratio(folded + folded.T, np.asarray(folded.sum())))


def _iou_gain(folded: Floats) -> Floats:
    """Mean IoU after joining two classes, (I_a + I_b + x) / (U_a + U_b - x), less that before."""
    own = iou(folded)
    inside = np.diagonal(folded)
    union = folded.sum(0) + folded.sum(1) - inside
    shared = folded + folded.T
    merged = ratio(inside[:, None] + inside + shared, union[:, None] + union - shared)
    there, value = ~np.isnan(own), np.nan_to_num(own)
    total, known = value.sum(), int(there.sum())
    left = known - there[:, None].astype(int) - there + ~np.isnan(merged)
    after = ratio(total - value[:, None] - value + np.nan_to_num(merged), left)
    return np.nan_to_num(after - total / known) if known else np.zeros_like(folded)


def _kappa_gain(folded: Floats) -> Floats:
    """Kappa after less kappa before; chance grows by (r_a s_b + r_b s_a) / N**2."""
    rows, columns, total = folded.sum(1), folded.sum(0), folded.sum()
    cross = rows[:, None] * columns
    right = np.trace(folded) * total
    chance = float((rows * columns).sum())
    before = (right - chance) / (total * total - chance) if total * total > chance else 0.0
    chances = chance + cross + cross.T
    after = ratio(right + (folded + folded.T) * total - chances, total * total - chances)
    return np.nan_to_num(after - before)


GAINS: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": _accuracy_gain,
    "mean_iou": _iou_gain,
    "kappa": _kappa_gain,
}
"""What a merge may be asked to raise: folded counts (K, K) -> gain of each pair (K, K)."""


def pair_costs(weights: Floats) -> Floats:
    """Entropy lost when two groups are merged, (..., K) weights -> (..., K, K) bits, at least 0."""
    each = xlog2(weights)
    both = xlog2(weights[..., :, None] + weights[..., None, :])
    return np.maximum(both - each[..., :, None] - each[..., None, :], 0.0)


@dataclass(frozen=True)
class Step:
    """One merge of a path.

    Attributes:
        label_map: The map after the merge.
        merged: The two groups of class indices that were joined; empty for the first, unmerged
            entry.
        gain: Change of the score that the path maximises.
        bits: Entropy lost by this merge under the path's prior.
        rate: gain for each point of retained entropy sold; NaN where nothing is sold.
    """

    label_map: LabelMap
    merged: tuple[tuple[int, ...], ...]
    gain: float
    bits: float
    rate: float


def greedy_path(
    confusion: npt.NDArray[Any],
    weights: Floats,
    *,
    gain: str = "accuracy",
    forbidden: Bools | None = None,
    target: int = 1,
) -> list[Step]:
    """Merge the pair with the best gain per bit until ``target`` groups are left; O(C**3).

    A merge that sells nothing but gains ranks first; one that gains nothing ranks by the bits it
    sells, the fewest first; one that loses score ranks last, by its loss.

    Args:
        confusion: (C, C) pixel counts, rows true.
        weights: (C,) prior of the entropy, summing to 1.
        gain: A name of :data:`GAINS`.
        forbidden: (C, C) classes that may not share a group; the path ends early where every pair
            is forbidden.
        target: Stop at this many groups.

    Returns:
        One step for each number of groups, from C down.
    """
    folded = np.asarray(confusion, np.float64).copy()
    weights = np.nan_to_num(np.asarray(weights, np.float64)).copy()
    apart = np.zeros(folded.shape, bool) if forbidden is None else forbidden.copy()
    groups: list[tuple[int, ...]] = [(i,) for i in range(len(folded))]
    whole = max(float(-xlog2(weights).sum()), 0.0)
    path = [Step(LabelMap(tuple(groups)), (), 0.0, 0.0, float("nan"))]
    while len(groups) > max(target, 1):
        gains, costs = pair_gains(folded, gain), pair_costs(weights)
        allowed = np.triu(~apart, 1)
        if not allowed.any():
            break
        a, b = _best_pair(gains, costs, allowed)
        bits = float(costs[a, b])
        rate = float(gains[a, b]) * whole / bits if bits > 1e-15 else float("nan")
        joined = tuple(sorted(groups[a] + groups[b]))
        merged = (groups[a], groups[b])
        groups[a] = joined
        del groups[b]
        folded[a] += folded[b]
        folded[:, a] += folded[:, b]
        weights[a] += weights[b]
        apart[a] |= apart[b]
        apart[:, a] |= apart[:, b]
        keep = np.arange(len(folded)) != b
        folded, apart, weights = (
            folded[np.ix_(keep, keep)],
            apart[np.ix_(keep, keep)],
            weights[keep],
        )
        path.append(Step(LabelMap(tuple(groups)), merged, float(gains[a, b]), bits, rate))
    return path


def _best_pair(gains: Floats, costs: Floats, allowed: Bools) -> tuple[int, int]:
    """Rank by gain per bit, ties by fewest bits, then by position."""
    free = costs <= 1e-15
    rate = np.where(free, np.where(gains > 1e-15, np.inf, 0.0), gains / np.where(free, 1.0, costs))
    rank = np.where(gains < 0, gains, rate)
    rank = np.where(allowed, rank, -np.inf)
    best = rank.max()
    near = allowed & (rank >= best - (1e-12 * abs(best) if np.isfinite(best) else 0.0))
    flat = np.where(near, costs, np.inf).argmin()
    return int(flat // len(gains)), int(flat % len(gains))


def beam_maps(
    confusion: npt.NDArray[Any], weights: Floats, *, forbidden: Bools | None = None, width: int = 12
) -> list[LabelMap]:
    """Walk several paths at once, each for its own trade-off rate between accuracy and entropy.

    At every number of groups, and for each of ``width`` trade-off rates t, the beam keeps the state
    with the largest accuracy + t * entropy among all merges of all states it holds. The rates are
    quantiles of the single merges' own gain per bit, so the beam spans the trade-off that the
    matrix offers.

    Args:
        confusion: (C, C) pixel counts, rows true.
        weights: (C,) prior, summing to 1.
        forbidden: (C, C) classes that may not share a group.
        width: How many trade-off rates.

    Returns:
        All distinct maps that the beam held, from no merge down; candidates for a front, not
        certified.
    """
    counts = np.asarray(confusion, np.float64)
    weights = np.nan_to_num(np.asarray(weights, np.float64))
    size = len(counts)
    shared = _accuracy_gain(counts)
    np.fill_diagonal(shared, 0.0)
    apart = np.zeros((size, size), bool) if forbidden is None else forbidden
    rates = ratio(shared, pair_costs(weights))[np.triu(shared > 0, 1)]
    rates = rates[np.isfinite(rates)]
    trade_offs = np.quantile(rates, np.linspace(0, 1, width)) if rates.size else np.ones(1)
    state = _Beam(np.arange(size)[None], shared[None], weights[None], apart[None], np.zeros(1))
    kept = {to_map(np.arange(size))}
    for _ in range(size - 1):
        following = state.step(trade_offs)
        if following is None:
            break
        state = following
        kept.update(to_map(row) for row in state.assignments)
    return sorted(kept, key=lambda m: (-m.num_groups, m.groups))


@dataclass
class _Beam:
    """States of equal group number: groups (B, C), counts (B, K, K), weights (B, K), bans."""

    assignments: npt.NDArray[np.int64]
    shared: Floats
    weights: Floats
    apart: Bools
    accuracy: Floats

    def step(self, trade_offs: Floats) -> "_Beam | None":
        """Keep the best merge for each trade-off rate; None where nothing may merge."""
        groups = self.shared.shape[1]
        costs = pair_costs(self.weights)
        allowed = np.triu(np.ones((groups, groups), bool), 1) & ~self.apart
        if not allowed.any():
            return None
        entropy = -xlog2(self.weights).sum(1)[:, None, None] - costs
        accuracy = self.accuracy[:, None, None] + self.shared
        picks = dict.fromkeys(
            int(np.where(allowed, accuracy + t * entropy, -np.inf).argmax()) for t in trade_offs
        )
        made: dict[bytes, tuple[Any, ...]] = {}
        for pick in picks:
            which, a, b = np.unravel_index(pick, costs.shape)
            merged = self._merge(int(which), int(a), int(b))
            made.setdefault(merged[0].tobytes(), merged)
        columns = [np.stack(parts) for parts in zip(*made.values(), strict=True)]
        return _Beam(*columns)

    def _merge(self, which: int, a: int, b: int) -> tuple[Any, ...]:
        groups = self.assignments[which].copy()
        groups[groups == b] = a
        groups[groups > b] -= 1
        shared, apart = self.shared[which].copy(), self.apart[which].copy()
        accuracy = self.accuracy[which] + shared[a, b]
        shared[a] += shared[b]
        shared[:, a] += shared[:, b]
        shared[a, a] = 0.0
        apart[a] |= apart[b]
        apart[:, a] |= apart[:, b]
        weights = self.weights[which].copy()
        weights[a] += weights[b]
        keep = np.arange(len(weights)) != b
        return (
            groups,
            shared[np.ix_(keep, keep)],
            weights[keep],
            apart[np.ix_(keep, keep)],
            accuracy,
        )
