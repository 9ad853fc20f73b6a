"""Folds for members keep together what today's splits do, leave the test split alone, and are taken again only where they fit."""

import dataclasses

import pytest

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.dataset.split_history import change_splits
from segcore.data.splits.folds import fold_name, folds_of, parent_of
from segcore.data.splits.member_folds import find_member_folds
from segcore.data.splits.splits import group_by_prefix
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

LABELS = LabelSet((LabelClass(0, "a", (0, 0, 0)), LabelClass(1, "b", (9, 9, 9))))


def drives(tmp_path, splits: dict[str, str]) -> Dataset:
    """Six frames a drive; each drive wholly in one split."""
    samples = [
        Sample(f"{d}_{n:05d}", f"{d}{n}.png", None, s, 4, 4)
        for d, s in splits.items()
        for n in range(6)
    ]
    return Dataset(tmp_path, "drives", LABELS, tuple(samples))


FIVE = {"A": "train", "B": "train", "C": "train", "D": "train", "E": "validation", "F": "test"}


def test_drives_that_the_splits_keep_whole_stay_whole(tmp_path) -> None:
    found = find_member_folds(drives(tmp_path, FIVE), 5, tmp_path)
    assert (found.method, found.group_by, found.are_written) == ("grouped", "prefix", False)
    assert (
        find_member_folds(drives(tmp_path, FIVE), 6, tmp_path).method == "stratified"
    )  # as imported: grouping was a guess
    alternating = drives(tmp_path, FIVE)
    samples = tuple(
        dataclasses.replace(s, split=("train", "validation")[i % 2]) if s.split != "test" else s
        for i, s in enumerate(alternating.samples)
    )
    assert (
        find_member_folds(dataclasses.replace(alternating, samples=samples), 5, tmp_path).method
        == "stratified"
    )


def test_splits_made_here_say_how_folds_are_made(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    today = {s.id: s.split for s in dataset.samples}
    change_splits(dataset, today, "random, seed 3")
    assert (
        find_member_folds(workspace.datasets.open("tiny"), 3, workspace.datasets.folder).how
        == "random"
    )


def test_too_few_groups_are_no_folds(tmp_path) -> None:
    dataset = drives(tmp_path, FIVE).save()
    dataset = change_splits(
        dataset, {s.id: FIVE[group_by_prefix(s)] for s in dataset.samples}, "grouped, seed 0"
    )
    with pytest.raises(
        SegcoreError, match=r"at least 6 groups by prefix .* received 5: ask for 5 members"
    ):
        find_member_folds(dataset, 6, tmp_path)


def test_written_folds_part_train_and_validation_only(workspace) -> None:
    root, dataset = workspace.datasets.folder, workspace.datasets.open("tiny")
    found = find_member_folds(dataset, 3, root)
    found.write(root, workspace.datasets.counts_by_sample("tiny"))
    folds = [workspace.datasets.open(name) for name in found.names]
    assert (
        [d.name for d in folds]
        == folds_of("tiny", root)
        == [fold_name("tiny", n) for n in (1, 2, 3)]
    )
    assert [parent_of(d) for d in folds] == ["tiny"] * 3 and parent_of(dataset) == ""
    validated = [s.id for d in folds for s in d.select("validation")]
    assert sorted(validated) == sorted(s.id for s in dataset.samples if s.split != "test")
    for fold in folds:
        assert [s.id for s in fold.select("test")] == [s.id for s in dataset.select("test")]
    again = find_member_folds(dataset, 3, root)
    assert again.are_written and "exist already" in again.sentence and "9 samples" in again.sentence


def test_a_name_alone_makes_no_fold(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    assert parent_of(dataclasses.replace(dataset, name="tiny-fold-2")) == ""
    assert (
        parent_of(
            dataclasses.replace(
                dataset, name="tiny-fold-2", source="fold 3 of 5 of tiny (random, seed 0)"
            )
        )
        == ""
    )
    assert (
        parent_of(dataclasses.replace(dataset, name="tiny-fold-2", source="fold 2 of 5 of tiny"))
        == "tiny"
    )


def test_folds_that_do_not_fit_are_refused(workspace) -> None:
    root = workspace.datasets.folder
    workspace.splits.make_folds("tiny", 3, "random", 0, hold_out="test")
    dataset = workspace.datasets.open("tiny")
    with pytest.raises(
        SegcoreError,
        match=r"delete its folds \(segscope datasets delete tiny-fold-1 tiny-fold-2 tiny-fold-3\)",
    ):
        find_member_folds(dataset, 5, root)
    other = dataset.with_splits(
        {s.id: "test" if s.split == "train" else "train" for s in dataset.samples}
    )
    with pytest.raises(SegcoreError, match="keep the test split"):
        find_member_folds(other, 3, root)
    with pytest.raises(SegcoreError, match="other samples or classes"):
        find_member_folds(dataclasses.replace(dataset, samples=dataset.samples[1:]), 3, root)


def test_without_a_test_split_members_could_not_be_combined(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    untested = dataset.with_splits({s.id: s.split for s in dataset.samples if s.split != "test"})
    with pytest.raises(SegcoreError, match="make such splits"):
        find_member_folds(untested, 3, workspace.datasets.folder)
    with pytest.raises(SegcoreError, match="two members or more"):
        find_member_folds(dataset, 1, workspace.datasets.folder)
