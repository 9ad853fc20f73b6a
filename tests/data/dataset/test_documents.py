"""What is decided about a dataset is written whole or refused with a sentence; what is kept for speed only stops nobody."""

import errno
import os
from pathlib import Path

import pytest

from segcore.data.dataset import documents
from segcore.data.dataset.changes import LOCK
from segcore.data.dataset.documents import write_document
from segcore.data.dataset.tags import change_tags
from segcore.data.health import image_hashes
from segcore.data.statistics import statistics
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.whole_files import write_bytes


@pytest.fixture(params=[errno.ENOSPC, errno.EACCES, errno.EROFS])
def unwritable(request, monkeypatch):
    """A disk that takes nothing more."""

    def refuse(path, data):
        raise OSError(request.param, os.strerror(request.param), str(path))

    for module in (documents, statistics, image_hashes):
        monkeypatch.setattr(module, "write_bytes", refuse)


def test_what_cannot_be_written_is_a_sentence_and_nothing_changes(workspace, unwritable) -> None:
    datasets = workspace.datasets
    dataset = datasets.open("tiny")
    plan = datasets.plan_balance("tiny", split="train")
    before = {
        p: p.read_bytes() for p in dataset.folder.rglob("*") if p.is_file() and p.name != LOCK
    }
    for change in (
        lambda: datasets.save_plan("tiny", "mine", plan),
        lambda: datasets.make_splits("tiny", "random", {"train": 0.5, "validation": 0.5}, 0),
        lambda: dataset.save_label_map(LabelMap.merging(4, [(0, 1)], "land")),
        lambda: change_tags(dataset, [dataset.samples[0].id], add=["night"]),
    ):
        with pytest.raises(SegcoreError, match=r"^Could not write .*: (free|choose)"):
            change()
    assert {
        p: p.read_bytes() for p in dataset.folder.rglob("*") if p.is_file() and p.name != LOCK
    } == before


def test_a_folder_that_may_only_be_read_can_be_looked_at(workspace, unwritable) -> None:
    assert workspace.datasets.statistics("tiny").pixels.sum() > 0
    workspace.datasets.health("tiny")


def test_a_write_that_breaks_off_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch
) -> None:
    file = tmp_path / "plan.json"
    write_document(file, b"old")

    def full(path, data):
        path.touch()
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="full"):
        write_bytes(file, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"] and file.read_bytes() == b"old"
