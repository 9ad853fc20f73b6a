"""Losses by name, to be added and weighed: ``dice + 0.5 * focal``."""

from dataclasses import dataclass

from segcore.catalog import LOSSES, loss_terms


@dataclass(frozen=True)
class Loss:
    """A loss of the catalogue or a weighted sum of them.

    Attributes:
        text: As a config has it: "dice + 0.5*focal".
    """

    text: str

    def __post_init__(self) -> None:
        """Refuse what is in no table."""
        loss_terms(self.text)

    def __add__(self, other: "Loss") -> "Loss":
        """Return the sum of two losses."""
        return Loss(f"{self.text} + {other.text}")

    def __rmul__(self, factor: float) -> "Loss":
        """Return the loss, weighed."""
        return Loss(
            " + ".join(f"{factor * weight:g}*{name}" for weight, name in loss_terms(self.text))
        )

    def __str__(self) -> str:
        return self.text


jaccard_distance, soft_jaccard = Loss("jaccard_distance"), Loss("soft_jaccard")
dice, focal, dice_focal = Loss("dice"), Loss("focal"), Loss("dice_focal")
cross_entropy, smoothed_cross_entropy = Loss("cross_entropy"), Loss("smoothed_cross_entropy")
hard_cross_entropy = Loss("hard_cross_entropy")
tversky, focal_tversky = Loss("tversky"), Loss("focal_tversky")
lovasz_softmax, boundary = Loss("lovasz_softmax"), Loss("boundary")

__all__ = ["Loss", *LOSSES]
