"""Folds are whole datasets over the same files; earlier splits come back; nothing is left of what failed."""

from collections import Counter

import numpy as np
import pytest

from segcore.data.dataset.relabel import relabel
from segcore.data.dataset.split_history import (
    AS_IMPORTED,
    KEPT,
    change_splits,
    read_split_history,
    undo_splits,
)
from segcore.data.splits.folds import write_folds
from segcore.data.splits.splits import make_folds
from segcore.errors import SegcoreError
from segcore.labels import LabelSet


def splits_of(dataset):
    return {s.id: s.split for s in dataset.samples}


def test_every_sample_validates_once_and_the_test_split_stays(workspace) -> None:
    told = workspace.splits.make_folds("tiny", 3, "stratified", 0, hold_out="test")
    original = workspace.datasets.open("tiny")
    held = {s.id for s in original.select("test")}
    opened = [workspace.datasets.open(fold.name) for fold in told.folds]
    assert (
        [d.name for d in opened]
        == ["tiny-fold-1", "tiny-fold-2", "tiny-fold-3"]
        == workspace.splits.folds_of("tiny")
    )
    assert all({s.id for s in d.select("test")} == held for d in opened)
    validated = Counter(s.id for d in opened for s in d.select("validation"))
    assert validated == {s.id: 1 for s in original.samples if s.id not in held}
    for fold, dataset in zip(told.folds, opened, strict=True):
        assert fold.splits == {s: len(dataset.select(s)) for s in dataset.splits}
        for sample in dataset.samples:
            assert all(
                np.array_equal(a, b)
                for a, b in zip(
                    dataset.read(sample), original.read(original.sample(sample.id)), strict=True
                )
            )
    assert len({d.fingerprint for d in opened}) == 3


def test_folds_share_the_bytes_and_outlive_what_happens_to_the_original(workspace) -> None:
    original = workspace.datasets.open("tiny")
    workspace.splits.make_folds("tiny", 2, "random", 0)
    fold = workspace.datasets.open("tiny-fold-1")
    sample = fold.samples[0]
    assert fold.mask_path(sample).samefile(original.mask_path(sample))
    before = fold.read_mask(sample)
    labels = original.label_set
    relabel(original, LabelSet(labels.classes[::-1], labels.ignored))
    assert np.array_equal(workspace.datasets.open("tiny-fold-1").read_mask(sample), before)
    workspace.datasets.delete("tiny")
    assert np.array_equal(fold.read_mask(sample), before) and fold.read_image(sample).any()


def test_a_taken_name_or_a_missing_file_leaves_nothing(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    root = workspace.datasets.folder
    (root / "tiny-fold-2").mkdir()
    assigned = make_folds(dataset, 2)
    with pytest.raises(SegcoreError, match="tiny-fold-2"):
        write_folds(dataset, assigned, root)
    (root / "tiny-fold-2").rmdir()
    dataset.mask_path(dataset.samples[3]).unlink()
    with pytest.raises(SegcoreError, match="cannot be read"):
        write_folds(dataset, assigned, root)
    assert [p.name for p in root.iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    ("arguments", "sentence"), [((1,), "2 folds"), ((13,), "13 samples"), ((2, "grouped"), None)]
)
def test_refusals(workspace, arguments, sentence) -> None:
    dataset = workspace.datasets.open("tiny")
    if sentence is None:
        assert len(make_folds(dataset, *arguments)) == 2
        return
    with pytest.raises(SegcoreError, match=sentence):
        make_folds(dataset, *arguments)
    with pytest.raises(SegcoreError, match="did you mean 'test'"):
        make_folds(dataset, 2, hold_out="tets")


def test_every_change_of_splits_is_taken_back(workspace) -> None:
    datasets, imported = workspace.datasets, splits_of(workspace.datasets.open("tiny"))
    with pytest.raises(SegcoreError, match="never changed"):
        workspace.splits.undo("tiny")
    states = [imported]
    for seed in (1, 2):
        datasets.make_splits("tiny", "random", {"train": 0.5, "validation": 0.5}, seed)
        states.append(splits_of(datasets.open("tiny")))
    how, earlier = workspace.splits.history("tiny")
    assert how == "random, seed 2" and [p.how for p in earlier] == [AS_IMPORTED, "random, seed 1"]
    assert earlier[0].sizes == {"train": 6, "validation": 3, "test": 3}
    for state in states[-2::-1]:
        assert splits_of(workspace.splits.undo("tiny")) == state == splits_of(datasets.open("tiny"))
    assert workspace.splits.history("tiny") == (AS_IMPORTED, [])


def test_the_history_ends_somewhere_and_a_damaged_one_is_told(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    for number in range(KEPT + 3):
        dataset = change_splits(
            dataset, {s.id: f"part{number}" for s in dataset.samples}, str(number)
        )
    _, earlier = read_split_history(dataset)
    assert [p.how for p in earlier] == [str(n) for n in range(2, KEPT + 2)]
    (dataset.folder / "splits.json").write_text("{")
    with pytest.raises(SegcoreError, match="remove it"):
        undo_splits(dataset)


def test_a_report_of_the_splits_as_they_are(workspace) -> None:
    told = workspace.splits.report("tiny")
    assert {part.split: part.num_samples for part in told} == {
        "train": 6,
        "validation": 3,
        "test": 3,
    }
    whole = workspace.datasets.statistics("tiny").pixels
    parts = [workspace.datasets.statistics("tiny").select(row.split).pixels for row in told]
    for row, pixels in zip(told, parts, strict=True):
        assert row.shift == pytest.approx(
            abs(pixels / pixels.sum() - whole / whole.sum()).sum() / 2
        )
