"""What a CRF fixed and what it broke, by class and by distance to the nearest true boundary."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

Mask = npt.NDArray[np.integer]

OUTCOMES = ("right", "fixed", "broken", "wrong")
"""Right before and after; wrong before, right after; right before, wrong after; wrong before and after."""

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
    """Count one image's pixels by band of distance, true class and outcome; add the arrays of several images.

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


@dataclass(frozen=True)
class Change:
    """Gain and loss of some group of pixels.

    Attributes:
        pixels: How many were scored.
        fixed: Share of them that the change set right, 0..1.
        broken: Share of them that it set wrong, 0..1.
    """

    pixels: int
    fixed: float
    broken: float

    @property
    def gain(self) -> float:
        """Change of accuracy, -1..1: fixed less broken."""
        return self.fixed - self.broken


def _changes(counts: npt.NDArray[np.int64]) -> list[Change]:
    totals = counts.sum(axis=1)
    return [
        Change(int(t), float(c[1] / t) if t else 0.0, float(c[2] / t) if t else 0.0)
        for c, t in zip(counts, totals, strict=True)
    ]


def changes_by_class(counts: npt.NDArray[np.int64]) -> list[Change]:
    """Gain and loss of each true class (its recall's change) from :func:`count_changes`; C entries."""
    return _changes(counts.sum(axis=0))


def changes_by_distance(counts: npt.NDArray[np.int64]) -> list[Change]:
    """Gain and loss in each band of distance from :func:`count_changes`; B + 1 entries."""
    return _changes(counts.sum(axis=1))


def verdict(name: str, difference: float, low: float, high: float, level: float = 0.95) -> str:
    """Say in words whether the CRF helps here.

    Args:
        name: The score that was compared ("mean IoU").
        difference: Score with the CRF less the score without, -1..1.
        low: Lower end of the paired interval of the difference.
        high: Upper end.
        level: Level of the interval, 0..1.
    """
    if low > 0:
        word = "helps here"
    elif high < 0:
        word = "harms here"
    else:
        word = "makes no difference here that these images could show"
    interval = f"{100 * low:+.2f} to {100 * high:+.2f}"
    return (
        f"The CRF {word}: {name} changes by {100 * difference:+.2f} points ({100 * level:g} % "
        f"interval {interval})."
    )
