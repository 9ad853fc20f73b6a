"""Blocks of neighbouring windows: what is parted between splits lies apart on the ground.

Neighbouring windows of one raster show the same roof, the same field, the same light, so a network
that trained on one is scored too well on the other. Whole blocks are dealt to the splits, and a gap
can be left out between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from segcore.data.dataset.dataset import Sample
from segcore.errors import SegcoreError

WINDOWS_A_BLOCK = (8, 4, 2, 1)
"""Windows along a block's side that are tried, the most first."""

FEWEST_BLOCKS = 24
"""Blocks that a dataset should have at least, so that splits can be balanced."""


@dataclass(frozen=True)
class Blocks:
    """How windows are held together in splits.

    Attributes:
        size: Side of a block in pixels; 0 for that of the import.
        gap: Pixels that must lie between a window of one split and one of another. Windows that
            are nearer are left without a split: those of train before those of validation, never
            those of test.
    """

    size: int = 0
    gap: int = 0

    def __post_init__(self) -> None:
        """Refuse negative numbers.

        Raises:
            SegcoreError: One is.
        """
        if self.size < 0 or self.gap < 0:
            raise SegcoreError(
                f"Expected a block and a gap of 0 pixels or more, received {self.size} and "
                f"{self.gap}: correct them."
            )


def scene_of(sample: Sample) -> str:
    """Return the name of the raster that a window is a part of; "" for a sample that is none."""
    return "" if sample.window is None else sample.id.rpartition("/")[0]


def block_name(scene: str, corner: tuple[int, int], size: int) -> str:
    """Return the name of the block of a window whose first pixel is (row, column)."""
    return f"{scene}/block {corner[0] // size}_{corner[1] // size}"


def choose_block_size(corners: Mapping[str, Sequence[tuple[int, int]]], step: int) -> int:
    """Return the side of a block in pixels that leaves enough blocks to deal.

    Args:
        corners: (row, column) of the first pixel of each window, by scene.
        step: Pixels from one window to the next.
    """
    for windows in WINDOWS_A_BLOCK:
        size = windows * step
        blocks = {
            block_name(scene, corner, size) for scene, own in corners.items() for corner in own
        }
        if len(blocks) >= FEWEST_BLOCKS:
            return size
    return step * WINDOWS_A_BLOCK[-1]


def groups_by_block(samples: Sequence[Sample], size: int = 0) -> list[str]:
    """Return the block of each sample: the recorded one, or the one of another size.

    A whole image is a block of its own.

    Raises:
        SegcoreError: No sample is a window of a raster.
    """
    if all(sample.window is None for sample in samples):
        raise SegcoreError(
            "Expected windows of rasters to split by blocks, received whole images: choose "
            "another method, or import the rasters by windows (--windows 512)."
        )
    names = []
    for sample in samples:
        if sample.window is None:
            names.append(sample.id)
        elif size:
            names.append(block_name(scene_of(sample), sample.window, size))
        else:
            names.append(sample.group)
    return names


def neighbouring(samples: Sequence[Sample], gap: int = 0) -> npt.NDArray[np.intp]:
    """Return the pairs of windows of one raster that touch, overlap or lie less than a gap apart.

    Args:
        samples: The samples; those that are no windows have no neighbours.
        gap: Pixels; 0 for windows that touch or overlap.

    Returns:
        (P, 2) positions, the lower first.
    """
    by_image: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        if sample.window is not None:
            by_image.setdefault(sample.image, []).append(index)
    found = [np.empty((0, 2), np.intp)]
    for own in by_image.values():
        rows = [(*(samples[i].window or ()), samples[i].height, samples[i].width) for i in own]
        boxes = np.array(rows, float).reshape(-1, 4)
        middles, halves = boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:] / 2
        reach = 2 * halves.max() + gap
        near = scipy.spatial.cKDTree(middles).query_pairs(reach, p=np.inf, output_type="ndarray")
        if not len(near):
            continue
        one, other = near.T
        apart = np.abs(middles[one] - middles[other]) - halves[one] - halves[other]
        close = (apart < gap).all(1) if gap else (apart <= 0).all(1)
        found.append(np.sort(np.array(own, np.intp)[near[close]], axis=1))
    return np.concatenate(found)


def without_gap(samples: Sequence[Sample], splits: Mapping[str, str], gap: int) -> dict[str, str]:
    """Return splits without the windows that lie less than a gap from another split's.

    Args:
        samples: The samples.
        splits: Sample id to split.
        gap: As :attr:`Blocks.gap`; 0 leaves nothing out.

    Returns:
        Sample id to split; what is left out is absent.
    """
    kept = dict(splits)
    if not gap:
        return kept
    pairs = neighbouring(samples, gap)
    for yields in (
        "train",
        "validation",
        *sorted(set(splits.values()) - {"train", "validation", "test"}),
    ):
        for i, j in pairs.tolist():
            one, other = kept.get(samples[i].id), kept.get(samples[j].id)
            if one is None or other is None or one == other or yields not in (one, other):
                continue
            del kept[samples[i].id if one == yields else samples[j].id]
    return kept
