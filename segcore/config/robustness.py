"""What is asked when a network's scores under corrupted images are counted."""

from dataclasses import dataclass

from segcore.catalog import CORRUPTIONS
from segcore.config.checks import check_name, check_range
from segcore.errors import SegcoreError


@dataclass(frozen=True)
class RobustnessConfig:
    """Counts of one trained run over some images of a split, clean and corrupted; no probabilities are stored.

    Attributes:
        dataset: Name of a data set in the workspace.
        run: Id of the finished training run.
        split: Split to draw the images from.
        corruptions: Names in ``catalog.CORRUPTIONS``.
        images: How many images, spread evenly over the split; 0 takes all.
        seed: Of the noise.
        device: As in :class:`TrainConfig`.
    """

    dataset: str
    run: str
    split: str = "test"
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    images: int = 32
    seed: int = 0
    device: str = "auto"
    kind: str = "robustness"

    def __post_init__(self) -> None:
        """Refuse names that are in no table, none at all, and numbers out of range."""
        for name in self.corruptions:
            check_name("corruption", name, CORRUPTIONS)
        if not self.corruptions or len(set(self.corruptions)) != len(self.corruptions):
            raise SegcoreError(f"Expected each corruption once and at least one, received {list(self.corruptions)}: name some.")
        check_range("images", self.images, 0, 1_000_000)
