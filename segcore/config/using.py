"""What is done with trained runs: predict, combine, refine, count."""

import re
from dataclasses import dataclass, field

from segcore.catalog import BACKENDS, ENSEMBLE_RULES, TEST_TIME_AUGMENTATIONS
from segcore.config.checks import check_name, check_range
from segcore.config.lab import check_members
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import check_weights
from segcore.postprocess.parameters import CRFParameters, MaskFilter

_NAME = re.compile(r"(?!.*--)[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


MAX_OVERLAP = 0.9


@dataclass(frozen=True)
class PredictOptions:
    """How a trained network looks at an image.

    Attributes:
        tile: False: the image is resized to the training size. True: it is cut, at its own
            resolution, into overlapping tiles of the training size, which are blended with Gaussian
            weights.
        overlap: Share of a tile that its neighbour repeats, 0 to 0.9; only where images are cut
            into tiles.
        tta: A name in ``catalog.TEST_TIME_AUGMENTATIONS``.
        backend: A name in ``catalog.BACKENDS``.
    """

    tile: bool = False
    overlap: float = 0.5
    tta: str = "none"
    backend: str = "auto"

    def __post_init__(self) -> None:
        """Refuse names that are in no table and an overlap that leads nowhere."""
        check_name("test-time augmentation", self.tta, TEST_TIME_AUGMENTATIONS)
        check_name("backend", self.backend, BACKENDS)
        check_range("an overlap of tiles", self.overlap, 0.0, MAX_OVERLAP)


@dataclass(frozen=True)
class PredictConfig:
    """Probabilities of one trained run over one split.

    Attributes:
        dataset: Name of a dataset in the workspace.
        run: Id of the finished training run.
        split: Split to predict.
        batch_size: Images or tiles a step; 0 finds it from the memory.
        device: As in :class:`TrainConfig`.
        options: How the network looks at an image.
    """

    dataset: str
    run: str
    split: str = "test"
    batch_size: int = 0
    device: str = "auto"
    options: PredictOptions = field(default_factory=PredictOptions)
    kind: str = "predict"

    def __post_init__(self) -> None:
        """Refuse a batch size out of range."""
        check_range("a batch size", self.batch_size, 0, 4096)


@dataclass(frozen=True)
class EvaluateConfig:
    """Members combined, refined and counted over one split.

    Attributes:
        dataset: Name of a dataset in the workspace.
        members: Ids of the training runs, one or more.
        split: Split to score.
        rule: A name in ``catalog.ENSEMBLE_RULES``.
        crf: Parameters of the dense CRF, or None for no CRF.
        weights: One a member, for rules that take weights; empty for equal ones.
        filter: A plain filter of the combined prediction, scored beside it, or None.
        name: What people call this ensemble; "" for none. It is the beginning of the run's id.
    """

    dataset: str
    members: tuple[str, ...]
    split: str = "test"
    rule: str = "mean"
    crf: CRFParameters | None = None
    weights: tuple[float, ...] = ()
    filter: MaskFilter | None = None
    name: str = ""
    kind: str = "evaluate"

    def __post_init__(self) -> None:
        """Refuse an empty ensemble, a member twice, an unknown rule, weights that do not fit, and a name that is none."""
        check_name("ensemble rule", self.rule, ENSEMBLE_RULES)
        check_members(self.members)
        if self.weights:
            check_weights(self.weights, self.rule, len(self.members))
        if self.name and not _NAME.fullmatch(self.name):
            raise SegcoreError(
                "Expected a name of up to 60 letters, digits, '.', '_' and '-', without "
                f"'--', received {self.name!r}: choose such a name."
            )
