"""What the ensemble lab and the CRF lab ask in the background: every subset of some members, and whether a CRF helps them."""

from dataclasses import dataclass, field

from segcore.catalog import CRF_OBJECTIVES, ENSEMBLE_RULES
from segcore.config.checks import check_name, check_range
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import check_weights
from segcore.postprocess.parameters import CRFParameters
from segcore.postprocess.weightings import MAX_MEMBERS


@dataclass(frozen=True)
class SubsetsConfig:
    """The mean of every subset of some members, and of drawn weights, scored over one split.

    Attributes:
        dataset: Name of a dataset in the workspace.
        members: Ids of the training runs, two to ten.
        split: Split to score.
        draws: How many weightings of all members are tried besides equal weights.
        seed: Of the drawn weightings.
    """

    dataset: str
    members: tuple[str, ...]
    split: str = "validation"
    draws: int = 0
    seed: int = 0
    kind: str = "subsets"

    def __post_init__(self) -> None:
        """Refuse too few or too many members, and one that stands twice."""
        check_members(self.members)
        if not 2 <= len(self.members) <= MAX_MEMBERS:
            raise SegcoreError(
                f"Expected 2 to {MAX_MEMBERS} members to try every subset, received "
                f"{len(self.members)}: choose a number in that range."
            )
        check_range("drawn weightings", self.draws, 0, 2000)


@dataclass(frozen=True)
class CRFSearchConfig:
    """A search for CRF parameters over one split, in which "no CRF" takes part.

    Attributes:
        dataset: Name of a dataset in the workspace.
        members: Ids of the training runs whose combination is refined, one or more.
        split: Split to search on; not the one that is reported in the end.
        rule: A name in ``catalog.ENSEMBLE_RULES``.
        weights: One a member, for rules that take weights; empty for equal ones.
        candidates: How many CRFs are drawn besides the starting point.
        objective: A name in ``catalog.CRF_OBJECTIVES``: what the candidates are ranked by.
        start: A CRF that takes part as it is; its iterations are those of all.
        seed: Of the drawn candidates and of the order of the images.
    """

    dataset: str
    members: tuple[str, ...]
    split: str = "validation"
    rule: str = "mean"
    weights: tuple[float, ...] = ()
    candidates: int = 24
    objective: str = "mean_iou"
    start: CRFParameters = field(default_factory=lambda: CRFParameters(relative=True))
    seed: int = 0
    kind: str = "crf_search"

    def __post_init__(self) -> None:
        """Refuse an empty ensemble, a member twice, unknown names, and numbers out of range."""
        check_members(self.members)
        check_name("ensemble rule", self.rule, ENSEMBLE_RULES)
        check_weights(self.weights or None, self.rule, len(self.members))
        check_name("objective", self.objective, CRF_OBJECTIVES)
        check_range("candidates", self.candidates, 0, 500)


def check_members(members: tuple[str, ...]) -> None:
    """Refuse no member at all, and one that stands twice."""
    if not members:
        raise SegcoreError(
            "Expected at least one member, received none: name one or more training runs."
        )
    if len(set(members)) != len(members):
        raise SegcoreError(
            f"Expected each member once, received {list(members)}: remove the repeated one."
        )
