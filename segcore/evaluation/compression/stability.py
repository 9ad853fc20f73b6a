"""How sure a chosen merge is: intervals of what it changes, and how often it is chosen again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.compression.compression import fold
from segcore.evaluation.compression.search import pair_costs
from segcore.evaluation.compression.tiers import TIER_SCORES, drawn_scores
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import Interval, Resampling, bootstrap, counted_units
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.counts.scores import ratio
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MAX_STABLE_CLASSES = 24
"""With more labels, resampling the paths is too slow for a slider; stability is then unknown."""


def map_intervals(
    image_counts: SampleCounts | npt.NDArray[Any],
    label_map: LabelMap,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the intervals of what a merge changes, images resampled.

    Args:
        image_counts: (N, C, C) counts of each image.
        label_map: A map over the C labels.
        groups: Draw whole groups of images; length N.
        resamples: How often the images are drawn again.
        seed: Seed of the draws.

    Returns:
        The change of each of :data:`segcore.evaluation.compression.tiers.TIER_SCORES`, and
        "composition", "resolved_confusion" and "lift".
    """
    sizes = np.array([len(group) for group in label_map.groups])
    size = label_map.num_classes
    meet = float((sizes * (sizes - 1)).sum() / (size * (size - 1))) if size > 1 else 1.0
    names = (*TIER_SCORES, "composition", "resolved_confusion", "lift")

    counts = SampleCounts.of(image_counts)
    merged = np.array([counts.held[list(group)].any() for group in label_map.groups])
    first, second = drawn_scores(counts.held), drawn_scores(merged)

    def changes(before: Floats) -> Floats:
        after = fold(before, label_map)
        change = [second[name](after) - first[name](before) for name in TIER_SCORES]
        separate = _separate_iou(before, after, label_map, merged)
        right = scores.pixel_accuracy(before)
        room = (1 - right) * (1 - meet)
        gained = scores.pixel_accuracy(after) - right - (1 - right) * meet
        lift = ratio(gained, np.where(room > 1e-15, room, 0))
        split = separate - first["mean_iou"](before), second["mean_iou"](after) - separate
        return np.stack([*change, *split, lift], axis=-1)

    intervals = bootstrap(
        [counts], {"changes": changes}, groups=groups, resamples=resamples, seed=seed
    )["changes"]
    return dict(zip(names, intervals, strict=True))


def _separate_iou(
    before: Floats, after: Floats, label_map: LabelMap, held: npt.NDArray[np.bool_]
) -> Floats:
    """Mean over groups of sum d / (R + S - sum d), (B,): inner confusion still is an error.

    As in :func:`segcore.evaluation.counts.scores.by_class`, a group of ``held`` that a resample's
    truth lacks is left out.
    """
    member = np.zeros((label_map.num_classes, label_map.num_groups))
    member[np.arange(label_map.num_classes), label_map.group_of] = 1
    inner = np.diagonal(before, axis1=-2, axis2=-1) @ member
    _, rows, columns = scores.parts(after)
    iou = ratio(inner, rows + columns - inner)
    return scores.mean_present(np.where(held & (rows == 0), np.nan, iou))


@dataclass(frozen=True)
class Stability:
    """How often resampled images lead to the same merge.

    Attributes:
        same: Share of resamples whose greedy path holds exactly this map at its number of groups,
            0..1.
        pairs: Mean share of resamples in which two labels of one group share a group there too,
            0..1.
        resamples: How often the images were drawn again.
        drawn: From what: "36 images", "8 groups".
    """

    same: float
    pairs: float
    resamples: int = 0
    drawn: str = ""


def choice_stability(
    image_counts: SampleCounts | npt.NDArray[Any],
    label_map: LabelMap,
    *,
    prior: str = "pixel",
    priors: Mapping[str, Floats] | None = None,
    forbidden: npt.NDArray[np.bool_] | None = None,
    groups: Sequence[str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Stability:
    """Return how often the greedy path of resampled images holds this very map.

    Args:
        image_counts: (N, C, C) counts of each image.
        label_map: The chosen map.
        prior: What weighs entropy; "pixel" and "image" weights are taken from each resample, others
            from ``priors``.
        priors: Weights by name for priors that do not follow from the images.
        forbidden: (C, C) labels that never share a group.
        groups: Draw whole groups of images; length N.
        resamples: How often the images are drawn again: at 200 the shares still move by 7 points.
        seed: Seed of the draws.

    Returns:
        NaN for both without a merge, with too few units, or above :data:`MAX_STABLE_CLASSES`
        labels.
    """
    counts, size = SampleCounts.of(image_counts), label_map.num_classes
    drawing = Resampling([counts], groups, resamples=resamples, seed=seed)
    if not drawing.is_enough or size > MAX_STABLE_CLASSES or label_map.num_groups == size:
        return Stability(float("nan"), float("nan"))
    seen = (counts.true > 0).astype(np.int64)
    first = np.array([label_map.groups[g][0] for g in label_map.group_of])
    together = np.triu(first[:, None] == first, 1)
    same, shared = 0, 0.0
    for block, images in drawing.sums(counts, seen):
        if prior == "pixel":
            weights = block.sum(-1)
        elif prior == "image":
            weights = images
        else:
            weights = np.tile((priors or {})[prior], (len(block), 1))
        weights = np.nan_to_num(ratio(weights, weights.sum(-1, keepdims=True)))
        chosen = greedy_groups(block, weights, label_map.num_groups, forbidden)
        same += int((chosen == first).all(1).sum())
        shared += float((chosen[:, :, None] == chosen[:, None, :])[:, together].mean(1).sum())
    counted = counted_units(drawing.units, drawing.unit)
    return Stability(same / resamples, shared / resamples, resamples, counted)


def greedy_groups(
    counts: Floats, weights: Floats, target: int, forbidden: npt.NDArray[np.bool_] | None = None
) -> Indices:
    """Walk the greedy accuracy paths of many matrices at once; each equals ``greedy_path``.

    Args:
        counts: (B, C, C) pixel counts, rows true.
        weights: (B, C) prior of the entropy, rows sum to 1.
        target: Number of groups to stop at; where forbidden pairs end a path before, it stays
            there.
        forbidden: (C, C) labels that never share a group.

    Returns:
        (B, C) for each label the first label of its group.
    """
    size = counts.shape[-1]
    total = counts.sum((-1, -2))[:, None, None]
    shared = np.nan_to_num(ratio(counts + np.swapaxes(counts, -1, -2), total))
    weights, every = weights.copy(), np.arange(len(counts))
    apart = np.tile(
        np.zeros((size, size), bool) if forbidden is None else forbidden, (len(counts), 1, 1)
    )
    alive = np.ones((len(counts), size), bool)
    groups = np.tile(np.arange(size), (len(counts), 1))
    upper = np.triu(np.ones((size, size), bool), 1)
    for _ in range(size - target):
        costs = pair_costs(weights)
        allowed = upper & alive[:, :, None] & alive[:, None, :] & ~apart
        free = costs <= 1e-15
        rank = np.where(
            free, np.where(shared > 1e-15, np.inf, 0.0), shared / np.where(free, 1.0, costs)
        )
        rank = np.where(allowed, rank, -np.inf)
        best = rank.max((1, 2), keepdims=True)
        slack = np.where(
            np.isfinite(best), 1e-12 * np.abs(np.where(np.isfinite(best), best, 0.0)), 0.0
        )
        pick = (
            np.where(allowed & (rank >= best - slack), costs, np.inf)
            .reshape(len(counts), -1)
            .argmin(1)
        )
        go = every[allowed.any((1, 2))]
        a, b = pick[go] // size, pick[go] % size
        shared[go, a] += shared[go, b]
        shared[go, :, a] += shared[go, :, b]
        apart[go, a] |= apart[go, b]
        apart[go, :, a] |= apart[go, :, b]
        weights[go, a] += weights[go, b]
        weights[go, b] = 0.0
        alive[go, b] = False
        groups[go] = np.where(groups[go] == b[:, None], a[:, None], groups[go])
    return groups
