"""Parquet tables: what a split and a picture are, and hostile or damaged tables."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import import_dataset, parquet, preview
from segcore.data.formats.importers.parquet import choose_columns, split_of
from segcore.errors import SegcoreError

IMAGE = encode_png(np.zeros((3, 4, 3), np.uint8))
MASK = encode_png(np.array([[0, 1, 1, 0]] * 3, np.uint8))


def write(path, images, masks, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({"image": pa.array(images), "mask": pa.array(masks, pa.binary()), **more}), path
    )
    return path


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("data/validation-00000-of-00001-0f3a9c.parquet", "validation"),
        ("default/test/0000.parquet", "test"),
        ("default/partial-train/0000.parquet", "train"),
        ("val.parquet", "validation"),
        ("extra hard-00001-of-00002.parquet", "extra_hard"),
        ("pictures.parquet", ""),
    ],
)
def test_splits_come_from_names(name, split):
    assert split_of(name) == split


def test_columns_are_known_by_type_and_name():
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    schema = pa.schema(
        {"id": pa.int64(), "pixel_values": struct, "label": struct, "caption": pa.string()}
    )
    assert choose_columns(schema, "x") == parquet.Columns("pixel_values", "label")
    assert choose_columns(
        pa.schema({"a": pa.binary(), "mask": pa.large_binary()}), "x"
    ) == parquet.Columns("a", "mask")
    assert choose_columns(
        pa.schema({"img": struct, "target": struct, "depth": struct}), "x"
    ) == parquet.Columns("img", "target")
    for poor in (
        {"image": struct, "label": pa.int64()},
        {"mask": struct},
        {"image": pa.string(), "mask": pa.string()},
        {},
    ):
        with pytest.raises(SegcoreError, match="a column of images and one of masks"):
            choose_columns(pa.schema(poor), "x")


def test_a_lone_table_comes_in_and_leaves_nothing_else(tmp_path):
    write(tmp_path / "in" / "train.parquet", [IMAGE] * 40, [MASK] * 40)
    told = []
    report = import_dataset(
        tmp_path / "in/train.parquet",
        tmp_path / "datasets/set",
        "set",
        copy=False,
        progress=lambda *s: told.append(s),
    )
    assert (report.layout, report.num_samples, report.splits) == ("Parquet", 40, {"train": 40})
    assert told[0] == (40, 40, "unpacking")
    assert [p.name for p in (tmp_path / "datasets").iterdir()] == ["set"]
    dataset = Dataset.open(tmp_path / "datasets/set")
    assert [s.id for s in dataset.samples[:2]] == ["0000000", "0000001"]
    assert all((dataset.folder / s.image).is_relative_to(dataset.folder) for s in dataset.samples)
    np.testing.assert_array_equal(dataset.read_mask(dataset.samples[39]), [[0, 1, 1, 0]] * 3)


def test_a_preview_tells_all_but_unpacks_few(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(parquet, "_suffix", lambda data: written.append(1) or ".png")
    write(tmp_path / "in/train-0.parquet", [IMAGE] * 50, [MASK] * 50)
    write(tmp_path / "in/test-0.parquet", [IMAGE] * 70, [MASK] * 70)
    seen = preview(tmp_path / "in", 2)
    assert (seen.num_pairs, seen.splits, len(seen.samples)) == (120, {"train": 50, "test": 70}, 2)
    assert len(written) == 2 * 32


def test_rows_without_bytes_are_told_and_their_paths_never_followed(tmp_path):
    (tmp_path / "secret.png").write_bytes(IMAGE)
    paths = {str(tmp_path / "secret.png"): None, "../../up.png": IMAGE, "b.png": IMAGE}
    write(
        tmp_path / "in/a.parquet",
        [{"bytes": data, "path": path} for path, data in paths.items()],
        [MASK, MASK, None],
    )
    report = import_dataset(tmp_path / "in", tmp_path / "set", "set")
    assert [s.id for s in Dataset.open(tmp_path / "set").samples] == ["up"]
    assert {p.sample: p.what for p in report.problems if p.sample} == {
        "0000000": "row 0 of a.parquet holds no bytes of an image",
        "b": "The image 0000002.png has no mask",
    }


def test_damaged_and_hostile_tables_are_one_sentence_and_leave_nothing(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    noise = [encode_png(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)) for _ in range(80)]
    file = write(tmp_path / "in/a.parquet", noise, [MASK] * 80)
    whole = file.read_bytes()

    def refused(sentence):
        with pytest.raises(SegcoreError, match=sentence) as caught:
            import_dataset(tmp_path / "in", tmp_path / "datasets/set", "set")
        assert "\n" not in str(caught.value)
        assert list((tmp_path / "datasets").iterdir()) == []

    file.write_bytes(whole[: len(whole) // 2])
    refused("cannot be read as Parquet")
    file.write_bytes(b"PAR1" + bytes(100))
    refused("cannot be read as Parquet")
    at = len(whole) // 2
    file.write_bytes(whole[: at - 60_000] + bytes(60_000) + whole[at:])
    refused(r"a\.parquet is damaged|found none")
    monkeypatch.setattr(parquet, "FREE_BYTES", 0)
    write(tmp_path / "in/a.parquet", [bytes(200_000)] * 99, [MASK] * 99)
    refused("as a bomb does")
    file.write_bytes(whole)
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 1000)
    refused("row groups of at most")
