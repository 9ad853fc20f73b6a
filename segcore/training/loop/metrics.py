"""Scores of an epoch, exact: counts are added up over all batches and scored once."""

from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from segcore.evaluation.counts import scores
from segcore.models.engines.engine import primitives


def batch_confusion(labels: Any, logits: Any, num_classes: int, ignore_index: int) -> Any:
    """Count one batch.

    Args:
        labels: (B, H, W) integer class indices or ``ignore_index``, or (B, H, W, D) with them first.
        logits: (B, H, W, C) float.
        num_classes: C.
        ignore_index: Mask value that is not counted; so is any value outside 0..C-1.

    Returns:
        (C, C) int32, rows true, columns predicted; exact for up to 2**31 pixels.
    """
    labels = ops.cast(labels if len(labels.shape) == 3 else labels[..., 0], "int32")
    predicted = primitives.argmax(logits)
    valid = (labels >= 0) & (labels < num_classes) & (labels != ignore_index)
    cells = num_classes * num_classes
    codes = ops.where(valid, labels * num_classes + predicted, cells)
    counts = primitives.count_cells(ops.reshape(codes, [-1]), cells)
    return ops.reshape(counts, [num_classes, num_classes])


class EpochScores:
    """Loss and confusion of one pass over a split, added up batch by batch.

    Attributes:
        loss_sum: Sum of the batches' losses.
        batches: Number of batches.
        confusion: (C, C) int64 pixel counts, rows true, columns predicted.
    """

    def __init__(self, num_classes: int) -> None:
        self.loss_sum = 0.0
        self.batches = 0
        self.confusion: npt.NDArray[np.int64] = np.zeros((num_classes, num_classes), np.int64)

    def add(self, loss: float, confusion: npt.NDArray[Any]) -> None:
        """Add one batch: its loss and its (C, C) counts."""
        self.loss_sum += loss
        self.batches += 1
        self.confusion += confusion

    @property
    def loss(self) -> float:
        """Mean loss of the batches; NaN before the first."""
        return self.loss_sum / self.batches if self.batches else float("nan")

    @property
    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur in truth or prediction, 0..1; NaN when none does."""
        return float(scores.mean_iou(self.confusion))

    @property
    def class_iou(self) -> list[float]:
        """IoU of each class in index order, 0..1; NaN for a class that occurs nowhere."""
        return [float(v) for v in scores.iou(self.confusion)]
