"""What a merge of labels promised, and what it gave: merged after the fact, by summed probabilities, and by retraining.

    T0 merged     the original model's counts, folded: what merging promises, exact and free
    T1 summed     the original model's probabilities, summed over each group before the argmax: no retraining
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
from segcore.evaluation.compression.compression import fold
from segcore.evaluation.compression.information import honest_accuracy
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import draw_weights, group_counts, resample
from segcore.evaluation.counts.confusion import check_counts
from segcore.evaluation.metrics.report import plain
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]
Counted = tuple[Sequence[str], npt.NDArray[Any]]
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


@dataclass(frozen=True)
class Change:
    """A difference of one score between two answers to the same images; NaN for what is undefined.

    Attributes:
        difference: On all the images.
        low: Lower end of its percentile interval, images drawn anew with each image's pair kept
            together.
        high: Upper end.
    """

    difference: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Return ``{"difference", "interval"}``, undefined None."""
        return {
            "difference": plain(self.difference),
            "interval": [plain(self.low), plain(self.high)],
        }


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
    gain: Mapping[str, Change]
    beyond: Mapping[str, Change] | None
    group_iou: Floats
    predicted_iou: Floats

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; undefined is None."""
        return {
            "tier": self.name,
            "images": self.images,
            "scores": {name: plain(value) for name, value in self.scores.items()},
            "gain": {name: change.to_json() for name, change in self.gain.items()},
            "beyond": None
            if self.beyond is None
            else {name: change.to_json() for name, change in self.beyond.items()},
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
    level: float = 0.95,
    seed: int = 0,
) -> list[Tier]:
    """Compare tiers with the model that was not merged, each on the images that both have counts of.

    Args:
        original: The unmerged model's ids and (N, C, C) counts.
        label_map: The merge, C labels to K groups.
        others: "summed" and "retrained" as far as they exist: ids and (M, K, K) counts over the
            groups.
        groups: Group (drive, tile) by sample id; whole groups are drawn then.
        resamples: Resamples of the intervals.
        level: Nominal coverage, 0..1.
        seed: Seed of the draws.

    Returns:
        T0 first, then the others in the order of :data:`TIERS`.

    Raises:
        SegcoreError: Counts over another number of labels, no image in common, or other true pixels
            in one.
    """
    ids, counts = (
        list(original[0]),
        check_counts(original[1], "counts of the original model", images=True),
    )
    fold(counts, label_map)
    given: dict[str, Counted] = {"merged": (ids, fold(counts, label_map)), **others}
    found = []
    for name in TIERS:
        if name in given:
            before, after, shared = _pair(ids, counts, given[name], label_map, name)
            names = None if groups is None else [groups.get(i, "") for i in shared]
            found.append(_tier(name, before, after, label_map, names, resamples, level, seed))
    return found


def _pair(
    ids: list[str], counts: npt.NDArray[Any], other: Counted, label_map: LabelMap, name: str
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], list[str]]:
    """Bring a tier's counts into the original's order, on the images that both have."""
    theirs = check_counts(other[1], f"{name} counts", images=True)
    if theirs.shape[-1] != label_map.num_groups:
        raise SegcoreError(
            f"Expected {name} counts over {label_map.num_groups} merged labels, received "
            f"{theirs.shape[-1]}: its label map was changed "
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
    if not np.array_equal(fold(before, label_map).sum(-1), after.sum(-1)):
        raise SegcoreError(
            f"Expected the same true pixels for the {name} model as for the original, "
            "received others: the masks or the label map changed; "
            "predict again."
        )
    return before, after, shared


def _tier(
    name: str,
    before: npt.NDArray[Any],
    after: npt.NDArray[Any],
    label_map: LabelMap,
    groups: list[str] | None,
    resamples: int,
    level: float,
    seed: int,
) -> Tier:
    old, new = group_counts(before, groups), group_counts(after, groups)
    whole_old, whole_new = old.sum(0), new.sum(0)
    promised = fold(whole_old, label_map)
    score = {
        key: (f(whole_old[None])[0], f(promised[None])[0], f(whole_new[None])[0])
        for key, f in TIER_SCORES.items()
    }
    drawn: dict[str, list[Floats]] = {key: [] for key in TIER_SCORES}
    if len(old) > 1:
        weights = draw_weights(len(old), resamples, seed)
        block = 256  # both stacks are drawn with the same weights, block by block
        for start in range(0, resamples, block):
            part = weights[start : start + block]
            a, b = (np.concatenate(list(resample(units, part))) for units in (old, new))
            for key, f in TIER_SCORES.items():
                drawn[key].append(np.stack([f(b) - f(a), f(b) - f(fold(a, label_map))]))
    gain, beyond = {}, {}
    for key, (was, expected, now) in score.items():
        gained, over = _interval(drawn[key], level)
        gain[key] = Change(float(now - was), *gained)
        beyond[key] = Change(float(now - expected), *over)
    return Tier(
        name,
        len(before),
        {key: float(now) for key, (_, _, now) in score.items()},
        gain,
        None if name == "merged" else beyond,
        scores.iou(whole_new),
        scores.iou(promised),
    )


def _interval(drawn: list[Floats], level: float) -> list[tuple[float, float]]:
    """Percentile ends of both differences, NaN where nothing was drawn or a score is undefined throughout."""
    if not drawn:
        return [(float("nan"), float("nan"))] * 2
    ends = []
    for values in np.concatenate(drawn, axis=1):
        known = values[~np.isnan(values)]
        low, high = (
            np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
            if known.size
            else (np.nan, np.nan)
        )
        ends.append((float(low), float(high)))
    return ends
