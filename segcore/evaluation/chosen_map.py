"""Everything about one chosen label map on one set of images: what to show beside a merge that somebody made by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation import scores
from segcore.evaluation.compression import MapScore, fold, score_maps
from segcore.evaluation.confusion import check_counts
from segcore.evaluation.merge_evidence import lift_intervals
from segcore.evaluation.priors import label_priors
from segcore.evaluation.random_merge import percentiles
from segcore.evaluation.report import plain
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MapStudy:
    """One label map, judged; made by :func:`study_map`. NaN for what is undefined.

    Attributes:
        before: Scores with no merge.
        after: Scores of the map.
        lift_interval: (low, high) of the lift over resampled images.
        percentile: Share of random maps of the same group sizes that score no better, 0..1, by score.
        class_iou: (C,) IoU of each label before.
        group_iou: (K,) IoU of each group after.
        class_pixels: (C,) true pixels of each label.
    """

    before: MapScore
    after: MapScore
    lift_interval: tuple[float, float]
    percentile: dict[str, float]
    class_iou: Floats
    group_iou: Floats
    class_pixels: npt.NDArray[np.int64]

    def to_json(self, ids: Sequence[int] | None = None) -> dict[str, Any]:
        """Return a JSON-ready mapping; groups hold the user's ids when given, else indices; undefined is None."""
        return {
            "before": self.before.to_json(ids),
            "after": self.after.to_json(ids),
            "lift_interval": [plain(v) for v in self.lift_interval],
            "random_percentile": {name: plain(v) for name, v in self.percentile.items()},
            "class_iou": [plain(v) for v in self.class_iou],
            "group_iou": [plain(v) for v in self.group_iou],
            "class_pixels": self.class_pixels.tolist(),
        }


def study_map(
    image_counts: npt.NDArray[Any],
    label_map: LabelMap,
    *,
    prior: str = "pixel",
    groups: Sequence[str] | None = None,
    resamples: int = 500,
    draws: int = 1000,
    seed: int = 0,
) -> MapStudy:
    """Judge one label map on the counts of each image.

    Args:
        image_counts: (N, C, C) pixel counts, one matrix for each image, rows true.
        label_map: A map over the C classes.
        prior: What weighs entropy, a name of :data:`segcore.evaluation.priors.PRIORS`.
        groups: Group of each image; the interval then draws whole groups.
        resamples: Resamples of the interval of the lift.
        draws: Random maps for the percentiles.
        seed: Seed of both.

    Raises:
        SegcoreError: Counts that are none, a map over another number of classes, or an unknown prior.
    """
    counts = check_counts(image_counts, "counts for each image", images=True)
    total = counts.sum(0)
    before, after = score_maps(total, [LabelMap.identity(len(total)), label_map], label_priors(total, counts), prior)
    low, high = lift_intervals(counts, [label_map], groups=groups, resamples=resamples, seed=seed)[0]
    return MapStudy(
        before,
        after,
        (float(low), float(high)),
        percentiles(total, label_map, draws, seed),
        scores.iou(total),
        scores.iou(fold(total, label_map)),
        total.sum(1),
    )
