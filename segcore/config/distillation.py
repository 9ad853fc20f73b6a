"""One network from several, distilled from their answers."""

from dataclasses import dataclass

from segcore.config.lab import check_members
from segcore.config.schema import check, option


@dataclass(frozen=True)
class DistillationConfig:
    """Whose answers a training run learns besides the labels.

    Attributes:
        teachers: Ids of the training runs whose stored mean probabilities are the soft targets.
    """

    teachers: tuple[str, ...]
    label_weight: float = option(
        0.5,
        "Weight of the labels",
        "Share of the loss that the images' own labels have; the rest is the teachers'. 1 ignores "
        "the teachers, 0 the labels.",
        low=0,
        high=1,
        step=0.1,
    )

    def __post_init__(self) -> None:
        """Refuse no teacher, a repeated one, and a weight out of range."""
        check(self)
        check_members(self.teachers)
