"""Scores of parts of a set: by tag or drive, class present, measured value, and size of objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import bootstrap
from segcore.evaluation.counts.confusion import Mask
from segcore.evaluation.counts.sample_counts import SampleCounts

SIZE_EDGES = (32**2, 96**2)
"""Areas in pixels that part small, medium and large things (Lin et al., COCO, ECCV 2014)."""


@dataclass(frozen=True)
class SliceScores:
    """Scores of the images of one slice, 0 to 1; None for what is undefined.

    Attributes:
        name: What the images share.
        num_samples: How many images.
        mean_iou: Mean IoU.
        pixel_accuracy: Share of correct pixels.
        interval: [low, high] of the mean IoU.
        how_sure: How the interval was made.
        iou: IoU of each of the C classes.
    """

    name: str
    num_samples: int
    mean_iou: float | None
    pixel_accuracy: float | None
    interval: list[float | None]
    how_sure: str
    iou: tuple[float | None, ...]


@dataclass(frozen=True)
class Slice:
    """A named choice of images.

    Attributes:
        name: What the images share ("drive = 0001TP").
        positions: Which images, 0..N-1, ascending.
    """

    name: str
    positions: tuple[int, ...]


def slice_by_tag(tags: Sequence[str], kind: str = "tag") -> list[Slice]:
    """One slice for each tag (folder, drive, weather), in order; images without one are omitted."""
    return slice_by_tags([(tag,) if tag else () for tag in tags], kind)


def slice_by_tags(tags: Sequence[Sequence[str]], kind: str = "tag") -> list[Slice]:
    """One slice for each tag where an image may have several or none; slices may overlap."""
    known = dict.fromkeys(tag for own in tags for tag in own)
    return [
        Slice(f"{kind} = {tag}", tuple(i for i, own in enumerate(tags) if tag in own))
        for tag in known
    ]


def slice_by_class(
    counts: SampleCounts | npt.NDArray[Any], class_names: Sequence[str]
) -> list[Slice]:
    """One slice for each class: the images whose truth holds it; classes in no image are left out.

    Args:
        counts: (N, C, C) pixel counts, rows true.
        class_names: Display names, length C.
    """
    seen = SampleCounts.of(counts).true > 0
    return [
        Slice(f"contains {name}", tuple(np.flatnonzero(seen[:, c]).tolist()))
        for c, name in enumerate(class_names)
        if seen[:, c].any()
    ]


def slice_by_value(values: Sequence[float], kind: str, parts: int = 3) -> list[Slice]:
    """Split images by quantiles of a measured value; equal values stay together, NaN is left out.

    Args:
        values: One number for each image.
        kind: What it is, for the names.
        parts: How many slices; fewer come out where values repeat.
    """
    numbers = np.asarray(values, np.float64)
    known = numbers[~np.isnan(numbers)]
    if not known.size or parts < 1:
        return []
    edges = np.unique(np.quantile(known, np.linspace(0, 1, parts + 1)))
    inner = edges[1:-1]
    place = np.searchsorted(inner, numbers, side="left")
    found = []
    for part in range(len(inner) + 1):
        chosen = np.flatnonzero((place == part) & ~np.isnan(numbers))
        if len(chosen):
            found.append(
                Slice(
                    f"{kind} {numbers[chosen].min():.4g} to {numbers[chosen].max():.4g}",
                    tuple(chosen.tolist()),
                )
            )
    return found


def brightness(image: npt.NDArray[Any]) -> float:
    """Mean luma of an image, 0..255: .299 R + .587 G + .114 B (ITU-R BT.601).

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    means = np.asarray(image).reshape(-1, 3).mean(0)
    return float(means @ [0.299, 0.587, 0.114])


def score_slices(
    counts: SampleCounts | npt.NDArray[Any],
    slices: Sequence[Slice],
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> list[SliceScores]:
    """Score each slice by its own total counts.

    Args:
        counts: (N, C, C) pixel counts, rows true.
        slices: Which images belong together.
        groups: Group of each image; intervals then draw whole groups.
        resamples: Resamples of the interval of mean IoU.
        seed: Seed of the draws.
    """
    counts = SampleCounts.of(counts)
    rows = []
    for part in slices:
        own = counts.select(list(part.positions))
        names = None if groups is None else [groups[i] for i in part.positions]
        statistic = scores.mean_by_class(scores.iou, own.held)
        (mean,) = bootstrap(
            [own.margins()],
            {"mean_iou": statistic},
            groups=names,
            resamples=resamples,
            seed=seed,
        )["mean_iou"]
        rows.append(
            SliceScores(
                name=part.name,
                num_samples=len(own),
                mean_iou=_plain(mean.value),
                pixel_accuracy=_plain(scores.pixel_accuracy(own.total)),
                interval=mean.ends(),
                how_sure=mean.how(),
                iou=tuple(_plain(v) for v in scores.iou(own.total)),
            )
        )
    return rows


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def count_by_size(
    true: Mask,
    predicted: Mask,
    num_classes: int,
    ignore_index: int,
    edges: Sequence[int] = SIZE_EDGES,
) -> npt.NDArray[np.int64]:
    """Count correct pixels by the size of the true object (connected region) they belong to.

    Args:
        true: (H, W) integer indices 0..C-1, or ``ignore_index``.
        predicted: (H, W) integer indices.
        num_classes: C.
        ignore_index: The value that is not scored.
        edges: Rising areas in pixels that part the sizes; a thing of exactly an edge's area is in
            the larger part.

    Returns:
        (C, len(edges) + 1, 3) int64: right pixels, true pixels, things. Right over true is the
        recall by size.

    Raises:
        SegcoreError: Shapes differ.
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.shape != predicted.shape or true.ndim != 2:
        raise SegcoreError(
            f"Expected two masks (height, width) of one size, received {true.shape} and "
            f"{predicted.shape}: resize one."
        )
    right = true == predicted
    counts = np.zeros((num_classes, len(edges) + 1, 3), np.int64)
    for index in range(num_classes):
        own = true == index
        if index == ignore_index or not own.any():
            continue
        number, labels = cv2.connectedComponents(own.astype(np.uint8), connectivity=8)
        areas = np.bincount(labels.ravel(), minlength=number)[1:]
        hits = np.bincount(labels[right & own], minlength=number)[1:]
        place = np.searchsorted(np.asarray(edges), areas, side="right")
        for column, amounts in enumerate((hits, areas, np.ones_like(areas))):
            counts[index, :, column] = np.bincount(place, amounts, minlength=len(edges) + 1).astype(
                np.int64
            )
    return counts
