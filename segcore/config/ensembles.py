"""Background work on ensembles: scores of every subset of members, and the search for a CRF."""

from dataclasses import dataclass, field

from segcore.catalog import CRF_OBJECTIVES, ENSEMBLE_RULES
from segcore.config.schema import check, option
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import check_weights
from segcore.postprocess.parameters import CRFParameters
from segcore.postprocess.weightings import MAX_MEMBERS


@dataclass(frozen=True)
class SubsetsConfig:
    """The mean of every subset of members, and random weightings, scored over one split.

    Attributes:
        dataset: Name of a dataset in the workspace.
        members: Ids of the training runs, two to ten.
        split: Split to score.
        kind: Kind of run.
    """

    dataset: str
    members: tuple[str, ...]
    split: str = "validation"
    draws: int = option(
        0,
        "Random weightings",
        "Random weightings of all members that are tried besides equal weights.",
        low=0,
        high=2000,
    )
    seed: int = option(0, "Seed", "Seed of the random weightings.")
    kind: str = "subsets"

    def __post_init__(self) -> None:
        """Refuse too few or too many members, and a repeated one."""
        check(self)
        check_members(self.members)
        if not 2 <= len(self.members) <= MAX_MEMBERS:
            raise SegcoreError(
                f"Expected 2 to {MAX_MEMBERS} members to try every subset, received "
                f"{len(self.members)}: choose a number in that range."
            )


@dataclass(frozen=True)
class CRFSearchConfig:
    """A search for CRF parameters over one split; "no CRF" is a candidate too.

    Attributes:
        dataset: Name of a dataset in the workspace.
        members: Ids of the training runs whose combination is refined, one or more.
        split: Split to search on; not the one that is reported in the end.
        weights: One per member, for rules that take weights; empty for equal ones.
        start: The first candidate; all candidates have its number of iterations.
        kind: Kind of run.
    """

    dataset: str
    members: tuple[str, ...]
    split: str = "validation"
    rule: str = option("mean", "Aggregation", "How members are combined.", table=ENSEMBLE_RULES)
    weights: tuple[float, ...] = ()
    candidates: int = option(
        24,
        "Candidates",
        "Number of random CRFs besides the default one.",
        low=0,
        high=500,
    )
    objective: str = option(
        "mean_iou", "Objective", "What candidates are ranked by.", table=CRF_OBJECTIVES
    )
    start: CRFParameters = field(default_factory=lambda: CRFParameters(relative=True))
    seed: int = option(0, "Seed", "Seed of the candidates and of the order of the images.")
    kind: str = "crf_search"

    def __post_init__(self) -> None:
        """Refuse no member, a repeated member, unknown names, and numbers out of range."""
        check(self)
        check_members(self.members)
        check_weights(self.weights or None, self.rule, len(self.members))


def check_members(members: tuple[str, ...]) -> None:
    """Refuse no member at all, and a repeated one."""
    if not members:
        raise SegcoreError(
            "Expected at least one member, received none: name one or more training runs."
        )
    if len(set(members)) != len(members):
        raise SegcoreError(
            f"Expected each member once, received {list(members)}: remove the repeated one."
        )
