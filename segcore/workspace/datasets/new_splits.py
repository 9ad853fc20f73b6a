"""Drawing splits: what was asked for is completed, and what came of it is described."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.split_history import change_splits
from segcore.data.health.split_groups import choose_split, groups_in_splits, warn_of_torn
from segcore.data.splits.blocks import Blocks
from segcore.data.splits.splits import SplitPart, make_splits, split_report


def how_drawn(method: str, group_by: str, seed: int) -> str:
    """Write how splits were drawn: "grouped by prefix, seed 0"."""
    return f"{method} by {group_by}, seed {seed}" if group_by else f"{method}, seed {seed}"


@dataclass(frozen=True)
class NewSplits:
    """Splits that were drawn.

    Attributes:
        dataset: Name of the dataset.
        method: A name in ``splits.METHODS``.
        seed: Seed of the draw.
        splits: Images of each split.
        report: What each split holds, see :func:`segcore.data.splits.splits.split_report`.
        group_by: A name in ``splits.GROUPINGS`` for "grouped", else "".
        reason: Why this method; "" where a person asked for it.
        groups: For "grouped", the names of the groups in each split; else empty.
        warning: One sentence on groups whose images lie in several splits; "" where none do.
    """

    dataset: str
    method: str
    seed: int
    splits: dict[str, int]
    report: list[SplitPart]
    group_by: str
    reason: str
    groups: dict[str, list[str]]
    warning: str

    def __str__(self) -> str:
        """How they were drawn: "grouped by prefix, seed 0"."""
        return how_drawn(self.method, self.group_by, self.seed)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping."""
        return {**vars(self), "report": [vars(part) for part in self.report]}


@dataclass(frozen=True)
class SplitRules:
    """How splits are drawn.

    Attributes:
        method: A name in ``splits.METHODS``; "" for the one that suits the dataset.
        fractions: Split to share; they sum to 1.
        seed: Seed of the draw.
        group_by: A name in ``splits.GROUPINGS``, for "grouped"; "" for what intervals draw.
        blocks: Size of blocks of windows and the gap between splits, for "blocks".
    """

    method: str
    fractions: Mapping[str, float]
    seed: int
    group_by: str = ""
    blocks: Blocks | None = None


def draw_splits(
    dataset: Dataset, counts: npt.NDArray[np.int64], rules: SplitRules, save: bool
) -> NewSplits:
    """Assign every sample to a split.

    Args:
        dataset: The dataset.
        counts: (N, C) pixels of each class by sample, in the dataset's order.
        rules: How.
        save: Whether to save them with the dataset; False only returns what they would be.

    Raises:
        SegcoreError: The method or grouping is unknown, the fractions do not add up, or there are
            too few samples or groups.
    """
    parts = sum(share > 0 for share in rules.fractions.values())
    choice = choose_split(dataset, parts, rules.method, rules.group_by)
    how: dict[str, Any] = {"counts": counts, "group_by": choice.group_by, "blocks": rules.blocks}
    assigned = make_splits(dataset, choice.method, rules.fractions, rules.seed, **how)
    changed = (
        change_splits(dataset, assigned, f"{choice.method}, seed {rules.seed}")
        if save
        else dataset.with_splits(assigned)
    )
    by = choice.group_by
    return NewSplits(
        dataset=dataset.name,
        method=choice.method,
        seed=rules.seed,
        splits={split: len(changed.select(split)) for split in changed.splits},
        report=split_report(dataset, assigned, counts),
        group_by=by,
        reason=choice.reason,
        groups=groups_in_splits(dataset, assigned, by) if by else {},
        warning=warn_of_torn(dataset, choice, [assigned]),
    )
