"""What a CRF fixed and what it broke, by class and by distance to the nearest true boundary."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

Mask = npt.NDArray[np.integer]

OUTCOMES = ("right", "fixed", "broken", "wrong")
"""Correct before and after; wrong, then correct; correct, then wrong; wrong before and after."""

DISTANCES = (1.5, 3.0, 6.0, 12.0, 24.0)
"""Upper ends of the bands in pixels, the last band open."""


def count_changes(
    true: Mask,
    before: Mask,
    after: Mask,
    distance: npt.NDArray[np.floating],
    num_classes: int,
    bands: Sequence[float] = DISTANCES,
) -> npt.NDArray[np.int64]:
    """Count one image's pixels by band of distance, true class and outcome.

    Args:
        true: (H, W) integer indices; values of ``num_classes`` and above are ignored.
        before: (H, W) integer indices, the prediction without the CRF.
        after: (H, W) integer indices, the prediction with it.
        distance: (H, W) distance of each pixel to the nearest true boundary in pixels; infinite
            where there is none.
        num_classes: C.
        bands: Ascending upper ends of the bands in pixels; B of them make B + 1 bands.

    Returns:
        (B + 1, C, 4) int64 pixels, [band, true class, outcome], outcomes in the order of
        ``OUTCOMES``.

    Raises:
        SegcoreError: The masks are of different sizes.
    """
    shapes = [a.shape for a in (true, before, after, distance)]
    if len(set(shapes)) != 1:
        raise SegcoreError(
            f"Expected masks and distances of one size, received {shapes}: resize the masks first."
        )
    scored = true < num_classes
    band = np.searchsorted(np.asarray(bands, np.float64), distance[scored])
    truth = true[scored].astype(np.int64)
    was_right, is_right = before[scored] == truth, after[scored] == truth
    outcome = np.where(was_right, np.where(is_right, 0, 2), np.where(is_right, 1, 3))
    shape = (len(bands) + 1, num_classes, len(OUTCOMES))
    return (
        np.bincount(
            np.ravel_multi_index((band, truth, outcome), shape), minlength=int(np.prod(shape))
        )
        .reshape(shape)
        .astype(np.int64)
    )
