"""The confusion matrix: counted from masks, checked, read from a table, scored.

Rows are true, columns predicted, everywhere. Ignored pixels of the truth are never counted, so a
matrix sums to the number of scored pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown
from segcore.evaluation.counts import scores

Mask = npt.NDArray[Any]
"""(H, W) integer class indices 0..C-1 or the ignored index."""

Matrix = npt.NDArray[np.int64]
"""(C, C) int64 pixel counts, rows true, columns predicted."""

_CHUNK = 1 << 24
"""calcHist answers in float32, exact up to this count; larger masks are counted in pieces."""


def count_confusion(true: Mask, predicted: Mask, num_classes: int, ignore_index: int) -> Matrix:
    """Count how often each true class is predicted as each class.

    Pixels whose truth is ``ignore_index`` are left out, whatever is predicted there. A prediction
    that holds ``ignore_index`` where the truth is scored is refused: dropping such pixels would let
    a model choose its own exam, and (C, C) counts have no column for "no answer".

    Args:
        true: (H, W) integer indices 0..C-1, or ``ignore_index``.
        predicted: (H, W) integer indices 0..C-1; ``ignore_index`` only where the truth has it too.
        num_classes: C.
        ignore_index: The value that is not scored; outside 0..C-1.

    Returns:
        (C, C) int64, rows true, columns predicted, unit pixels.

    Raises:
        SegcoreError: Shapes differ, values are no integers, or a value is no class.
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.shape != predicted.shape:
        raise SegcoreError(
            f"Expected a prediction of the mask's own size {true.shape}, received "
            f"{predicted.shape}: resize the probabilities first."
        )
    for what, mask in (("true", true), ("predicted", predicted)):
        if mask.dtype.kind not in "iu":
            raise SegcoreError(
                f"Expected whole class indices in the {what} mask, received {mask.dtype}: "
                "take the argmax or round first."
            )
    if true.size == 0:
        return np.zeros((num_classes, num_classes), np.int64)
    true, predicted = np.atleast_2d(true), np.atleast_2d(predicted)
    if true.ndim > 2:
        true, predicted = true.reshape(len(true), -1), predicted.reshape(len(true), -1)
    narrow = num_classes <= 256 and true.dtype == np.uint8 and predicted.dtype == np.uint8
    counts = (_count_bytes if narrow else _count_wide)(true, predicted, num_classes)
    scored = true.size - int(np.count_nonzero(true == ignore_index))
    if (
        int(counts.sum()) != scored
        or int(predicted.max()) >= num_classes
        or int(predicted.min()) < 0
    ):
        _refuse_strangers(true, predicted, num_classes, ignore_index)
    return counts


def _count_bytes(true: Mask, predicted: Mask, num_classes: int) -> Matrix:
    """Count two uint8 masks by OpenCV's joint histogram, which skips what lies outside 0..C-1."""
    counts = np.zeros((num_classes, num_classes), np.int64)
    bins, span = [num_classes, num_classes], [0, num_classes, 0, num_classes]
    true, predicted = np.ascontiguousarray(true), np.ascontiguousarray(predicted)
    if true.shape[1] > _CHUNK:
        return _count_wide(true, predicted, num_classes)
    rows = max(1, _CHUNK // true.shape[1])
    for start in range(0, len(true), rows):
        pair = [true[start : start + rows], predicted[start : start + rows]]
        counts += (
            cv2.calcHist(pair, [0, 1], None, bins, span).reshape(counts.shape).astype(np.int64)
        )
    return counts


def _count_wide(true: Mask, predicted: Mask, num_classes: int) -> Matrix:
    """Count masks of any integer dtype by one code a pixel, in pieces that bound the memory."""
    counts = np.zeros(num_classes * num_classes, np.int64)
    flat_true, flat_predicted = true.reshape(-1), predicted.reshape(-1)
    piece = 1 << 20
    for start in range(0, flat_true.size, piece):
        t, p = flat_true[start : start + piece], flat_predicted[start : start + piece]
        inside = (t >= 0) & (t < num_classes) & (p >= 0) & (p < num_classes)
        codes = t[inside].astype(np.int64) * num_classes + p[inside]
        counts += np.bincount(codes, minlength=counts.size)
    return counts.reshape(num_classes, num_classes)


def _refuse_strangers(true: Mask, predicted: Mask, num_classes: int, ignore_index: int) -> None:
    """Name the value that is no class; pass where only ignored truth is predicted as ignored."""
    scored = true != ignore_index
    for what, values, allowed in (
        (
            "ground-truth mask",
            np.unique(true),
            f"0..{num_classes - 1} or the ignored value {ignore_index}",
        ),
        ("prediction", np.unique(predicted), f"0..{num_classes - 1}"),
    ):
        strange = [int(v) for v in values if not 0 <= v < num_classes and v != ignore_index]
        if strange:
            raise SegcoreError(
                f"Expected class indices {allowed} in the {what}, received {strange[0]}: "
                "map the file's ids to class indices, or declare the class."
            )
    unanswered = int(np.count_nonzero(predicted[scored] == ignore_index))
    if unanswered:
        raise SegcoreError(
            "Expected a class at every scored pixel, received the ignored value "
            f"{ignore_index} in the prediction at {unanswered} of them: "
            "predict a class there, or ignore these pixels in the truth."
        )


def check_counts(
    counts: npt.ArrayLike, name: str = "confusion matrix", images: bool = False
) -> Matrix:
    """Check pixel counts and return them as int64.

    Args:
        counts: (C, C) whole non-negative numbers; with ``images``, (N, C, C).
        name: What a message calls them.
        images: Whether a leading axis of images is expected.

    Returns:
        The same numbers, int64.

    Raises:
        SegcoreError: Another shape, or a number that is no pixel count.
    """
    try:
        array = np.asarray(counts)
    except ValueError:
        raise SegcoreError(
            f"Expected a square {name}, received rows of unequal length: give one number "
            "for each class."
        ) from None
    wanted = "(images, classes, classes)" if images else "square (classes, classes)"
    if (
        array.ndim != (3 if images else 2)
        or array.shape[-1] != array.shape[-2]
        or array.shape[-1] == 0
    ):
        raise SegcoreError(
            f"Expected a {name} of shape {wanted}, received {array.shape}: rows are true "
            "classes, columns predicted ones."
        )
    if array.dtype.kind not in "iufb":
        raise SegcoreError(
            f"Expected whole numbers in the {name}, received {array.dtype}: give pixel counts."
        )
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise SegcoreError(
                f"Expected finite counts in the {name}, received NaN or infinity: give "
                "pixel counts."
            )
        broken = array[array != np.floor(array)]
        if broken.size:
            raise SegcoreError(
                f"Expected whole numbers in the {name}, received {broken[0]:g}: give pixel "
                "counts, not shares."
            )
    if array.size and array.min() < 0:
        raise SegcoreError(
            f"Expected non-negative counts in the {name}, received {array.min():g}: a "
            "count of pixels starts at 0."
        )
    if array.size and float(array.sum(dtype=np.float64)) >= 2.0**53:
        raise SegcoreError(
            f"Expected fewer than 2**53 pixels in the {name}, received more: split the set."
        )
    return array.astype(np.int64)


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Checked counts of one set of pixels, and every score that follows from them.

    Class scores are (C,) float64 with NaN for what is undefined; a class absent from truth and
    prediction has no IoU or Dice and is left out of their means. Formulas:
    :mod:`segcore.evaluation.counts.scores`.

    Attributes:
        counts: (C, C) int64, rows true, columns predicted, unit pixels.
        class_names: Display names in index order; empty when unknown.

    Raises:
        SegcoreError: Counts that are not square, not whole, negative or not finite; or names that
            do not fit.
    """

    counts: Matrix
    class_names: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Check and freeze the counts."""
        counts = check_counts(self.counts)
        counts.setflags(write=False)
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "class_names", tuple(self.class_names))
        if self.class_names and len(self.class_names) != len(counts):
            raise SegcoreError(
                f"Expected {len(counts)} class names for this confusion matrix, received "
                f"{len(self.class_names)}: name every class once."
            )

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.counts)

    @property
    def total(self) -> int:
        """N, the number of scored pixels."""
        return int(self.counts.sum())

    @property
    def support(self) -> Matrix:
        """True pixels of each class, (C,) int64."""
        return self.counts.sum(1)

    def normalized(self, by: str) -> npt.NDArray[np.float64]:
        """Return shares instead of counts, (C, C) float64; NaN where the divisor is 0.

        Args:
            by: "row" (of the true class: recall on the diagonal), "column" (of the predicted class:
                precision on the diagonal) or "all".

        Raises:
            SegcoreError: Another word.
        """
        whole: dict[str, Sequence[int]] = {"row": (1,), "column": (0,), "all": (0, 1)}
        if by not in whole:
            raise unknown("normalisation", by, whole)
        return scores.ratio(self.counts, self.counts.sum(tuple(whole[by]), keepdims=True))
