"""Splits are whole, repeatable, of the size asked for, and as fair as they claim."""

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.health.split_groups import groups_in_splits, kept_whole
from segcore.data.splits.splits import (
    GROUPINGS,
    METHODS,
    make_folds,
    make_splits,
    split_report,
)
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

LABELS = LabelSet(tuple(LabelClass(i, f"c{i}", (0, 0, i)) for i in range(6)))
SHARES = {"train": 0.6, "validation": 0.25, "test": 0.15}


def dataset_of(ids, folder):
    return Dataset(
        folder, "d", LABELS, tuple(Sample(i, f"images/{i}.png", None, "", 4, 4) for i in ids)
    )


@pytest.fixture
def frames(tmp_path):
    return dataset_of(
        [
            f"{drive}_{n:05d}"
            for drive, size in (("A", 60), ("B", 25), ("C", 15))
            for n in range(size)
        ],
        tmp_path,
    )


@pytest.fixture
def counts():
    rng = np.random.default_rng(5)
    return rng.integers(1, 1000, (100, 6)) * (rng.random((100, 6)) < [1, 0.8, 0.5, 0.3, 0.12, 0.08])


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"blocks"}))  # which needs windows
def test_every_sample_is_in_one_split_and_the_seed_decides(frames, counts, method):
    first = make_splits(frames, method, SHARES, 3, counts=counts)
    assert list(first) != [] and set(first) == {s.id for s in frames.samples}
    assert first == make_splits(frames, method, SHARES, 3, counts=counts)
    assert frames.with_splits(first).splits == ["train", "validation", "test"]


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_sizes_are_those_asked_for(frames, counts, method):
    made = list(make_splits(frames, method, SHARES, 1, counts=counts).values())
    for split, share in SHARES.items():
        assert abs(made.count(split) - 100 * share) <= (1 if method == "random" else 3)
    if method == "random":
        assert make_splits(frames, method, SHARES, 2) != make_splits(frames, method, SHARES, 1)


def test_stratified_is_fairer_than_random(frames, counts):
    shifts = {}
    for method in ("random", "stratified"):
        reports = [
            split_report(frames, make_splits(frames, method, SHARES, seed, counts=counts), counts)
            for seed in range(5)
        ]
        shifts[method] = np.mean([row.shift for report in reports for row in report])
        if method == "stratified":
            assert all(images > 0 for report in reports for row in report for images in row.images)
    assert shifts["stratified"] < 0.35 * shifts["random"]


def test_groups_stay_whole(frames):
    made = make_splits(frames, "grouped", SHARES, 0)
    drives = {
        drive: {made[s.id] for s in frames.samples if s.id.startswith(drive)} for drive in "ABC"
    }
    assert drives == {"A": {"train"}, "B": {"validation"}, "C": {"test"}}


def test_groupings_read_folders_and_prefixes(tmp_path):
    samples = dataset_of(
        ["Tile 1/image_part_001", "0016E5_07959", "clip/frame12", "plain"], tmp_path
    ).samples
    assert [GROUPINGS["folder"](s) for s in samples] == ["Tile 1", "", "clip", ""]
    assert [GROUPINGS["prefix"](s) for s in samples] == [
        "Tile 1/image_part",
        "0016E5",
        "clip",
        "plain",
    ]


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"blocks"}))  # which needs windows
def test_folds_validate_every_sample_once(frames, counts, method):
    folds = make_folds(frames, 3, method, 7, counts=counts)
    for sample in frames.samples:
        assert [fold[sample.id] for fold in folds].count("validation") == 1


def test_mistakes_are_told(frames, counts, tmp_path):
    with pytest.raises(SegcoreError, match="did you mean 'random'"):
        make_splits(frames, "randum")
    with pytest.raises(SegcoreError, match="sum to 1"):
        make_splits(frames, fractions={"train": 0.5})
    with pytest.raises(SegcoreError, match="collect the statistics"):
        make_splits(frames, "stratified")
    with pytest.raises(SegcoreError, match="100 samples"):
        make_splits(frames, "stratified", counts=counts[:3])
    with pytest.raises(SegcoreError, match="at least 3 groups"):
        make_splits(dataset_of(["A_1", "A_2", "A_3"], tmp_path), "grouped")
    with pytest.raises(SegcoreError, match="2 folds"):
        make_folds(frames, 1)


def test_groups_are_named_by_split_and_recognised_as_whole(tmp_path):
    ids = [f"Tile {t}/{n}" for t in range(1, 9) for n in range(3)]
    dataset = dataset_of(ids, tmp_path)
    tiles = {i: "test" if i[5] in "38" else "train" for i in ids}
    named = {"train": [f"Tile {t}" for t in (1, 2, 4, 5, 6, 7)], "test": ["Tile 3", "Tile 8"]}
    assert groups_in_splits(dataset, tiles, "folder") == named
    assert kept_whole(dataset.with_splits(tiles)) == "folder"
    cut = {**tiles, "Tile 3/0": "train"}
    assert kept_whole(dataset.with_splits(cut)) == ""


def test_folders_that_are_the_splits_are_no_groups(tmp_path):
    dataset = dataset_of([f"{s}/a{n}x" for s in ("train", "test") for n in range(4)], tmp_path)
    assert kept_whole(dataset.with_splits({s.id: s.id[:4] for s in dataset.samples})) == ""
