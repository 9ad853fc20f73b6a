"""Splits keep groups of alike images together where they come in groups, and say so; what tears them apart warns."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from segcore.cli import main
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.formats.importers import import_dataset
from segcore.data.health.health import check_health
from segcore.data.health.interval_groups import choose_groups
from segcore.data.health.split_groups import choose_split
from segcore.data.statistics.statistics import collect_statistics
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

TILES = 6
LABELS = LabelSet((LabelClass(0, "a", (1, 2, 3)), LabelClass(1, "b", (4, 5, 6))))


def write_tiles(folder: Path, tiles: int = TILES, each: int = 5) -> Path:
    rng = np.random.default_rng(0)
    for tile in range(1, tiles + 1):
        for number in range(each):
            for kind, pixels in (
                ("images", rng.integers(0, 256, (8, 9, 3))),
                ("masks", rng.integers(0, 2, (8, 9))),
            ):
                file = folder / f"Tile {tile}" / kind / f"part_{number:03d}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(file), pixels.astype(np.uint8))
    return folder


@pytest.fixture
def shell(tmp_path, capsys):
    def run(*words, json_wanted=False):
        workspace = ["--workspace", str(tmp_path / "workspace")]
        main([*map(str, words), *workspace, *(["--json"] if json_wanted else [])])
        out = capsys.readouterr().out
        return json.loads(out) if json_wanted else out

    return run


def test_tiles_stay_whole_and_every_line_says_so(shell, tmp_path) -> None:
    said = shell("import", write_tiles(tmp_path / "aerial"))
    next_line = said.strip().splitlines()[-1]
    assert next_line == (
        "Next, make splits: segscope split aerial (grouped by folder, since the images come in "
        "6 groups)"
    )
    *lines, last = shell("split", "aerial").strip().splitlines()
    assert lines[0].endswith("(grouped by folder, since the images come in 6 groups).")
    assert last.startswith("A single group in validation, test: scores there say little")
    shown = {
        split: names.split(", ") for split, names in (s.strip().split(": ") for s in lines[1:])
    }
    assert sorted(shown) == ["test", "train", "validation"]
    assert sorted(g for names in shown.values() for g in names) == [
        f"Tile {t}" for t in range(1, TILES + 1)
    ]
    made = shell("split", "aerial", json_wanted=True)
    assert (made["method"], made["group_by"], made["warning"]) == ("grouped", "folder", "")
    assert made["groups"] == shown


def test_a_method_that_tears_groups_apart_warns_in_one_line(shell, tmp_path) -> None:
    shell("import", write_tiles(tmp_path / "aerial"))
    for words in (["--method", "random"], ["--method", "stratified", "--folds", "3"]):
        (warning,) = (
            line for line in shell("split", "aerial", *words).splitlines() if "Warning" in line
        )
        assert "groups by folder (Tile " in warning
        assert warning.endswith("flatter: the method 'grouped' by folder keeps them together.")
    assert "Warning" not in shell("split", "aerial", "--method", "grouped")


def test_folds_keep_groups_whole_too(shell, tmp_path) -> None:
    shell("import", write_tiles(tmp_path / "aerial"))
    made = shell("split", "aerial", "--folds", "3", json_wanted=True)
    assert all(fold["splits"] == {"train": 20, "validation": 10} for fold in made["folds"])
    assert (made["group_by"], made["reason"], made["warning"]) == (
        "folder",
        "since the images come in 6 groups",
        "",
    )


@pytest.mark.parametrize(
    ("method", "fix"),
    [
        (
            "grouped",
            "the test split that is kept holds a part of each; where it is not kept, they stay whole",
        ),
        (
            "random",
            "the method 'grouped' by folder keeps them together, if the test split is not kept",
        ),
    ],
)
def test_a_kept_test_split_that_tears_groups_apart_is_named(shell, tmp_path, method, fix) -> None:
    shell("import", write_tiles(tmp_path / "aerial"))
    dataset = Dataset.open(tmp_path / "workspace/datasets/aerial")
    samples = [
        replace(s, split="test" if i < 7 else "train") for i, s in enumerate(dataset.samples)
    ]
    replace(dataset, samples=tuple(samples)).save()
    words = ("split", "aerial", "--folds", 2, "--method", method, "--keep-test")
    warning = shell(*words, json_wanted=True)["warning"]
    if method == "grouped":
        assert warning.startswith("Images of 1 of the 6 groups by folder (Tile 2) lie in several")
    assert warning.endswith(f", so scores and intervals will flatter: {fix}.")


def test_too_few_groups_are_torn_apart_but_it_is_reported(shell, tmp_path) -> None:
    shell("import", write_tiles(tmp_path / "two", tiles=2))
    lines = shell("split", "two").strip().splitlines()
    assert lines[0].endswith("(stratified, since 2 groups by folder cannot fill 3 splits).")
    assert lines[1] == (
        "Warning: Images of all 2 groups by folder (Tile 1, Tile 2) lie in several splits, so "
        "scores and intervals will flatter."
    )


def test_a_person_has_the_last_word(tmp_path) -> None:
    folder = write_tiles(tmp_path / "source")
    import_dataset(folder, tmp_path / "aerial", "aerial")
    dataset = Dataset.open(tmp_path / "aerial")
    assert str(choose_split(dataset, 3, "", "prefix")) == "grouped by prefix"
    assert str(choose_split(dataset, 3, "random")) == "random"
    choose_groups(dataset, "images")
    assert str(choose_split(dataset, 3)) == "stratified, since the images come in no groups"
    choose_groups(dataset, "prefix")
    assert choose_split(dataset, 3).group_by == "prefix"
    assert choose_split(dataset, 3, "grouped").group_by == "prefix"
    with pytest.raises(SegcoreError, match="grouping"):
        choose_split(dataset, 3, "", "drives")


def test_the_health_check_counts_folders_in_several_splits(tmp_path) -> None:
    rng = np.random.default_rng(1)

    def findings(name: str, splits: list[str]):
        samples = [
            ArraySample(
                f"{folder}/{n}",
                cv2.resize(rng.integers(0, 256, (8, 9, 3), dtype=np.uint8), (72, 64)),
                np.tile(np.arange(2, dtype=np.uint8), (64, 36)),
                split,
                folder,
            )
            for folder, split in zip("xxyyzz", splits, strict=True)
            for n in [rng.integers(1 << 30)]
        ]
        dataset = write_dataset(tmp_path / name, name, LABELS, samples)
        found = check_health(dataset, collect_statistics(dataset))
        return dataset, [f for f in found if f.check == "groups"]

    assert findings("whole", ["train", "train", "train", "train", "test", "test"])[1] == []
    dataset, (found,) = findings("torn", ["train", "test", "train", "train", "train", "test"])
    assert found.what == "images of 2 of the 3 groups by folder (x, z) lie in several splits"
    assert (found.level, found.split_method) == ("warning", "grouped")
    assert [{dataset.sample(i).split for i in pair} for pair in found.pairs] == [
        {"train", "test"},
        {"train", "test"},
    ]
    assert len(found.samples) == 4
