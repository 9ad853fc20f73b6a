"""Windows of a raster stay with their neighbours, and a gap leaves ground between the splits."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.health.split_groups import choose_split
from segcore.data.splits.blocks import Blocks, choose_block_size, neighbouring, without_gap
from segcore.data.splits.splits import group_by_scene, make_splits
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

LABELS = LabelSet((LabelClass(0, "a", (0, 0, 0)), LabelClass(1, "b", (9, 9, 9))))
SIZE = 10


def window(scene: str, row: int, column: int, size: int = SIZE) -> Sample:
    top, left = row * SIZE, column * SIZE
    group = f"{scene}/block {top // 40}_{left // 40}"
    id = f"{scene}/{top:05d}_{left:05d}"
    return Sample(id, f"/{scene}.tif", None, "", size, size, group, "", (top, left))


def grid(rows: int, columns: int, scenes: str = "x", size: int = SIZE) -> Dataset:
    samples = tuple(
        window(scene, r, c, size) for scene in scenes for r in range(rows) for c in range(columns)
    )
    return Dataset(Path(), "d", LABELS, samples)


def distance(one: Sample, other: Sample) -> float:
    """Slow twin: pixels between two windows, negative where they overlap, none across scenes."""
    if one.image != other.image or one.window is None or other.window is None:
        return np.inf
    sides = ((one.height, other.height), (one.width, other.width))
    return max(
        max(a, b) - min(a + first, b + second)
        for a, b, (first, second) in zip(one.window, other.window, sides, strict=True)
    )


@pytest.mark.parametrize("gap", [0, 1, 15])
def test_neighbours_are_those_of_a_slow_twin(gap: int) -> None:
    samples = grid(4, 5, "xy", size=12).samples  # each overlaps the next by two pixels
    found = {tuple(pair) for pair in neighbouring(samples, gap).tolist()}
    near = {
        (i, j)
        for (i, a), (j, b) in combinations(enumerate(samples), 2)
        if (distance(a, b) < gap if gap else distance(a, b) <= 0)
    }
    assert found == near


def test_blocks_stay_whole_and_all_is_dealt() -> None:
    dataset = grid(24, 24)
    assert choose_split(dataset, 3).method == "blocks"
    splits = make_splits(dataset, "blocks", seed=1)
    assert len(splits) == len(dataset.samples)
    by_block: dict[str, set[str]] = {}
    for sample in dataset.samples:
        by_block.setdefault(sample.group, set()).add(splits[sample.id])
    assert all(len(found) == 1 for found in by_block.values())
    other = make_splits(dataset, "blocks", seed=1, blocks=Blocks(size=80))
    corners = {splits_of(other, dataset, 0, 0), splits_of(other, dataset, 7, 7)}
    assert len(corners) == 1


def splits_of(splits: dict[str, str], dataset: Dataset, row: int, column: int) -> str:
    return splits[f"x/{row * SIZE:05d}_{column * SIZE:05d}"]


def test_a_gap_lies_between_any_two_splits_and_test_loses_nothing() -> None:
    dataset = grid(24, 24)
    plain = make_splits(dataset, "blocks", seed=1)
    wide = make_splits(dataset, "blocks", seed=1, blocks=Blocks(gap=15))
    left = [s for s in dataset.samples if s.id in wide]
    for one, other in combinations(left, 2):
        if wide[one.id] != wide[other.id]:
            assert distance(one, other) >= 15
    assert [k for k, v in wide.items() if v == "test"] == [
        k for k, v in plain.items() if v == "test"
    ]
    assert 0 < len(wide) < len(plain)
    assert set(wide.values()) == {"train", "validation", "test"}


def test_without_a_gap_nothing_is_left_out() -> None:
    dataset = grid(3, 3)
    splits = {s.id: "train" if i % 2 else "test" for i, s in enumerate(dataset.samples)}
    assert without_gap(dataset.samples, splits, 0) == splits


def test_a_block_is_as_large_as_leaves_enough_to_deal() -> None:
    def size(side: int) -> int:
        corners = [(r * 10, c * 10) for r in range(side) for c in range(side)]
        return choose_block_size({"x": corners}, 10)

    assert size(60) == 80
    assert size(20) == 40
    assert size(6) == 10


def test_scenes_and_whole_images() -> None:
    sample = grid(1, 1).samples[0]
    assert group_by_scene(sample) == "x"
    whole = Dataset(Path(), "d", LABELS, (Sample("a/b", "a/b.png", None, "", 4, 4),))
    assert group_by_scene(whole.samples[0]) == "a"
    with pytest.raises(SegcoreError, match="--windows"):
        make_splits(whole, "blocks", {"train": 1})
    with pytest.raises(SegcoreError, match="0 pixels or more"):
        Blocks(gap=-1)
