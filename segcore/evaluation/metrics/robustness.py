"""How scores fall when images are corrupted: curves over severities, and the worst classes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import bootstrap, paired
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.report import plain

CLEAN = "clean"
"""Name of the counts of clean images; those of a corruption are "noise-3" (:func:`stage_name`)."""


@dataclass(frozen=True)
class CleanScores:
    """Scores of the images as they are; None for what is undefined.

    Attributes:
        mean_iou: Mean IoU, 0 to 1.
        pixel_accuracy: Share of the pixels that are right.
        iou: IoU of each class.
    """

    mean_iou: float | None
    pixel_accuracy: float | None
    iou: list[float | None]


@dataclass(frozen=True)
class CurvePoint:
    """Scores under one corruption at one severity; None for what is undefined.

    Attributes:
        corruption: Its name.
        severity: 1 to 5.
        mean_iou: Mean IoU, 0 to 1.
        drop: Clean mean IoU minus this one.
        interval: (low, high) of the drop.
        how_sure: How the interval was drawn, in words.
        pixel_accuracy: Share of the pixels that are right.
        iou: IoU of each class.
    """

    corruption: str
    severity: int
    mean_iou: float | None
    drop: float | None
    interval: list[float | None]
    how_sure: str
    pixel_accuracy: float | None
    iou: list[float | None]


@dataclass(frozen=True)
class CorruptionEffect:
    """One corruption over its severities; None for what is undefined.

    Attributes:
        corruption: Its name.
        mean_iou: Mean over severities of the mean IoU.
        drop: Clean mean IoU minus that.
        kept: Share of the clean mean IoU that is left.
        class_drop: Clean IoU minus that under the corruption, for each class.
    """

    corruption: str
    mean_iou: float | None
    drop: float | None
    kept: float | None
    class_drop: list[float | None]


@dataclass(frozen=True)
class RobustnessSummary:
    """How scores fall under corruptions.

    Attributes:
        num_samples: Number of images.
        clean: Their scores as they are.
        curves: One point for each corruption and severity.
        corruptions: Each corruption over its severities.
        mean_drop: Mean drop over all corruptions; None where none is defined.
    """

    num_samples: int
    clean: CleanScores
    curves: list[CurvePoint]
    corruptions: list[CorruptionEffect]
    mean_drop: float | None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self)


def stage_name(corruption: str, severity: int) -> str:
    """Return what the counts of a corruption at a severity are called."""
    return f"{corruption}-{severity}"


def summarise(
    clean: SampleCounts | npt.NDArray[np.int64],
    corrupted: Mapping[tuple[str, int], SampleCounts | npt.NDArray[np.int64]],
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 300,
    seed: int = 0,
) -> RobustnessSummary:
    """Compare the scores of corrupted images with those of the same images as they are.

    Args:
        clean: (N, C, C) pixel counts of the images as they are, rows true.
        corrupted: The same for each (corruption, severity).
        groups: Group of each image; intervals then draw whole groups.
        resamples: Resamples of the intervals; each image's clean and corrupted counts stay
            together.
        seed: Seed of the draws.

    Raises:
        SegcoreError: Counts that are none, of other images, or of nothing but clean ones.
    """
    clean = SampleCounts.of(clean)
    others = _check(clean, corrupted)
    base, own = float(scores.mean_iou(clean.total)), scores.iou(clean.total)
    curves: list[CurvePoint] = []
    drops: dict[str, list[npt.NDArray[np.float64]]] = {}
    for (name, severity), counts in others.items():
        (drop,) = bootstrap(
            [clean.margins(), counts.margins()],
            {"drop": paired(scores.mean_by_class(scores.iou, clean.held))},
            groups=groups,
            resamples=resamples,
            seed=seed,
        )["drop"]
        whole = _whole(counts)
        drops.setdefault(name, []).append(own - scores.iou(counts.total))
        curves.append(
            CurvePoint(
                name,
                severity,
                whole.mean_iou,
                plain(drop.value),
                drop.ends(),
                drop.how(),
                whole.pixel_accuracy,
                whole.iou,
            )
        )
    parts = [_over_severities(name, curves, each, base) for name, each in drops.items()]
    known = [part.drop for part in parts if part.drop is not None]
    mean_drop = float(np.mean(known)) if known else None
    return RobustnessSummary(len(clean), _whole(clean), curves, parts, mean_drop)


def _check(
    clean: SampleCounts,
    corrupted: Mapping[tuple[str, int], SampleCounts | npt.NDArray[np.int64]],
) -> dict[tuple[str, int], SampleCounts]:
    """Return the counts of corrupted images; refuse none, or those of other images."""
    if not corrupted:
        raise SegcoreError(
            "Expected counts of corrupted images, received none: wait for the run, or "
            "choose a corruption."
        )
    others = {stage: SampleCounts.of(given) for stage, given in corrupted.items()}
    for (name, _), counts in others.items():
        if counts.shape != clean.shape or not np.array_equal(counts.true, clean.true):
            raise SegcoreError(
                f"Expected the same images under {name} as without it, received others: "
                "run it again."
            )
    return others


def _whole(counts: SampleCounts) -> CleanScores:
    """Scores over the whole set."""
    return CleanScores(
        plain(float(scores.mean_iou(counts.total))),
        plain(float(scores.pixel_accuracy(counts.total))),
        [plain(v) for v in scores.iou(counts.total)],
    )


def _over_severities(
    name: str,
    curves: Sequence[CurvePoint],
    drops: Sequence[npt.NDArray[np.float64]],
    base: float,
) -> CorruptionEffect:
    """Means over the severities of one corruption."""
    means = [p.mean_iou for p in curves if p.corruption == name and p.mean_iou is not None]
    mean = float(np.mean(means)) if means else float("nan")
    return CorruptionEffect(
        name,
        plain(mean),
        plain(base - mean),
        plain(mean / base) if base else None,
        [plain(float(v)) for v in scores.mean_present(np.stack(drops, -1))],
    )
