"""Losses of whole regions: overlaps, Lovasz extension, boundaries. Notation as in ``losses.py``."""

from typing import Any

from keras import ops

from segcore.models.engines.engine import primitives
from segcore.training.losses.base import SegmentationLoss

REGION_SMOOTH = 1.0
_TINY = 1e-6


class ClassLoss(SegmentationLoss):
    """A loss that is a mean over the classes present in the batch."""

    def truth(self, labels: Any, valid: Any) -> Any:
        """Return (B, H, W, C) float32: 1 at a pixel's class, 0 elsewhere and where ignored."""
        return ops.one_hot(ops.where(valid, labels, -1), self.num_classes, dtype="float32")

    def mean(self, losses: Any, present: Any) -> Any:
        """Return sum_c w_c l_c / sum_c w_c over the classes present; 0 where none is."""
        weights = ops.convert_to_tensor(self.class_weights, "float32")
        weights = weights * ops.cast(present, "float32")
        return ops.divide_no_nan(ops.sum(weights * losses), ops.sum(weights))


def by_class(values: Any) -> Any:
    """Sum over the pixels of a batch: (B, H, W, C) to (C,)."""
    return ops.sum(values, [0, 1, 2])


class RegionLoss(ClassLoss):
    """sum_c w_c d(T_c) / sum_c w_c over the classes present, d(T) = (1 - T) ** exponent.

    T_c = (TP_c + s) / (TP_c + a FP_c + b FN_c + s) is the Tversky index, s = 1 pixel.

    Args:
        false_positives: a.
        false_negatives: b.
        exponent: Power of the distance.
        arguments: As :class:`SegmentationLoss`.
    """

    def __init__(
        self,
        false_positives: float,
        false_negatives: float,
        exponent: float,
        *arguments: Any,
        **keywords: Any,
    ) -> None:
        super().__init__(*arguments, **keywords)
        self.false_positives = false_positives
        self.false_negatives = false_negatives
        self.exponent = exponent

    def value(self, logits: Any, labels: Any, valid: Any) -> Any:
        """Return the weighted mean over classes present in the batch."""
        probabilities = ops.softmax(logits) * ops.cast(valid, "float32")[..., None]
        truth = self.truth(labels, valid)
        sums = [by_class(truth * probabilities), by_class(probabilities), by_class(truth)]
        hit, predicted, true = ops.unstack(primitives.over_replicas(ops.stack(sums)))  # (C,) each
        score = (hit + REGION_SMOOTH) / (
            hit
            + self.false_positives * (predicted - hit)
            + self.false_negatives * (true - hit)
            + REGION_SMOOTH
        )
        distance = 1.0 - score
        if self.exponent != 1.0:
            distance = ops.maximum(distance, _TINY) ** self.exponent
        return self.mean(distance, true > 0)


class LovaszSoftmaxLoss(ClassLoss):
    """The Lovasz extension of the Jaccard loss, sum_c w_c <m_c, g(m_c)> / sum_c w_c.

    m_ic = |[y_i = c] - p_ic| in descending order, and g the increments of the Jaccard distance
    when pixels are added in that order. Berman, Rannen Triki, Blaschko: The Lovasz-softmax loss,
    CVPR 2018 (their "present" form over the batch).
    """

    def value(self, logits: Any, labels: Any, valid: Any) -> Any:
        """Return the weighted mean over classes present in the batch."""
        rows = [-1, self.num_classes]
        probabilities = ops.transpose(ops.reshape(ops.softmax(logits), rows))  # (C, P)
        truth = ops.transpose(ops.reshape(self.truth(labels, valid), rows))
        errors = ops.where(ops.reshape(valid, [1, -1]), ops.abs(truth - probabilities), -1.0)
        order = ops.argsort(-ops.stop_gradient(errors), axis=-1)  # equal ones keep their order
        errors = ops.relu(ops.take_along_axis(errors, order, axis=1))
        truth = ops.take_along_axis(truth, order, axis=1)
        total = ops.sum(truth, axis=-1, keepdims=True)
        intersection = total - ops.cumsum(truth, axis=-1)
        union = total + ops.cumsum(1.0 - truth, axis=-1)
        distance = 1.0 - intersection / ops.maximum(union, 1.0)
        steps = [distance[:, :1], distance[:, 1:] - distance[:, :-1]]
        losses = ops.sum(errors * ops.concatenate(steps, axis=-1), axis=-1)
        return self.mean(losses, total[:, 0] > 0)


class BoundaryLoss(ClassLoss):
    """1 - BF1, a boundary score between soft boundaries: sum_c w_c (1 - BF1_c) / sum_c w_c.

    b = pool(1 - y) - (1 - y) (3 x 3 maxima) is the inner boundary, its 5 x 5 maxima b' the zone
    around it; precision P_c = sum(b_pred b'_true) / sum(b_pred), recall R_c = sum(b_true b'_pred) /
    sum(b_true), BF1_c = 2 P_c R_c / (P_c + R_c); classes with a true boundary in the batch count.
    Bokhovkin, Burnaev: Boundary loss for remote sensing imagery semantic segmentation, ISNN 2019.
    Departure: ignored pixels end no object, so the edge of the ignored area is no boundary.
    """

    def value(self, logits: Any, labels: Any, valid: Any) -> Any:
        """Return the weighted mean over classes with a boundary in the batch."""
        mask = ops.cast(valid, "float32")[..., None]
        true = self._boundary(self.truth(labels, valid), mask)
        predicted = self._boundary(ops.softmax(logits), mask)
        sums = [
            by_class(predicted * self._zone(true)),
            by_class(predicted),
            by_class(true * self._zone(predicted)),
            by_class(true),
        ]
        matched, predicted_sum, recalled, true_sum = ops.unstack(
            primitives.over_replicas(ops.stack(sums))
        )
        precision = matched / (predicted_sum + _TINY)
        recall = recalled / (true_sum + _TINY)
        score = 2.0 * precision * recall / (precision + recall + _TINY)
        return self.mean(1.0 - score, true_sum > 0)

    @staticmethod
    def _boundary(membership: Any, mask: Any) -> Any:
        outside = (1.0 - membership) * mask
        return (ops.max_pool(outside, 3, 1, "same", "channels_last") - outside) * mask

    @staticmethod
    def _zone(boundary: Any) -> Any:
        return ops.max_pool(boundary, 5, 1, "same", "channels_last")
