"""Folds for ensemble members: train and validation split again, the test split shared."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.documents import deleting
from segcore.data.dataset.split_history import read_split_history
from segcore.data.splits.folds import fold_name, folds_of, write_folds
from segcore.data.splits.splits import GROUPINGS, METHODS, groups_of, make_folds
from segcore.errors import SegcoreError

PARTED = ("train", "validation")
"""The splits whose samples are parted into folds."""
SEED = 0
"""Of the draw; one for all, so that recipes are compared on the same folds."""


@dataclass(frozen=True)
class MemberFolds:
    """Folds that are there, or could be written.

    Attributes:
        dataset: What they are folds of.
        number: How many.
        method: A name in ``splits.METHODS``.
        group_by: A name in ``splits.GROUPINGS``, "" where samples are not grouped.
        are_written: Whether they are datasets already.
    """

    dataset: Dataset
    number: int
    method: str
    group_by: str
    are_written: bool

    @property
    def names(self) -> list[str]:
        """The folds' names, the first fold first."""
        return [fold_name(self.dataset.name, number) for number in range(1, self.number + 1)]

    @property
    def how(self) -> str:
        """The way of parting in words: "grouped by prefix"."""
        return f"{self.method} by {self.group_by}" if self.group_by else self.method

    @property
    def sentence(self) -> str:
        """What the members will be trained on, as a sentence."""
        samples = sum(s.split in PARTED for s in self.dataset.samples)
        first, last = self.names[0], self.names[-1]
        state = "exist already" if self.are_written else f"are created at the start ({self.how})"
        return (
            f"The datasets {first} to {last} {state}: each of the {samples} samples of "
            "train and validation is a validation sample of exactly one member; "
            f"{len(self.dataset.select('test'))} test samples are in none of them."
        )

    def write(self, root: Path, counts: npt.NDArray[Any]) -> None:
        """Write the folds unless they are there.

        Args:
            root: The folder they are written into, one folder each.
            counts: (N, C) pixels of each class by sample, in the dataset's order.

        Raises:
            SegcoreError: There are too few samples, or a file of the dataset is gone.
        """
        if self.are_written:
            return
        samples = self.dataset.samples
        chosen = [place for place, sample in enumerate(samples) if sample.split in PARTED]
        parted = dataclasses.replace(
            self.dataset, samples=tuple(samples[place] for place in chosen)
        )
        others = {sample.id: sample.split for sample in samples if sample.split not in PARTED}
        drawn = make_folds(
            parted, self.number, self.method, SEED, counts=counts[chosen], group_by=self.group_by
        )
        write_folds(
            self.dataset, [{**fold, **others} for fold in drawn], root, f"{self.how}, seed {SEED}"
        )


def find_member_folds(dataset: Dataset, number: int, root: Path) -> MemberFolds:
    """Choose the folds for the members: existing ones where they fit, else new ones.

    New ones are split the way the current splits were.

    Args:
        dataset: The dataset.
        number: Members, and so folds.
        root: The folder in which datasets lie.

    Raises:
        SegcoreError: There are fewer than two members, no test split, too few groups for as many
            folds, or folds that do not fit.
    """
    if number < 2:
        raise SegcoreError(
            f"Expected two members or more that differ by fold, received {number}: ask for "
            "five, or let them differ by seed."
        )
    if "test" not in dataset.splits or not any(split in dataset.splits for split in PARTED):
        raise SegcoreError(
            f"Expected splits train, validation and test in {dataset.name!r}, received "
            f"{', '.join(dataset.splits) or 'none'}: folds part "
            "the first two, and members are combined on the last; make such splits, or let "
            "members differ by seed."
        )
    written = folds_of(dataset.name, root)
    if written:
        _check(dataset, number, [Dataset.open(root / name) for name in written])
        return MemberFolds(dataset, number, "", "", True)
    method, group_by = _way(dataset, number)
    return MemberFolds(dataset, number, method, group_by, False)


def _check(dataset: Dataset, number: int, folds: list[Dataset]) -> None:
    """Refuse existing folds that do not belong to members of this dataset."""
    command = deleting([fold.name for fold in folds])
    fix = f"delete its folds ({command}), and they will be created again"
    if len(folds) != number:
        raise SegcoreError(
            f"Expected {number} folds of {dataset.name!r}, found {len(folds)}: ask for "
            f"{len(folds)} members, or {fix}."
        )
    for fold in folds:
        same = [(s.id, s.mask_digest) for s in fold.samples] == [
            (s.id, s.mask_digest) for s in dataset.samples
        ]
        if not same or fold.label_set.class_ids != dataset.label_set.class_ids:
            raise SegcoreError(
                f"Expected folds of {dataset.name!r} as it is now, but {fold.name!r} has "
                f"other samples or classes: {fix}."
            )
        if [s.split in PARTED or s.split for s in fold.samples] != [
            s.split in PARTED or s.split for s in dataset.samples
        ]:
            raise SegcoreError(
                f"Expected folds that keep the test split of {dataset.name!r}, but "
                f"{fold.name!r} has another: {fix}."
            )


def _way(dataset: Dataset, number: int) -> tuple[str, str]:
    """Return the method and grouping of the current splits, recorded or recognised."""
    method = read_split_history(dataset)[0].partition(",")[0]
    parted = dataclasses.replace(
        dataset, samples=tuple(s for s in dataset.samples if s.split in PARTED)
    )
    if method in METHODS and method != "grouped":
        return method, ""
    for group_by in GROUPINGS:
        groups = len(groups_of(parted, group_by))
        if not _keeps_whole(dataset, group_by):
            continue
        if groups >= number:
            return "grouped", group_by
        if method == "grouped":
            raise SegcoreError(
                f"Expected at least {number} groups by {group_by} in train and validation, "
                f"for the splits of {dataset.name!r} keep groups "
                f"together, received {groups}: ask for {groups} members, or let them "
                "differ by seed."
            )
    return "stratified", ""


def _keeps_whole(dataset: Dataset, group_by: str) -> bool:
    """Whether no group is in two splits, with more groups than splits and repeats in groups."""
    groups = groups_of(dataset, group_by)
    if not len(dataset.splits) < len(groups) < len(dataset.samples):
        return False
    return all(len({dataset.samples[i].split for i in group}) == 1 for group in groups)
