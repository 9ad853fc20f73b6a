"""Pixel shares in crops around rare classes, measured on the masks themselves."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.crops import choose_window
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.scanning import Progress, scan
from segcore.data.statistics.imbalance import Floats, earth_mover_distance, shares_of
from segcore.errors import SegcoreError

WINDOWS = 4
MOST = 200
"""Masks read at most, spread over the split: shares are right to about one per cent."""


@dataclass(frozen=True)
class CropShares:
    """Shares of the labelled pixels in windows.

    Attributes:
        whole: (C,) of the whole masks that were read.
        anywhere: (C,) in windows anywhere.
        round_class: (C,) in windows round a pixel of a class that is drawn, each class of the mask
            as likely.
        masks: Masks read.
    """

    whole: Floats
    anywhere: Floats
    round_class: Floats
    masks: int

    def distances(self) -> dict[str, float]:
        """Total variation from equal shares, 0..1: ``whole``, ``anywhere``, ``round_class``."""
        return {
            name: earth_mover_distance(getattr(self, name))
            for name in ("whole", "anywhere", "round_class")
        }


def balanced_from(crops: Mapping[float, CropShares]) -> float | None:
    """Return the largest crop from which on class-centred crops balance the pixels.

    They do where their distance is below that of whole images and of crops anywhere.

    Args:
        crops: Shares by side of the window over that of the mask.

    Returns:
        A side for which, and for all smaller ones, this holds; None where even the smallest fails.
    """
    best = None
    for side in sorted(crops):
        reached = crops[side].distances()
        if reached["round_class"] >= min(reached["whole"], reached["anywhere"]):
            break
        best = side
    return best


def measure_crops(
    dataset: Dataset,
    split: str | None,
    share: float = 0.5,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> CropShares:
    """Draw windows in the masks of a split and count the classes in them.

    Args:
        dataset: The dataset.
        split: Its split; None for all.
        share: Side of a window over that of the mask, above 0, at most 1.
        seed: Seed of the draws, one stream a mask.
        executor: As :func:`segcore.data.files.scanning.scan`.
        progress: Called with (done, total, what).

    Returns:
        The shares, over :data:`WINDOWS` windows a mask in at most :data:`MOST` masks.

    Raises:
        SegcoreError: The share is out of range, the split is unknown or has no masks, or one cannot
            be read.
    """
    if not 0 < share <= 1:
        raise SegcoreError(
            "Expected a window of more than 0 and at most 1 of the mask, received "
            f"{share}: choose 0.5, say."
        )
    labelled = [sample for sample in dataset.select(split) if sample.mask is not None]
    if not labelled:
        raise SegcoreError("Expected a split with masks, received one without: choose another.")
    chosen = [labelled[i] for i in np.unique(np.linspace(0, len(labelled) - 1, MOST).astype(int))]
    work = list(enumerate(chosen))
    counts = np.zeros((3, dataset.label_set.num_classes), np.int64)
    for found in scan(partial(_count, dataset, share, seed), work, executor, progress, "windows"):
        counts += found
    whole, anywhere, round_class = (shares_of(row) for row in counts)
    return CropShares(whole, anywhere, round_class, len(chosen))


def _count(
    dataset: Dataset, share: float, seed: int, numbered: tuple[int, Sample]
) -> npt.NDArray[np.int64]:
    """Pixels of each class, (3, C): whole mask, crops anywhere, crops around a class."""
    number, sample = numbered
    mask, labels = dataset.read_mask(sample), dataset.label_set
    size = (max(1, round(share * mask.shape[0])), max(1, round(share * mask.shape[1])))
    rng = np.random.default_rng((seed, number))
    views = [[mask]]
    for kind in ("random", "class"):
        views.append(
            [
                choose_window(mask, size, labels.ignore_index, rng, kind).cut(mask)
                for _ in range(WINDOWS)
            ]
        )
    return np.array(
        [
            np.bincount(
                np.concatenate([v.ravel() for v in row]), minlength=labels.ignore_index + 1
            )[: labels.num_classes]
            for row in views
        ]
    )
