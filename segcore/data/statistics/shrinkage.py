"""Classes that disappear where masks are resized: thin or small ones, few pixels of which remain.

Pixel counts alone cannot tell: whether a wire of one pixel is hit depends on where it lies. So some
masks are resized as training resizes them, and what remains of each class is counted.
"""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.masks import resize_mask
from segcore.data.statistics.statistics import ClassStatistics
from segcore.errors import SegcoreError
from segcore.labels import LabelMap

MASKS_A_CLASS = 6
MAX_MASKS = 48
MAX_PIXELS = 64_000_000
"""So many pixels are decoded at most, whatever the masks' size: below a second."""
FEW_PIXELS = 4
"""A class with fewer pixels in the median mask has nearly disappeared."""


@dataclass(frozen=True)
class Shrinkage:
    """What resizing leaves of a class.

    Attributes:
        name: The class, after any merge.
        masks: Masks that were resized and hold it.
        without: Those of them that no longer hold it.
        pixels: Median of its pixels in a resized mask.
    """

    name: str
    masks: int
    without: int
    pixels: float

    @property
    def is_gone(self) -> bool:
        """Whether no mask that was resized holds the class any more."""
        return self.without == self.masks


def find_shrunken(
    dataset: Dataset,
    counted: ClassStatistics,
    size: tuple[int, int],
    label_map: LabelMap | None = None,
) -> list[Shrinkage]:
    """Return the classes of which resizing leaves nothing, or next to nothing.

    That is: no pixel in at least half of the masks that hold the class, or fewer than
    :data:`FEW_PIXELS` pixels in the median mask. Up to :data:`MASKS_A_CLASS` masks of each class
    are resized, spread over the samples; classes too large for this to happen are not tried. A
    mask that cannot be read is left out.

    Args:
        dataset: The dataset.
        counted: Its counts, of the samples to choose from.
        size: (height, width) that the masks are resized to.
        label_map: Merge of labels; None for none.

    Returns:
        In the order of the classes.
    """
    label_map = label_map or LabelMap.identity(dataset.label_set.num_classes)
    samples = [dataset.sample(name) for name in counted.sample_ids]
    areas = np.array([sample.height * sample.width for sample in samples], np.float64)
    shares = np.minimum(size[0] * size[1] / areas, 1.0)
    before = np.stack([counted.counts[:, list(group)].sum(1) for group in label_map.groups], 1)
    after = np.full(before.shape, -1, np.int64)
    for row in _choose(before, shares, size, areas):
        with suppress(SegcoreError):
            mask = resize_mask(dataset.read_mask(samples[row]), size)
            merged = label_map.apply(mask, dataset.label_set)
            after[row] = np.bincount(merged.ravel(), minlength=before.shape[1])[: before.shape[1]]
    names = label_map.merge_label_set(dataset.label_set).class_names
    return [
        shrunken
        for name, old, new in zip(names, before.T, after.T, strict=True)
        if (shrunken := _judge(name, old[new >= 0], new[new >= 0])) is not None
    ]


def _choose(
    before: npt.NDArray[np.int64],
    shares: npt.NDArray[np.float64],
    size: tuple[int, int],
    areas: npt.NDArray[np.float64],
) -> list[int]:
    """Return the masks to resize: some of each class that two lines across the result could be.

    Args:
        before: (N, C) pixels of each class in each mask.
        shares: (N,) share of its pixels that a mask keeps.
        size: (height, width) of the result.
        areas: (N,) pixels of each mask.
    """
    lists = []
    for pixels in before.T:
        rows = np.flatnonzero((pixels > 0) & (shares < 1))
        if len(rows) and np.median(pixels[rows] * shares[rows]) < 2 * max(size):
            picks = np.linspace(0, len(rows) - 1, min(MASKS_A_CLASS, len(rows))).round()
            lists.append(rows[picks.astype(int)])
    chosen: dict[int, None] = {}
    decoded = 0.0
    for turn in range(MASKS_A_CLASS):
        for row in (int(rows[turn]) for rows in lists if turn < len(rows)):
            if row in chosen:
                continue
            decoded += areas[row]
            if chosen and (len(chosen) >= MAX_MASKS or decoded > MAX_PIXELS):
                return list(chosen)
            chosen[row] = None
    return list(chosen)


def _judge(
    name: str, before: npt.NDArray[np.int64], after: npt.NDArray[np.int64]
) -> Shrinkage | None:
    """Say what is left of a class; None where enough is.

    Args:
        name: The class.
        before: (n,) its pixels in each mask that was resized.
        after: (n,) its pixels there afterwards.
    """
    held = before > 0
    if not held.any():
        return None
    old, new = before[held], after[held]
    without, median = int((new == 0).sum()), float(np.median(new))
    few = 2 * without >= len(new) or (median < FEW_PIXELS and 2 * median < np.median(old))
    return Shrinkage(name, len(new), without, median) if few else None
