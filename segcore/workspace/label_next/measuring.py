"""What the members say about one unlabelled image, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segcore.postprocess.ensemble import resize_probabilities
from segcore.postprocess.uncertainty import entropy

MAX_SIDE = 512
"""Longer side at which probabilities are measured; larger ones are averaged down."""

CELLS = 4
"""Rows and columns of the grid whose mean probabilities tell images from each other."""

CLOSE = 0.2
"""Margin below which one network hesitates between two classes."""

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Dispute:
    """Two classes between which members, or one network, are torn.

    Attributes:
        first: Class index with more votes, or of the higher probability.
        second: The other one.
        votes: Members for each; (1, 1) of one network.
        share: Share of the image's pixels, 0..1; 0 where nothing is disputed.
    """

    first: int
    second: int
    votes: tuple[int, int]
    share: float


@dataclass(frozen=True, eq=False)
class ImageMeasures:
    """One image.

    Attributes:
        disagreement: Mean mutual information of class and member as a share of the most, 0..1; NaN
            of one member.
        margin: Mean of 1 - (first - second probability), 0..1.
        entropy: Mean entropy as a share of the most, 0..1.
        shares: (C,) share of the pixels predicted as each class.
        layout: (CELLS * CELLS * C,) mean probabilities in a grid.
        dispute: What is most disputed.
    """

    disagreement: float
    margin: float
    entropy: float
    shares: npt.NDArray[np.float64]
    layout: npt.NDArray[np.float64]
    dispute: Dispute


def measure_image(members: Sequence[Probabilities]) -> ImageMeasures:
    """Measure an image.

    Args:
        members: (h, w, C) float32 of each, 0..1, rows sum to 1; grids of other sizes are resized to
            the first.
    """
    grid = _grid(members[0].shape[0], members[0].shape[1])
    answers = [_resized(member, grid) for member in members]
    classes, count = answers[0].shape[-1], len(answers)
    mean = np.mean(answers, axis=0)
    whole = entropy(mean)
    apart = np.clip(whole - np.mean([entropy(a) for a in answers], axis=0), 0, whole)
    top = np.partition(mean, classes - 2, axis=-1)
    margins = top[..., -1] - top[..., -2]
    votes = np.zeros(mean.shape, np.int16)
    for answer in answers:
        np.put_along_axis(
            votes,
            (winner := answer.argmax(axis=-1)[..., None]),
            np.take_along_axis(votes, winner, -1) + np.int16(1),
            -1,
        )
    most = np.log2(min(count, classes)) if count > 1 else 1.0
    return ImageMeasures(
        float(apart.mean() / most) if count > 1 else float("nan"),
        float(1 - margins.mean()),
        float(whole.mean() / np.log2(classes)),
        np.bincount(mean.argmax(axis=-1).ravel(), minlength=classes) / whole.size,
        cv2.resize(mean, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float64).ravel(),
        _torn(votes, apart) if count > 1 else _hesitates(mean, margins),
    )


def _grid(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, MAX_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resized(member: Probabilities, grid: tuple[int, int]) -> Probabilities:
    if member.shape[:2] == grid:
        return member
    if member.shape[0] >= grid[0] and member.shape[1] >= grid[1]:
        smaller = cv2.resize(member, (grid[1], grid[0]), interpolation=cv2.INTER_AREA)
        return np.asarray(smaller, np.float32)
    return resize_probabilities(member, grid)


def _torn(votes: npt.NDArray[np.int16], apart: Probabilities) -> Dispute:
    """Return the pair of classes on which members disagree most, by summed mutual information."""
    count = int(votes[0, 0].sum())
    first = votes.argmax(axis=-1)
    rest = votes.copy()
    np.put_along_axis(rest, first[..., None], np.int16(-1), -1)
    second = rest.argmax(axis=-1)
    own, other = (np.take_along_axis(votes, c[..., None], -1)[..., 0] for c in (first, second))
    disputed = other > 0
    if not disputed.any():
        return Dispute(0, 0, (count, 0), 0.0)
    pairs = (first * votes.shape[-1] + second)[disputed]
    pair = int(np.bincount(pairs, weights=apart[disputed]).argmax())
    here = pairs == pair
    splits = own[disputed][here] * (count + 1) + other[disputed][here]
    split = int(np.bincount(splits.astype(np.int64)).argmax())
    one, two = divmod(pair, votes.shape[-1])
    return Dispute(one, two, divmod(split, count + 1), float(here.sum() / disputed.size))


def _hesitates(mean: Probabilities, margins: Probabilities) -> Dispute:
    """Return the pair of classes between which one network hesitates on most pixels."""
    close = margins < CLOSE
    if not close.any():
        return Dispute(0, 0, (1, 0), 0.0)
    order = np.argsort(mean[close], axis=-1)
    pairs = order[:, -1] * mean.shape[-1] + order[:, -2]
    counts = np.bincount(pairs)
    one, two = divmod(int(counts.argmax()), mean.shape[-1])
    return Dispute(one, two, (1, 1), float(counts.max() / close.size))
