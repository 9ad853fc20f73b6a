"""Datasets."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segcore.errors import SegcoreError
from segcore.workspace import Workspace
from segcore.workspace.datasets.datasets import DatasetRow


def test_an_empty_workspace_has_no_data_set(tmp_path: Path) -> None:
    datasets = Workspace(tmp_path / "new").datasets
    assert datasets.names() == [] and datasets.rows() == []
    with pytest.raises(SegcoreError, match="import one first"):
        datasets.open("tiny")


def test_a_workspace_is_named_by_argument_then_environment_then_here(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(tmp_path / "environment"))
    assert Workspace(tmp_path / "argument").folder == tmp_path / "argument"
    assert Workspace().folder == tmp_path / "environment"
    monkeypatch.delenv("SEGCORE_WORKSPACE")
    assert Workspace().folder == tmp_path / "workspace"
    (tmp_path / "file").write_text("")
    with pytest.raises(SegcoreError, match="choose another"):
        Workspace(tmp_path / "file")


def test_a_row_tells_name_size_and_splits(workspace) -> None:
    assert workspace.datasets.rows() == [
        DatasetRow("tiny", 12, 4, {"train": 6, "validation": 3, "test": 3})
    ]
    with pytest.raises(SegcoreError, match="did you mean 'tiny'"):
        workspace.datasets.open("tinny")


def test_a_damaged_dataset_hides_no_other(workspace) -> None:
    damaged = workspace.datasets.folder / "broken"
    damaged.mkdir()
    (damaged / "dataset.json").write_text("{")
    broken, tiny = workspace.datasets.rows()
    assert (broken.name, broken.num_samples) == ("broken", 0) and broken.problem.endswith(".")
    assert (tiny.name, tiny.num_samples, tiny.problem) == ("tiny", 12, "")
    assert "problem" in broken.to_json() and "problem" not in tiny.to_json()


def test_a_half_written_data_set_is_not_shown(workspace) -> None:
    folder = workspace.datasets.folder / ".other.partial"
    folder.mkdir()
    (folder / "dataset.json").write_text("{}")
    assert workspace.datasets.names() == ["tiny"]


def test_a_changed_data_set_is_read_again(workspace) -> None:
    before = workspace.datasets.open("tiny")
    assert workspace.datasets.open("tiny") is before  # kept while the file is as it was
    before.with_splits({s.id: "test" for s in before.samples}).save()
    assert workspace.datasets.open("tiny").splits == ["test"]


def test_statistics_count_every_pixel_once_and_are_kept(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    statistics = workspace.datasets.statistics("tiny")
    masks = [dataset.read_mask(s) for s in dataset.samples]
    np.testing.assert_array_equal(
        statistics.counts, [[(m == c).sum() for c in range(4)] for m in masks]
    )
    np.testing.assert_array_equal(statistics.ignored, [(m == 255).sum() for m in masks])
    for path in dataset.folder.glob("masks/**/*.png"):
        path.unlink()
    later = Workspace(workspace.folder).datasets
    np.testing.assert_array_equal(later.statistics("tiny").counts, statistics.counts)
    assert workspace.datasets.statistics("tiny") is statistics


def test_statistics_follow_the_dataset_and_are_kept_where_nothing_can_be_written(
    workspace, monkeypatch
) -> None:
    monkeypatch.setattr("segcore.data.statistics.statistics.write_bytes", _refuse)
    first = workspace.datasets.statistics("tiny")
    assert not (workspace.datasets.folder / "tiny" / "statistics.npz").exists()
    assert workspace.datasets.statistics("tiny") is first  # no mask is counted twice
    dataset = workspace.datasets.open("tiny")
    dataset.with_splits({s.id: "test" for s in dataset.samples}).save()
    again = workspace.datasets.statistics("tiny")
    assert set(again.splits) == {"test"} != set(first.splits)


def _refuse(*_) -> None:
    raise PermissionError(13, "Permission denied")


def test_samples_that_hold_a_class_come_with_most_of_it_first(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    assert workspace.datasets.holding("tiny", "train", None) == [
        f"train/scene_{i}" for i in range(6)
    ]
    pixels = {s.id: int((dataset.read_mask(s) == 1).sum()) for s in dataset.select("train")}
    held = workspace.datasets.holding("tiny", "train", "forest")
    assert [pixels[s] for s in held] == sorted(pixels.values(), reverse=True)
    # every second scene of a split was drawn without a roof
    assert sorted(workspace.datasets.holding("tiny", "test", "roof")) == [
        "test/scene_0",
        "test/scene_2",
    ]
    with pytest.raises(SegcoreError, match="did you mean 'roof'"):
        workspace.datasets.holding("tiny", "test", "rooff")


def test_splits_are_made_kept_and_the_same_for_a_seed(workspace) -> None:
    fractions = {"train": 0.5, "validation": 0.25, "test": 0.25}
    told = workspace.datasets.make_splits("tiny", "random", fractions, seed=1)
    assert told.splits == {"train": 6, "validation": 3, "test": 3}
    first = {s.id: s.split for s in workspace.datasets.open("tiny").samples}
    workspace.datasets.make_splits("tiny", "random", fractions, seed=2)
    assert {s.id: s.split for s in workspace.datasets.open("tiny").samples} != first
    workspace.datasets.make_splits("tiny", "random", fractions, seed=1)
    assert {s.id: s.split for s in workspace.datasets.open("tiny").samples} == first
    with pytest.raises(SegcoreError, match="did you mean 'random'"):
        workspace.datasets.make_splits("tiny", "randm", fractions, seed=1)


def test_an_import_takes_the_sources_name_and_refuses_one_that_is_taken(
    workspace, tmp_path: Path
) -> None:
    source = tmp_path / "photos.v2"
    for kind, pixels in (
        ("images", np.full((4, 6, 3), 9, np.uint8)),
        ("masks", np.eye(4, 6, dtype=np.uint8)),
    ):
        (source / kind).mkdir(parents=True)
        Image.fromarray(pixels).save(source / kind / "one.png")
    assert workspace.datasets.import_(source).name == "photos"
    before = sorted(workspace.datasets.folder.rglob("*"))
    with pytest.raises(SegcoreError, match="exists"):
        workspace.datasets.import_(source)
    with pytest.raises(SegcoreError, match="name"):
        workspace.datasets.import_(source, "../outside")
    assert sorted(workspace.datasets.folder.rglob("*")) == before
    workspace.datasets.delete("photos")
    assert workspace.datasets.names() == ["tiny"]
    assert (source / "images" / "one.png").exists()


def test_the_history_says_how_splits_were_drawn(workspace):
    shares = {"train": 0.5, "test": 0.5}
    workspace.datasets.make_splits("tiny", "", shares, 3)
    workspace.datasets.make_splits("tiny", "grouped", shares, 0, group_by="prefix")
    workspace.splits.make_folds("tiny", 2, "random", 1)
    told = [action.what for action in workspace.history.actions(3)]
    assert told == [
        "Divided the dataset tiny into 2 folds: random, seed 1",
        "Made the splits of the dataset tiny anew: grouped by prefix, seed 0",
        "Made the splits of the dataset tiny anew: stratified, seed 3",
    ]
