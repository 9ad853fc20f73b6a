"""Repeats of a balance plan: each copy of a sample gets its own augmentation.

The order of an epoch is drawn from (seed, epoch), the augmentation of the sample at a position of
that order from (seed, epoch, position). So a copy can be looked at before any training, and is the
very one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.transforms import Augmentation, draw
from segcore.data.bands.display import load_display
from segcore.data.dataset.dataset import Dataset
from segcore.data.statistics.band_statistics import learn_bands
from segcore.errors import SegcoreError

PREVIEW_SIDE = 480
"""Longer side of a previewed copy, pixels."""

_ORDER, _DRAW = 1, 2


def epoch_order(count: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Return the order in which an epoch takes its samples.

    Args:
        count: N, samples with their copies.
        seed: Seed of the run.
        epoch: Which epoch, from 0.

    Returns:
        (N,) int64, a permutation of 0..N-1.
    """
    return np.random.default_rng((_ORDER, seed, epoch)).permutation(count)


def draw_at(
    preset: str, seed: int, epoch: int, position: int, size: tuple[int, int]
) -> Augmentation:
    """Return the augmentation of the sample at a position of an epoch's order.

    Args:
        preset: A name in ``catalog.AUGMENTATIONS``.
        seed: Seed of the run.
        epoch: Which epoch, from 0.
        position: Place in the order.
        size: (height, width) of what the augmentation returns.

    Raises:
        SegcoreError: The preset is unknown.
    """
    return draw(preset, np.random.default_rng((_DRAW, seed, epoch, position)), size)


def draws_of(
    sample_ids: Sequence[str],
    sample_id: str,
    preset: str,
    seed: int,
    epoch: int,
    size: tuple[int, int],
) -> list[tuple[int, Augmentation]]:
    """Return the augmentations that the copies of one sample get in an epoch.

    Args:
        sample_ids: What the epoch trains on, a repeated id appears several times
            (``BalancePlan.expand``).
        sample_id: The sample to look at.
        preset: A name in ``catalog.AUGMENTATIONS``.
        seed: Seed of the run.
        epoch: Which epoch, from 0.
        size: (height, width) of what the augmentations return.

    Returns:
        (position in the epoch's order, augmentation) of each copy, in the order in which they come.

    Raises:
        SegcoreError: The sample is not among the ids, or the preset is unknown.
    """
    wanted = [i for i, known in enumerate(sample_ids) if known == sample_id]
    if not wanted:
        raise SegcoreError(
            f"Expected a training sample, received {sample_id!r}: choose one of the plan's split."
        )
    positions = np.flatnonzero(np.isin(epoch_order(len(sample_ids), seed, epoch), wanted)).tolist()
    return [(position, draw_at(preset, seed, epoch, position, size)) for position in positions]


@dataclass(frozen=True, eq=False)
class AugmentedCopy:
    """One copy of a sample as training sees it.

    Attributes:
        image: (h, w, 3) uint8 RGB; of bands that keep their values those that are shown.
        mask: (h, w) class indices, or the ignored value.
        parameters: What was drawn, by transform; {} leaves the sample as it is.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[Any]
    parameters: Mapping[str, Mapping[str, Any]]


def preview_copies(
    dataset: Dataset, sample_ids: Sequence[str], sample: str, preset: str, seed: int, epoch: int
) -> list[AugmentedCopy]:
    """Return the copies of one sample as an epoch sees them, no larger than :data:`PREVIEW_SIDE`.

    Args:
        dataset: The dataset.
        sample_ids: As in :func:`draws_of`.
        sample: Id of the sample.
        preset: A name in ``catalog.AUGMENTATIONS``.
        seed: Seed of the run.
        epoch: Which epoch, from 0.

    Returns:
        The copies in the order of the epoch.

    Raises:
        SegcoreError: As :func:`draws_of`, or a file cannot be read.
    """
    stored = dataset.sample(sample)
    scale = min(1.0, PREVIEW_SIDE / max(stored.height, stored.width))
    size = (max(1, round(stored.height * scale)), max(1, round(stored.width * scale)))
    bands = learn_bands(dataset, stored.split or None)
    mask = dataset.read_mask(stored)
    image = dataset.read_image(stored) if bands is None else bands.fill(dataset.read_values(stored))
    copies = []
    for _, drawn in draws_of(sample_ids, sample, preset, seed, epoch, size):
        seen, labels = drawn.apply(image, mask, dataset.label_set.ignore_index, bands)
        seen = seen if bands is None else load_display(dataset.folder).show(seen)
        copies.append(AugmentedCopy(seen, labels, drawn.parameters))
    return copies
