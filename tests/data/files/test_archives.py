"""Archives unpack to what was packed, and every hostile one is refused with a sentence before it writes outside."""

import gzip
import io
import shutil
import stat
import tarfile
import zipfile

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.files import archives
from segcore.data.files.archives import Entry, check_entries, is_archive, unpack
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import import_dataset, preview
from segcore.errors import SegcoreError

FILES = {
    "set/images/a.png": encode_png(np.zeros((3, 4, 3), np.uint8)),
    "set/masks/a.png": encode_png(np.array([[0, 1, 1, 0]] * 3, np.uint8)),
}


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def make_tar(path, files, mode):
    with tarfile.open(path, mode) as packed:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return path


MAKERS = {
    "zip": lambda folder, files: make_zip(folder / "x.zip", files),
    "tar": lambda folder, files: make_tar(folder / "x.tar", files, "w"),
    "tar.gz": lambda folder, files: make_tar(folder / "x.tar.gz", files, "w:gz"),
    "tar.xz": lambda folder, files: make_tar(folder / "x.tar.xz", files, "w:xz"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_was_packed_comes_out(tmp_path, kind):
    archive = MAKERS[kind](tmp_path, FILES)
    assert is_archive(archive)
    unpack(archive, tmp_path / "out")
    assert {
        p.relative_to(tmp_path / "out").as_posix(): p.read_bytes()
        for p in (tmp_path / "out").rglob("*")
        if p.is_file()
    } == FILES


@pytest.mark.parametrize("kind", MAKERS)
def test_an_archive_is_imported_and_leaves_only_the_data_set(tmp_path, kind):
    archive = MAKERS[kind](tmp_path, FILES)
    assert preview(archive).num_pairs == 1
    report = import_dataset(archive, tmp_path / "datasets" / "set", "set", copy=False)
    assert report.num_samples == 1
    assert [p.name for p in (tmp_path / "datasets").iterdir()] == ["set"]
    dataset = Dataset.open(tmp_path / "datasets" / "set")
    np.testing.assert_array_equal(dataset.read(dataset.samples[0])[1], [[0, 1, 1, 0]] * 3)


HOSTILE = {
    "climbs": ("../evil.png", "inside the archive"),
    "climbs inside": ("a/../../evil.png", "inside the archive"),
    "absolute": ("/tmp/evil.png", "inside the archive"),
    "windows": ("..\\evil.png", "inside the archive"),
    "drive": ("C:/evil.png", "inside the archive"),
    "nested": ("inner.zip", "no archive inside"),
    "nested tar": ("a/inner.tar.gz", "no archive inside"),
}


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_names_are_refused(tmp_path, kind, case):
    name, sentence = HOSTILE[case]
    inner = tmp_path / "inner"
    inner.mkdir()
    archive = MAKERS[kind](inner, {**FILES, name: b"x"})
    with pytest.raises(SegcoreError, match=sentence):
        import_dataset(archive, tmp_path / "datasets" / "set", "set")
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [archive.name]
    assert not (tmp_path / "datasets").exists() or not list((tmp_path / "datasets").iterdir())


def test_links_and_devices_are_refused(tmp_path):
    for kind, sentence in (
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.FIFOTYPE, "device"),
        (tarfile.CHRTYPE, "device"),
    ):
        with tarfile.open(tmp_path / "x.tar", "w") as packed:
            info = tarfile.TarInfo("a/masks")
            info.type, info.linkname = kind, "/etc"
            packed.addfile(info)
        with pytest.raises(SegcoreError, match=f"the {sentence} 'a/masks'"):
            unpack(tmp_path / "x.tar", tmp_path / "out")
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(info, "/etc/passwd")
    with pytest.raises(SegcoreError, match="the link 'link'"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_limits_are_kept():
    with pytest.raises(SegcoreError, match="at most 100000 entries"):
        check_entries([Entry(f"{i}.png", 1, "file") for i in range(100_001)], 10**9, "x.zip")
    with pytest.raises(SegcoreError, match="at most 10 GB"):
        check_entries([Entry("a.png", 10_000_000_001, "file")], 10**10, "x.zip")
    with pytest.raises(SegcoreError, match="as a bomb does"):
        check_entries([Entry("a.png", 5_000_000_000, "file")], 10**6, "x.zip")
    with pytest.raises(SegcoreError, match="twice"):
        check_entries([Entry("a.png", 1, "file"), Entry("./a.png", 1, "file")], 10, "x.zip")
    check_entries([Entry("a.png", 90_000_000, "file")], 1000, "x.zip")


def test_a_real_bomb_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREE_BYTES", 1_000_000)
    archive = make_zip(tmp_path / "x.zip", {"a.png": bytes(5_000_000)})
    with pytest.raises(SegcoreError, match="bomb"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_and_foreign_files(tmp_path):
    whole = make_zip(tmp_path / "x.zip", FILES).read_bytes()
    at = whole.index(b"IDAT") if b"IDAT" in whole else 80
    (tmp_path / "x.zip").write_bytes(whole[:at] + bytes(20) + whole[at + 20 :])
    with pytest.raises(SegcoreError, match="cannot be unpacked"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    (tmp_path / "y.zip").write_bytes(b"no archive")
    with pytest.raises(SegcoreError, match=r"received y\.zip"):
        unpack(tmp_path / "y.zip", tmp_path / "out")
    with pytest.raises(SegcoreError, match="no file at"):
        unpack(tmp_path / "z.zip", tmp_path / "out")


def refused(tmp_path, archive, sentence):
    """The archive is refused with one sentence, and no file is left."""
    with pytest.raises(SegcoreError, match=sentence) as caught:
        import_dataset(archive, tmp_path / "datasets" / "set", "set")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "datasets").exists() or not list((tmp_path / "datasets").iterdir())


def test_a_packed_tar_is_left_at_the_first_sign_of_a_bomb(tmp_path, monkeypatch):
    """The listing of a packed tar is inside the packing: it must not be read to its end first."""
    monkeypatch.setattr(archives, "FREE_BYTES", 1_000_000)
    with gzip.open(tmp_path / "x.tar.gz", "wb") as packed:
        for number in range(3):
            info = tarfile.TarInfo(f"{number}.png")
            info.size = 3_000_000
            packed.write(info.tobuf() + bytes(info.size // 512 * 512 + 512))
        packed.write(b"this is no header of a tar" * 100)
    refused(tmp_path, tmp_path / "x.tar.gz", "as a bomb does")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_asks_for_gigabytes_gets_none(tmp_path, kind):
    info = tarfile.TarInfo("long")
    info.type, info.size = kind, 8_000_000_000
    with gzip.open(tmp_path / "x.tar.gz", "wb") as packed:
        packed.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(100_000))
    refused(tmp_path, tmp_path / "x.tar.gz", "zip or tar|cannot be unpacked")


def test_a_listing_that_lies_about_sizes_is_refused(tmp_path):
    data = bytes(range(256)) * 40
    whole = make_zip(tmp_path / "x.zip", {"a.png": data}).read_bytes()
    size = len(data).to_bytes(4, "little")
    assert whole.count(size) == 2
    (tmp_path / "x.zip").write_bytes(whole.replace(size, (100).to_bytes(4, "little")))
    refused(tmp_path, tmp_path / "x.zip", "cannot be unpacked|more than its listing")


def test_a_listing_too_long_is_not_read(tmp_path, monkeypatch):
    many = {f"{number}.png": b"x" for number in range(60)}
    monkeypatch.setattr(archives, "MAX_ENTRIES", 50)
    refused(
        tmp_path, make_zip(tmp_path / "x.zip", many), "at most 50 entries in x.zip, received 60"
    )
    refused(tmp_path, make_tar(tmp_path / "x.tar.gz", many, "w:gz"), "at most 50 entries")
    monkeypatch.setattr(archives, "BYTES_PER_ENTRY", 30)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    refused(tmp_path, tmp_path / "x.zip", "received many more")


@pytest.mark.parametrize("kind", MAKERS)
def test_no_damage_is_more_than_a_sentence(tmp_path, kind):
    archive = MAKERS[kind](tmp_path, FILES)
    whole = archive.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(len(data))] = rng.integers(256)
        archive.write_bytes(
            bytes(data[: rng.integers(1, len(data) + 1)] if rng.random() < 0.3 else data)
        )
        try:
            unpack(archive, tmp_path / "out")
        except SegcoreError as error:
            assert "\n" not in str(error)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
    assert [p.name for p in tmp_path.iterdir()] == [archive.name]
