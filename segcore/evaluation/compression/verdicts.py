"""Merge, relabel, ensemble or collect? One verdict in words for each pair of confused labels."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.compression.compression import MapScore, score_maps
from segcore.evaluation.compression.evidence import (
    lift_intervals,
    member_agreement,
    pair_rates,
    selection_stability,
)
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]

FEW_IMAGES = 10
"""A label seen in fewer images than this lacks data before it lacks meaning."""

SHARED_CONFUSION = 0.6
"""From this share of members on, a confusion belongs to the labels and not to one member."""

LEARNED = 0.05
"""A label with a lower recall was not learned: its errors say nothing about its meaning."""

ACTIONS: dict[str, str] = {
    "merge": "Duplicates: merge the labels, or relabel by a sharper rule.",
    "ensemble": "Model noise: only some members confuse them, so average members, do not merge.",
    "collect": "Too little data: collect or label more images.",
    "train": "Not learned: no sign of duplicates yet; train longer or weight classes, then retry.",
    "keep": "Distinct: not worth merging.",
}
"""What a verdict may advise."""


@dataclass(frozen=True)
class MergeVerdict:
    """What speaks for and against merging one pair of labels.

    Attributes:
        pair: The two class indices.
        action: A name of :data:`ACTIONS`.
        green: Whether the merge is advised: the lift's lower bound is above 0, honest accuracy
            rises, and the rate is above the trade-off rate. Never without per-image counts, which
            the bound needs.
        reason: Why, in one or two sentences.
        accuracy_gain: Points of accuracy that the merge adds.
        resolved_confusion: The part of the mean-IoU change that speaks for duplicates.
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


def judge_pairs(
    confusion: npt.NDArray[Any],
    priors: Mapping[str, Floats],
    *,
    prior: str = "pixel",
    forbidden: npt.NDArray[np.bool_] | None = None,
    class_names: Sequence[str] | None = None,
    image_counts: SampleCounts | npt.NDArray[Any] | None = None,
    groups: Sequence[str] | None = None,
    member_counts: npt.NDArray[Any] | None = None,
    trade_off_rate: float = 0.1,
    limit: int = 12,
    resamples: int = 500,
    seed: int = 0,
) -> list[MergeVerdict]:
    """Judge the confused pairs with the best accuracy per bit, best first.

    Args:
        confusion: (C, C) pixel counts, rows true.
        priors: Known priors, from :func:`segcore.evaluation.compression.information.label_priors`.
        prior: The one that ranks pairs and that ``rate`` uses.
        forbidden: (C, C) classes that may not share a group.
        class_names: Display names for the reasons, length C.
        image_counts: (N, C, C) counts of each image: intervals, stability, and images of the rarer
            label.
        groups: Draw whole groups of images; length N.
        member_counts: (R, C, C) counts of each member of the ensemble on the same images.
        trade_off_rate: Points of accuracy that the user demands for each point of retained entropy
            sold.
        limit: At most so many pairs.
        resamples: Resamples for intervals and stability.
        seed: Seed of the resamples.
    """
    counts = np.asarray(confusion)
    size = len(counts)
    apart = np.zeros((size, size), bool) if forbidden is None else forbidden
    shared = np.triu((counts + counts.T > 0) & ~apart, 1)
    rates = np.where(shared, pair_rates(counts, np.nan_to_num(priors[prior])), -np.inf)
    order = np.argsort(-rates, axis=None, kind="stable")[: min(limit, int(shared.sum()))]
    pairs = [(int(i // size), int(i % size)) for i in order]
    if not pairs:
        return []
    maps = [LabelMap.merging(size, [pair]) for pair in pairs]
    base, *rows = score_maps(counts, [LabelMap.identity(size), *maps], priors, prior)
    ends: list[Any] = [None] * len(pairs)
    stability: list[Any] = [None] * len(pairs)
    seen = None
    if image_counts is not None and len(image_counts):
        counted = SampleCounts.of(image_counts)
        lifts = lift_intervals(counted, maps, groups=groups, resamples=resamples, seed=seed)
        ends = [(one.low, one.high) for one in lifts]
        stability = selection_stability(counted, pairs, apart, groups=groups, seed=seed).tolist()
        seen = (counted.true > 0).sum(0)
    names = list(class_names) if class_names is not None else [f"label {i}" for i in range(size)]
    return [
        _judge(
            base,
            row,
            pair,
            (names[pair[0]], names[pair[1]]),
            interval=ends[i],
            stability=stability[i],
            recalls=(_recall(counts, pair[0]), _recall(counts, pair[1])),
            agreement=None
            if member_counts is None or len(member_counts) < 2
            else member_agreement(member_counts, pair).share,
            images=None if seen is None else int(min(seen[pair[0]], seen[pair[1]])),
            lost={name: _lost(priors[name], pair) for name in priors},
            trade_off_rate=trade_off_rate,
        )
        for i, (row, pair) in enumerate(zip(rows, pairs, strict=True))
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
    base: MapScore,
    row: MapScore,
    pair: tuple[int, int],
    names: tuple[str, str],
    *,
    interval: tuple[float, float] | None,
    stability: float | None,
    recalls: tuple[float, float],
    agreement: float | None,
    images: int | None,
    lost: dict[str, float],
    trade_off_rate: float,
) -> MergeVerdict:
    """Weigh one pair."""
    sure = interval is not None and interval[0] > 0
    rises = row.honest_accuracy > base.honest_accuracy
    pays = bool(np.isnan(row.rate)) or row.rate > trade_off_rate
    green = sure and rises and pays
    private = agreement is not None and agreement < SHARED_CONFUSION
    scarce = images is not None and images < FEW_IMAGES
    doubtful = interval is not None and interval[0] <= 0 < row.lift and rises and pays
    likely = interval is None and rises and pays and row.lift > 0
    poor = int(np.argmin(np.nan_to_num(recalls, nan=1.0)))
    unlearned = recalls[poor] < LEARNED and (green or likely or doubtful)
    action = (
        "ensemble"
        if private
        else "collect"
        if scarce
        else "train"
        if unlearned
        else "collect"
        if doubtful
        else "merge"
        if green or likely
        else "keep"
    )
    green = green and action == "merge"
    gain, sold = 100 * (row.accuracy - base.accuracy), 100 * (1 - row.retained_entropy)
    facts = [
        (
            f"Merging {names[0]} and {names[1]} adds {gain:.2f} points of accuracy for "
            f"{sold:.2f} % of the detail"
        )
    ]
    if np.isnan(row.lift):
        facts.append(
            "every merge down to one label is the same, so there is no lift and nothing "
            "left to distinguish"
        )
    elif interval is None:
        facts.append(
            f"lift over a random merge {row.lift:+.3f}, its interval unknown without "
            "counts for each image"
        )
    else:
        facts.append(
            f"lift over a random merge {row.lift:+.3f} ({interval[0]:+.3f} to {interval[1]:+.3f})"
        )
    if not np.isnan(row.honest_accuracy):
        facts.append(f"honest accuracy {base.honest_accuracy:.3f} to {row.honest_accuracy:.3f}")
    if agreement is not None:
        facts.append(f"{100 * agreement:.0f} % of the members confuse them alike")
    if recalls[poor] < LEARNED:
        facts.append(
            f"{names[poor]} is found on {100 * recalls[poor]:.1f} % of its own pixels only"
        )
    if scarce:
        facts.append(f"the rarer label is in {images} images only")
    return MergeVerdict(
        pair,
        action,
        green,
        f"{'; '.join(facts)}. {ACTIONS[action]}",
        row.accuracy - base.accuracy,
        row.resolved_confusion,
        row.composition,
        lost,
        None if np.isnan(row.rate) else row.rate,
        row.lift,
        interval,
        (base.honest_accuracy, row.honest_accuracy),
        (base.kappa, row.kappa),
        row.truth_cost_bits,
        stability,
        agreement,
        images,
    )
