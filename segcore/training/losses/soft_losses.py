"""Losses of a student: its labels and what its teachers answer. Notation as in ``losses.py``.

t_ic is the probability of class c at pixel i that the teachers give, rows sum to 1. Pixels without
teachers (outside the image, cut out) count in no soft loss, whether or not they have a label.
"""

from collections.abc import Sequence
from typing import Any

from keras import ops

from segcore.models.engines.engine import primitives
from segcore.training.losses.base import SegmentationLoss, weighted_mean
from segcore.training.losses.region_losses import REGION_SMOOTH, ClassLoss, by_class

PRESENT = 0.5
"""Pixels of probability from which a class counts as present in a batch: one label, rounded."""


class SoftTargetLoss(ClassLoss):
    """Jaccard metric loss plus Kullback-Leibler divergence of teachers' probabilities.

    J = sum_c w_c (1 - (I_c + s) / (U_c + s)) / sum_c w_c over the classes present, with
    I_c = (|p_c| + |t_c| - |p_c - t_c|) / 2, U_c = (|p_c| + |t_c| + |p_c - t_c|) / 2, |x| the sum of
    absolute values over the batch and s = 1 pixel: Wang, Ning, Blaschko: Jaccard Metric Losses,
    NeurIPS 2023, arXiv 2302.05666 (their JML1; classes over the whole batch). It is 0 where p = t,
    which the soft Jaccard loss is not, and equals that loss (``soft_jaccard``) where t is one-hot.

    K = sum_i w_i sum_c t_ic log(t_ic / p_ic) / sum_i w_i, w_i = sum_c w_c t_ic: Hinton, Vinyals,
    Dean: Distilling the knowledge in a neural network, arXiv 1503.02531, at temperature 1, since
    what is stored are the members' mean probabilities and no logits. Where t is one-hot it is the
    cross-entropy.
    """

    def value_of(self, logits: Any, targets: Any, valid: Any) -> Any:
        """Return J + K, () float32.

        Args:
            logits: (B, H, W, C) float32, finite where valid.
            targets: (B, H, W, C) float32, rows sum to 1, 0 where not valid.
            valid: (B, H, W) bool, False where there are no teachers.
        """
        known = ops.cast(valid, "float32")
        log_probabilities = ops.log_softmax(logits)
        jaccard = self._jaccard(ops.exp(log_probabilities) * known[..., None], targets)
        logarithms = ops.log(ops.where(targets > 0, targets, 1.0))
        divergence = ops.sum(targets * (logarithms - log_probabilities), axis=-1)
        weights = ops.sum(targets * ops.convert_to_tensor(self.class_weights, "float32"), axis=-1)
        return jaccard + weighted_mean(divergence, weights)

    def _jaccard(self, probabilities: Any, targets: Any) -> Any:
        apart = by_class(ops.abs(probabilities - targets))
        sums = [by_class(probabilities), by_class(targets), apart]
        student, teacher, apart = ops.unstack(primitives.over_replicas(ops.stack(sums)))
        common, union = (student + teacher - apart) / 2, (student + teacher + apart) / 2
        score = (common + REGION_SMOOTH) / (union + REGION_SMOOTH)
        return self.mean(1.0 - score, teacher > PRESENT)


class DistillationLoss(SegmentationLoss):
    """a hard + (1 - a) soft: the recipe's loss on labels, :class:`SoftTargetLoss` on teachers.

    Args:
        hard: Loss of the labels.
        label_weight: a, 0..1.
        arguments: As :class:`SegmentationLoss`.
    """

    def __init__(
        self,
        hard: SegmentationLoss,
        label_weight: float,
        num_classes: int,
        ignore_index: int,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(num_classes, ignore_index, class_weights, name="distillation")
        self.hard = hard
        self.label_weight = label_weight
        self._soft = SoftTargetLoss(num_classes, ignore_index, class_weights)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of a batch, () float32; that of the labels where there are no teachers.

        Args:
            y_true: (B, H, W, 1 + C): class index or ``ignore_index``, then the teachers'
                probabilities in steps of any size (they are divided by their sum), all 0 where
                there are no teachers. Or (B, H, W) labels alone, as in validation.
            y_pred: (B, H, W, C) logits.
        """
        if len(y_true.shape) < len(y_pred.shape):
            return self.hard.call(y_true, y_pred)
        steps = ops.cast(y_true[..., 1:], "float32")
        total = ops.sum(steps, axis=-1)
        valid = total > 0
        targets = steps / ops.where(valid, total, 1.0)[..., None]
        logits = ops.where(valid[..., None], ops.cast(y_pred, "float32"), 0.0)
        soft = self._soft.value_of(logits, targets, valid)
        hard = self.hard.call(y_true[..., 0], y_pred)
        return self.label_weight * hard + (1.0 - self.label_weight) * soft
