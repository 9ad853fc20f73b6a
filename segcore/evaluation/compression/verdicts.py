"""Merge, relabel, ensemble or collect? One verdict in words for each pair of confused labels."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore import formatting
from segcore.evaluation.compression.compression import MapScore, score_maps
from segcore.evaluation.compression.evidence import (
    Evidence,
    Support,
    member_agreement,
    merge_support,
    pair_rates,
)
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]

MOST_PAIRS = 12
"""Pairs that are judged, at most."""

FEW_IMAGES = 10
"""A label seen in fewer images than this lacks data before it lacks meaning."""

SHARED_CONFUSION = 0.6
"""From this share of members on, a confusion belongs to the labels and not to one member."""

LEARNED = 0.05
"""A label with a lower recall was not learned: its errors say nothing about its meaning."""

ACTIONS: dict[str, str] = {
    "merge": "Confused beyond chance: merge them if you can do without the difference; otherwise look "
    "at example pixels, and sharpen the labelling rule or improve the model.",
    "ensemble": "Model noise: only some members confuse them, so average members, do not merge.",
    "collect": "Too little data: collect or label more images.",
    "train": "Not learned: its errors prove nothing yet; train longer or weight classes, then retry.",
    "keep": "Keep apart: the gain does not outweigh the information lost.",
}
"""What a verdict may advise."""


@dataclass(frozen=True)
class MergeVerdict:
    """What speaks for and against merging one pair of labels.

    Attributes:
        pair: The two class indices.
        action: A name of :data:`ACTIONS`.
        green: Whether the merge is advised: the lift's lower bound is above 0, chance-adjusted accuracy
            rises, and the rate is above the trade-off rate. Never without per-image counts, which
            the bound needs.
        reason: Why, in one or two sentences.
        accuracy_gain: Accuracy, 0..1, that the merge adds.
        gain_interval: (low, high) of it from resampled images; None when unknown.
        resolved_confusion: The part of the mean-IoU change that speaks for a merge.
        composition: The part that does not.
        lost_bits: Entropy given up, by prior, bits.
        rate: Accuracy gained for each unit of retained entropy sold; None where nothing is sold.
        lift: Over a random merge of one pair.
        lift_interval: (low, high) from resampled images; None when unknown.
        honest_accuracy: Before and after.
        kappa: Before and after.
        truth_cost_bits: Information about the answer that the merge loses; near 0 for labels
            answered alike.
        stability: Share of resamples that choose this pair as well; None when unknown.
        agreement: Share of members that confuse the pair; None when unknown.
        images: Images that hold the rarer label; None when unknown.
    """

    pair: tuple[int, int]
    action: str
    green: bool
    reason: str
    accuracy_gain: float
    gain_interval: tuple[float, float] | None
    resolved_confusion: float
    composition: float
    lost_bits: Mapping[str, float]
    rate: float | None
    lift: float
    lift_interval: tuple[float, float] | None
    honest_accuracy: tuple[float, float]
    kappa: tuple[float, float]
    truth_cost_bits: float
    stability: float | None
    agreement: float | None
    images: int | None

    def to_json(self, ids: Sequence[int] | None = None) -> dict[str, Any]:
        """Return a JSON-ready mapping; the pair in the user's ids when given; undefined is None."""
        row = {key: _clean(value) for key, value in asdict(self).items()}
        row["pair"] = [int(ids[i]) if ids is not None else i for i in self.pair]
        return row


def _clean(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _clean(v) for key, v in value.items()}
    return [_clean(v) for v in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Judged:
    """Verdicts on pairs, and what the same resamples say of a path of label maps.

    Attributes:
        verdicts: The confused pairs with the best accuracy per bit, best first.
        path_lift: The interval of each map's lift; None without counts of each image.
    """

    verdicts: list[MergeVerdict]
    path_lift: tuple[Interval, ...] | None


def judge_pairs(
    confusion: npt.NDArray[Any],
    priors: Mapping[str, Floats],
    *,
    prior: str = "pixel",
    forbidden: npt.NDArray[np.bool_] | None = None,
    class_names: Sequence[str] | None = None,
    evidence: Evidence | None = None,
    trade_off_rate: float = 0.1,
    path: Sequence[LabelMap] = (),
) -> Judged:
    """Judge the confused pairs with the best accuracy per bit, best first.

    Args:
        confusion: (C, C) pixel counts, rows true.
        priors: Known priors, from :func:`segcore.evaluation.compression.information.label_priors`.
        prior: The one that ranks pairs and that ``rate`` uses.
        forbidden: (C, C) classes that may not share a group.
        class_names: Display names for the reasons, length C.
        evidence: Counts of each image and of each member; None knows the total alone.
        trade_off_rate: Points of accuracy that the user demands for each point of retained entropy
            sold.
        path: Further label maps, whose lifts get intervals from the same resamples.
    """
    counts, known = np.asarray(confusion), evidence or Evidence()
    size = len(counts)
    apart = np.zeros((size, size), bool) if forbidden is None else forbidden
    pairs = _best_pairs(counts, np.nan_to_num(priors[prior]), apart, MOST_PAIRS)
    maps = [LabelMap.merging(size, [pair]) for pair in pairs]
    support = _support(known, [*path, *maps], pairs, apart)
    on_path = None if support is None else support.lifts[: len(path)]
    if not pairs:
        return Judged([], on_path)
    base, *rows = score_maps(counts, [LabelMap.identity(size), *maps], priors, prior)
    names = list(class_names) if class_names is not None else [f"label {i}" for i in range(size)]
    every = _facts(counts, pairs, names, known, support)
    verdicts = [
        _judge(
            base,
            row,
            facts,
            {name: _lost(priors[name], facts.pair) for name in priors},
            trade_off_rate,
        )
        for row, facts in zip(rows, every, strict=True)
    ]
    return Judged(verdicts, on_path)


def _support(
    evidence: Evidence,
    maps: Sequence[LabelMap],
    pairs: Sequence[tuple[int, int]],
    apart: npt.NDArray[np.bool_],
) -> Support | None:
    """Resample once for all of this; None without counts of each image."""
    if evidence.image_counts is None or not len(evidence.image_counts):
        return None
    return merge_support(
        evidence.image_counts,
        maps,
        pairs,
        apart,
        groups=evidence.groups,
        resamples=evidence.resamples,
        seed=evidence.seed,
    )


def _best_pairs(
    counts: npt.NDArray[Any], weights: Floats, apart: npt.NDArray[np.bool_], limit: int
) -> list[tuple[int, int]]:
    """Return the confused pairs that may meet, by accuracy per bit, the best first."""
    shared = np.triu((counts + counts.T > 0) & ~apart, 1)
    rates = np.where(shared, pair_rates(counts, weights), -np.inf)
    order = np.argsort(-rates, axis=None, kind="stable")[: min(limit, int(shared.sum()))]
    return [(int(i // len(counts)), int(i % len(counts))) for i in order]


@dataclass(frozen=True)
class _Facts:
    """What is known about one pair besides its scores; fields as in :class:`MergeVerdict`."""

    pair: tuple[int, int]
    names: tuple[str, str]
    recalls: tuple[float, float]
    interval: tuple[float, float] | None
    gain: tuple[float, float] | None
    stability: float | None
    agreement: float | None
    images: int | None

    @property
    def is_private(self) -> bool:
        """Whether only some members confuse the pair."""
        return self.agreement is not None and self.agreement < SHARED_CONFUSION

    @property
    def is_scarce(self) -> bool:
        """Whether the rarer label is in too few images."""
        return self.images is not None and self.images < FEW_IMAGES

    @property
    def poorest(self) -> int:
        """Which of the two labels has the lower recall, 0 or 1."""
        return int(np.argmin(np.nan_to_num(self.recalls, nan=1.0)))

    @property
    def is_unlearned(self) -> bool:
        """Whether one of the two labels was not learned."""
        return self.recalls[self.poorest] < LEARNED


def _facts(
    counts: npt.NDArray[Any],
    pairs: Sequence[tuple[int, int]],
    names: Sequence[str],
    evidence: Evidence,
    support: Support | None,
) -> list[_Facts]:
    """Gather what is known about each pair; its lift is among the last that ``support`` has."""
    ends: list[Any] = [None] * len(pairs)
    gains: list[Any] = [None] * len(pairs)
    stability: list[Any] = [None] * len(pairs)
    holding = None
    if support is not None and evidence.image_counts is not None:
        ends = [(one.low, one.high) for one in support.lifts[-len(pairs) :]]
        gains = [(one.low, one.high) for one in support.gains[-len(pairs) :]]
        stability = support.stability.tolist()
        holding = (SampleCounts.of(evidence.image_counts).true > 0).sum(0)
    members = evidence.member_counts
    return [
        _Facts(
            (a, b),
            (names[a], names[b]),
            (_recall(counts, a), _recall(counts, b)),
            ends[i],
            gains[i],
            stability[i],
            None
            if members is None or len(members) < 2
            else member_agreement(members, (a, b)).share,
            None if holding is None else int(min(holding[a], holding[b])),
        )
        for i, (a, b) in enumerate(pairs)
    ]


def _recall(counts: npt.NDArray[Any], label: int) -> float:
    """Share of a label's own pixels that are answered by it; NaN where it has none."""
    pixels = float(counts[label].sum())
    return float(counts[label, label]) / pixels if pixels else float("nan")


def _lost(weights: Floats, pair: tuple[int, int]) -> float:
    """(w_a + w_b) h2(w_a / (w_a + w_b)) bits."""
    parts = np.nan_to_num(weights[list(pair)])
    whole = float(parts.sum())
    shares = parts[parts > 0] / whole if whole > 0 else np.ones(1)
    return abs(whole * float(-(shares * np.log2(shares)).sum()))


def _judge(
    base: MapScore, row: MapScore, facts: _Facts, lost: dict[str, float], trade_off_rate: float
) -> MergeVerdict:
    """Weigh one pair."""
    action, green = _action(base, row, facts, trade_off_rate)
    return MergeVerdict(
        facts.pair,
        action,
        green,
        f"{'; '.join(_reasons(base, row, facts))}. {ACTIONS[action]}",
        row.accuracy - base.accuracy,
        facts.gain,
        row.resolved_confusion,
        row.composition,
        lost,
        None if np.isnan(row.rate) else row.rate,
        row.lift,
        facts.interval,
        (base.honest_accuracy, row.honest_accuracy),
        (base.kappa, row.kappa),
        row.truth_cost_bits,
        facts.stability,
        facts.agreement,
        facts.images,
    )


def _action(
    base: MapScore, row: MapScore, facts: _Facts, trade_off_rate: float
) -> tuple[str, bool]:
    """Return a name of :data:`ACTIONS`, and whether a merge is green."""
    interval = facts.interval
    rises = row.honest_accuracy > base.honest_accuracy
    pays = bool(np.isnan(row.rate)) or row.rate > trade_off_rate
    sure = rises and pays and interval is not None and interval[0] > 0
    doubtful = rises and pays and interval is not None and interval[0] <= 0 < row.lift
    likely = rises and pays and interval is None and row.lift > 0
    if facts.is_private:
        return "ensemble", False
    if facts.is_scarce:
        return "collect", False
    if facts.is_unlearned and (sure or likely or doubtful):
        return "train", False
    if doubtful:
        return "collect", False
    return ("merge", sure) if sure or likely else ("keep", False)


def _reasons(base: MapScore, row: MapScore, facts: _Facts) -> list[str]:
    """Say what speaks for and against, a clause each."""
    first, second = facts.names
    gain, sold = 100 * (row.accuracy - base.accuracy), 100 * (1 - row.retained_entropy)
    least, most = facts.gain or (np.nan, np.nan)
    ends = (
        f" (95 % interval {formatting.span(100 * least, 100 * most, 2)})"
        if np.isfinite(least)
        else ""
    )
    reasons = [
        f"Merging {first} and {second} adds {formatting.number(gain, 2)} points of accuracy{ends} "
        f"and loses {formatting.number(sold, 2)} % of the entropy"
    ]
    if np.isnan(row.lift):
        reasons.append(
            "every merge down to one label is the same, so there is no lift and nothing "
            "left to distinguish"
        )
    elif facts.interval is None:
        reasons.append(
            f"lift over a random merge {formatting.signed(row.lift, 3)}, its interval unknown without "
            "counts for each image"
        )
    else:
        low, high = facts.interval
        lift, *span = (formatting.signed(value, 3) for value in (row.lift, low, high))
        reasons.append(f"lift over a random merge {lift} ({' to '.join(span)})")
    if not np.isnan(row.honest_accuracy):
        honest = (formatting.number(one.honest_accuracy, 3) for one in (base, row))
        reasons.append(f"chance-adjusted accuracy from {' to '.join(honest)}")
    if facts.agreement is not None:
        reasons.append(f"{100 * facts.agreement:.0f} % of the members confuse them alike")
    if facts.is_unlearned:
        recall = 100 * facts.recalls[facts.poorest]
        reasons.append(
            f"{facts.names[facts.poorest]} is found on {recall:.1f} % of its own pixels only"
        )
    if facts.is_scarce:
        reasons.append(f"the rarer label is in {facts.images} images only")
    return reasons
