"""What every loss is: a function of logits and an integer mask that does not see ignored pixels."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from segcore.errors import SegcoreError
from segcore.models.engines.engine import primitives


class SegmentationLoss(keras.losses.Loss):
    """A loss on logits (B, H, W, C) float and masks (B, H, W) integer; subclasses say which.

    Args:
        num_classes: C.
        ignore_index: Mask value that is left out; so is any value outside 0..C-1.
        class_weights: C weights w_c >= 0, or None for equal ones.
        name: Name of the loss.
    """

    def __init__(
        self,
        num_classes: int,
        ignore_index: int,
        class_weights: Sequence[float] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size", dtype="float32")
        weights = (
            [1.0] * num_classes if class_weights is None else [float(w) for w in class_weights]
        )
        if len(weights) != num_classes or min(weights) < 0:
            raise SegcoreError(
                f"Expected {num_classes} class weights of 0 or more, received {weights}: "
                "give one for each class."
            )
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.class_weights = weights

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of a batch, () float32.

        Args:
            y_true: (B, H, W) or (B, H, W, 1) class indices or ``ignore_index``.
            y_pred: (B, H, W, C) logits.
        """
        labels = ops.cast(y_true, "int32")
        if len(labels.shape) == len(y_pred.shape):
            labels = labels[..., 0]
        valid = (labels >= 0) & (labels < self.num_classes) & (labels != self.ignore_index)
        labels = ops.where(valid, labels, 0)
        logits = ops.where(valid[..., None], ops.cast(y_pred, "float32"), 0.0)
        return self.value(logits, labels, valid)

    def value(self, logits: Any, labels: Any, valid: Any) -> Any:
        """Return the loss, () float32, from cleaned arrays.

        Args:
            logits: (B, H, W, C) float32, 0 where ignored.
            labels: (B, H, W) int32 class indices, 0 where ignored.
            valid: (B, H, W) bool, False where ignored.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return what :meth:`from_config` needs."""
        return {
            "num_classes": self.num_classes,
            "ignore_index": self.ignore_index,
            "class_weights": self.class_weights,
            "name": self.name,
        }


def weighted_mean(losses: Any, weights: Any) -> Any:
    """Return sum(weights * losses) / sum(weights) over all replicas; 0 where the weights sum to 0.

    Args:
        losses: (B, H, W) float32, finite.
        weights: (B, H, W) float32, 0 or more.
    """
    sums = ops.stack([ops.sum(weights * losses), ops.sum(weights)])
    total = primitives.over_replicas(sums)
    return ops.divide_no_nan(total[0], total[1])
