"""The mask that maximises expected Dice or IoU, in place of the most probable class.

The most probable class maximises accuracy. Expected Dice or IoU of one class is maximised by its tau
most probable pixels (RankSEG: Dai and Li, JMLR 2023), with independent pixels of probability p and
mu = sum of all p. By the reciprocal moment approximation, E[1 / X] by 1 / E[X] (RankSEG-RMA: Wang
and Dai, arXiv 2510.15362), the volume tau maximises

    Dice  2 S / (tau + mu + 1)      IoU  S / (tau + mu - S)       S = sum of the tau largest p.

A class whose probability reaches :data:`PRUNED` nowhere gets no pixel. A pixel that several classes
claim goes to the class whose score it raises most, beyond that of the pixels which the class alone
claims; so does a pixel that none claims (the authors give these to class 0, their background).

Probabilities are whole steps of 1 / 4095, as they are stored. Of equal ones all or none are taken:
along a run of them the score is a ratio of two lines, so its best is at an end. The volume is hence
a threshold for each class, from a histogram and without sorting.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

STEPS = 4095
PRUNED = 0.1
"""Classes that stay at or below this probability in the whole image get no pixel."""

SCORES = ("dice", "iou")


def rank_decode(probabilities: FloatArray, score: str = "iou") -> npt.NDArray[np.integer[Any]]:
    """Return the mask that maximises the expected score of its classes, approximately.

    Args:
        probabilities: (H, W, C) float32, 0..1, rows sum to 1.
        score: "dice" or "iou".

    Returns:
        (H, W) class indices.

    Raises:
        SegcoreError: Another score, or an array of other axes.
    """
    if score not in SCORES:
        raise unknown("score to maximise", score, SCORES)
    if probabilities.ndim != 3:
        raise SegcoreError(
            "Expected probabilities (height, width, classes), received shape "
            f"{probabilities.shape}: pass one image."
        )
    classes = probabilities.shape[2]
    steps = np.rint(probabilities.reshape(-1, classes).T * np.float32(STEPS)).astype(np.int16)
    claimed = np.zeros(steps.shape, bool)
    mass = steps.sum(1, dtype=np.int64) / STEPS
    kept = steps.max(1) > PRUNED * STEPS
    for c in np.flatnonzero(kept):
        claimed[c] = steps[c] >= cut(np.bincount(steps[c], minlength=STEPS + 1), score)
    claims = claimed.sum(0)
    mask = claimed.argmax(0)
    open_pixels = np.flatnonzero(claims != 1)
    if not kept.any():
        mask = probabilities.reshape(-1, classes).argmax(1)
    elif len(open_pixels):
        best = np.full(len(open_pixels), -np.inf)
        for c in np.flatnonzero(kept):
            alone = claimed[c] & (claims == 1)
            have = (int(alone.sum()), int(steps[c][alone].sum(dtype=np.int64)) / STEPS)
            rise = increment(steps[c][open_pixels] / STEPS, *have, float(mass[c]), score)
            higher = rise > best
            best[higher] = rise[higher]
            mask[open_pixels[higher]] = c
    return np.asarray(mask.reshape(probabilities.shape[:2]))


def cut(histogram: npt.NDArray[np.int64], score: str) -> int:
    """Return the step from which on pixels belong to a class, 1..STEPS.

    Args:
        histogram: (STEPS + 1,) pixels by step of their probability.
        score: "dice" or "iou".
    """
    values = np.arange(STEPS + 1)
    volume = histogram[::-1].cumsum()[::-1].astype(np.float64)
    inside = (histogram * values)[::-1].cumsum()[::-1] / STEPS
    expected = expected_score(volume, inside, float(inside[0]), score)
    expected[(histogram == 0) | (values == 0)] = -np.inf
    return int(STEPS - expected[::-1].argmax())  # of equal scores the smaller mask


def expected_score(volume: Floats, inside: Floats, mass: float, score: str) -> Floats:
    """Return the approximate expected score of masks of one class.

    Args:
        volume: Pixels of each mask.
        inside: Sum of their probabilities.
        mass: Sum of the probabilities of all pixels.
        score: "dice" or "iou".
    """
    if score == "dice":
        return np.asarray(2 * inside / (volume + mass + 1))
    below = volume + mass - inside
    return np.asarray(np.where(below > 0, inside / np.maximum(below, 1e-12), 0.0))


def increment(added: Floats, volume: int, inside: float, mass: float, score: str) -> Floats:
    """Return how much the expected score of a class rises with one more pixel.

    Args:
        added: Probabilities of the pixels in question.
        volume: Pixels that the class has.
        inside: Sum of their probabilities.
        mass: Sum of the probabilities of all pixels.
        score: "dice" or "iou".
    """
    after = expected_score(np.full(len(added), volume + 1.0), inside + added, mass, score)
    before = expected_score(np.array([float(volume)]), np.array([inside]), mass, score)
    return np.asarray(after - before)
