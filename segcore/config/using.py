"""What is done with trained runs: predict, combine, refine, count."""

from dataclasses import dataclass

from segcore.catalog import ENSEMBLE_RULES
from segcore.config.checks import check_name
from segcore.errors import SegcoreError
from segcore.postprocess.dense_crf import CRFParameters


@dataclass(frozen=True)
class PredictConfig:
    """Probabilities of one trained run over one split.

    Attributes:
        dataset: Name of a data set in the workspace.
        run: Id of the finished training run.
        split: Split to predict.
        batch_size: Images a step.
        device: As in :class:`TrainConfig`.
    """

    dataset: str
    run: str
    split: str = "test"
    batch_size: int = 4
    device: str = "auto"
    kind: str = "predict"


@dataclass(frozen=True)
class EvaluateConfig:
    """Members combined, refined and counted over one split.

    Attributes:
        dataset: Name of a data set in the workspace.
        members: Ids of the training runs, one or more.
        split: Split to score.
        rule: A name in ``catalog.ENSEMBLE_RULES``.
        crf: Parameters of the dense CRF, or None for no CRF.
    """

    dataset: str
    members: tuple[str, ...]
    split: str = "test"
    rule: str = "mean"
    crf: CRFParameters | None = None
    kind: str = "evaluate"

    def __post_init__(self) -> None:
        """Refuse an empty ensemble, a member twice, and an unknown rule."""
        check_name("ensemble rule", self.rule, ENSEMBLE_RULES)
        if not self.members:
            raise SegcoreError("Expected at least one member, received none: name one or more training runs.")
        if len(set(self.members)) != len(self.members):
            raise SegcoreError(f"Expected each member once, received {list(self.members)}: remove the repeated one.")
