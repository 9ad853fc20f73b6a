"""Soft targets moved as the image is: the same draw, at the resolution at which they are stored."""

from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.geometry import warp, warp_planes, window_matrix
from segcore.data.augmentation.transforms import Augmentation

Planes = npt.NDArray[np.float32]


def move_targets(
    draw: Augmentation, targets: Planes, mask: npt.NDArray[Any], ignore_index: int
) -> Planes:
    """Apply the moves and holes of a draw to class maps; its colours do not concern them.

    Args:
        draw: What is applied to the image.
        targets: (C, h, w) float32 probabilities of the whole sample on any grid.
        mask: (H, W) the sample's own mask, of which a crop chooses its window.
        ignore_index: The ignored value.

    Returns:
        (C, *draw.size) float32 that sums to 1 over classes; all 0 where the draw shows nothing of
        the sample: outside it, and in holes.
    """
    matrix, bend = draw.matrix(mask, ignore_index), draw.bend()
    height, width = targets.shape[1:]
    onto_grid = window_matrix(0, 0, height, width, (mask.shape[0], mask.shape[1]))
    moved = warp_planes(targets, onto_grid @ matrix, draw.size, bend)
    frame = np.ones((*mask.shape, 1), np.uint8)
    _, inside = warp(frame, frame[..., 0], matrix, draw.size, 0, bend)
    for hole in draw.holes():
        hole.cut(inside)[:] = 0
    total = moved.sum(axis=0)
    return moved * (inside / np.where(total > 0, total, 1)).astype(np.float32)
