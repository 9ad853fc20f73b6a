"""Edits of a dataset imported by reference: the source stays as it is, an export holds the edits."""

import multiprocessing
import os
import signal
import stat
from pathlib import Path

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset, digest_mask
from segcore.data.editing.versions import current, mask_history, read_version, save_mask
from segcore.data.files.images import encode_png
from segcore.data.formats.exporters import export_dataset
from segcore.data.formats.importers import import_dataset


@pytest.fixture
def source(tmp_path):
    """Two images and masks of three classes, in folders that nobody may write to."""
    folder = tmp_path / "source"
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        for kind, plane in (
            ("images", rng.integers(0, 255, (16, 20, 3)).astype(np.uint8)),
            ("masks", np.repeat(np.arange(4, dtype=np.uint8) % 3, 4)[:, None].repeat(20, 1)),
        ):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            (folder / kind / f"{name}.png").write_bytes(encode_png(plane))
    (folder / "classes.csv").write_text("id,name\n0,sky\n1,road\n2,car\n")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def lock(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def test_the_source_stays_byte_for_byte_and_an_export_holds_the_edits(source, tmp_path):
    before = contents(source)
    lock(source)
    import_dataset(source, tmp_path / "set", "set", copy=False)
    dataset = Dataset.open(tmp_path / "set")
    sample = dataset.sample("a")
    assert Path(sample.image).is_absolute()
    mask = dataset.read_mask(sample)
    mask[2:5, 3:9] = 2
    save_mask(dataset.folder, "a", mask, based_on=sample.mask_digest, author="ada")
    assert contents(source) == before

    now = Dataset.open(dataset.folder)
    export_dataset(now, tmp_path / "out")
    import_dataset(tmp_path / "out", tmp_path / "again", "again")
    again = Dataset.open(tmp_path / "again")
    for name, expected in (("a", mask), ("b", dataset.read_mask(dataset.sample("b")))):
        assert np.array_equal(again.read_mask(again.sample(name)), expected)
    assert contents(source) == before


def _save_for_ever(folder: Path, masks: list[np.ndarray], ready) -> None:
    for number in range(10**6):
        digest = Dataset.open(folder).sample("a").mask_digest
        save_mask(folder, "a", masks[number % 2], based_on=digest, author="ada")
        ready.set()


def test_a_process_killed_while_it_saves_leaves_whole_masks_only(source, tmp_path):
    """Killed at five moments: the mask in use is one that was saved, and every version can be read."""
    import_dataset(source, tmp_path / "set", "set")
    dataset = Dataset.open(tmp_path / "set")
    rng = np.random.default_rng(1)
    masks = [rng.integers(0, 3, (16, 20)).astype(np.uint8) for _ in range(2)]
    context = multiprocessing.get_context("fork")
    for moment in rng.uniform(0, 0.05, 5):
        ready = context.Event()
        child = context.Process(target=_save_for_ever, args=(dataset.folder, masks, ready))
        child.start()
        assert ready.wait(60)
        ready.clear()
        child.join(moment)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        now = Dataset.open(dataset.folder)
        sample = now.sample("a")
        mask = now.read_mask(sample)
        assert digest_mask(mask) == sample.mask_digest
        assert any(np.array_equal(mask, one) for one in masks)
        history = mask_history(now, "a")
        assert current(history, sample) is not None
        for version in history:
            assert digest_mask(read_version(now, "a", version.number)) == version.digest
