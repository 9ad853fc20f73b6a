"""Parameters of the refinements: plain values for configs, apart from code that needs OpenCV."""

import math
from dataclasses import dataclass, replace

from segcore.catalog import MASK_FILTERS
from segcore.errors import SegcoreError, unknown

REFERENCE_DIAGONAL = 600.0
"""Diagonal in pixels (that of 360 x 480) at which relative widths count as they are written."""

_RANGES = {
    "spatial_width": (0.1, 1000.0),
    "spatial_weight": (0.0, 1000.0),
    "bilateral_width": (0.1, 10_000.0),
    "color_width": (0.1, 1000.0),
    "bilateral_weight": (0.0, 1000.0),
    "iterations": (0, 100),
    "temperature": (0.05, 20.0),
    "drop_below": (0.0, 1.0),
}


@dataclass(frozen=True)
class CRFParameters:
    """Parameters of the dense CRF; the defaults are those of pydensecrf's example.

    Attributes:
        spatial_width: theta_gamma, standard deviation in pixels of the smoothness kernel.
        spatial_weight: w2, weight of the smoothness kernel; 0 leaves it out.
        bilateral_width: theta_alpha, standard deviation in pixels of the appearance kernel's
            position.
        color_width: theta_beta, standard deviation of the appearance kernel's colour, in steps of
            0..255.
        bilateral_weight: w1, weight of the appearance kernel; 0 leaves it out.
        iterations: Mean-field steps; 0 returns the (tempered) input.
        relative: Whether both widths in pixels are meant for an image of 600 px diagonal (360 x
            480) and grow with the image's own.
        temperature: T; probabilities are first raised to 1 / T and renormalised, which equals
            softmax(logits / T). Above 1 it softens an over-confident network so that neighbours can
            overrule it.
        drop_below: Classes that reach this probability nowhere in the image are left out of the
            inference and get probability 0: the result is the mean field of the kept classes. The
            most probable class is always kept. 0 keeps all.
    """

    spatial_width: float = 3.0
    spatial_weight: float = 3.0
    bilateral_width: float = 80.0
    color_width: float = 13.0
    bilateral_weight: float = 10.0
    iterations: int = 5
    relative: bool = False
    temperature: float = 1.0
    drop_below: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not (isinstance(value, (int, float)) and low <= value <= high):
                raise SegcoreError(
                    f"Expected the CRF's {name} between {low:g} and {high:g}, received "
                    f"{value!r}: choose a value in that range."
                )
        if self.iterations != int(self.iterations):
            raise SegcoreError(
                f"Expected a whole number of CRF iterations, received {self.iterations!r}: "
                f"take {round(self.iterations)}."
            )

    def for_size(self, height: int, width: int) -> "CRFParameters":
        """Return the same parameters with widths in pixels of an image of this size."""
        if not self.relative:
            return self
        return replace(self.scaled(math.hypot(height, width) / REFERENCE_DIAGONAL), relative=False)

    def scaled(self, factor: float) -> "CRFParameters":
        """Return the parameters for the image resized by ``factor``: only widths change."""
        low = _RANGES["spatial_width"][0]
        return replace(
            self,
            spatial_width=min(max(self.spatial_width * factor, low), _RANGES["spatial_width"][1]),
            bilateral_width=min(
                max(self.bilateral_width * factor, low), _RANGES["bilateral_width"][1]
            ),
        )


DECODINGS = ("rank_dice", "rank_iou")
"""Filters that decode the probabilities by another rule; they have no size."""


@dataclass(frozen=True)
class MaskFilter:
    """One of the plain alternatives with its size.

    Attributes:
        kind: A name in ``catalog.MASK_FILTERS``.
        size: Of "components" the least number of pixels that a region keeps; of the others the odd
            side of the window in pixels. 0 for what decodes the probabilities.
    """

    kind: str
    size: int = 0

    def __post_init__(self) -> None:
        """Refuse an unknown kind and a size that it does not take."""
        if self.kind not in MASK_FILTERS:
            raise unknown("filter", self.kind, MASK_FILTERS)
        if self.kind == "median" and self.size not in (1, 3, 5):
            raise SegcoreError(
                f"Expected a median window of 1, 3 or 5 pixels, received {self.size}: "
                "choose one of these."
            )
        if self.kind == "majority":
            check_width(self.size, 3)
        if self.kind in DECODINGS and self.size != 0:
            raise SegcoreError(
                f"Expected no size for {self.kind!r}, received {self.size}: leave it at 0."
            )
        if self.size < 0:
            raise SegcoreError(f"Expected at least 0 pixels, received {self.size}: change it.")

    def describe(self) -> str:
        """Return its name and size in words."""
        if self.kind in DECODINGS:
            return MASK_FILTERS[self.kind].title
        unit = "px and more stay" if self.kind == "components" else f"x {self.size} px"
        return f"{MASK_FILTERS[self.kind].title}, {self.size} {unit}"


def check_width(width: int, example: int) -> None:
    """Refuse a window that has no middle pixel.

    Raises:
        SegcoreError: The width is even or below 1.
    """
    if width < 1 or width % 2 == 0:
        raise SegcoreError(
            f"Expected an odd window width of at least 1 pixel, received {width}: take "
            f"{example} or {width + 1}."
        )
