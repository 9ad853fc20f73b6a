"""What a step after the network (a CRF, a filter) changed: scores before and after, by class and by distance to a boundary.

Everything comes from counts of each image, and every interval resamples images with the pair kept
together; the draws are those of :func:`segcore.evaluation.counts.bootstrap.paired_difference`, so a
difference has the same interval wherever it is shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import draw_weights
from segcore.evaluation.metrics.boundary import boundary_iou

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was counted of one choice over N images, C classes and B bands; int64 pixels.

    Attributes:
        confusion: (N, C, C), rows true.
        boundary: (N, C, 2) intersection and union near contours, from
            :func:`segcore.evaluation.metrics.boundary.count_boundary`.
        changes: (N, B, C, 4) pixels right before and after, fixed, broken, wrong before and after.
    """

    confusion: Counts
    boundary: Counts
    changes: Counts

    def scores(self) -> dict[str, float]:
        """Mean IoU, mean boundary IoU and pixel accuracy over the set, 0..1, NaN where undefined."""
        total = self.confusion.sum(0)
        return {
            "mean_iou": float(scores.mean_iou(total)),
            "boundary_iou": float(scores.mean_present(boundary_iou(self.boundary.sum(0)))),
            "pixel_accuracy": float(scores.pixel_accuracy(total)),
        }


def difference(
    before: Counts,
    after: Counts,
    statistic: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Any]:
    """Return the change of a statistic with its paired interval, None for what is undefined.

    Args:
        before: (N, ...) counts of each image.
        after: (N, ...) counts of the same images.
        statistic: Summed counts (R, ...) to one number or C numbers each.
        resamples: How many times the images are drawn anew.
        level: Nominal coverage.

    Returns:
        ``{"difference": number or list, "interval": [low, high] or a list of them}``.
    """
    observed = np.asarray(statistic(after.sum(0)[None]) - statistic(before.sum(0)[None]))[0]
    images = len(before)
    if images < 2:
        ends = np.full((2, *np.shape(observed)), np.nan)
    else:
        weights = draw_weights(images, resamples, 0).astype(np.float64)
        drawn = np.asarray(statistic(_sum(weights, after)) - statistic(_sum(weights, before)))
        empty = np.isnan(drawn).all(0)
        ends = np.nanquantile(
            np.where(empty, 0.0, drawn), [(1 - level) / 2, (1 + level) / 2], axis=0
        )
        ends = np.where(empty, np.nan, ends)
    return {
        "difference": _plain(observed),
        "interval": _plain(np.moveaxis(np.asarray(ends), 0, -1)),
    }


def _sum(weights: Floats, counts: Counts) -> Floats:
    return (weights @ counts.reshape(len(counts), -1).astype(np.float64)).reshape(
        len(weights), *counts.shape[1:]
    )


def _plain(value: Any) -> Any:
    if np.ndim(value):
        return [_plain(v) for v in value]
    return None if np.isnan(value) else float(value)


def _mean_boundary(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return scores.mean_present(boundary_iou(counts))


def judge(before: Outcome, after: Outcome) -> dict[str, Any]:
    """Return the scores after a step, and what it gained against the scores before, each with its interval.

    Returns:
        ``{"mean_iou", "boundary_iou", "pixel_accuracy", "gain": {score: {"difference",
        "interval"}}}``.
    """
    return {
        **{name: _plain(value) for name, value in after.scores().items()},
        "gain": {
            "mean_iou": difference(before.confusion, after.confusion, scores.mean_iou),
            "boundary_iou": difference(before.boundary, after.boundary, _mean_boundary),
        },
    }


def by_class(before: Outcome, after: Outcome, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each class its IoU before and after, the difference with its interval, and the shares of its pixels fixed and broken."""
    change = difference(before.confusion, after.confusion, scores.iou)
    first, second = scores.iou(before.confusion.sum(0)), scores.iou(after.confusion.sum(0))
    counts = after.changes.sum((0, 1))  # (C, 4)
    return [
        {
            "name": name,
            "before": _plain(first[i]),
            "after": _plain(second[i]),
            "difference": change["difference"][i],
            "interval": change["interval"][i],
            **_shares(counts[i]),
        }
        for i, name in enumerate(names)
    ]


def by_distance(after: Outcome, bands: Sequence[float]) -> list[dict[str, Any]]:
    """Return for each band of distance to the nearest true boundary the shares of its pixels fixed and broken, and the gain.

    Args:
        after: What was counted; ``changes`` has one band more than ``bands`` has ends.
        bands: Ascending upper ends in pixels.

    Returns:
        ``{"from", "to" (None for the last), "pixels", "fixed", "broken", "difference",
        "interval"}`` each; the difference is that of accuracy in the band.
    """
    counts = after.changes.sum(2)  # (N, B, 4)
    gain = _band_gain(counts)
    total = counts.sum(0)
    return [
        {
            "from": 0.0 if b == 0 else float(bands[b - 1]),
            "to": float(bands[b]) if b < len(bands) else None,
            "pixels": int(total[b].sum()),
            **_shares(total[b]),
            "difference": gain["difference"][b],
            "interval": gain["interval"][b],
        }
        for b in range(len(total))
    ]


def _band_gain(counts: Counts) -> dict[str, Any]:
    """Change of accuracy in each band, (N, B, 4) counts."""

    def accuracy(c: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return scores.ratio(c[..., 0], c[..., 1])

    pixels = counts.sum(-1)
    before = np.stack([counts[..., 0] + counts[..., 2], pixels], axis=-1)
    after = np.stack([counts[..., 0] + counts[..., 1], pixels], axis=-1)
    return difference(before, after, accuracy)


def _shares(counts: Counts) -> dict[str, Any]:
    pixels = int(counts.sum())
    fixed, broken = (float(counts[k] / pixels) if pixels else None for k in (1, 2))
    return {"fixed": fixed, "broken": broken}
