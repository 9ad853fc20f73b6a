"""Instances of each class: connected components, their sizes, and class locations."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.scanning import Progress, scan

SIZE_EDGES = np.array([2.0**power for power in range(27)])
"""Edges of the size histogram, pixels: 1, 2, 4, ... 2^26."""


@dataclass(frozen=True)
class InstanceStatistics:
    """Connected components of each class over some samples.

    Attributes:
        sample_ids: Ids of the N samples.
        counts: (N, C) int64, components of each class in each sample.
        median_size: (C,) float64, pixels; NaN for a class that never occurs.
        largest: (C,) int64, pixels of the largest component.
        histogram: (C, 26) int64, components by size between :data:`SIZE_EDGES`.
        heat: (C, rows, columns) float64 in 0..1: share of the samples' labelled pixels there that
            are of the class; 0 where nothing was ever labelled.
    """

    sample_ids: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    median_size: npt.NDArray[np.float64]
    largest: npt.NDArray[np.int64]
    histogram: npt.NDArray[np.int64]
    heat: npt.NDArray[np.float64]


def count_components(
    mask: npt.NDArray[Any], num_classes: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Find the connected components (eight neighbours) of every class.

    Args:
        mask: (H, W) class indices; values from ``num_classes`` on are ignored.
        num_classes: C.

    Returns:
        Class of each component and its pixels, both (K,), ordered by class.
    """
    classes, sizes = [np.empty(0, np.intp)], [np.empty(0, np.int64)]
    for index in np.unique(mask):
        if index < num_classes:
            region = np.asarray(mask == index, np.uint8)
            _, _, stats, _ = cv2.connectedComponentsWithStats(region, connectivity=8)
            found = np.asarray(stats[1:, cv2.CC_STAT_AREA], np.int64)
            classes.append(np.full(len(found), int(index), np.intp))
            sizes.append(found)
    return np.concatenate(classes), np.concatenate(sizes)


def locate_classes(
    mask: npt.NDArray[Any], num_classes: int, grid: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Count the pixels of each class in the cells of a grid, each weighing 1 / (H W).

    Args:
        mask: (H, W) class indices; values from ``num_classes`` on are ignored.
        num_classes: C.
        grid: (rows, columns) of the grid.

    Returns:
        (C, rows, columns) float64.
    """
    height, width = mask.shape
    rows = np.arange(height) * grid[0] // height
    columns = np.arange(width) * grid[1] // width
    codes = (rows[:, None] * grid[1] + columns[None, :]) * (num_classes + 1) + np.minimum(
        mask, num_classes
    )
    counted = np.bincount(codes.ravel(), minlength=grid[0] * grid[1] * (num_classes + 1))
    return np.moveaxis(counted.reshape(*grid, num_classes + 1)[..., :num_classes], 2, 0) / (
        height * width
    )


def collect_instances(
    dataset: Dataset,
    split: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    grid: tuple[int, int] = (24, 32),
) -> InstanceStatistics:
    """Read the masks of a split once and describe their components and places.

    Args:
        dataset: The dataset; samples without a mask are left out.
        split: Split; None for all.
        executor: Threads or a cluster client's executor; None for threads, one a core.
        progress: Called as ``progress(done, total, what)``.
        grid: (rows, columns) of the heat maps.

    Returns:
        The description.

    Raises:
        SegcoreError: The split is unknown, or a mask cannot be read.
    """
    samples = [sample for sample in dataset.select(split) if sample.mask is not None]
    c = dataset.label_set.num_classes

    def describe(
        sample: Sample,
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        mask = dataset.read_mask(sample)
        return (*count_components(mask, c), locate_classes(mask, c, grid))

    counts, heat = np.zeros((len(samples), c), np.int64), np.zeros((c, *grid))
    classes, sizes = [np.empty(0, np.intp)], [np.empty(0, np.int64)]
    for i, (found, pixels, places) in enumerate(
        scan(describe, samples, executor, progress, "masks described")
    ):
        counts[i] = np.bincount(found, minlength=c)
        heat += places
        classes.append(found)
        sizes.append(pixels)
    of, size = np.concatenate(classes), np.concatenate(sizes)
    by_class = [size[of == index] for index in range(c)]
    labelled = heat.sum(0)
    return InstanceStatistics(
        tuple(sample.id for sample in samples),
        counts,
        np.array([np.median(s) if len(s) else np.nan for s in by_class]),
        np.array([s.max(initial=0) for s in by_class], np.int64),
        np.array([np.histogram(s, SIZE_EDGES)[0] for s in by_class], np.int64).reshape(
            c, len(SIZE_EDGES) - 1
        ),
        np.divide(heat, labelled, out=np.zeros_like(heat), where=labelled > 0),
    )
