"""Everything about one chosen label map on one set of images, to show next to a manual merge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.compression.compression import MapScore, fold, score_maps
from segcore.evaluation.compression.information import label_priors
from segcore.evaluation.compression.null_model import percentiles
from segcore.evaluation.compression.stability import Stability, choice_stability, map_intervals
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.report import plain
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MapReport:
    """One label map, judged by :func:`report_map`; NaN for what is undefined.

    Attributes:
        before: Scores with no merge.
        after: Scores of the map.
        lift: Its interval over resampled images.
        intervals: Of the change of each score, and of composition and resolved confusion.
        stability: How often resampled images lead to the same merge.
        percentile: Share of random maps of the same group sizes that score no better, 0..1, by
            score.
        class_iou: (C,) IoU of each label before.
        group_iou: (K,) IoU of each group after.
        class_pixels: (C,) true pixels of each label.
    """

    before: MapScore
    after: MapScore
    lift: Interval
    intervals: dict[str, Interval]
    stability: Stability
    percentile: dict[str, float]
    class_iou: Floats
    group_iou: Floats
    class_pixels: npt.NDArray[np.int64]

    def to_json(self, ids: Sequence[int] | None = None) -> dict[str, Any]:
        """Return it for JSON; groups hold the user's ids when given, else indices."""
        return {
            "before": self.before.to_json(ids),
            "after": self.after.to_json(ids),
            "lift_interval": self.lift.ends(),
            "intervals": {name: one.ends() for name, one in self.intervals.items()},
            "how_sure": self.lift.how(),
            "stability": {"same": plain(self.stability.same), "pairs": plain(self.stability.pairs)},
            "random_percentile": {name: plain(v) for name, v in self.percentile.items()},
            "class_iou": [plain(v) for v in self.class_iou],
            "group_iou": [plain(v) for v in self.group_iou],
            "class_pixels": self.class_pixels.tolist(),
        }


def report_map(
    image_counts: SampleCounts | npt.NDArray[Any],
    label_map: LabelMap,
    *,
    prior: str = "pixel",
    importance: npt.NDArray[np.float64] | None = None,
    forbidden: npt.NDArray[np.bool_] | None = None,
    groups: Sequence[str] | None = None,
) -> MapReport:
    """Judge one label map on the counts of each image.

    Args:
        image_counts: (N, C, C) pixel counts, one matrix for each image, rows true.
        label_map: A map over the C classes.
        prior: What weighs entropy, a name of
            :data:`segcore.evaluation.compression.information.PRIORS`.
        importance: (C,) weights for the "importance" prior.
        forbidden: (C, C) labels that never share a group; asked by the stability of the choice.
        groups: Group of each image; intervals then draw whole groups.

    Raises:
        SegcoreError: Counts that are none, a map over another number of classes, or an unknown
            prior.
    """
    counts = SampleCounts.of(image_counts, "counts for each image")
    total = counts.total
    priors = label_priors(total, counts, importance)
    before, after = score_maps(total, [LabelMap.identity(len(total)), label_map], priors, prior)
    intervals = map_intervals(counts, label_map, groups=groups)
    stability = choice_stability(
        counts,
        label_map,
        prior=prior,
        priors=priors,
        forbidden=forbidden,
        groups=groups,
    )
    return MapReport(
        before,
        after,
        intervals.pop("lift"),
        intervals,
        stability,
        percentiles(total, label_map),
        scores.iou(total),
        scores.iou(fold(total, label_map)),
        total.sum(1),
    )
