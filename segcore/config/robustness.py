"""A robustness test: the scores of a model on corrupted images."""

from dataclasses import dataclass

from segcore.catalog import CORRUPTIONS, ENSEMBLE_RULES
from segcore.config.schema import check, option
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import check_weights


@dataclass(frozen=True)
class RobustnessConfig:
    """Scores of a model or ensemble on images of a split, clean and corrupted.

    No probabilities are stored.

    Attributes:
        dataset: Name of a dataset in the workspace.
        run: Id of the finished training run, or of the evaluate run of an ensemble.
        split: Split to draw the images from.
        device: As in :class:`TrainConfig`.
        members: Ids of an ensemble's training runs, combined on each corrupted image; else empty.
        weights: One per member, for rules that take weights; empty for equal ones.
        kind: Kind of run.
    """

    dataset: str
    run: str
    split: str = "test"
    corruptions: tuple[str, ...] = option(
        tuple(CORRUPTIONS), "Corruptions", "What is done to the images.", table=CORRUPTIONS
    )
    images: int = option(
        32,
        "Images",
        "Number of images, spread evenly over the split; 0 for all.",
        low=0,
        high=1_000_000,
    )
    seed: int = option(0, "Seed", "Seed of the noise.")
    device: str = "auto"
    members: tuple[str, ...] = ()
    rule: str = option("mean", "Aggregation", "How members are combined.", table=ENSEMBLE_RULES)
    weights: tuple[float, ...] = ()
    kind: str = "robustness"

    def __post_init__(self) -> None:
        """Refuse unknown names, no corruption at all, and numbers out of range."""
        check(self)
        if not self.corruptions or len(set(self.corruptions)) != len(self.corruptions):
            raise SegcoreError(
                "Expected each corruption once and at least one, received "
                f"{list(self.corruptions)}: name some."
            )
        if len(set(self.members)) != len(self.members):
            raise SegcoreError(
                f"Expected each member once, received {list(self.members)}: name each once."
            )
        check_weights(self.weights or None, self.rule, len(self.members))
