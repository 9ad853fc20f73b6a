"""How good a prediction is near the borders of things: boundary IoU and the trimap curve."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import Mask, count_confusion
from segcore.evaluation.counts.scores import mean_present, ratio

Counts = npt.NDArray[np.int64]


def boundary_distance(height: int, width: int) -> int:
    """Return the usual width of the boundary region, 2 % of the diagonal (Cheng et al. 2021)."""
    return max(1, round(0.02 * float(np.hypot(height, width))))


def _rim(
    inside: npt.NDArray[np.bool_], scored: npt.NDArray[np.bool_], distance: int, edge: bool
) -> npt.NDArray[np.bool_]:
    """Pixels inside a region at most ``distance`` (chessboard) from a scored pixel outside it."""
    solid = (inside | ~scored).astype(np.uint8)
    if edge:
        solid = np.pad(solid, 1)
    if solid.all():
        return np.zeros(inside.shape, bool)
    near = cv2.distanceTransform(solid, cv2.DIST_C, 3) <= distance
    return (near[1:-1, 1:-1] if edge else near) & inside & scored


def count_boundary(
    true: Mask,
    predicted: Mask,
    num_classes: int,
    ignore_index: int,
    distance: int | None = None,
    *,
    image_edge: bool = False,
) -> Counts:
    """Count intersection and union of each class's boundary region; add them up over images.

    The boundary region of a class holds its pixels at most ``distance`` away (chessboard, as in the
    authors' code, which erodes with a 3 x 3 square) from another scored class. Departure from that
    code: the image's edge is no contour unless ``image_edge``, since a scene continues beyond its
    picture; ignored pixels are none either.

    Args:
        true: (H, W) integer indices 0..C-1, or ``ignore_index``.
        predicted: (H, W) integer indices 0..C-1.
        num_classes: C.
        ignore_index: The value that is not scored.
        distance: Width in pixels; :func:`boundary_distance` by default.
        image_edge: Whether the image's edge counts as a contour.

    Returns:
        (C, 2) int64, intersection and union in pixels.

    Raises:
        SegcoreError: Shapes differ, or a distance below 1.
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.shape != predicted.shape or true.ndim != 2:
        raise SegcoreError(
            f"Expected two masks (height, width) of one size, received {true.shape} and "
            f"{predicted.shape}: resize one."
        )
    width = boundary_distance(*true.shape) if distance is None else distance
    if width < 1:
        raise SegcoreError(
            f"Expected a boundary width of at least 1 pixel, received {width}: choose for "
            "example 3."
        )
    scored = true != ignore_index
    counts = np.zeros((num_classes, 2), np.int64)
    for index in range(num_classes):
        own, found = true == index, (predicted == index) & scored
        rows, columns = np.flatnonzero((own | found).any(1)), np.flatnonzero((own | found).any(0))
        if not len(rows):
            continue
        # what lies farther than the width from the class cannot change its rim
        top, left = max(rows[0] - width, 0), max(columns[0] - width, 0)
        view = (slice(top, rows[-1] + width + 1), slice(left, columns[-1] + width + 1))
        first = _rim(own[view], scored[view], width, image_edge)
        second = _rim(found[view], scored[view], width, image_edge)
        counts[index] = np.count_nonzero(first & second), np.count_nonzero(first | second)
    return counts


def boundary_iou(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Intersection over union of boundary regions (Cheng et al., CVPR 2021).

    Args:
        counts: (..., C, 2) from :func:`count_boundary`, added up over images.

    Returns:
        (..., C) in 0..1; NaN for a class without a boundary in truth and prediction.
    """
    return ratio(counts[..., 0], counts[..., 1])


def mean_boundary_iou(
    counts: npt.NDArray[Any], present: npt.NDArray[Any], held: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Mean boundary IoU of resamples; a class that only the resample's truth lacks is left out.

    Args:
        counts: (B, C, 2) from :func:`count_boundary`, added up over each resample.
        present: (B, C) how many of its images hold each class.
        held: (C,) whether the truth of the whole set holds it.

    Returns:
        (B,) in 0..1; NaN without a boundary.
    """
    return mean_present(np.where(held & (present == 0), np.nan, boundary_iou(counts)))


def border_distances(mask: Mask, ignore_index: int) -> npt.NDArray[np.float32]:
    """Distance of each pixel to the nearest border between two scored classes.

    Args:
        mask: (H, W) integer indices, or ``ignore_index``.
        ignore_index: The value that is not scored.

    Returns:
        (H, W) float32 Euclidean pixels; 0 on pixels that touch another class by an edge; infinite
        without a border.
    """
    mask = np.asarray(mask)
    border = np.zeros(mask.shape, bool)
    scored = mask != ignore_index
    for here, there in ((np.s_[1:, :], np.s_[:-1, :]), (np.s_[:, 1:], np.s_[:, :-1])):
        change = (mask[here] != mask[there]) & scored[here] & scored[there]
        border[here] |= change
        border[there] |= change
    if not border.any():
        return np.full(mask.shape, np.inf, np.float32)
    return np.asarray(
        cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
        np.float32,
    )


def count_trimap(
    true: Mask,
    predicted: Mask,
    num_classes: int,
    ignore_index: int,
    widths: Sequence[float] = (1, 2, 4, 8, 16),
) -> Counts:
    """Count confusion near the true boundaries, for several widths (Kohli et al., IJCV 2009).

    Args:
        true: (H, W) integer indices 0..C-1, or ``ignore_index``.
        predicted: (H, W) integer indices 0..C-1.
        num_classes: C.
        ignore_index: The value that is not scored.
        widths: Band widths in pixels; a pixel is in the band when its distance is below the width.

    Returns:
        (len(widths), C, C) int64, rows true; each contains the narrower ones. Score with
        :mod:`segcore.evaluation.counts.scores`.
    """
    true = np.asarray(true)
    distances = border_distances(true, ignore_index)
    kind = (
        true.dtype
        if np.iinfo(true.dtype).min <= ignore_index <= np.iinfo(true.dtype).max
        else np.dtype(np.int64)
    )
    counts = np.zeros((len(widths), num_classes, num_classes), np.int64)
    for number, width in enumerate(widths):
        band = np.where(distances < width, true, kind.type(ignore_index)).astype(kind)
        counts[number] = count_confusion(band, predicted, num_classes, ignore_index)
    return counts
