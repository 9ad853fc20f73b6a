"""Crops of a sample: anywhere, around a chosen class, or away from ignored pixels.

When nearly every image contains every class, oversampling cannot balance the pixels; windows
round rare classes can.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.windows import Window
from segcore.errors import SegcoreError, unknown

TRIES = 10
"""Windows that the void-aware crop compares."""


def _random(
    mask: npt.NDArray[Any], size: tuple[int, int], ignore_index: int, rng: np.random.Generator
) -> Window:
    height, width = mask.shape
    return Window(
        int(rng.integers(height - size[0] + 1)), int(rng.integers(width - size[1] + 1)), *size
    )


def _least_void(
    mask: npt.NDArray[Any], size: tuple[int, int], ignore_index: int, rng: np.random.Generator
) -> Window:
    windows = [_random(mask, size, ignore_index, rng) for _ in range(TRIES)]
    void = [float((window.cut(mask) == ignore_index).mean()) for window in windows]
    return next(
        (w for w, v in zip(windows, void, strict=True) if v <= 0.25), windows[int(np.argmin(void))]
    )


def _round_class(
    mask: npt.NDArray[Any],
    size: tuple[int, int],
    ignore_index: int,
    rng: np.random.Generator,
    weights: npt.NDArray[np.floating] | None = None,
) -> Window:
    present = np.unique(mask)
    present = present[present != ignore_index]
    if weights is not None:
        present = present[weights[present] > 0]
    if not len(present):
        return _random(mask, size, ignore_index, rng)
    chances = None if weights is None else weights[present] / weights[present].sum()
    pixels = np.flatnonzero(mask == rng.choice(present, p=chances))
    row, column = divmod(int(pixels[rng.integers(len(pixels))]), mask.shape[1])
    top, left = row - int(rng.integers(size[0])), column - int(rng.integers(size[1]))
    return Window(
        min(max(top, 0), mask.shape[0] - size[0]), min(max(left, 0), mask.shape[1] - size[1]), *size
    )


CROPS = {"random": _random, "void": _least_void, "class": _round_class}
"""Kinds of crop.

Anywhere; the first of ten with at most a quarter ignored, else the least; around a pixel of a
drawn class.
"""


def choose_window(
    mask: npt.NDArray[Any],
    size: tuple[int, int],
    ignore_index: int,
    rng: np.random.Generator,
    kind: str = "random",
    class_weights: npt.NDArray[np.floating] | None = None,
) -> Window:
    """Choose where to cut.

    Args:
        mask: (H, W) class indices or ``ignore_index``.
        size: (height, width) of the window; cut down to the mask's where larger.
        ignore_index: The ignored value.
        rng: Source of randomness.
        kind: A name in :data:`CROPS`.
        class_weights: For "class": (C,) relative chance of each class among those that the mask
            holds; None for equal.

    Returns:
        A window inside the mask. For "class" it holds at least one pixel of the drawn class; a mask
        without labelled pixels gives a random window.

    Raises:
        SegcoreError: The kind is unknown, or weights are given to another kind than "class".
    """
    if kind not in CROPS:
        raise unknown("kind of crop", kind, CROPS)
    fitted = (min(size[0], mask.shape[0]), min(size[1], mask.shape[1]))
    if kind == "class":
        return _round_class(mask, fitted, ignore_index, rng, class_weights)
    if class_weights is not None:
        raise SegcoreError(
            "Expected class weights for the crop 'class' only, received them for "
            f"{kind!r}: leave them out."
        )
    return CROPS[kind](mask, fitted, ignore_index, rng)
