"""How scores fall when images are corrupted: curves over severities, and the worst classes."""

from collections.abc import Mapping, Sequence
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
) -> dict[str, Any]:
    """Compare the scores of corrupted images with those of the same images as they are.

    Args:
        clean: (N, C, C) pixel counts of the images as they are, rows true.
        corrupted: The same for each (corruption, severity).
        groups: Group of each image; intervals then draw whole groups.
        resamples: Resamples of the intervals; each image's clean and corrupted counts stay
            together.
        seed: Seed of the draws.

    Returns:
        ``num_samples``; ``clean``: ``mean_iou, pixel_accuracy, iou`` (C values); ``curves``: rows
        of ``corruption, severity, mean_iou, pixel_accuracy, iou, drop`` (clean mean IoU minus this
        one) and its ``interval``; ``corruptions``: for each, over its severities, ``corruption,
        mean_iou, drop, kept`` (share of the clean mean IoU that is left) and ``class_drop`` (C
        values); ``mean_drop`` over all corruptions. What is undefined is None.

    Raises:
        SegcoreError: Counts that are none, of other images, or of nothing but clean ones.
    """
    clean = SampleCounts.of(clean)
    if not corrupted:
        raise SegcoreError(
            "Expected counts of corrupted images, received none: wait for the run, or "
            "choose a corruption."
        )
    base, own = float(scores.mean_iou(clean.total)), scores.iou(clean.total)
    curves: list[dict[str, Any]] = []
    drops: dict[str, list[npt.NDArray[np.float64]]] = {}
    for (name, severity), given in corrupted.items():
        counts = SampleCounts.of(given)
        if counts.shape != clean.shape or not np.array_equal(counts.true, clean.true):
            raise SegcoreError(
                f"Expected the same images under {name} as without it, received others: "
                "run it again."
            )
        (drop,) = bootstrap(
            [clean.margins(), counts.margins()],
            {"drop": paired(scores.mean_by_class(scores.iou, clean.held))},
            groups=groups,
            resamples=resamples,
            seed=seed,
        )["drop"]
        iou = scores.iou(counts.total)
        drops.setdefault(name, []).append(own - iou)
        curves.append(
            {
                "corruption": name,
                "severity": severity,
                "mean_iou": plain(float(scores.mean_iou(counts.total))),
                "drop": plain(drop.value),
                "interval": drop.ends(),
                "how_sure": drop.how(),
                "pixel_accuracy": plain(float(scores.pixel_accuracy(counts.total))),
                "iou": [plain(v) for v in iou],
            }
        )
    parts = [_over_severities(name, curves, each, base) for name, each in drops.items()]
    known = [part["drop"] for part in parts if part["drop"] is not None]
    return {
        "num_samples": len(clean),
        "clean": {
            "mean_iou": plain(base),
            "pixel_accuracy": plain(float(scores.pixel_accuracy(clean.total))),
            "iou": [plain(v) for v in own],
        },
        "curves": curves,
        "corruptions": parts,
        "mean_drop": float(np.mean(known)) if known else None,
    }


def _over_severities(
    name: str,
    curves: Sequence[Mapping[str, Any]],
    drops: Sequence[npt.NDArray[np.float64]],
    base: float,
) -> dict[str, Any]:
    """Means over the severities of one corruption."""
    means = [
        row["mean_iou"]
        for row in curves
        if row["corruption"] == name and row["mean_iou"] is not None
    ]
    mean = float(np.mean(means)) if means else float("nan")
    return {
        "corruption": name,
        "mean_iou": plain(mean),
        "drop": plain(base - mean),
        "kept": plain(mean / base) if base else None,
        "class_drop": [plain(float(v)) for v in scores.mean_present(np.stack(drops, -1))],
    }
