"""Losses on logits and integer masks; ignored pixels change neither value nor gradient.

Notation: i runs over the valid pixels of the batch, c over classes, y_i is the true class,
p_ic = softmax(logits)_ic, w_c the class weights (1 when none are given), and per class
TP_c = sum_i [y_i = c] p_ic, FP_c = sum_i [y_i != c] p_ic, FN_c = sum_i [y_i = c] (1 - p_ic).

Pixel losses are means over the valid pixels of the whole batch, weighted by w of the true class.
Region losses take TP, FP, FN over the whole batch and average over the classes that occur in it,
weighted by w_c. A batch without valid pixels has loss 0. Under a distribution strategy the sums
run over all replicas (ranked losses excepted, which rank within a replica), so that a batch
spread over devices has the loss that it has on one.
"""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import add
from typing import Any

from segcore.catalog import loss_terms
from segcore.training.losses.base import SegmentationLoss
from segcore.training.losses.pixel_losses import (
    HardPixelLoss,
    PixelLoss,
    cross_entropy,
    focal,
    jaccard_distance,
)
from segcore.training.losses.region_losses import BoundaryLoss, LovaszSoftmaxLoss, RegionLoss

TVERSKY_FALSE_POSITIVES = 0.3
TVERSKY_FALSE_NEGATIVES = 0.7
FOCAL_TVERSKY_EXPONENT = 0.75
LABEL_SMOOTHING = 0.1


class WeightedSum(SegmentationLoss):
    """sum_k weight_k loss_k.

    Args:
        terms: (weight, loss) pairs over the same classes.
        arguments: As :class:`SegmentationLoss`.
    """

    def __init__(
        self, terms: Sequence[tuple[float, SegmentationLoss]], *arguments: Any, **keywords: Any
    ) -> None:
        super().__init__(*arguments, **keywords)
        self.terms = list(terms)

    def value(self, logits: Any, labels: Any, valid: Any) -> Any:
        """Return the weighted sum."""
        values = (weight * loss.value(logits, labels, valid) for weight, loss in self.terms)
        return reduce(add, values)


Builder = Callable[..., SegmentationLoss]

_BUILDERS: dict[str, Builder] = {
    "jaccard_distance": partial(PixelLoss, jaccard_distance),
    "soft_jaccard": partial(RegionLoss, 1.0, 1.0, 1.0),
    "dice": partial(RegionLoss, 0.5, 0.5, 1.0),
    "tversky": partial(RegionLoss, TVERSKY_FALSE_POSITIVES, TVERSKY_FALSE_NEGATIVES, 1.0),
    "focal_tversky": partial(
        RegionLoss, TVERSKY_FALSE_POSITIVES, TVERSKY_FALSE_NEGATIVES, FOCAL_TVERSKY_EXPONENT
    ),
    "lovasz_softmax": LovaszSoftmaxLoss,
    "boundary": BoundaryLoss,
    "cross_entropy": partial(PixelLoss, cross_entropy),
    "smoothed_cross_entropy": partial(PixelLoss, partial(cross_entropy, smoothing=LABEL_SMOOTHING)),
    "hard_cross_entropy": HardPixelLoss,
    "focal": partial(PixelLoss, focal),
}
"""Loss name to what builds it; with ``_SUMS``, the names are ``catalog.LOSSES``."""

_SUMS = {"dice_focal": "dice + focal"}


def build_loss(
    name: str, num_classes: int, ignore_index: int, class_weights: Sequence[float] | None = None
) -> SegmentationLoss:
    """Build a loss, or a weighted sum of losses.

    Args:
        name: A name in ``catalog.LOSSES``, or a sum such as "dice + 0.5*focal".
        num_classes: C.
        ignore_index: Mask value that is left out.
        class_weights: C weights of 0 or more, or None for equal ones.

    Returns:
        A loss of (masks (B, H, W) integer, logits (B, H, W, C)), () float32.

    Raises:
        SegcoreError: A name is unknown, the sum cannot be read, or the weights do not fit.
    """
    terms = [
        (weight, _build_term(term, num_classes, ignore_index, class_weights))
        for weight, term in loss_terms(name)
    ]
    if len(terms) == 1 and terms[0][0] == 1.0:
        return terms[0][1]
    return WeightedSum(terms, num_classes, ignore_index, class_weights, name="weighted_sum")


def _build_term(
    name: str, num_classes: int, ignore_index: int, class_weights: Sequence[float] | None
) -> SegmentationLoss:
    if name in _SUMS:
        return build_loss(_SUMS[name], num_classes, ignore_index, class_weights)
    return _BUILDERS[name](num_classes, ignore_index, class_weights, name=name)
