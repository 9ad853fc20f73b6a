"""What a promise gives on images that did not choose its threshold, beside plain merges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore import formatting
from segcore.errors import SegcoreError
from segcore.evaluation.compression.back_off import STEPS, Tally, kept_bits
from segcore.evaluation.compression.compression import fold_images
from segcore.evaluation.compression.label_tree import LabelTree
from segcore.evaluation.compression.risk_control import Threshold, achieved_risk, mean_loss
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.report import plain
from segcore.labels import LabelMap

ALTERNATIVES: dict[str, str] = {
    "argmax": "The finest label everywhere",
    "back_off": "Labels that back off",
    "merged": "One merge for all pixels (T0)",
    "summed": "That merge, probabilities summed (T1)",
    "retrained": "That merge, retrained (T2)",
}
"""What is compared, with its title."""


@dataclass(frozen=True)
class NodeShare:
    """How often one node of the tree is the answer.

    Attributes:
        node: Its number.
        title: Its name.
        level: Its height; 0 for a class.
        share: Share of the scored pixels that get it, 0..1.
        right: Share of these that are right, 0..1; NaN where none gets it.
    """

    node: int
    title: str
    level: int
    share: float
    right: float


@dataclass(frozen=True)
class LevelShare:
    """How often labels of one level are the answer.

    Attributes:
        level: 0 for the classes; that of the root is the highest.
        titles: Names of its nodes.
        share: Share of the scored pixels, 0..1.
        right: Share of these that are right, 0..1; NaN where there is none.
    """

    level: int
    titles: tuple[str, ...]
    share: float
    right: float


@dataclass(frozen=True)
class Alternative:
    """One way of answering.

    Attributes:
        name: A name of :data:`ALTERNATIVES`.
        labels: Labels that it tells apart; None for labels that back off, which use several maps.
        risk: Mean share of wrong pixels over images (or groups).
        bits: Entropy kept, bits a pixel (:func:`segcore.evaluation.compression.back_off.kept_bits`).
        groups: Its groups of class indices; empty without a merge.
    """

    name: str
    labels: int | None
    risk: Interval
    bits: float
    groups: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class BackOffReport:
    """What a promise gives.

    Attributes:
        tree: The labels.
        threshold: What was chosen on the calibration images.
        images: Images that are reported.
        risk: Mean share of wrong pixels on these.
        class_risk: The same of each class; empty unless it was promised by class.
        nodes: Share of each node.
        levels: Share of each level, the finest first.
        whole_bits: Entropy of the labels: what right answers everywhere would keep.
        alternatives: What is compared.
        notes: What the promise rests on, a sentence each.
    """

    tree: LabelTree
    threshold: Threshold
    images: int
    risk: Interval
    class_risk: tuple[Interval, ...]
    nodes: tuple[NodeShare, ...]
    levels: tuple[LevelShare, ...]
    whole_bits: float
    alternatives: tuple[Alternative, ...]
    notes: tuple[str, ...] = field(default=())

    def headline(self) -> str:
        """Say what is promised and what it costs."""
        of = "of the pixels of each class" if self.threshold.by_class else "of pixels"
        promise = f"{100 * self.threshold.promise:g} %"
        finest, root = self.levels[0].share, self.levels[-1].share
        parts = [f"{formatting.percent(finest, 0)} keep the finest label"]
        if between := sum(level.share for level in self.levels[1:-1]):
            parts.append(f"{formatting.percent(between, 0)} back off to a group")
        if root:
            parts.append(f"{formatting.percent(root, 0)} say nothing")
        return f"At most {promise} {of} wrong: {', '.join(parts)}."

    def outcome(self) -> str:
        """Say what was achieved on the reported images."""
        risk = self.risk
        ends = f" ({risk.range()} %)" if risk.is_known else ""
        images = formatting.plural(self.images, "other image")
        got = f"Achieved on {images}: {formatting.percent(risk.value)}{ends}."
        if self.threshold.by_class:
            broken = sum(one.low > self.threshold.promise for one in self.class_risk)
            if broken:
                return f"{got} {formatting.plural(broken, 'class')} above the promise."
            return got
        if risk.low > self.threshold.promise:
            return (
                f"{got} That is above the promise: these images are unlike the calibration images, "
                "or the model was chosen on those."
            )
        return got

    def to_json(self, class_ids: Sequence[int]) -> dict[str, Any]:
        """Return a JSON-ready mapping in the user's class ids; undefined is None."""
        chosen = self.threshold
        return {
            "promise": chosen.promise,
            "by_class": chosen.by_class,
            "threshold": chosen.value / STEPS,
            "calibration": {
                "unit": chosen.unit,
                "units": chosen.units,
                "risk": [plain(v) for v in chosen.risk],
                "promised": [bool(v) for v in chosen.promised],
                "smallest_promise": chosen.smallest,
            },
            "images": self.images,
            "risk": _interval(self.risk),
            "class_risk": [_interval(one) for one in self.class_risk],
            "levels": [_row(one) for one in self.levels],
            "nodes": [
                {**node, **_row(share)}
                for node, share in zip(self.tree.to_json(class_ids), self.nodes, strict=True)
            ],
            "whole_bits": plain(self.whole_bits),
            "alternatives": [
                {
                    "name": one.name,
                    "labels": one.labels,
                    "risk": _interval(one.risk),
                    "bits": plain(one.bits),
                    "groups": [[class_ids[i] for i in group] for group in one.groups],
                }
                for one in self.alternatives
            ],
            "headline": self.headline(),
            "outcome": self.outcome(),
            "notes": list(self.notes),
        }


def _interval(one: Interval) -> dict[str, Any]:
    return {"value": plain(one.value), "interval": one.ends(), **one.origin()}


def _row(one: NodeShare | LevelShare) -> dict[str, Any]:
    return {**vars(one), "right": plain(one.right)}


def threshold_words(threshold: float) -> str:
    """Write a threshold as a probability: "0.6560"; above 1 no node but the root passes it."""
    root = "above 1, so that every pixel gets the root"
    return formatting.number(threshold) if threshold <= 1 else root


def report_back_off(
    tree: LabelTree,
    threshold: Threshold,
    tally: Tally,
    groups: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> BackOffReport:
    """Report a threshold on images that did not choose it.

    Args:
        tree: The labels.
        threshold: From :func:`segcore.evaluation.compression.risk_control.choose_threshold`.
        tally: The reported images, with their answers.
        groups: Group of each image, for the interval.
        notes: What the promise rests on, a sentence each.

    Returns:
        The report with two alternatives, the finest label everywhere and labels that back off.

    Raises:
        SegcoreError: Answers were not counted, or no pixel has a label.
    """
    given, right = tally.given(threshold.value)
    pixels, total = tally.true.sum(0), int(tally.true.sum())
    if not total:
        raise SegcoreError(
            f"Expected labelled pixels to report on, found none in "
            f"{formatting.plural(len(tally.sample_ids), 'image')}: report on another split."
        )
    shares = np.array([pixels[list(node)].sum() for node in tree.nodes]) / total
    risk = achieved_risk(tally, threshold.value, groups)[0]
    plain_risk = achieved_risk(tally, 0, groups)[0]
    finest = tally.given(0)[1]
    nodes = tuple(
        NodeShare(i, tree.titles[i], int(tree.levels[i]), *_shares(given[i], right[i], total))
        for i in range(len(tree.nodes))
    )
    levels = []
    for level in range(int(tree.levels[tree.root]) + 1):
        own = np.flatnonzero(tree.levels == level)
        both = _shares(given[own].sum(), right[own].sum(), total)
        levels.append(LevelShare(level, tuple(tree.titles[i] for i in own), *both))
    return BackOffReport(
        tree,
        threshold,
        len(tally.sample_ids),
        risk,
        achieved_risk(tally, threshold.value, groups, by_class=True) if threshold.by_class else (),
        nodes,
        tuple(levels),
        kept_bits(pixels, pixels / total, total),
        (
            Alternative("argmax", tree.num_classes, plain_risk, kept_bits(finest, shares, total)),
            Alternative("back_off", None, risk, kept_bits(right, shares, total)),
        ),
        tuple(notes),
    )


def _shares(given: Any, right: Any, total: int) -> tuple[float, float]:
    return int(given) / total, int(right) / int(given) if given else float("nan")


def merge_of_like_risk(
    tree: LabelTree,
    counts: SampleCounts,
    sample_ids: Sequence[str],
    risk: float,
    groups: Sequence[str] | None = None,
) -> LabelMap | None:
    """Return the finest map of the tree's chain whose mean error is at most a risk.

    Chosen on the reported images themselves, in favour of the merge. None where every map that
    tells two labels apart errs more.
    """
    for label_map in tree.chain():
        folded = fold_images(counts, label_map)
        if _map_risk(folded, sample_ids, groups, resamples=1).value <= risk + 1e-12:
            return label_map
    return None


def score_merge(
    name: str,
    label_map: LabelMap,
    counts: SampleCounts,
    sample_ids: Sequence[str],
    groups: Mapping[str, str] | None = None,
) -> Alternative:
    """Score one label map that all pixels share.

    Args:
        name: A name of :data:`ALTERNATIVES`.
        label_map: C classes to K groups.
        counts: (N, K, K) pixels over the groups.
        sample_ids: Ids of the N images.
        groups: Group by sample id; whole groups are drawn then.
    """
    names = None if groups is None else [groups[i] for i in sample_ids]
    true: npt.NDArray[np.int64] = counts.true.sum(0)
    bits = kept_bits(counts.right.sum(0), true / max(true.sum(), 1), true.sum())
    risk = _map_risk(counts, sample_ids, names)
    return Alternative(name, label_map.num_groups, risk, bits, label_map.groups)


def _map_risk(
    counts: SampleCounts,
    sample_ids: Sequence[str],
    groups: Sequence[str] | None,
    resamples: int = 1000,
) -> Interval:
    pixels = counts.true.sum(1, keepdims=True)
    wrong = pixels - counts.right.sum(1, keepdims=True)
    return mean_loss(wrong, pixels, sample_ids, groups, resamples=resamples)[0]
