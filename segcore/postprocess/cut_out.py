"""An object cut out of its surroundings by GrabCut, from a line around it.

Rother, Kolmogorov, Blake: "GrabCut": Interactive foreground extraction using iterated graph cuts,
SIGGRAPH 2004, as OpenCV implements it: two mixtures of five Gaussians, of the object and of what
surrounds it, and a minimum cut, in turn. What lies outside the line is surroundings for certain.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

ITERATIONS = 5
MAX_PIXELS = 480 * 360
"""Larger images are cut at this size; the outline is enlarged."""

LEAST = 16
"""Pixels that each side of the cut needs: fewer have no colours to speak of."""


def cut_out(
    image: npt.NDArray[np.uint8], around: Sequence[tuple[float, float]]
) -> npt.NDArray[np.bool_]:
    """Find the object inside a line.

    Args:
        image: (H, W, 3) uint8 RGB, the object with some of its surroundings.
        around: Corners of a closed line around the object, (x, y) in pixels; three or more.

    Returns:
        (H, W) bool, the object; nothing outside the line.

    Raises:
        SegcoreError: The line encloses almost nothing, almost all of the image, or nothing that
            differs from what surrounds it.
    """
    height, width = image.shape[:2]
    ratio = min(1.0, (MAX_PIXELS / (height * width)) ** 0.5)
    small = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    corners = np.asarray(around, np.float64).reshape(-1, 2)
    inside = _filled(corners * [small[0] / width, small[1] / height], small)
    if min(inside.sum(), (~inside).sum()) < LEAST:
        raise SegcoreError(
            "Expected a line around an object with some of what surrounds it, received one around "
            "almost nothing or almost everything: draw it again, or zoom out."
        )
    shown = image if ratio == 1 else cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    cv2.setRNGSeed(0)  # the same line gives the same object
    whole: Any = None  # OpenCV takes the start from the labels; its stubs want a box
    try:
        cv2.grabCut(
            np.ascontiguousarray(shown[..., ::-1]),
            labels,
            whole,
            np.zeros((1, 65)),
            np.zeros((1, 65)),
            ITERATIONS,
            cv2.GC_INIT_WITH_MASK,
        )
    except cv2.error:  # the inside holds too few colours for a mixture
        labels[:] = cv2.GC_BGD
    cut = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    if ratio < 1:
        cut = cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR)
    found = (cut >= 0.5) & _filled(corners, (width, height))
    if not found.any():
        raise SegcoreError(
            "Expected an object that differs in colour from its surroundings, found none inside "
            "the line: draw it by hand."
        )
    return found


def _filled(corners: npt.NDArray[np.float64], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The inside of a polygon at (width, height)."""
    plane = np.zeros(size[::-1], np.uint8)
    if len(corners) < 3:
        return plane.astype(bool)
    cv2.fillPoly(plane, [np.rint(corners - 0.5).astype(np.int32)], 1)
    return plane.astype(bool)
