"""What is asked when a network's scores under corrupted images are counted."""

from dataclasses import dataclass

from segcore.catalog import CORRUPTIONS, ENSEMBLE_RULES
from segcore.config.checks import check_name, check_range
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import check_weights


@dataclass(frozen=True)
class RobustnessConfig:
    """Counts of a network or an ensemble over some images of a split, clean and corrupted; no probabilities are stored.

    Attributes:
        dataset: Name of a dataset in the workspace.
        run: Id of the finished training run, or of the evaluate run of an ensemble.
        split: Split to draw the images from.
        corruptions: Names in ``catalog.CORRUPTIONS``.
        images: How many images, spread evenly over the split; 0 takes all.
        seed: Of the noise.
        device: As in :class:`TrainConfig`.
        members: Of an ensemble the ids of its training runs, whose answers to each corrupted image
            are combined; else empty.
        rule: How they are combined, a name in ``catalog.ENSEMBLE_RULES``.
        weights: One a member, for rules that take weights; empty for equal ones.
    """

    dataset: str
    run: str
    split: str = "test"
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    images: int = 32
    seed: int = 0
    device: str = "auto"
    members: tuple[str, ...] = ()
    rule: str = "mean"
    weights: tuple[float, ...] = ()
    kind: str = "robustness"

    def __post_init__(self) -> None:
        """Refuse names that are in no table, none at all, and numbers out of range."""
        for name in self.corruptions:
            check_name("corruption", name, CORRUPTIONS)
        if not self.corruptions or len(set(self.corruptions)) != len(self.corruptions):
            raise SegcoreError(
                "Expected each corruption once and at least one, received "
                f"{list(self.corruptions)}: name some."
            )
        if len(set(self.members)) != len(self.members):
            raise SegcoreError(
                f"Expected each member once, received {list(self.members)}: name each once."
            )
        check_name("ensemble rule", self.rule, ENSEMBLE_RULES)
        check_weights(self.weights or None, self.rule, len(self.members))
        check_range("images", self.images, 0, 1_000_000)
