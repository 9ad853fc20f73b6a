"""Conformal risk control: the threshold at which an expected error stays below a promise.

    lambda = inf {lambda : n / (n + 1) R(lambda) + B / (n + 1) <= alpha}

(Angelopoulos, Bates, Fisch, Lei, Schuster: Conformal Risk Control, ICLR 2024), with R the mean loss
of n calibration units, B = 1 the largest loss there is, and a loss that never rises with lambda.
Then the expected loss of another unit is at most alpha, if all units are exchangeable: whichever
order they come in is equally likely. For masks see Mossina, Dalmau, Andeol (2405.05145).

A unit is an image, or a whole group of images (a drive, a patient) whose loss is the mean over its
images. No pixel is a unit: those of one image are not exchangeable with those of another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.compression.back_off import ROOT_ONLY, Tally
from segcore.evaluation.counts.bootstrap import RESAMPLES, Interval, Resampling

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Threshold:
    """A threshold and what it was chosen from.

    Attributes:
        value: 0 (plain argmax) to :data:`ROOT_ONLY` (the root alone), steps of 1 / 4095.
        promise: The largest expected error, 0..1.
        by_class: Whether it is promised for each class.
        unit: "images" or "groups".
        units: How many there were; by class, of the class with the most.
        risk: (K,) mean error of the units at the threshold; one number, or one for each class.
        held: (K,) units that each of them is a mean over.
        promised: (K,) whether there are enough units for it: 1 / (n + 1) is at most the promise.
    """

    value: int
    promise: float
    by_class: bool
    unit: str
    units: int
    risk: Floats
    held: npt.NDArray[np.int64]
    promised: npt.NDArray[np.bool_]

    @property
    def smallest(self) -> float:
        """The smallest promise that so many units allow without the root everywhere."""
        return 1 / (self.units + 1)


def check_promise(promise: float) -> float:
    """Return a promise that can be made.

    Raises:
        SegcoreError: It is no share above 0 and at most 1.
    """
    if not 0 < promise <= 1:
        raise SegcoreError(
            f"Expected a promise above 0 % and at most 100 % of the pixels, received "
            f"{100 * promise:g} %: choose 5%."
        )
    return promise


def choose_threshold(
    tally: Tally,
    promise: float,
    groups: Sequence[str] | None = None,
    by_class: bool = False,
) -> Threshold:
    """Choose the smallest threshold that keeps a promise, by conformal risk control.

    By class, the loss is the share of wrong pixels among those of a true class, over the units that
    hold it, and the largest threshold of all classes is taken: then each class keeps the promise. A
    class in too few units for the promise (1 / (n + 1) above it) has none, instead of sending every
    pixel to the root.

    Args:
        tally: The calibration images.
        promise: Largest expected error, 0..1.
        groups: Group of each image, length N: whole groups are then the units.
        by_class: Promise it for each class.

    Raises:
        SegcoreError: The promise is none, no pixel is scored, or no class is in enough units.
    """
    check_promise(promise)
    weights, held = _weights(tally, groups, by_class)
    if not held.any():
        raise SegcoreError(
            "Expected calibration images with scored pixels, received none: choose another split."
        )
    classes, steps = np.divmod(tally.wrong.indices, ROOT_ONLY)
    rows = np.repeat(np.arange(len(tally.true)), np.diff(tally.wrong.indptr))
    curve = classes if by_class else np.zeros_like(classes)
    loss = np.bincount(
        curve * ROOT_ONLY + steps,
        tally.wrong.data * weights[rows, curve],
        minlength=len(held) * ROOT_ONLY,
    ).reshape(-1, ROOT_ONLY)
    risks = np.zeros((len(held), ROOT_ONLY + 1))
    risks[:, :-1] = loss[:, ::-1].cumsum(1)[:, ::-1]
    promised = 1 / (held + 1) <= promise
    if by_class and not promised.any():
        raise SegcoreError(
            f"Expected a class in at least {int(np.ceil(1 / promise - 1))} calibration "
            f"{_unit(groups)} for a promise of {100 * promise:g} %, received at most "
            f"{held.max()}: promise it over all classes, or promise less."
        )
    bound = (held[:, None] * risks + 1) / (held[:, None] + 1)
    # Sums of floats: an error of exactly the promise must not fail by its last bit.
    kept = (bound[promised] <= promise + 1e-12).all(0) if promised.any() else np.zeros(1, bool)
    value = int(kept.argmax()) if kept.any() else ROOT_ONLY
    return Threshold(
        value,
        promise,
        by_class,
        _unit(groups),
        int(held.max()),
        np.where(held > 0, risks[:, value], np.nan),
        held,
        promised,
    )


def _unit(groups: Sequence[str] | None) -> str:
    return "images" if groups is None else "groups"


def _codes(groups: Sequence[str] | None, images: int) -> npt.NDArray[np.intp]:
    """Number of each image's unit."""
    if groups is None:
        return np.arange(images)
    if len(groups) != images:
        raise SegcoreError(
            f"Expected one group for each of {images} images, received {len(groups)}: "
            "name the group of every image."
        )
    return np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1], np.intp)


def _weights(
    tally: Tally, groups: Sequence[str] | None, by_class: bool
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Weight of a wrong pixel in the mean over units, (N, K), and the units of each mean, (K,)."""
    pixels = tally.true if by_class else tally.true.sum(1, keepdims=True)
    codes = _codes(groups, len(pixels))
    inside = np.zeros((codes.max() + 1, pixels.shape[1]))
    np.add.at(inside, codes, pixels > 0)
    held = (inside > 0).sum(0)
    parts = pixels * inside[codes] * held
    return np.where(parts > 0, 1 / np.maximum(parts, 1), 0.0), held


def achieved_risk(
    tally: Tally,
    threshold: int,
    groups: Sequence[str] | None = None,
    *,
    by_class: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Interval, ...]:
    """Return the mean error at a threshold over other units, with its interval.

    Args:
        tally: Images that did not choose the threshold.
        threshold: As in :func:`segcore.evaluation.compression.back_off.back_off`.
        groups: Group of each image: the mean is then over groups of the mean over their images.
        by_class: Of each class, over the units that hold it.
        resamples: How often the units are drawn again.
        seed: Seed of the draws.

    Returns:
        One interval, or one for each class.
    """
    errors, pixels = tally.errors(threshold), tally.true
    if not by_class:
        errors, pixels = errors.sum(1, keepdims=True), pixels.sum(1, keepdims=True)
    return mean_loss(errors, pixels, tally.sample_ids, groups, resamples=resamples, seed=seed)


def mean_loss(
    errors: npt.NDArray[np.int64],
    pixels: npt.NDArray[np.int64],
    sample_ids: Sequence[str],
    groups: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Interval, ...]:
    """Return means over units of the share of wrong pixels, each with its interval.

    Args:
        errors: (N, K) wrong pixels of each image.
        pixels: (N, K) scored pixels; an image without any is left out of that mean.
        sample_ids: Ids of the images.
        groups: Group of each image, as in :func:`achieved_risk`.
        resamples: How often the units are drawn again.
        seed: Seed of the draws.
    """
    codes = _codes(groups, len(pixels))
    inside = np.zeros((codes.max() + 1, pixels.shape[1]))
    np.add.at(inside, codes, pixels > 0)
    share = np.where(pixels > 0, 1 / np.maximum(inside[codes], 1), 0.0)
    part = np.stack([errors / np.maximum(pixels, 1) * share, share], axis=-1)
    drawing = Resampling([part], groups, resamples=resamples, seed=seed, names=sample_ids)

    def mean(sums: Floats) -> Floats:
        losses, units = sums[..., 0], sums[..., 1]
        return np.where(units > 0, losses / np.where(units > 0, units, 1), np.nan)

    whole = next(drawing.sums(part, weights=np.ones((1, drawing.units), np.int32)))[0]
    draws = np.zeros((0, pixels.shape[1]))
    if drawing.is_enough:
        draws = np.concatenate([mean(sums) for (sums,) in drawing.sums(part)])
    return drawing.intervals(mean(whole)[0], draws, drawing.held(pixels > 0))
