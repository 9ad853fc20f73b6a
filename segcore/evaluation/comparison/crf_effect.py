"""What a step after the network (CRF, filter) changed: by score, class and distance to a boundary.

Everything comes from counts of each image, and every interval resamples images (or groups) with the
pair kept together, so a difference has the same interval wherever it is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore import formatting
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import Interval, bootstrap, paired
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.counts.verdicts import judge_difference
from segcore.evaluation.metrics.boundary import boundary_iou, mean_boundary_iou

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was counted of one choice over N images, C classes and B bands; int64 pixels.

    The four changes are pixels right before and after, fixed, broken, wrong before and after.

    Attributes:
        confusion: (N, C, C), rows true.
        boundary: (N, C, 2) intersection and union near contours, from
            :func:`segcore.evaluation.metrics.boundary.count_boundary`.
        class_changes: (C, 4) changes by true class, over all images and bands.
        band_changes: (N, B, 4) changes by image and band, over all classes.
    """

    confusion: SampleCounts
    boundary: Counts
    class_changes: Counts
    band_changes: Counts

    def scores(self) -> dict[str, float]:
        """Mean IoU, mean boundary IoU and pixel accuracy over the set, 0..1; NaN if undefined."""
        total = self.confusion.sum(0)
        return {
            "mean_iou": float(scores.mean_iou(total)),
            "boundary_iou": float(scores.mean_present(boundary_iou(self.boundary.sum(0)))),
            "pixel_accuracy": float(scores.pixel_accuracy(total)),
        }


Groups = Sequence[str] | None
"""Group of each image where whole groups are drawn, else None."""


def difference(
    before: Counts | SampleCounts,
    after: Counts | SampleCounts,
    statistic: scores.Statistic,
    groups: Groups = None,
    held: npt.NDArray[np.bool_] | None = None,
) -> tuple[Interval, ...]:
    """Return the change of a statistic, one interval for each of its numbers.

    Args:
        before: (N, ...) counts of each image.
        after: (N, ...) counts of the same images.
        statistic: Summed counts (R, ...) to one number or K numbers each.
        groups: Draw whole groups of images; length N.
        held: (N, K) whether an image holds what each number is about.
    """
    return bootstrap(
        [after, before],
        {"change": paired(statistic)},
        groups=groups,
        held=None if held is None else {"change": held},
    )["change"]


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _boundary_change(before: Outcome, after: Outcome, groups: Groups) -> Interval:
    present, held = before.confusion.present, before.confusion.held

    def change(a: Floats, b: Floats, images: Floats) -> Floats:
        return mean_boundary_iou(a, images, held) - mean_boundary_iou(b, images, held)

    parts = [after.boundary, before.boundary, present.astype(np.int64)]
    return bootstrap(parts, {"change": change}, groups=groups)["change"][0]


def judge(before: Outcome, after: Outcome, groups: Groups = None) -> dict[str, Any]:
    """Return the scores after a step, and what it gained against those before, with intervals.

    Returns:
        ``{"mean_iou", "boundary_iou", "pixel_accuracy", "gain": {score: {"difference",
        "interval"}}}``.
    """
    held = before.confusion.held
    mean_iou = scores.mean_by_class(scores.iou, held)
    gain = {
        "mean_iou": difference(before.confusion, after.confusion, mean_iou, groups)[0],
        "boundary_iou": _boundary_change(before, after, groups),
    }
    return {
        **{name: _plain(value) for name, value in after.scores().items()},
        "gain": {name: one.as_difference() for name, one in gain.items()},
        "how_sure": gain["mean_iou"].how(),
    }


def verdict(score: str, gain: Interval, chosen_on: str = "") -> str:
    """Say in words whether the CRF helps, or why these images cannot say so.

    Args:
        score: The score that was compared ("mean IoU").
        gain: Of the score with the CRF less that without.
        chosen_on: Name of the split where these are the very images on which the CRF was chosen;
            it is then not judged.
    """
    change = f"{score} changes by {formatting.points(gain.value, 2, unit=' points')}"
    if gain.is_known:
        change += f" ({100 * gain.level:g} % interval {gain.range(2, signed=True)})"
    if chosen_on and gain.value < 0:
        return (
            f"Even on {chosen_on}, where it was chosen, the CRF loses: {change}. "
            "Leave it off unless another score matters more."
        )
    if chosen_on:
        return (
            f"Chosen on {chosen_on}, so not judged there: {change}, which likely flatters it. "
            "Apply it to a split where nothing was chosen."
        )
    if not gain.is_known:
        return f"Too few {gain.unit} to judge the CRF: {change}."
    word = {"helps": "helps here", "hurts": "hurts here"}.get(
        judge_difference(gain), "makes no difference here that these images could show"
    )
    return f"The CRF {word}: {change}."


def by_class(
    before: Outcome, after: Outcome, names: Sequence[str], groups: Groups = None
) -> list[dict[str, Any]]:
    """Return each class's IoU before and after, the difference, and its pixels fixed and broken."""
    seen = before.confusion.present
    held = before.confusion.held
    change = difference(
        before.confusion, after.confusion, scores.by_class(scores.iou, held), groups, seen
    )
    first, second = scores.iou(before.confusion.sum(0)), scores.iou(after.confusion.sum(0))
    counts = after.class_changes
    return [
        {
            "name": name,
            "before": _plain(first[i]),
            "after": _plain(second[i]),
            **change[i].as_difference(),
            **_shares(counts[i]),
        }
        for i, name in enumerate(names)
    ]


def by_distance(
    after: Outcome, bands: Sequence[float], groups: Groups = None
) -> list[dict[str, Any]]:
    """Return the gain and the pixels fixed and broken, by distance to a true boundary.

    Args:
        after: What was counted; it has one band more than ``bands`` has ends.
        bands: Ascending upper ends in pixels.
        groups: Draw whole groups of images; length N.

    Returns:
        ``{"from", "to" (None for the last), "pixels", "fixed", "broken", "difference",
        "interval"}`` each; the difference is that of accuracy in the band.
    """
    counts = after.band_changes
    pixels = counts.sum(-1)
    was = np.stack([counts[..., 0] + counts[..., 2], pixels], axis=-1)
    now = np.stack([counts[..., 0] + counts[..., 1], pixels], axis=-1)
    gain = difference(was, now, _accuracy, groups, pixels > 0)
    total = counts.sum(0)
    return [
        {
            "from": 0.0 if b == 0 else float(bands[b - 1]),
            "to": float(bands[b]) if b < len(bands) else None,
            "pixels": int(total[b].sum()),
            **_shares(total[b]),
            **gain[b].as_difference(),
        }
        for b in range(len(total))
    ]


def _accuracy(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Right over all, from (..., 2)."""
    return scores.ratio(counts[..., 0], counts[..., 1])


def _shares(counts: Counts) -> dict[str, Any]:
    pixels = int(counts.sum())
    fixed, broken = (float(counts[k] / pixels) if pixels else None for k in (1, 2))
    return {"fixed": fixed, "broken": broken}
