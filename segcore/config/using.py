"""What is done with trained runs: predict, combine, refine, score."""

import re
from dataclasses import dataclass, field, replace

from segcore.catalog import (
    BACKENDS,
    ENSEMBLE_RULES,
    PROBABILITY_STORAGE,
    TEST_TIME_AUGMENTATIONS,
)
from segcore.config.ensembles import check_members
from segcore.config.schema import check, option
from segcore.errors import SegcoreError
from segcore.formatting import percent
from segcore.postprocess.ensemble import check_weights
from segcore.postprocess.parameters import CRFParameters, MaskFilter

_NAME = re.compile(r"(?!.*--)[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


MAX_OVERLAP = 0.9


@dataclass(frozen=True)
class PredictOptions:
    """How a trained model is applied to an image."""

    tile: bool = option(
        False,
        "Sliding window",
        "Cut images at their own resolution into overlapping tiles of the training size, blended "
        "with Gaussian weights; otherwise images are resized to the training size.",
    )
    overlap: float = option(
        0.5,
        "Overlap",
        "Fraction of a tile that overlaps its neighbour; only with a sliding window.",
        low=0,
        high=MAX_OVERLAP,
        step=0.1,
    )
    tta: str = option(
        "none",
        "Test-time augmentation",
        "Views of the image whose probabilities are averaged.",
        table=TEST_TIME_AUGMENTATIONS,
    )
    backend: str = option(
        "auto", "Backend", "The library that computes the prediction.", table=BACKENDS
    )

    def __post_init__(self) -> None:
        """Refuse unknown names and numbers out of range."""
        check(self)

    def views(self) -> str:
        """Say in a few words how an image is shown to the model."""
        tiles = f"tiles, {percent(self.overlap, 0)} overlap" if self.tile else "whole image"
        if self.tta == "none":
            return tiles
        return f"{tiles}, {TEST_TIME_AUGMENTATIONS[self.tta].title.lower()}"


def at_training_scale(options: PredictOptions, crops: int) -> PredictOptions:
    """Return the options with which a network sees images as large as in training.

    Args:
        options: What was asked for.
        crops: ``RecipeConfig.crops`` of the training: above 0 the network never saw a resized image,
            so that tiles are used.
    """
    return replace(options, tile=True) if crops and not options.tile else options


@dataclass(frozen=True)
class PredictConfig:
    """Probabilities of one trained run over one split.

    Attributes:
        dataset: Name of a dataset in the workspace.
        run: Id of the finished training run.
        split: Split to predict.
        device: As in :class:`TrainConfig`.
        options: How the model is applied to an image.
        kind: Kind of run.
    """

    dataset: str
    run: str
    split: str = "test"
    batch_size: int = option(
        0,
        "Batch size",
        "Images or tiles per step; 0 chooses it by the memory.",
        low=0,
        high=4096,
    )
    device: str = "auto"
    options: PredictOptions = field(default_factory=PredictOptions)
    probabilities: str = option(
        "whole",
        "Stored probabilities",
        "What is kept on disk besides masks and counts; scores are the same.",
        table=PROBABILITY_STORAGE,
    )
    kind: str = "predict"

    def __post_init__(self) -> None:
        """Refuse a batch size out of range and an unknown storage."""
        check(self)


@dataclass(frozen=True)
class EvaluateConfig:
    """Members combined, refined and scored over one split.

    Attributes:
        dataset: Name of a dataset in the workspace.
        members: Ids of the training runs, one or more.
        split: Split to score.
        crf: Parameters of the dense CRF, or None for no CRF.
        weights: One per member, for rules that take weights; empty for equal ones.
        filter: A plain filter of the combined prediction, scored as well, or None.
        name: What the run's id begins with; "" for the members' common name.
        kind: Kind of run.
    """

    dataset: str
    members: tuple[str, ...]
    split: str = "test"
    rule: str = option("mean", "Aggregation", "How members are combined.", table=ENSEMBLE_RULES)
    crf: CRFParameters | None = None
    weights: tuple[float, ...] = ()
    filter: MaskFilter | None = None
    name: str = ""
    kind: str = "evaluate"

    def __post_init__(self) -> None:
        """Refuse no member, a repeated member, an unknown rule, wrong weights or a bad name."""
        check(self)
        check_members(self.members)
        if self.weights:
            check_weights(self.weights, self.rule, len(self.members))
        if self.name and not _NAME.fullmatch(self.name):
            raise SegcoreError(
                "Expected a name of up to 60 letters, digits, '.', '_' and '-', no spaces, without "
                f"'--', received {self.name!r}: choose such a name."
            )
