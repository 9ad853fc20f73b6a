"""Groups of alike images and the splits: which method suits a dataset, and what splits tear apart.

What comes in groups is decided by :mod:`segcore.data.health.interval_groups`, so that splits and
intervals never disagree.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.health.interval_groups import IMAGES, interval_groups
from segcore.data.splits.splits import GROUPINGS, grouping_of
from segcore.labels import list_names, plural


@dataclass(frozen=True)
class SplitChoice:
    """How a dataset is split.

    Attributes:
        method: A name in :data:`segcore.data.splits.splits.METHODS`.
        group_by: A name in :data:`segcore.data.splits.splits.GROUPINGS` for "grouped", else "".
        reason: Why, as the end of a sentence; "" where a person asked for the method.
    """

    method: str
    group_by: str = ""
    reason: str = ""

    def __str__(self) -> str:
        """The choice for a person: "grouped by folder, since the images come in 8 groups"."""
        how = f"{self.method} by {self.group_by}" if self.group_by else self.method
        return f"{how}, {self.reason}" if self.reason else how


@dataclass(frozen=True)
class TornGroups:
    """Groups whose images lie in several splits.

    Attributes:
        by: What makes a group, a name in :data:`segcore.data.splits.splits.GROUPINGS`; "" where
            the images come in no groups.
        members: Ids of the samples of each such group, by its name.
        total: Groups of the dataset.
    """

    by: str
    members: Mapping[str, Sequence[str]]
    total: int

    def __str__(self) -> str:
        """What is the matter, without a full stop; only where there is such a group."""
        torn = len(self.members)
        count = f"all {torn}" if torn == self.total else f"{torn} of the {self.total}"
        groups = f"{count} groups" if self.total > 1 else "the only group"
        return f"images of {groups} by {self.by} ({list_names(list(self.members), 3)}) lie in several splits"


def choose_split(
    dataset: Dataset, parts: int, method: str = "", group_by: str = "", hold_out: str = ""
) -> SplitChoice:
    """Complete what was asked for: blocks for windows, grouped for groups, else stratified.

    Args:
        dataset: The dataset.
        parts: Splits or folds to fill: as many groups are needed.
        method: The method that was asked for; "" for the one that suits the dataset.
        group_by: The grouping that was asked for, which means "grouped"; "" for the one that
            intervals draw, else folders where there are several, else name prefixes.
        hold_out: A split whose samples are not dealt; "" for none.

    Raises:
        SegcoreError: There is no such grouping.
    """
    if method and method != "grouped":
        return SplitChoice(method)
    windows = bool(dataset.samples) and all(s.window is not None for s in dataset.samples)
    if windows and not method and not group_by:
        return SplitChoice("blocks", "", "since the images are windows of rasters")
    drawn = interval_groups(dataset).by
    by = grouping_of(dataset, group_by or (drawn if drawn != IMAGES else ""))
    if method or group_by:
        return SplitChoice("grouped", by)
    if drawn == IMAGES:
        return SplitChoice("stratified", "", "since the images come in no groups")
    free = [s for s in dataset.samples if not hold_out or s.split != hold_out]
    groups = len({GROUPINGS[by](sample) for sample in free})
    if groups < parts:
        few = f"since {plural(groups, 'group')} by {by} cannot fill {plural(parts, 'split')}"
        return SplitChoice("stratified", "", few)
    return SplitChoice("grouped", by, f"since the images come in {plural(groups, 'group')}")


def groups_in_splits(
    dataset: Dataset, splits: Mapping[str, str], group_by: str
) -> dict[str, list[str]]:
    """Return the names of the groups in each split, in the dataset's order.

    Args:
        dataset: The dataset.
        splits: Sample id to split.
        group_by: A name in :data:`segcore.data.splits.splits.GROUPINGS`.
    """
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for sample in dataset.samples:
        if splits.get(sample.id):
            found[splits[sample.id]][_group(sample, group_by)] = None
    return {split: list(names) for split, names in found.items()}


def kept_whole(dataset: Dataset) -> str:
    """Return the first of :data:`GROUPINGS` that no split of a dataset cuts; "" where there is none.

    Groups of single samples are none, and neither are groups that are the splits themselves.
    """
    splits = {sample.id: sample.split for sample in dataset.samples if sample.split}
    for grouping in GROUPINGS:
        parts = groups_in_splits(dataset, splits, grouping)
        names = [name for groups in parts.values() for name in groups]
        if len(parts) < len(set(names)) == len(names) < len(splits):
            return grouping
    return ""


def find_torn_groups(dataset: Dataset, assigned: Sequence[Mapping[str, str]]) -> TornGroups:
    """Find groups whose images lie in several splits, where intervals would draw whole groups.

    Args:
        dataset: The dataset.
        assigned: Sample id to split; one for each fold.
    """
    by = interval_groups(dataset).by
    if by == IMAGES:
        return TornGroups("", {}, 0)
    members: dict[str, list[str]] = defaultdict(list)
    for sample in dataset.samples:
        members[_group(sample, by)].append(sample.id)
    torn = {
        group: ids
        for group, ids in members.items()
        if any(len({splits.get(i, "") for i in ids} - {""}) > 1 for splits in assigned)
    }
    return TornGroups(by, torn, len(members))


def warn_of_torn(
    dataset: Dataset, choice: SplitChoice, assigned: Sequence[Mapping[str, str]], hold_out: str = ""
) -> str:
    """Return one sentence on groups that new splits tear apart; "" where there is none.

    Args:
        dataset: The dataset.
        choice: How it was split; "blocks" keeps neighbours together whatever the groups are.
        assigned: Sample id to split; one for each fold.
        hold_out: A split that stayed as it was; "" for none.
    """
    if choice.method == "blocks":
        return ""
    torn = find_torn_groups(dataset, assigned)
    if not torn.members:
        return ""
    parts = max(len(assigned), *(len(set(splits.values()) - {""}) for splits in assigned))
    fix = f": the method 'grouped' by {torn.by} keeps them together"
    splits = {sample.id: sample.split for sample in dataset.samples}
    if hold_out and any(splits[i] == hold_out for ids in torn.members.values() for i in ids):
        fix += f", if the {hold_out} split is not kept"
        if choice.group_by == torn.by:
            fix = (
                f": the {hold_out} split that is kept holds a part of each; where it is not kept, "
                "they stay whole"
            )
    what = str(torn)
    return (
        f"{what[:1].upper()}{what[1:]}, so scores and intervals will flatter"
        f"{fix if torn.total >= parts else ''}."
    )


def _group(sample: Sample, by: str) -> str:
    """The group of a sample; one without a group is its own."""
    return GROUPINGS[by](sample) or sample.id
