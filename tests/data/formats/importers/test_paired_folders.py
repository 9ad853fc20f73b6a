"""Images and masks find each other by name in the nestings people use."""

from pathlib import PurePosixPath

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import import_dataset, preview
from segcore.data.formats.importers.pairs.places import bare_stem, read_place
from segcore.whole_files import write_bytes

IMAGE = encode_png(np.zeros((3, 4, 3), np.uint8))
MASK = encode_png(np.array([[0, 1, 1, 0]] * 3, np.uint8))

NESTINGS = {
    "split below role": {
        "images/train/a.png": "masks/train/a.png",
        "images/val/b.png": "masks/val/b.png",
    },
    "role below split": {
        "train/images/a.png": "train/labels/a.png",
        "valid/images/b.png": "valid/labels/b.png",
    },
    "annot suffix": {"train/a.png": "trainannot/a.png", "val/b.png": "valannot/b.png"},
    "one folder, suffix": {
        "train/a_sat.png": "train/a_mask.png",
        "validation/b_sat.png": "validation/b_mask.png",
    },
    "masks without splits": {
        "images/train/a.png": "masks/a.png",
        "images/val/b.png": "masks/b.png",
    },
    "mask suffix in mask folder": {
        "train/img/a.png": "train/gt/a_gt.png",
        "val/img/b.png": "val/gt/b_gt.png",
    },
    "joined words": {
        "train_images/a.png": "train_masks/a.png",
        "val_images/b.png": "val_masks/b.png",
    },
}


@pytest.mark.parametrize("nesting", NESTINGS)
def test_every_nesting_is_paired(tmp_path, nesting):
    for image, mask in NESTINGS[nesting].items():
        write_bytes(tmp_path / "in" / image, IMAGE)
        write_bytes(tmp_path / "in" / mask, MASK)
    report = import_dataset(tmp_path / "in", tmp_path / "out", "out")
    assert report.splits == {"train": 1, "validation": 1}
    assert {p.sample for p in report.problems} <= {""}
    dataset = Dataset.open(tmp_path / "out")
    for sample in dataset.samples:
        np.testing.assert_array_equal(dataset.read_mask(sample), [[0, 1, 1, 0]] * 3)


def test_no_split_is_invented_and_repeated_stems_stay_apart(tmp_path):
    for tile in ("Tile 1", "Tile 2"):
        for stem in ("image_1", "image_2", "image_10"):
            write_bytes(tmp_path / "in" / tile / "images" / f"{stem}.png", IMAGE)
            write_bytes(tmp_path / "in" / tile / "masks" / f"{stem}.png", MASK)
    report = import_dataset(tmp_path / "in", tmp_path / "out", "out")
    dataset = Dataset.open(tmp_path / "out")
    assert report.splits == {} and dataset.splits == []
    assert [s.id for s in dataset.samples][:3] == [
        "Tile 1/image_1",
        "Tile 1/image_2",
        "Tile 1/image_10",
    ]
    assert {s.group for s in dataset.samples} == {"Tile 1", "Tile 2"}


def test_the_same_name_in_two_splits_keeps_both(tmp_path):
    for split in ("train", "test"):
        write_bytes(tmp_path / "in" / "images" / split / "a.png", IMAGE)
        write_bytes(tmp_path / "in" / "masks" / split / "a.png", MASK)
    import_dataset(tmp_path / "in", tmp_path / "out", "out")
    assert {s.id: s.split for s in Dataset.open(tmp_path / "out").samples} == {
        "train/a": "train",
        "test/a": "test",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.png", ("", "", ("a",))),
        ("SegmentationClass/b.png", ("mask", "", ())),
        ("Ground Truth/test/b.png", ("mask", "test", ())),
        ("training/Annotations/x/b.png", ("mask", "train", ("x",))),
        ("testannot/b.png", ("mask", "test", ())),
    ],
)
def test_folders_are_read(path, expected):
    place = read_place(PurePosixPath(path))
    assert (place.role, place.split, place.folders) == expected


def test_affixes_are_taken_off():
    assert bare_stem("a_mask", "mask|gt") == bare_stem("GT-a", "mask|gt") == "a"
    assert bare_stem("mask", "mask|gt") == "mask"


def test_a_preview_writes_nothing(tmp_path):
    write_bytes(tmp_path / "in/images/a.png", IMAGE)
    write_bytes(tmp_path / "in/masks/a.png", MASK)
    seen = preview(tmp_path / "in")
    assert seen.num_pairs == 1 and seen.label_set.num_classes == 2
    np.testing.assert_array_equal(seen.samples[0][2], [[0, 1, 1, 0]] * 3)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
