"""How unsure an ensemble is, and how far its members disagree, as maps over the image."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

FloatArray = npt.NDArray[np.float32]


def entropy(probabilities: FloatArray) -> FloatArray:
    """Shannon entropy of each pixel in bits, -sum_c p_c log2 p_c.

    Args:
        probabilities: (..., C) float32, 0..1, last axis sums to 1.

    Returns:
        (...) float32, 0..log2 C; 0 where one class has it all.
    """
    p = np.asarray(probabilities, np.float32)
    logarithms = np.log2(p, out=np.zeros_like(p), where=p > 0)
    return np.maximum(-np.einsum("...c,...c->...", p, logarithms), np.float32(0))


@dataclass(frozen=True)
class Uncertainty:
    """Maps over one image, each (H, W) float32.

    Attributes:
        total: Entropy of the mean in bits, 0..log2 C: how unsure the ensemble is.
        disagreement: The part of it that comes from members contradicting each other, in bits,
            0..total: the entropy of the mean less the mean entropy, which is the generalised
            Jensen-Shannon divergence of the members (Lin, IEEE Trans. Inf. Theory 1991) and the
            mutual information of class and member (Depeweg et al., ICML 2018).
        dissent: Share of the members that do not vote for the class with most votes, 0..1
            (variation ratio, Freeman 1965).
    """

    total: FloatArray
    disagreement: FloatArray
    dissent: FloatArray


def measure_uncertainty(members: Iterable[FloatArray]) -> Uncertainty:
    """Measure an ensemble's uncertainty, reading one member at a time.

    Args:
        members: Arrays (H, W, C) float32, 0..1, rows sum to 1, of one shape.

    Raises:
        SegcoreError: There is no member, or shapes differ.
    """
    total: FloatArray | None = None
    votes = own = np.zeros(0, np.float32)
    count = 0
    for member in members:
        if total is None:
            total, votes = np.zeros(member.shape, np.float32), np.zeros(member.shape, np.float32)
            own = np.zeros(member.shape[:2], np.float32)
        if member.shape != total.shape:
            raise SegcoreError(
                f"Expected members of one shape, received {total.shape} and "
                f"{member.shape}: resize them to one size first."
            )
        total += member
        own += entropy(member)
        winner = member.argmax(axis=-1)[..., None]
        np.put_along_axis(votes, winner, np.take_along_axis(votes, winner, -1) + np.float32(1), -1)
        count += 1
    if total is None:
        raise SegcoreError("Expected at least one member, received none: name one or more runs.")
    whole = entropy(total / np.float32(count))
    disagreement = np.clip(whole - own / np.float32(count), 0, whole)
    return Uncertainty(whole, disagreement, 1 - votes.max(axis=-1) / np.float32(count))
