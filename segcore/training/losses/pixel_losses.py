"""Losses that are a weighted mean of one loss a pixel. Notation as in ``losses.py``."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from segcore.training.losses.base import SegmentationLoss, weighted_mean

FOCAL_GAMMA = 2.0
JACCARD_SMOOTH = 100.0
HARD_PROBABILITY = 0.7
HARD_SHARE = 1 / 16


class PixelLoss(SegmentationLoss):
    """sum_i w_{y_i} l_i / sum_i w_{y_i}, for a loss l_i of one pixel.

    Args:
        pixel: (log-probabilities (B, H, W, C), labels (B, H, W)) to l, (B, H, W).
        arguments: As :class:`SegmentationLoss`.
    """

    def __init__(self, pixel: Callable[[Any, Any], Any], *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.pixel = pixel

    def value(self, logits: Any, labels: Any, valid: Any) -> Any:
        """Return the weighted mean over valid pixels."""
        losses = self.pixel(ops.log_softmax(logits), labels)
        return weighted_mean(losses, _weights(self.class_weights, labels, valid))


class HardPixelLoss(SegmentationLoss):
    """Cross-entropy over hard pixels only ("online hard example mining").

    The pixels kept are those with p_{i y_i} < 0.7, and never fewer than the hardest sixteenth of
    the valid ones. Shrivastava, Gupta, Girshick: Training region-based object detectors with
    online hard example mining, CVPR 2016; per pixel as in Wu, Shen, van den Hengel, arXiv
    1604.04339.
    """

    def value(self, logits: Any, labels: Any, valid: Any) -> Any:
        """Return the weighted mean over hard pixels."""
        losses = cross_entropy(ops.log_softmax(logits), labels)
        ordered = ops.where(valid, -ops.stop_gradient(losses), 1.0)
        ranked = -ops.sort(ops.reshape(ordered, [-1]))
        kept = ops.cast(ops.ceil(HARD_SHARE * ops.sum(ops.cast(valid, "float32"))), "int32")
        threshold = ops.minimum(ranked[ops.maximum(kept, 1) - 1], -ops.log(HARD_PROBABILITY))
        hard = valid & (losses >= threshold)
        return weighted_mean(losses, _weights(self.class_weights, labels, hard))


def _weights(class_weights: Sequence[float], labels: Any, counted: Any) -> Any:
    """Return the weight of each pixel's class, 0 where it is not counted; (B, H, W) float32."""
    table = ops.convert_to_tensor(class_weights, "float32")
    return ops.cast(counted, "float32") * ops.take(table, labels, axis=0)


def cross_entropy(log_probabilities: Any, labels: Any, smoothing: float = 0.0) -> Any:
    """l_i = -(1 - e) log p_{i y_i} - e/C sum_c log p_ic.

    Smoothing e: Szegedy et al.: Rethinking the Inception architecture, CVPR 2016.

    Args:
        log_probabilities: (..., C) float32.
        labels: (...) int32 class indices.
        smoothing: e, 0..1.

    Returns:
        (...) float32, 0 or more.
    """
    losses = -_at_true_class(log_probabilities, labels)
    if smoothing:
        losses = (1.0 - smoothing) * losses - smoothing * ops.mean(log_probabilities, axis=-1)
    return losses


def focal(log_probabilities: Any, labels: Any, gamma: float = FOCAL_GAMMA) -> Any:
    """l_i = -(1 - p_{i y_i}) ** gamma log p_{i y_i}.

    Lin, Goyal, Girshick, He, Dollar: Focal loss for dense object detection, ICCV 2017.

    Args:
        log_probabilities: (..., C) float32.
        labels: (...) int32 class indices.
        gamma: How strongly sure pixels are played down; 0 is cross-entropy.

    Returns:
        (...) float32, 0 or more.
    """
    losses = cross_entropy(log_probabilities, labels)
    return losses if gamma == 0 else (1.0 - ops.exp(-losses)) ** gamma * losses


def jaccard_distance(log_probabilities: Any, labels: Any, smooth: float = JACCARD_SMOOTH) -> Any:
    """l_i = s (1 - (I_i + s) / (U_i - I_i + s)), the smoothed Jaccard distance of one pixel.

    With one-hot truth I_i = p_{i y_i} and U_i = 2, so l_i = 2 s (1 - p) / (2 - p + s): almost twice
    the error 1 - p of the true class. This is the Keras community's jaccard_distance (s = 100),
    after Rahman, Wang: Optimizing intersection-over-union, ISVC 2016; ``soft_jaccard`` is the
    form that takes sums over regions.

    Args:
        log_probabilities: (..., C) float32.
        labels: (...) int32 class indices.
        smooth: s.

    Returns:
        (...) float32, 0 to 2.
    """
    hit = ops.exp(_at_true_class(log_probabilities, labels))
    return 2.0 * smooth * (1.0 - hit) / (2.0 - hit + smooth)


def _at_true_class(log_probabilities: Any, labels: Any) -> Any:
    # A product with one-hot rows: the gradient of a gather over pixels is slow on a CPU and
    # unordered on a GPU.
    truth = ops.one_hot(labels, log_probabilities.shape[-1], dtype="float32")
    return ops.sum(truth * log_probabilities, axis=-1)
