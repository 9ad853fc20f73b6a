"""Augmentation: parameters are drawn once, and the same draw is applied to image and mask.

``draw`` makes an :class:`Augmentation`; applying it again gives the same arrays again. All moves of
one draw are joined to a single sampling. A mask gains no class: it is sampled at the nearest pixel,
and what comes from outside the source, or is cut out, is ignored. MixUp has no form for hard masks
and is left out; :func:`cut_mix` pastes a rectangle of another sample with its labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.band_changes import change_bands
from segcore.data.augmentation.crops import choose_window
from segcore.data.augmentation.geometry import MOVES, centre, elastic_field, warp, window_matrix
from segcore.data.augmentation.photometry import PIXEL_CHANGES
from segcore.data.bands.learned import LearnedBands
from segcore.data.files.windows import Window
from segcore.errors import SegcoreError, unknown

Image = npt.NDArray[Any]
"""(H, W, 3) uint8 RGB, or (H, W, N) float32 of bands that keep their values."""

Mask = npt.NDArray[Any]
Ranges = Mapping[str, tuple[float, float]]
Preset = Mapping[str, tuple[float, Ranges]]
"""Transform name -> (probability 0..1, parameter ranges that differ from :data:`TRANSFORMS`)."""

_SEED: tuple[float, float] = (0, 2**31)
_CROPS = {"crop": "random", "class_crop": "class", "void_crop": "void"}

TRANSFORMS: dict[str, Ranges] = {
    "crop": {"share": (0.5, 1.0), "seed": _SEED},
    "class_crop": {"share": (0.4, 0.8), "seed": _SEED},
    "void_crop": {"share": (0.5, 1.0), "seed": _SEED},
    "flip_horizontal": {},
    "flip_vertical": {},
    "quarter_turn": {"turns": (0, 4)},
    "affine": {
        "rotate": (-30, 30),
        "scale": (0.7, 1.4),
        "shift_x": (-0.1, 0.1),
        "shift_y": (-0.1, 0.1),
        "shear": (-10, 10),
    },
    "perspective": {"strength": (0.02, 0.1), "seed": _SEED},
    "elastic": {"strength": (0.005, 0.02), "cells": (4, 8), "seed": _SEED},
    "cutout": {"holes": (1, 4), "share": (0.1, 0.3), "seed": _SEED},
    "blur": {"sigma": (0.3, 1.5)},
    "clahe": {"clip": (1.0, 3.0)},
    "color": {"hue": (-20, 20), "saturation": (0.6, 1.4)},
    "tone": {"brightness": (-0.15, 0.15), "contrast": (0.75, 1.3), "gamma": (0.75, 1.35)},
    "noise": {"sigma": (2, 12), "seed": _SEED},
    "jpeg": {"quality": (35, 90)},
}
"""Every transform and the ranges that its parameters are drawn from, evenly."""

_SOFT_TONE: Ranges = {"brightness": (-0.08, 0.08), "contrast": (0.88, 1.12), "gamma": (0.9, 1.12)}
_UPRIGHT: Ranges = {
    "rotate": (-4, 4),
    "shear": (-2, 2),
    "shift_x": (-0.05, 0.05),
    "shift_y": (-0.05, 0.05),
}

PRESETS: dict[str, Preset] = {
    "none": {},
    "light": {
        "flip_horizontal": (0.5, {}),
        "affine": (0.7, {**_UPRIGHT, "scale": (0.9, 1.15)}),
        "tone": (0.7, _SOFT_TONE),
    },
    "strong": {
        "void_crop": (0.3, {}),
        "flip_horizontal": (0.5, {}),
        "affine": (0.9, {}),
        "perspective": (0.2, {}),
        "elastic": (0.2, {}),
        "cutout": (0.2, {}),
        "blur": (0.15, {}),
        "clahe": (0.1, {}),
        "color": (0.5, {}),
        "tone": (0.9, {}),
        "noise": (0.25, {}),
        "jpeg": (0.15, {}),
    },
    "aerial": {
        "flip_horizontal": (0.5, {}),
        "quarter_turn": (1.0, {}),
        "affine": (0.6, {"rotate": (-20, 20), "scale": (0.85, 1.25), "shear": (-4, 4)}),
        "color": (0.4, {"hue": (-8, 8), "saturation": (0.8, 1.2)}),
        "tone": (0.8, _SOFT_TONE),
    },
    "road": {
        "class_crop": (0.3, {}),
        "flip_horizontal": (0.5, {}),
        "affine": (0.8, {**_UPRIGHT, "scale": (0.75, 1.5)}),
        "perspective": (0.2, {"strength": (0.01, 0.05)}),
        "blur": (0.1, {"sigma": (0.3, 1.0)}),
        "color": (0.4, {"hue": (-10, 10), "saturation": (0.7, 1.3)}),
        "tone": (0.9, {}),
        "noise": (0.15, {"sigma": (2, 8)}),
        "jpeg": (0.15, {}),
    },
}
"""The presets of ``catalog.AUGMENTATIONS``."""


@dataclass(frozen=True)
class Augmentation:
    """One draw.

    Attributes:
        size: (height, width) of what :meth:`apply` returns.
        parameters: Transform name -> its drawn parameters; only those that take part, in the order
            of :data:`TRANSFORMS`.
    """

    size: tuple[int, int]
    parameters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def apply(
        self, image: Image, mask: Mask, ignore_index: int, bands: LearnedBands | None = None
    ) -> tuple[Image, Mask]:
        """Apply the draw to an image and its mask.

        Args:
            image: (H, W, 3) uint8 RGB, or (H, W, N) float32 of ``bands``; not changed.
            mask: (H, W) class indices, uint8 or uint16; not changed.
            ignore_index: The ignored value.
            bands: The channels, where they keep their values; None for a picture.

        Returns:
            Image (h, w, ...) and mask (h, w) of the same dtypes, with (h, w) = :attr:`size`.
            Where nothing changes, the arrays that were given.

        Raises:
            SegcoreError: Image and mask differ in size, or are of another dtype.
        """
        if (
            image.shape[:2] != mask.shape
            or image.dtype != (np.uint8 if bands is None else np.float32)
            or mask.dtype not in (np.uint8, np.uint16)
        ):
            raise SegcoreError(
                f"Expected an image (H, W, {'3) uint8' if bands is None else 'N) float32'} and a mask (H, W) uint8 or uint16, "
                f"received {image.shape} {image.dtype} and "
                f"{mask.shape} {mask.dtype}: convert them."
            )
        drawn = self.parameters
        matrix, bend = self.matrix(mask, ignore_index), self.bend()
        image, mask = warp(image, mask, matrix, self.size, ignore_index, bend)
        if "cutout" in drawn:
            image, mask = _cut_out(image, mask, self.holes(), ignore_index)
        if bands is not None:
            return change_bands(image, drawn, bands), mask
        for name, change in PIXEL_CHANGES.items():
            if name in drawn:
                image = change(image, drawn[name])
        return image, mask

    def matrix(self, mask: Mask, ignore_index: int) -> npt.NDArray[np.float64]:
        """Return all moves but the bend as one matrix, from result pixels to those of the mask."""
        window = self.window(mask, ignore_index) or Window(0, 0, *mask.shape)
        moves = np.eye(3)
        for name, move in MOVES.items():
            if name in self.parameters:
                moves = move(self.parameters[name], self.size) @ moves
        middle = centre(self.size)
        enlarge = window_matrix(window.top, window.left, window.height, window.width, self.size)
        return enlarge @ np.linalg.inv(middle) @ moves @ middle

    def bend(self) -> npt.NDArray[np.float32] | None:
        """Return the elastic displacement (h, w, 2) in result pixels; None for none."""
        drawn = self.parameters
        return elastic_field(drawn["elastic"], self.size) if "elastic" in drawn else None

    def holes(self) -> list[Window]:
        """Return the rectangles of the result that are cut out."""
        if "cutout" not in self.parameters:
            return []
        parameters = self.parameters["cutout"]
        rng, (height, width) = np.random.default_rng(int(parameters["seed"])), self.size
        h, w = (max(1, round(side * parameters["share"])) for side in self.size)
        return [
            Window(int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w)
            for _ in range(int(parameters["holes"]))
        ]

    @property
    def crops(self) -> bool:
        """Whether a crop takes part."""
        return not _CROPS.keys().isdisjoint(self.parameters)

    def window(self, mask: Mask, ignore_index: int) -> Window | None:
        """Return the crop window for a sample with this mask, (H, W); None without a crop."""
        for name, kind in _CROPS.items():
            if name in self.parameters:
                share, seed = self.parameters[name]["share"], int(self.parameters[name]["seed"])
                size = (max(1, round(mask.shape[0] * share)), max(1, round(mask.shape[1] * share)))
                return choose_window(mask, size, ignore_index, np.random.default_rng(seed), kind)
        return None

    def without_crop(self) -> "Augmentation":
        """Return the same draw without its crop, for what has been cut already."""
        return Augmentation(
            self.size,
            {name: values for name, values in self.parameters.items() if name not in _CROPS},
        )

    def to_json(self) -> dict[str, Any]:
        """Return ``{"size", "parameters"}``, ready for JSON."""
        return {
            "size": list(self.size),
            "parameters": {name: dict(values) for name, values in self.parameters.items()},
        }


def draw(preset: str | Preset, rng: np.random.Generator, size: tuple[int, int]) -> Augmentation:
    """Draw one augmentation.

    Args:
        preset: A name in :data:`PRESETS`, or a table of the same form.
        rng: Source of all randomness.
        size: (height, width) of what it shall return.

    Returns:
        The draw; apply it to an image and its mask.

    Raises:
        SegcoreError: A preset, transform or parameter is unknown, or two crops are asked for.
    """
    if isinstance(preset, str):
        if preset not in PRESETS:
            raise unknown("augmentation", preset, PRESETS)
        preset = PRESETS[preset]
    for name, (_, changed) in preset.items():
        if name not in TRANSFORMS:
            raise unknown("transform", name, TRANSFORMS)
        for key in changed:
            if key not in TRANSFORMS[name]:
                raise unknown(f"parameter of {name}", key, TRANSFORMS[name])
    if len(_CROPS.keys() & preset.keys()) > 1:
        raise SegcoreError(
            "Expected at most one kind of crop, received "
            f"{sorted(_CROPS.keys() & preset.keys())}: leave one."
        )
    drawn: dict[str, dict[str, float]] = {}
    for name, ranges in TRANSFORMS.items():
        if name in preset and rng.random() < preset[name][0]:
            drawn[name] = {
                key: float(rng.uniform(*preset[name][1].get(key, usual)))
                for key, usual in ranges.items()
            }
    return Augmentation((int(size[0]), int(size[1])), drawn)


def _cut_out(
    image: Image, mask: Mask, holes: Sequence[Window], ignore_index: int
) -> tuple[Image, Mask]:
    """Cover rectangles with the mean colour and ignore what was there (DeVries, Taylor, 2017)."""
    image, mask = image.copy(), mask.copy()
    mean = image.mean(axis=(0, 1)).astype(image.dtype)
    for hole in holes:
        hole.cut(image)[:] = mean
        hole.cut(mask)[:] = ignore_index
    return image, mask


def cut_mix(
    first: tuple[Image, Mask],
    second: tuple[Image, Mask],
    rng: np.random.Generator,
    share: tuple[float, float] = (0.2, 0.6),
) -> tuple[Image, Mask]:
    """Paste a rectangle of the second sample, with its labels, into the first (CutMix).

    Yun et al., ICCV 2019.

    Args:
        first: Image (H, W, 3) uint8 or (H, W, N) float32 and mask (H, W), or (H, W, D) with D values a pixel.
        second: The same sizes and dtypes.
        rng: Source of randomness.
        share: Range of the rectangle's share of the area.

    Returns:
        New image and mask; every pixel has the colour and the label of one and the same sample.

    Raises:
        SegcoreError: The samples differ in size.
    """
    if first[0].shape != second[0].shape or first[1].shape != second[1].shape:
        raise SegcoreError(
            f"Expected two samples of the same size, received {first[0].shape} and "
            f"{second[0].shape}: resize one."
        )
    image, mask = first[0].copy(), first[1].copy()
    side = rng.uniform(*share) ** 0.5
    height, width = mask.shape[:2]
    h, w = max(1, round(height * side)), max(1, round(width * side))
    window = Window(int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w)
    window.cut(image)[:] = window.cut(second[0])
    window.cut(mask)[:] = window.cut(second[1])
    return image, mask
