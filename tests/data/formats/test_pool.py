"""Unlabelled images: they come in, wait outside every split, and leave by their first mask."""

import json
import multiprocessing
import os
import shutil
import signal
import zipfile

import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.dataset import POOL, Dataset
from segcore.data.editing.versions import save_mask
from segcore.data.formats.importers import ImportRules, import_dataset
from segcore.data.formats.pool import add_to_pool, remove_from_pool
from segcore.data.splits.folds import write_folds
from segcore.data.splits.splits import make_splits
from segcore.data.statistics.statistics import collect_statistics
from segcore.errors import SegcoreError


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name, shade in (("a.png", 10), ("flight 2/b.jpg", 90), ("c.png", 200)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (48, 32), (shade, shade, 0)).save(folder / name)
    return folder


@pytest.fixture
def folder(workspace):
    return workspace.datasets.folder / "tiny"


def test_added_images_are_predictable_and_in_nothing_else(workspace, folder, photos):
    before = Dataset.open(folder)
    report = add_to_pool(folder, photos)
    assert sorted(report.added) == ["a", "c", "flight 2/b"] and report.total == 3
    now = Dataset.open(folder)
    assert now.fingerprint == before.fingerprint and now.splits == before.splits
    assert now.samples == before.samples and now.ids() == before.ids()
    assert {s.id for s in now.predictable(POOL)} == set(report.added)
    assert now.read_image(now.sample("c"))[0, 0].tolist() == [200, 200, 0]
    assert now.sample("flight 2/b").group == "flight 2"
    counted = collect_statistics(now)
    assert not set(counted.sample_ids) & set(report.added)
    fractions = {"train": 0.5, "validation": 0.25, "test": 0.25}
    assert not set(make_splits(now, "random", fractions, 0)) & set(report.added)
    with pytest.raises(SegcoreError, match="whose images have none"):
        now.select(POOL)


def test_a_dataset_without_unlabelled_images_is_written_as_before(folder, photos):
    text = (folder / "dataset.json").read_text()
    assert json.loads(text)["version"] == 1 and "pool" not in json.loads(text)
    add_to_pool(folder, photos)
    assert json.loads((folder / "dataset.json").read_text())["version"] == 2
    remove_from_pool(folder, ["a", "c", "flight 2/b"])
    assert (folder / "dataset.json").read_text() == text
    assert not list((folder / "pool").rglob("*.png"))


def test_the_first_mask_makes_a_labelled_sample_of_the_chosen_split(folder, photos):
    add_to_pool(folder, photos)
    mask = np.ones((32, 48), np.uint8)
    save_mask(folder, "c", mask, based_on="", author="ada", split="validation")
    save_mask(folder, "a", mask, based_on="", author="ada")
    now = Dataset.open(folder)
    assert [s.id for s in now.pool] == ["flight 2/b"]
    assert now.sample("c").split == "validation" and now.sample("a").split == "train"
    assert "c" in now.ids("validation") and np.array_equal(now.read_mask(now.sample("c")), mask)
    with pytest.raises(SegcoreError, match="split"):
        save_mask(folder, "flight 2/b", mask, based_on="", author="ada", split="nowhere")
    assert [s.id for s in Dataset.open(folder).pool] == ["flight 2/b"]


def test_originals_are_left_where_they_are_on_request(folder, photos):
    add_to_pool(folder, photos, copy=False)
    now = Dataset.open(folder)
    assert now.image_path(now.sample("a")) == photos / "a.png"
    remove_from_pool(folder, ["a"])
    assert (photos / "a.png").is_file()


def test_names_that_are_taken_masks_and_damaged_files_are_left_out(folder, photos):
    add_to_pool(folder, photos)
    (photos / "d.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (photos / "masks").mkdir()
    Image.new("L", (48, 32)).save(photos / "masks" / "a.png")
    Image.new("RGB", (48, 32)).save(photos / "e.png")
    report = add_to_pool(folder, photos)
    assert report.added == ("e",) and report.total == 4
    said = " ".join(problem.sentence for problem in report.problems)
    assert "has an image of this name" in said and "named as a mask" in said and "d:" in said


def _bomb(path):
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("../outside.png", b"x")


@pytest.mark.parametrize(
    "kind", ["empty", "no images", "only broken", "huge header", "traversal", "absent"]
)
def test_a_hostile_pool_is_refused_in_a_sentence_and_changes_nothing(folder, tmp_path, kind):
    source = tmp_path / "source"
    source.mkdir()
    if kind == "no images":
        (source / "notes.txt").write_text("none")
    elif kind == "only broken":
        (source / "a.png").write_bytes(b"not a picture")
    elif kind == "huge header":
        Image.new("RGB", (48, 32)).save(source / "a.png")
        sound = (source / "a.png").read_bytes()
        side = (200_000).to_bytes(4, "big")
        (source / "a.png").write_bytes(sound[:16] + side + side + sound[24:])
    elif kind == "traversal":
        source = tmp_path / "evil.zip"
        _bomb(source)
    elif kind == "absent":
        shutil.rmtree(source)
    before = (folder / "dataset.json").read_bytes()
    with pytest.raises(SegcoreError) as caught:
        add_to_pool(folder, source)
    assert "Traceback" not in str(caught.value) and str(caught.value).count("\n") == 0
    assert (folder / "dataset.json").read_bytes() == before
    assert not [p for p in (folder / "pool").rglob("*") if p.is_file()]


def test_a_process_killed_while_it_adds_leaves_all_or_nothing(folder, tmp_path):
    """Killed at six moments: the pool is as before or whole, and the next call adds what is missing."""
    photos = tmp_path / "many"
    photos.mkdir()
    for number in range(24):
        Image.new("RGB", (48, 32), (number, 0, 0)).save(photos / f"{number}.png")
    labelled = Dataset.open(folder).samples
    context = multiprocessing.get_context("fork")
    for moment in (0.0, 0.004, 0.008, 0.016, 0.024, 0.032):
        child = context.Process(target=add_to_pool, args=(folder, photos))
        child.start()
        child.join(moment)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        now = Dataset.open(folder)
        assert now.samples == labelled and len(now.pool) in (0, 24)
        for sample in now.pool:
            assert now.read_image(sample)[0, 0].tolist() == [int(sample.id), 0, 0]
        if now.pool:
            remove_from_pool(folder, [sample.id for sample in now.pool])
    (folder / "pool" / "nobodys").mkdir(parents=True, exist_ok=True)  # killed before it was named
    assert len(add_to_pool(folder, photos).added) == 24
    (batch,) = (folder / "pool").iterdir()  # and nothing of the dead is left
    assert len(list(batch.iterdir())) == 24


def test_folds_are_made_without_unlabelled_images(folder, photos):
    add_to_pool(folder, photos)
    dataset = Dataset.open(folder)
    splits = {s.id: s.split for s in dataset.samples}
    (fold,) = write_folds(dataset, [splits], folder.parent)
    assert fold.pool == () and Dataset.open(fold.folder).ids() == dataset.ids()


def _imported(tmp_path, unlabelled):
    source = tmp_path / "source"
    for part in ("images", "masks"):
        (source / part).mkdir(parents=True, exist_ok=True)
    for number in range(4):
        Image.new("RGB", (8, 6), (number, 0, 0)).save(source / "images" / f"i{number}.png")
    for number in range(2):
        pixels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 2
        Image.fromarray(pixels).save(source / "masks" / f"i{number}.png")
    destination = tmp_path / f"made-{unlabelled}"
    report = import_dataset(
        source, destination, destination.name, rules=ImportRules(unlabelled=unlabelled)
    )
    return report, Dataset.open(destination)


def test_an_import_keeps_images_without_a_mask_on_request(tmp_path):
    report, dataset = _imported(tmp_path, True)
    assert (report.num_samples, report.num_unlabelled) == (2, 2)
    assert [s.id for s in dataset.pool] == ["i2", "i3"]
    said = [p.what for p in report.problems]
    assert said[0] == "2 images without a mask, kept as unlabelled images" and len(said) == 2
    report, dataset = _imported(tmp_path, False)
    assert (report.num_samples, report.num_unlabelled, dataset.pool) == (2, 0, ())
    assert sum("has no mask" in p.what for p in report.problems) == 2
