"""What probabilities say of every pixel at the image's own size, without all classes in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
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


def summarise_strips(strips: Iterable[FloatArray], size: tuple[int, int]) -> PixelSummary:
    """Return :func:`summarise` of probabilities that come as strips of rows, one at a time.

    Args:
        strips: (rows, w, C) float32 each, from top to bottom: one strip of any size, or several at
            the size of the image.
        size: (H, W).

    Raises:
        SegcoreError: Several strips do not make up the image.
    """
    rest = iter(strips)
    first, second = next(rest, None), next(rest, None)
    if first is not None and second is None:
        return summarise(first, size)
    parts = [
        summarise(strip, (strip.shape[0], strip.shape[1]))
        for strip in chain((s for s in (first, second) if s is not None), rest)
    ]
    if sum(len(part.mask) for part in parts) != size[0] or parts[0].mask.shape[1] != size[1]:
        raise SegcoreError(
            f"Expected strips of an image of {size[0]} x {size[1]}, received others: predict the "
            "image again."
        )
    return PixelSummary(
        np.concatenate([part.mask for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.entropy for part in parts]),
    )
