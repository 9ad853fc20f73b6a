"""Several members' probabilities made one, a member at a time.

Every rule is a weighted sum of something computed from one member, followed by one finishing step,
so a combination holds two arrays in memory however many members there are.

    mean       sum_m w_m p_m
    weighted   the same with weights that the caller chose
    geometric  prod_m p_m^w_m, renormalised (Hinton: Training products of experts, Neural
    Computation 2002)
    majority   sum_m w_m [argmax p_m = c], ties decided by the mean (Breiman: Bagging, 1996)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.catalog import ENSEMBLE_RULES
from segcore.errors import SegcoreError, unknown

FloatArray = npt.NDArray[np.float32]

MIN_PROBABILITY = 1e-7
"""Floor of probabilities in the geometric rule: one member's zero must not veto a class."""

TIE_SHARE = 1e-3
"""Weight of the mean probability in the majority rule: less than any vote, enough for ties."""


@dataclass(frozen=True)
class Rule:
    """How members become one.

    Attributes:
        term: One member's (H, W, C) probabilities to the array that is summed.
        finish: The weighted sum (weights sum to 1) to (H, W, C) probabilities.
        linear: Whether the rule commutes with resizing, which is linear too.
    """

    term: Callable[[FloatArray], FloatArray]
    finish: Callable[[FloatArray], FloatArray]
    linear: bool = False


def normalise(probabilities: FloatArray) -> FloatArray:
    """Divide each pixel's row by its sum, in place for float32; (..., C) in and out."""
    values = np.asarray(probabilities, np.float32)
    values /= (values @ np.ones(values.shape[-1], np.float32))[
        ..., None
    ]  # numpy sums a short last axis several times slower
    return values


def _same(probabilities: FloatArray) -> FloatArray:
    return probabilities


def _logarithm(probabilities: FloatArray) -> FloatArray:
    return np.log(np.maximum(probabilities, np.float32(MIN_PROBABILITY)))


def _softmax(logarithms: FloatArray) -> FloatArray:
    logarithms -= logarithms.max(axis=-1, keepdims=True)
    return normalise(np.exp(logarithms, out=logarithms))


def _votes(probabilities: FloatArray) -> FloatArray:
    votes = probabilities * np.float32(TIE_SHARE)
    winners = probabilities.argmax(axis=-1)[..., None]
    np.put_along_axis(votes, winners, np.take_along_axis(votes, winners, -1) + np.float32(1), -1)
    return votes


RULES: dict[str, Rule] = {
    "mean": Rule(_same, normalise, linear=True),
    "weighted": Rule(_same, normalise, linear=True),
    "geometric": Rule(_logarithm, _softmax),
    "majority": Rule(_votes, normalise),
}


def check_weights(
    weights: Sequence[float] | None, rule: str, num_members: int | None = None
) -> npt.NDArray[np.float64] | None:
    """Return the weights divided by their sum, or None for equal ones.

    Args:
        weights: One weight a member, none negative, not all zero; None for equal weights.
        rule: A name in ``catalog.ENSEMBLE_RULES``; "weighted" needs weights, "mean" refuses them,
            the others take them or not.
        num_members: How many there must be, where known.

    Raises:
        SegcoreError: The rule is unknown, or the weights do not fit it.
    """
    if rule not in RULES:
        raise unknown("ensemble rule", rule, ENSEMBLE_RULES)
    if weights is None:
        if rule == "weighted":
            raise SegcoreError(
                "Expected a weight for each member with the rule 'weighted', received "
                "none: give weights, or choose 'mean'."
            )
        return None
    if rule == "mean":
        raise SegcoreError(
            "Expected no weights with the rule 'mean', received some: choose the rule "
            "'weighted', or leave them out."
        )
    values = np.asarray(weights, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise SegcoreError(
            "Expected weights of at least 0 with a positive sum, received "
            f"{list(weights)}: change them."
        )
    if num_members is not None and len(values) != num_members:
        raise SegcoreError(
            f"Expected {num_members} weights, one for each member, received {len(values)}: "
            "give one for each."
        )
    return values / values.sum()


def combine(
    members: Iterable[FloatArray], rule: str = "mean", weights: Sequence[float] | None = None
) -> FloatArray:
    """Combine members' probabilities, reading one member at a time.

    Args:
        members: Arrays (H, W, C) float32, 0..1, rows sum to 1, of one shape. A generator is read
            lazily and nothing of it is kept.
        rule: A name in ``catalog.ENSEMBLE_RULES``; the module's docstring has the formulas.
        weights: One a member (see :func:`check_weights`); members of weight 0 are read but do not
            count.

    Returns:
        (H, W, C) float32, 0..1, rows sum to 1.

    Raises:
        SegcoreError: There is no member, shapes differ, the rule is unknown, or the weights do not
            fit.
    """
    shares = check_weights(weights, rule)
    term = RULES[rule].term
    total: FloatArray | None = None
    count = 0
    for member in members:
        if total is not None and member.shape != total.shape:
            raise SegcoreError(
                f"Expected members of one shape, received {total.shape} and "
                f"{member.shape}: choose runs over the same classes, "
                "and resize their probabilities to one size first."
            )
        value = term(member)
        if shares is not None:
            value = value * np.float32(shares[count] if count < len(shares) else 0.0)
        if total is None:
            total = np.array(value, np.float32)
        else:
            total += value
        count += 1
    if total is None:
        raise SegcoreError("Expected at least one member, received none: name one or more runs.")
    if shares is None:
        total /= np.float32(count)
    elif len(shares) != count:
        raise SegcoreError(
            f"Expected {count} weights, one for each member, received {len(shares)}: give "
            "one for each."
        )
    return RULES[rule].finish(total)


def combine_to_size(
    members: Iterable[FloatArray],
    size: tuple[int, int],
    rule: str = "mean",
    weights: Sequence[float] | None = None,
) -> FloatArray:
    """Combine members and resize the result; members are first resized to the first one's size.

    Args:
        members: Arrays (h, w, C) float32, 0..1, rows sum to 1; heights and widths may differ, C may
            not.
        size: (H, W) of the result.
        rule: As in :func:`combine`.
        weights: As in :func:`combine`.

    Returns:
        (H, W, C) float32, 0..1, rows sum to 1.

    Raises:
        SegcoreError: As :func:`combine`.
    """
    return resize_probabilities(combine(_on_one_grid(members), rule, weights), size)


def _on_one_grid(members: Iterable[FloatArray]) -> Iterator[FloatArray]:
    rest = iter(members)
    first = next(rest, None)
    if first is None:
        return
    grid = (first.shape[0], first.shape[1])
    for member in chain([first], rest):
        yield member if member.shape[:2] == grid else resize_probabilities(member, grid)


def resize_planes(planes: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Resize class maps: bilinear with half-pixel centres to enlarge, area means to shrink.

    Growing equals ``tf.image.resize(..., "bilinear")``: output pixel i reads position (i + 1/2) n /
    N - 1/2, clamped at the border. It is exact to 1e-7; TensorFlow rounds positions to float32,
    which moves its result by up to n / 1e7 of the step between two neighbours. One map at a time,
    because OpenCV 5 rounds the weights of images with two or more than four channels to about 1e-5.

    Args:
        planes: (C, h, w) float32.
        size: (H, W).

    Returns:
        (C, H, W) float32, C-contiguous, never the argument itself.
    """
    height, width = size
    out = np.empty((len(planes), height, width), np.float32)
    shrunk = (
        min(width, planes.shape[2]),
        min(height, planes.shape[1]),
    )  # OpenCV says (width, height)
    for plane, target in zip(planes, out, strict=True):
        source: npt.NDArray[Any] = np.ascontiguousarray(plane, np.float32)
        if shrunk != source.shape[::-1]:
            source = cv2.resize(source, shrunk, interpolation=cv2.INTER_AREA)
        if source.shape == (height, width):
            target[:] = source
        else:
            cv2.resize(source, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    return out


def resize_probabilities(probabilities: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Resize probabilities as :func:`resize_planes` does, and renormalise.

    Args:
        probabilities: (h, w, C) float32, 0..1, rows sum to 1.
        size: (H, W).

    Returns:
        (H, W, C) float32, 0..1, rows sum to 1; a copy, also where the size stays.

    Raises:
        SegcoreError: The array has another number of axes, or the size is not positive.
    """
    if probabilities.ndim != 3 or min(probabilities.shape) < 1:
        raise SegcoreError(
            "Expected probabilities (height, width, classes), received shape "
            f"{probabilities.shape}: pass one image."
        )
    if min(size) < 1:
        raise SegcoreError(
            f"Expected a size of at least 1 x 1, received {tuple(size)}: give (height, "
            "width) in pixels."
        )
    if tuple(size) == probabilities.shape[:2]:
        return np.array(probabilities, np.float32)
    planes = resize_planes(np.ascontiguousarray(probabilities.transpose(2, 0, 1), np.float32), size)
    return normalise(np.ascontiguousarray(planes.transpose(1, 2, 0)))
