"""One network from several: distilled from their answers, or the average of their weights."""

from dataclasses import dataclass

from segcore.config.ensembles import check_members
from segcore.config.schema import check, option
from segcore.errors import SegcoreError


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
    unlabelled: bool = option(
        False,
        "Unlabelled images too",
        "Also train on the dataset's images without masks, on what the teachers predict there "
        "alone.",
    )

    def __post_init__(self) -> None:
        """Refuse no teacher, a repeated one, and a weight out of range or that leaves no lesson."""
        check(self)
        check_members(self.teachers)
        if self.unlabelled and self.label_weight == 1:
            raise SegcoreError(
                "Expected a label weight below 1 with unlabelled images, whose only lesson is the "
                "teachers', received 1: lower it, or leave out the unlabelled images."
            )


@dataclass(frozen=True)
class AveragingConfig:
    """Whose weights a run averages in place of training ("model soup").

    Attributes:
        members: Ids of two or more training runs that share a start.
    """

    members: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse fewer than two members, and a repeated one."""
        check_members(self.members)
        if len(self.members) < 2:
            raise SegcoreError(
                "Expected two or more members to average, received one: name another run that "
                "shares its start."
            )
