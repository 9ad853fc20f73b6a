"""Bad input: one clear sentence each, what is sound still comes in, and a failure leaves nothing behind."""

import re
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import import_dataset, preview
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes

CSV = "id,name,color,ignore\n0,sky,#0000ff,false\n4,road,#555555,\n9,void,#000000,true\n"


def png_bomb(width=30000, height=30000):
    """A PNG of a few hundred bytes whose header asks for gigabytes."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.fixture
def source(tmp_path):
    """Three sound pairs with ids 0, 4, 9."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "in"
    for stem in "abc":
        write_bytes(
            folder / "images" / f"{stem}.png",
            encode_png(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)),
        )
        write_bytes(
            folder / "masks" / f"{stem}.png",
            encode_png(rng.choice([0, 4, 9], (8, 6)).astype(np.uint8)),
        )
    write_bytes(folder / "classes.csv", CSV.encode())
    return folder


def bring_in(source, name="set"):
    return import_dataset(source, source.parent / "datasets" / name, name)


def nothing_left(source):
    datasets = source.parent / "datasets"
    return not datasets.exists() or list(datasets.iterdir()) == []


def test_the_sound_source_is_sound(source):
    report = bring_in(source)
    assert (report.num_samples, report.problems) == (3, ())
    mask = Dataset.open(source.parent / "datasets" / "set").read_mask
    assert {
        v
        for s in Dataset.open(source.parent / "datasets" / "set").samples
        for v in np.unique(mask(s))
    } == {0, 1, 255}
    assert report.to_json()["label_set"]["ignored"] == [
        {"id": 9, "name": "void", "color": "#000000"}
    ]


ONE_BAD = {
    "another size": (
        "masks/b.png",
        encode_png(np.zeros((6, 8), np.uint8)),
        "Expected a mask of 8 x 6 pixels .* received 6 x 8",
    ),
    "undeclared id": (
        "masks/b.png",
        encode_png(np.full((8, 6), 7, np.uint8)),
        r"ids that classes\.csv declares, the mask holds 7",
    ),
    "truncated mask": ("masks/b.png", None, r"b\.png cannot be decoded"),
    "truncated image": ("images/b.png", None, r"b\.png cannot be decoded"),
    "bomb as mask": (
        "masks/b.png",
        png_bomb(),
        "at most 100 megapixels, received b.png with 30000 x 30000",
    ),
    "bomb as image": ("images/b.png", png_bomb(), "at most 100 megapixels"),
    "a smaller bomb, of which Pillow would warn": (
        "images/b.png",
        png_bomb(10000, 10010),
        "at most 100 megapixels",
    ),
    "not an image": ("images/b.png", b"hello world", "Expected a PNG image as the name says"),
    "empty file": ("masks/b.png", b"", "Expected an image, received the empty file"),
}


@pytest.mark.parametrize("case", ONE_BAD)
def test_one_bad_sample_is_reported_and_the_rest_comes_in(source, case):
    place, data, sentence = ONE_BAD[case]
    whole = (source / place).read_bytes()
    write_bytes(source / place, whole[: len(whole) // 2] if data is None else data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = bring_in(source)
    assert report.num_samples == 2
    (problem,) = report.problems
    assert problem.sample == "b" and problem.fix
    assert "\n" not in problem.sentence
    assert re.search(sentence, problem.sentence)


def test_a_missing_mask_and_a_missing_image_are_reported(source):
    (source / "masks/a.png").unlink()
    (source / "images/b.png").unlink()
    report = bring_in(source)
    assert report.num_samples == 1
    assert {p.sample: p.what for p in report.problems} == {
        "a": "The image a.png has no mask",
        "masks/b.png": "this mask has no image",
    }


def test_all_bad_fails_and_leaves_nothing(source):
    for stem in "abc":
        write_bytes(source / f"masks/{stem}.png", encode_png(np.zeros((2, 2), np.uint8)))
    with pytest.raises(SegcoreError, match="at least one sound sample"):
        bring_in(source)
    assert nothing_left(source)


def test_empty_and_missing_folders(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(SegcoreError, match="empty folder"):
        bring_in(tmp_path / "in")
    with pytest.raises(SegcoreError, match="found none at"):
        bring_in(tmp_path / "absent")
    write_bytes(tmp_path / "in/readme.txt", b"x")
    with pytest.raises(SegcoreError, match="no image file"):
        bring_in(tmp_path / "in")
    write_bytes(tmp_path / "in/images/a.png", encode_png(np.zeros((2, 2), np.uint8)))
    with pytest.raises(
        SegcoreError, match=r"found none, it holds 1 .png, 1 .txt: put them in a folder"
    ):
        bring_in(tmp_path / "in")
    assert nothing_left(tmp_path / "in")


def test_a_folder_of_images_alone_leads_to_the_one_above_with_their_masks(tmp_path):
    for folder in ("images", "masks"):
        write_bytes(tmp_path / f"set/{folder}/a.png", encode_png(np.zeros((2, 2), np.uint8)))
    place = re.escape(str(tmp_path / "set"))
    with pytest.raises(
        SegcoreError, match=rf"folder 'masks' seems to hold the masks \({place}\)\.$"
    ):
        bring_in(tmp_path / "set/images")


BAD_TABLES = {
    "no id column": ("name\nsky\n", "columns id and name"),
    "no name column": ("id,color\n0,#000000\n", "columns id and name"),
    "id twice": ("id,name\n0,sky\n0,road\n", "each class id once"),
    "name twice": ("id,name\n0,sky\n1,sky\n", "each class name once"),
    "bad colour": ("id,name,color\n0,sky,bluish\n", "line 2 of classes.csv, received 'bluish'"),
    "colour out of range": ("id,name,color\n0,sky,0 0 256\n", "from 0 to 255"),
    "bad id": ("id,name\n0,sky\n-1,road\n", "class id from 0 to 65535 in line 3"),
    "bad ignore": ("id,name,ignore\n0,sky,perhaps\n", "Expected yes, no, true, false"),
    "empty": ("", "columns id and name"),
    "header only": ("id,name\n", "at least one class"),
    "not text": ("\x00\xff", "UTF-8|columns"),
    "all ignored": ("id,name,ignore\n0,sky,true\n", "at least one class"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_class_table_is_one_sentence(source, case):
    text, sentence = BAD_TABLES[case]
    write_bytes(source / "classes.csv", text.encode("latin-1"))
    with pytest.raises(SegcoreError, match=sentence):
        bring_in(source)
    assert nothing_left(source)


@pytest.mark.parametrize("name", ["../up", "a/b", ".x", "", "ü", "x" * 65])
def test_unsafe_names_are_refused(source, name):
    with pytest.raises(SegcoreError, match="name of 1 to 64"):
        import_dataset(source, source.parent / "datasets" / "safe", name)
    assert nothing_left(source)


def test_a_taken_name_is_refused_and_kept(source):
    bring_in(source)
    with pytest.raises(SegcoreError, match="exists"):
        bring_in(source)
    assert len(Dataset.open(source.parent / "datasets" / "set").samples) == 3


def test_a_stopped_import_leaves_nothing_and_a_killed_one_is_cleared_by_the_next(source):
    def stop(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(source, source.parent / "datasets" / "set", "set", progress=stop)
    assert nothing_left(source)
    write_bytes(source.parent / "datasets/.set.partial/masks/old.png", b"half")
    bring_in(source)
    assert [p.name for p in (source.parent / "datasets").iterdir()] == ["set"]
    assert not list((source.parent / "datasets/set").rglob("old.png"))


def test_by_reference_the_images_stay_and_the_source_is_untouched(source):
    before = {p: p.read_bytes() for p in source.rglob("*") if p.is_file()}
    import_dataset(source, source.parent / "set", "set", copy=False)
    dataset = Dataset.open(source.parent / "set")
    assert all(dataset.image_path(s).is_relative_to(source) for s in dataset.samples)
    assert not list((dataset.folder / "images").iterdir())
    assert {p: p.read_bytes() for p in source.rglob("*") if p.is_file()} == before


def test_progress_is_told(source):
    told = []
    import_dataset(source, source.parent / "set", "set", progress=lambda *step: told.append(step))
    steps = ["telling ids from colours", "looking at masks", "importing"]
    assert told == [(3, 3, step) for step in steps]


def test_an_archive_without_pairs_is_named_as_it_was_sent(tmp_path):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as packed:
        packed.writestr("images/a.png", encode_png(np.zeros((3, 4, 3), np.uint8)))
    for look in (
        lambda: preview(tmp_path / "mine.zip"),
        lambda: import_dataset(tmp_path / "mine.zip", tmp_path / "out", "out"),
    ):
        with pytest.raises(SegcoreError, match=r"image in mine\.zip.*found none") as told:
            look()
        assert str(tmp_path) not in str(told.value)
