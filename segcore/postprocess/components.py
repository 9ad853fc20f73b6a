"""Plain alternatives to the CRF: remove small components, smooth by median or majority, decode."""

import cv2
import numpy as np
import numpy.typing as npt
import scipy

from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import normalise
from segcore.postprocess.parameters import DECODINGS, MaskFilter, check_width
from segcore.postprocess.rank_decoding import rank_decode

FloatArray = npt.NDArray[np.float32]
Mask = npt.NDArray[np.integer]

_MAX_ROUNDS = 20


def apply_filter(chosen: MaskFilter, probabilities: FloatArray) -> npt.NDArray[np.integer]:
    """Return the filtered prediction, (H, W, C) float32 probabilities to (H, W) integer indices."""
    if chosen.kind in DECODINGS:
        return rank_decode(probabilities, chosen.kind.removeprefix("rank_"))
    if chosen.kind == "median":
        return median_filter(probabilities, chosen.size).argmax(axis=-1)
    winner = probabilities.argmax(axis=-1)
    return (
        remove_small_components(winner, chosen.size)
        if chosen.kind == "components"
        else majority_filter(winner, chosen.size)
    )


def small_components(mask: Mask, min_pixels: int) -> npt.NDArray[np.bool_]:
    """Find the pixels of components that are too small.

    Args:
        mask: (H, W) integer class indices.
        min_pixels: Least size of a component: 8-connected pixels of one class.

    Returns:
        (H, W) bool.

    Raises:
        SegcoreError: The number of pixels is negative, or the mask has other axes.
    """
    if mask.ndim != 2 or min_pixels < 0:
        raise SegcoreError(
            f"Expected a mask (height, width) and at least 0 pixels, received {mask.shape} "
            f"and {min_pixels}: change them."
        )
    small = np.zeros(mask.shape, bool)
    for index in np.unique(mask):
        _, labels, statistics, _ = cv2.connectedComponentsWithStats(
            (mask == index).astype(np.uint8), connectivity=8
        )
        lost = statistics[:, cv2.CC_STAT_AREA] < min_pixels
        lost[0] = False  # the background of this class
        small |= lost[labels]
    return small


def remove_small_components(mask: Mask, min_pixels: int) -> Mask:
    """Give the pixels of small components to the nearest component that is large enough.

    Args:
        mask: (H, W) integer class indices.
        min_pixels: As in :func:`small_components`; 0 or 1 changes nothing.

    Returns:
        (H, W), dtype of ``mask``, a copy; no new class, and no small component unless every
        component is small (then unchanged).

    Raises:
        SegcoreError: As :func:`small_components`.
    """
    filled = mask.copy()
    for _ in range(
        _MAX_ROUNDS
    ):  # filling can leave a fragment where the nearest pixel changes; one or two rounds suffice
        small = small_components(filled, min_pixels)
        if not small.any() or small.all():
            break
        rows, columns = scipy.ndimage.distance_transform_edt(
            small, return_distances=False, return_indices=True
        )
        filled = filled[rows, columns]
    return filled


def majority_filter(mask: Mask, width: int) -> Mask:
    """Give each pixel the class that most pixels of its window have; it keeps its own in a tie.

    Args:
        mask: (H, W) integer class indices.
        width: Odd side of the square window in pixels; 1 changes nothing. Windows end at the border
            of the image.

    Returns:
        (H, W), dtype of ``mask``.

    Raises:
        SegcoreError: The width is even or not positive.
    """
    check_width(width, 3)
    best = np.zeros(mask.shape, np.float32)
    result = mask.copy()
    for index in np.unique(mask):
        own = (mask == index).astype(np.float32)
        votes = cv2.boxFilter(
            own, cv2.CV_32F, (width, width), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        votes = np.rint(votes) + 0.5 * own
        better = votes > best
        result[better] = index
        np.maximum(best, votes, out=best)
    return result


def median_filter(probabilities: FloatArray, width: int) -> FloatArray:
    """Take the median of each class's probability over a window, and renormalise.

    Args:
        probabilities: (H, W, C) float32, 0..1, rows sum to 1.
        width: Side of the square window in pixels: 1, 3 or 5; the border is repeated outwards.

    Returns:
        (H, W, C) float32, 0..1, rows sum to 1.

    Raises:
        SegcoreError: The width is another.
    """
    if width not in (1, 3, 5):
        raise SegcoreError(
            f"Expected a median window of 1, 3 or 5 pixels, received {width}: choose one "
            "of these, or the majority filter."
        )
    out = np.array(probabilities, np.float32)
    if width == 1:
        return out
    for c in range(out.shape[2]):
        out[..., c] = cv2.medianBlur(np.ascontiguousarray(probabilities[..., c], np.float32), width)
    lost = (
        out.sum(axis=-1) <= 0
    )  # every class may have a median of 0: such pixels stay as they were
    out[lost] = probabilities[lost]
    return normalise(out)
