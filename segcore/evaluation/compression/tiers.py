"""What a merge of labels promised and what it gave: merged afterwards, summed, retrained.

    T0 merged     the original model's counts, folded: what merging promises, exact and free
    T1 summed     the original model's probabilities, summed over each group before the argmax
    T2 retrained  a model that learned the merged labels from the start: what merging gives

All three are scored on the merged labels of the same images, so their differences are fair. The
gain over the unmerged score is not: part of it is composition (fewer labels in the mean), which T0
alone explains.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import fold, fold_images
from segcore.evaluation.compression.information import honest_accuracy
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import Interval, bootstrap
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.report import plain
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]
Counted = tuple[Sequence[str], SampleCounts | npt.NDArray[Any]]
"""N sample ids and their counts, (N, C, C) int64 pixels, rows true."""

TIERS: dict[str, str] = {
    "merged": "Predicted: the counts of the model as it is, merged. Free and exact.",
    "summed": "Its probabilities summed over each group before the argmax. Nothing is trained.",
    "retrained": "Realised: a model that learned the merged labels.",
}

TIER_SCORES: dict[str, Callable[[npt.NDArray[Any]], Floats]] = {
    "accuracy": scores.pixel_accuracy,
    "mean_iou": scores.mean_iou,
    "kappa": scores.kappa,
    "mcc": scores.matthews,
    "honest_accuracy": honest_accuracy,
}
"""Scores in which tiers are compared: (..., C, C) -> (...)."""


def drawn_scores(held: npt.NDArray[np.bool_]) -> dict[str, scores.Statistic]:
    """Return :data:`TIER_SCORES` for resamples of a set whose truth holds some classes, (C,)."""
    return {**TIER_SCORES, "mean_iou": scores.mean_by_class(scores.iou, held)}


@dataclass(frozen=True, eq=False)
class Tier:
    """One tier on the images that it shares with the original model.

    Attributes:
        name: A name of :data:`TIERS`.
        images: How many images it was compared on.
        scores: By name of :data:`TIER_SCORES`.
        gain: Tier less the unmerged model, by score.
        beyond: Tier less T0, by score: what it gave beyond the promise; None for T0 itself.
        group_iou: (K,) IoU of each group.
        predicted_iou: (K,) IoU of each group of T0 on the same images.
    """

    name: str
    images: int
    scores: Mapping[str, float]
    gain: Mapping[str, Interval]
    beyond: Mapping[str, Interval] | None
    group_iou: Floats
    predicted_iou: Floats

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; undefined is None."""
        return {
            "tier": self.name,
            "images": self.images,
            "scores": {name: plain(value) for name, value in self.scores.items()},
            "gain": {name: change.as_difference() for name, change in self.gain.items()},
            "beyond": None
            if self.beyond is None
            else {name: change.as_difference() for name, change in self.beyond.items()},
            "group_iou": [plain(v) for v in self.group_iou],
            "predicted_iou": [plain(v) for v in self.predicted_iou],
        }


def compare_tiers(
    original: Counted,
    label_map: LabelMap,
    others: Mapping[str, Counted],
    *,
    groups: Mapping[str, str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Tier]:
    """Compare each tier with the unmerged model, on the images that both have counts of.

    Args:
        original: The unmerged model's ids and (N, C, C) counts.
        label_map: The merge, C labels to K groups.
        others: "summed" and "retrained" as far as they exist: ids and (M, K, K) counts over the
            groups.
        groups: Group (drive, tile) by sample id; whole groups are drawn then.
        resamples: Resamples of the intervals.
        seed: Seed of the draws.

    Returns:
        T0 first, then the others in the order of :data:`TIERS`.

    Raises:
        SegcoreError: Counts over another number of labels, no image in common, or other true pixels
            in one.
    """
    ids = list(original[0])
    counts = SampleCounts.of(original[1], "counts of the original model")
    given: dict[str, Counted] = {"merged": (ids, fold_images(counts, label_map)), **others}
    tiers = []
    for name in TIERS:
        if name in given:
            before, after, shared = _pair(ids, counts, given[name], label_map, name)
            names = None if groups is None else [groups.get(i, i) for i in shared]
            tiers.append(_tier(name, before, after, label_map, names, resamples, seed))
    return tiers


def _pair(
    ids: list[str], counts: SampleCounts, other: Counted, label_map: LabelMap, name: str
) -> tuple[SampleCounts, SampleCounts, list[str]]:
    """Bring a tier's counts into the original's order, on the images that both have."""
    theirs = SampleCounts.of(other[1], f"{name} counts")
    if theirs.num_classes != label_map.num_groups:
        raise SegcoreError(
            f"Expected {name} counts over {label_map.num_groups} merged labels, received "
            f"{theirs.num_classes}: its label map was changed "
            "after it was trained; retrain it."
        )
    places = {sample: position for position, sample in enumerate(other[0])}
    shared = [sample for sample in ids if sample in places]
    if not shared:
        raise SegcoreError(
            f"Expected images that the {name} model has in common with the original, found "
            "none: predict one split with both."
        )
    mine, wanted = (
        [i for i, sample in enumerate(ids) if sample in places],
        [places[sample] for sample in shared],
    )
    before, after = counts[mine], theirs[wanted]
    if not np.array_equal(fold_images(before, label_map).true, after.true):
        raise SegcoreError(
            f"Expected the same true pixels for the {name} model as for the original, "
            "received others: the masks or the label map changed; "
            "predict again."
        )
    return before, after, shared


def _tier(
    name: str,
    before: SampleCounts,
    after: SampleCounts,
    label_map: LabelMap,
    groups: list[str] | None,
    resamples: int,
    seed: int,
) -> Tier:
    promised = fold(before.total, label_map)
    statistics: dict[str, scores.Statistic] = {}
    first, second = drawn_scores(before.held), drawn_scores(after.held)
    for key in TIER_SCORES:
        statistics[f"gain {key}"] = lambda a, b, f=first[key], g=second[key]: g(b) - f(a)
        statistics[f"beyond {key}"] = lambda a, b, g=second[key]: g(b) - g(fold(a, label_map))
    intervals = bootstrap(
        [before, after], statistics, groups=groups, resamples=resamples, seed=seed
    )
    gain, beyond = (
        {key: intervals[f"{what} {key}"][0] for key in TIER_SCORES} for what in ("gain", "beyond")
    )
    return Tier(
        name,
        len(before),
        {key: float(f(after.total[None])[0]) for key, f in TIER_SCORES.items()},
        gain,
        None if name == "merged" else beyond,
        scores.iou(after.total),
        scores.iou(promised),
    )
