"""Labels that are probably wrong: confident learning, streamed over images in constant memory.

A pixel labelled y is suspected when some other class k has p_k >= t_k, where t_k is the mean
probability of k over the pixels labelled k, and is the most probable such class (Northcutt, Jiang,
Chuang: Confident learning, JAIR 2021). Two passes: :meth:`LabelErrors.observe` every image to learn
t, then :meth:`LabelErrors.suspect` each. Use probabilities of networks that were not trained on the
images at hand.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.metrics.calibration import scored_pixels


@dataclass(frozen=True, eq=False)
class Suspicion:
    """What is suspected in one image.

    Attributes:
        suspected: (H, W) bool.
        suggested: (H, W) int64 class index that the network would give; -1 where nothing is
            suspected.
        pairs: (C, C) int64 suspected pixels by given label (row) and suggested label (column).
        share: Suspected over scored pixels, 0..1; NaN when none is scored.
        quality: Mean probability of the given label over scored pixels, 0..1 ("self-confidence");
            NaN when none is scored.
    """

    suspected: npt.NDArray[np.bool_]
    suggested: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]
    share: float
    quality: float


class LabelErrors:
    """Learns each class's level of confidence, then finds labels that a network contradicts.

    Attributes:
        pixels: (C,) int64 pixels labelled with each class so far.
        confidence: (C,) float64 sum of the class's own probability over them.
    """

    def __init__(self, num_classes: int, ignore_index: int) -> None:
        self.ignore_index = ignore_index
        self.pixels = np.zeros(num_classes, np.int64)
        self.confidence = np.zeros(num_classes)

    def observe(self, probabilities: npt.NDArray[Any], mask: npt.NDArray[Any]) -> None:
        """Learn from one image: (H, W, C) probabilities and the (H, W) mask that is checked."""
        values, labels = self._scored(probabilities, mask)
        own = values[np.arange(len(values)), labels]
        self.pixels += np.bincount(labels, minlength=len(self.pixels))
        self.confidence += np.bincount(labels, own, minlength=len(self.pixels))

    def add(self, other: "LabelErrors") -> None:
        """Take over what another one has observed, of the same classes."""
        self.pixels += other.pixels
        self.confidence += other.confidence

    @property
    def thresholds(self) -> npt.NDArray[np.float64]:
        """t, (C,): mean own probability of each class; infinite for a class without labels."""
        return np.where(self.pixels > 0, self.confidence / np.maximum(self.pixels, 1), np.inf)

    def suspect(self, probabilities: npt.NDArray[Any], mask: npt.NDArray[Any]) -> Suspicion:
        """Find the suspected pixels of one image, after all images were observed.

        Raises:
            SegcoreError: Nothing was observed, or sizes that do not fit.
        """
        if not self.pixels.any():
            raise SegcoreError(
                "Expected observed images before looking for label errors, received none: "
                "observe every image first."
            )
        values, labels = self._scored(probabilities, mask)
        number = len(self.pixels)
        confident = np.where(values >= self.thresholds, values, -1.0)
        best = confident.argmax(1)
        doubt = (confident[np.arange(len(best)), best] >= 0) & (best != labels)
        scored = np.asarray(mask) != self.ignore_index
        suspected = np.zeros(scored.shape, bool)
        suspected[scored] = doubt
        suggested = np.full(scored.shape, -1, np.int64)
        suggested[suspected] = best[doubt]
        pairs = np.bincount(
            labels[doubt] * number + best[doubt], minlength=number * number
        ).reshape(number, number)
        if not len(labels):
            return Suspicion(suspected, suggested, pairs, float("nan"), float("nan"))
        quality = float(values[np.arange(len(labels)), labels].mean())
        return Suspicion(suspected, suggested, pairs, float(doubt.mean()), quality)

    def _scored(
        self, probabilities: npt.NDArray[Any], mask: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        values, labels = scored_pixels(probabilities, mask, self.ignore_index)
        if values.shape[1] != len(self.pixels):
            raise SegcoreError(
                f"Expected probabilities over {len(self.pixels)} classes, received "
                f"{values.shape[1]}: use one label set."
            )
        return values, labels
