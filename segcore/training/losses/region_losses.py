"""Losses of whole regions: overlaps, Lovasz extension, boundaries. Notation as in ``losses.py``."""

from typing import Any

import tensorflow as tf

from segcore.training.losses.base import SegmentationLoss, over_replicas

REGION_SMOOTH = 1.0
_TINY = 1e-6


class RegionLoss(SegmentationLoss):
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
        probabilities = tf.nn.softmax(logits) * tf.cast(valid, tf.float32)[..., tf.newaxis]
        truth = tf.one_hot(tf.where(valid, labels, -1), self.num_classes)
        pixels = [0, 1, 2]
        hit, predicted, true = tf.unstack(
            over_replicas(
                tf.stack(
                    [
                        tf.reduce_sum(truth * probabilities, pixels),
                        tf.reduce_sum(probabilities, pixels),
                        tf.reduce_sum(truth, pixels),
                    ]
                )
            )
        )  # (C,) each
        score = (hit + REGION_SMOOTH) / (
            hit
            + self.false_positives * (predicted - hit)
            + self.false_negatives * (true - hit)
            + REGION_SMOOTH
        )
        distance = 1.0 - score
        if self.exponent != 1.0:
            distance = tf.maximum(distance, _TINY) ** self.exponent
        weights = tf.constant(self.class_weights) * tf.cast(true > 0, tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(weights * distance), tf.reduce_sum(weights))


class LovaszSoftmaxLoss(SegmentationLoss):
    """The Lovasz extension of the Jaccard loss, sum_c w_c <m_c, g(m_c)> / sum_c w_c.

    m_ic = |[y_i = c] - p_ic| in descending order, and g the increments of the Jaccard distance
    when pixels are added in that order. Berman, Rannen Triki, Blaschko: The Lovasz-softmax loss,
    CVPR 2018 (their "present" form over the batch).
    """

    def value(self, logits: Any, labels: Any, valid: Any) -> Any:
        """Return the weighted mean over classes present in the batch."""
        probabilities = tf.transpose(
            tf.reshape(tf.nn.softmax(logits), [-1, self.num_classes])
        )  # (C, P)
        truth = tf.transpose(
            tf.reshape(
                tf.one_hot(tf.where(valid, labels, -1), self.num_classes), [-1, self.num_classes]
            )
        )
        errors = tf.where(tf.reshape(valid, [1, -1]), tf.abs(truth - probabilities), -1.0)
        order = tf.argsort(tf.stop_gradient(errors), axis=-1, direction="DESCENDING", stable=True)
        errors = tf.nn.relu(tf.gather(errors, order, batch_dims=1))
        truth = tf.gather(truth, order, batch_dims=1)
        total = tf.reduce_sum(truth, axis=-1, keepdims=True)
        intersection = total - tf.cumsum(truth, axis=-1)
        union = total + tf.cumsum(1.0 - truth, axis=-1)
        distance = 1.0 - intersection / tf.maximum(union, 1.0)
        increments = tf.concat([distance[:, :1], distance[:, 1:] - distance[:, :-1]], axis=-1)
        by_class = tf.reduce_sum(errors * increments, axis=-1)
        weights = tf.constant(self.class_weights) * tf.cast(total[:, 0] > 0, tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(weights * by_class), tf.reduce_sum(weights))


class BoundaryLoss(SegmentationLoss):
    """1 - BF1, a boundary score between soft boundaries: sum_c w_c (1 - BF1_c) / sum_c w_c.

    b = pool(1 - y) - (1 - y) (3 x 3 maxima) is the inner boundary, its 5 x 5 maxima b' the zone
    around it; precision P_c = sum(b_pred b'_true) / sum(b_pred), recall R_c = sum(b_true b'_pred) /
    sum(b_true), BF1_c = 2 P_c R_c / (P_c + R_c); classes with a true boundary in the batch count.
    Bokhovkin, Burnaev: Boundary loss for remote sensing imagery semantic segmentation, ISNN 2019.
    Departure: ignored pixels end no object, so the edge of the ignored area is no boundary.
    """

    def value(self, logits: Any, labels: Any, valid: Any) -> Any:
        """Return the weighted mean over classes with a boundary in the batch."""
        mask = tf.cast(valid, tf.float32)[..., tf.newaxis]
        true = self._boundary(tf.one_hot(tf.where(valid, labels, -1), self.num_classes), mask)
        predicted = self._boundary(tf.nn.softmax(logits), mask)
        pixels = [0, 1, 2]
        matched, predicted_sum, recalled, true_sum = tf.unstack(
            over_replicas(
                tf.stack(
                    [
                        tf.reduce_sum(predicted * self._zone(true), pixels),
                        tf.reduce_sum(predicted, pixels),
                        tf.reduce_sum(true * self._zone(predicted), pixels),
                        tf.reduce_sum(true, pixels),
                    ]
                )
            )
        )
        precision = matched / (predicted_sum + _TINY)
        recall = recalled / (true_sum + _TINY)
        score = 2.0 * precision * recall / (precision + recall + _TINY)
        weights = tf.constant(self.class_weights) * tf.cast(true_sum > 0, tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(weights * (1.0 - score)), tf.reduce_sum(weights))

    @staticmethod
    def _boundary(membership: Any, mask: Any) -> Any:
        outside = (1.0 - membership) * mask
        return (tf.nn.max_pool2d(outside, 3, 1, "SAME") - outside) * mask

    @staticmethod
    def _zone(boundary: Any) -> Any:
        return tf.nn.max_pool2d(boundary, 5, 1, "SAME")
