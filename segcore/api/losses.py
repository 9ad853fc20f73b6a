"""Losses by name, to be added and weighted: ``dice + 0.5 * focal``."""

from dataclasses import dataclass
from math import inf
from numbers import Real

from segcore.catalog import loss_terms
from segcore.errors import SegcoreError


@dataclass(frozen=True)
class Loss:
    """A loss of the catalogue or a weighted sum of them.

    Attributes:
        text: As a config has it: "dice + 0.5*focal".
    """

    text: str

    def __post_init__(self) -> None:
        """Refuse a loss that is in no table."""
        loss_terms(self.text)

    def __add__(self, other: object) -> "Loss":
        """Return the sum of two losses; a text such as "focal" is a loss, too."""
        return Loss(f"{self.text} + {_loss(other).text}")

    def __radd__(self, other: object) -> "Loss":
        """Return the sum of a text and a loss."""
        return _loss(other) + self

    def __mul__(self, factor: object) -> "Loss":
        """Return the loss times a positive number.

        Raises:
            SegcoreError: The factor is no positive number.
        """
        weighted = _positive(factor)
        if weighted is None:
            raise SegcoreError(
                f"Expected a positive number to weight a loss with, received {factor!r}: write "
                "for example 0.5 * dice."
            )
        return Loss(
            " + ".join(f"{weighted * weight:g}*{name}" for weight, name in loss_terms(self.text))
        )

    __rmul__ = __mul__

    def __truediv__(self, divisor: object) -> "Loss":
        """Return the loss divided by a positive number.

        Raises:
            SegcoreError: The divisor is no positive number.
        """
        parts = _positive(divisor)
        return self * (divisor if parts is None else 1 / parts)

    def __sub__(self, other: object) -> "Loss":
        """Refuse a difference: losses have positive weights.

        Raises:
            SegcoreError: Always.
        """
        raise SegcoreError(
            f"Expected a sum of losses, received {self.text} - {other}: losses have positive "
            "weights; write for example dice + 0.5 * focal."
        )

    __rsub__ = __sub__

    def __neg__(self) -> "Loss":
        """Refuse a negative loss.

        Raises:
            SegcoreError: Always.
        """
        return self * -1

    def __str__(self) -> str:
        return self.text


def _positive(value: object) -> float | None:
    """Return a number above 0, NumPy's too; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return float(value) if 0 < float(value) < inf else None


def _loss(other: object) -> Loss:
    if isinstance(other, (Loss, str)):
        return other if isinstance(other, Loss) else Loss(other)
    raise SegcoreError(
        f"Expected a loss to add, received {other!r}: write for example dice + 0.5 * focal."
    )
