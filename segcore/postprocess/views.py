"""Test-time augmentation: the same image seen several ways, the answers turned back and averaged.

    p(x) = 1/V sum_v  v^-1( f( v(x) ) )

For a network that is equivariant to the views, f(v(x)) = v(f(x)), the mean is what one look gives.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.catalog import TEST_TIME_AUGMENTATIONS
from segcore.errors import unknown

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class View:
    """One view of an image: mirrored first, then turned; the scale is for who resizes.

    Attributes:
        turns: Quarter turns against the clock, 0 to 3.
        mirrored: Whether left and right change places.
        scale: Factor of height and width.
    """

    turns: int = 0
    mirrored: bool = False
    scale: float = 1.0

    def apply(self, image: Array) -> Array:
        """Return the image (H, W, D) in this view; (W, H, D) after an odd number of turns."""
        if self.mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(np.rot90(image, self.turns))

    def undo(self, answer: Array) -> Array:
        """Turn an answer back; the inverse of :meth:`apply`."""
        answer = np.rot90(answer, -self.turns)
        return np.ascontiguousarray(answer[:, ::-1] if self.mirrored else answer)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) that an image of ``size`` has when so seen, without the scale."""
        return (size[1], size[0]) if self.turns % 2 else size

    def scaled(self, size: tuple[int, int]) -> tuple[int, int]:
        """``size`` times the scale, at least 1 x 1."""
        return (max(1, round(size[0] * self.scale)), max(1, round(size[1] * self.scale)))


VIEWS: dict[str, tuple[View, ...]] = {
    "none": (View(),),
    "flip": (View(), View(mirrored=True)),
    "flips": (View(), View(mirrored=True), View(2), View(2, mirrored=True)),
    "turns": tuple(View(turns, mirrored) for mirrored in (False, True) for turns in range(4)),
    "scales": (View(), View(scale=0.75), View(scale=1.25)),
}
"""The views of each name in ``catalog.TEST_TIME_AUGMENTATIONS``."""


def views_of(name: str) -> tuple[View, ...]:
    """Return the views of a test-time augmentation.

    Raises:
        SegcoreError: The name is unknown.
    """
    if name not in VIEWS:
        raise unknown("test-time augmentation", name, TEST_TIME_AUGMENTATIONS)
    return VIEWS[name]
