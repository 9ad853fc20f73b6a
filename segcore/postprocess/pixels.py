"""What probabilities say about every pixel of the image, at the image's own size, without ever holding all classes at that size."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.postprocess.ensemble import resize_planes

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PixelSummary:
    """Maps over one image.

    Attributes:
        mask: (H, W) uint8, or uint16 above 255 classes: the most probable class, the first of equal
            ones.
        confidence: (H, W) float32, 1/C..1: its probability.
        entropy: (H, W) float32, 0..1: Shannon entropy, divided by that of the uniform distribution,
            log C.
    """

    mask: npt.NDArray[Any]
    confidence: FloatArray
    entropy: FloatArray


def summarise(probabilities: FloatArray, size: tuple[int, int]) -> PixelSummary:
    """Enlarge probabilities class by class and keep what a picture needs.

    With u_c the enlarged map of class c and S = sum_c u_c, the probability is u_c / S, so that

        max p = max u / S,    H = log S - (sum_c u_c log u_c) / S.

    The same as summarising ``resize_probabilities(probabilities, size)``, at a few maps of memory
    whatever C is.

    Args:
        probabilities: (h, w, C) float32, 0..1, rows sum to 1.
        size: (H, W).
    """
    num_classes = probabilities.shape[-1]
    best = np.full(size, -1, np.float32)
    mask = np.zeros(size, np.uint8 if num_classes <= 255 else np.uint16)
    total, spread = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for c in range(num_classes):
        plane = np.ascontiguousarray(probabilities[..., c], np.float32)
        if plane.shape != size:
            plane = resize_planes(plane[None], size)[0]
        higher = plane > best
        best[higher] = plane[higher]
        mask[higher] = c
        total += plane
        spread += plane * np.log(np.maximum(plane, np.float32(1e-12)))
    entropy = np.log(total) - spread / total
    return PixelSummary(
        mask, best / total, np.clip(entropy / np.log(max(num_classes, 2)), 0, 1).astype(np.float32)
    )
