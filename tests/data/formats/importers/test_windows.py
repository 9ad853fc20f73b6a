"""Rasters cut into windows: every pixel comes in once, at its place, with its label."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.dataset import Dataset
from segcore.data.files import png
from segcore.data.files.windows import Window
from segcore.data.formats.importers import ImportRules, Windows, import_dataset, preview
from segcore.data.formats.importers.windows import spans
from segcore.errors import SegcoreError
from tests.data.files.geotiffs import load_georeferences, write_scene

rng = np.random.default_rng(0)
IMAGE = rng.integers(0, 256, (70, 100, 3), np.uint8)
LABELS = rng.integers(0, 3, (70, 100)).astype(np.uint8)


@pytest.mark.parametrize(("length", "size", "overlap"), [(100, 32, 0), (100, 32, 8), (64, 32, 0)])
def test_spans_cover_a_side_and_share_only_the_overlap(
    length: int, size: int, overlap: int
) -> None:
    cut = spans(length, size, overlap)
    assert cut[0][0] == 0
    assert sum(cut[-1]) == length
    for (start, pixels), (after, _) in pairwise(cut):
        assert start + pixels - after == overlap


def test_a_narrow_remainder_is_joined_to_the_window_before() -> None:
    assert spans(100, 32) == [(0, 32), (32, 32), (64, 36)]  # 4 are less than a quarter of 32
    assert spans(72, 32) == [(0, 32), (32, 32), (64, 8)]
    assert spans(20, 32) == [(0, 20)]


def scenes(folder: Path, image: np.ndarray = IMAGE, labels: np.ndarray = LABELS) -> Path:
    write_scene(folder / "images" / "a.tif", image)
    write_scene(folder / "masks" / "a.tif", labels)
    return folder


def sewn(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The scene as its windows hold it."""
    image, mask = np.zeros_like(IMAGE), np.full_like(LABELS, 99)
    for sample in dataset.samples:
        assert sample.window is not None
        window = Window(*sample.window, sample.height, sample.width)
        window.cut(image)[:], window.cut(mask)[:] = dataset.read(sample)
    return image, mask


@pytest.mark.parametrize("copy", [True, False])
def test_windows_sewn_together_are_the_scene(tmp_path: Path, copy: bool) -> None:
    source = scenes(tmp_path / "source")
    report = import_dataset(
        source, tmp_path / "set", "set", rules=ImportRules(windows=Windows(32)), copy=copy
    )
    dataset = Dataset.open(tmp_path / "set")
    assert report.num_samples == len(spans(70, 32)) * len(spans(100, 32)) == 6
    image, mask = sewn(dataset)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, LABELS)
    assert dataset.samples[1].id == "a/00000_00032"
    assert {sample.group for sample in dataset.samples} == {
        f"a/block {row}_{column}" for row in range(2) for column in range(3)
    }
    assert len(list((tmp_path / "set" / "images").rglob("*.tif"))) == copy
    assert json.loads((tmp_path / "set" / "dataset.json").read_text())["version"] == 2
    assert "a" in load_georeferences(tmp_path / "set")
    assert "became 6 windows of 32 pixels" in report.problems[0].sentence


def test_two_windows_at_different_places_are_different_datasets(tmp_path: Path) -> None:
    blank = np.zeros((64, 32, 3), np.uint8)
    source = scenes(
        tmp_path / "source", blank, np.zeros((64, 32), np.uint8) + np.arange(32) % 2 == 0
    )
    import_dataset(source, tmp_path / "set", "set", rules=ImportRules(windows=Windows(32)))
    first, second = Dataset.open(tmp_path / "set").samples
    assert first.mask_digest == second.mask_digest
    assert first.window != second.window


def test_a_mask_of_another_extent_is_aligned_and_what_it_lacks_is_ignored(tmp_path: Path) -> None:
    write_scene(tmp_path / "s" / "images" / "a.tif", IMAGE)
    write_scene(tmp_path / "s" / "masks" / "a.tif", LABELS[10:60, 20:], row=10, column=20)
    report = import_dataset(
        tmp_path / "s", tmp_path / "set", "set", rules=ImportRules(windows=Windows(35))
    )
    _, mask = sewn(Dataset.open(tmp_path / "set"))
    np.testing.assert_array_equal(mask[10:60, 20:], LABELS[10:60, 20:])
    assert set(np.unique(mask[:10])) <= {255, 99}
    assert any("-10 rows and -20 columns" in p.what for p in report.problems)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"row": 0.5}, "same grid"),
        ({"pixel": 2.0}, "same size and direction"),
        ({"crs": "EPSG:32633"}, "coordinate reference system"),
        ({"row": 5000}, "another place"),
        ({"crs": None}, "not both say where they lie"),
    ],
)
def test_a_mask_on_another_grid_is_refused_in_a_sentence(
    tmp_path: Path, other: dict, says: str
) -> None:
    write_scene(tmp_path / "s" / "images" / "a.tif", IMAGE)
    write_scene(tmp_path / "s" / "masks" / "a.tif", LABELS[:60], **other)
    with pytest.raises(SegcoreError, match=says):
        import_dataset(
            tmp_path / "s", tmp_path / "set", "set", rules=ImportRules(windows=Windows(35))
        )
    assert not (tmp_path / "set").exists()


def test_windows_without_data_or_label_are_left_out(tmp_path: Path) -> None:
    labels, image = LABELS.copy(), IMAGE.copy()
    labels[:35, :50] = 255
    image[35:, 50:] = 0
    image[:35, 50:60] = 0
    write_scene(tmp_path / "s" / "images" / "a.tif", np.maximum(image, IMAGE > 300), nodata=0)
    write_scene(tmp_path / "s" / "masks" / "a.tif", labels)
    report = import_dataset(
        tmp_path / "s", tmp_path / "set", "set", rules=ImportRules(windows=Windows(35))
    )
    dataset = Dataset.open(tmp_path / "set")
    # columns 0, 35, 70 (30 wide); the rest of a window that lacks data in part is ignored there
    assert "a/00000_00000" not in dataset.ids()
    assert "a/00035_00070" not in dataset.ids()
    mask = dataset.read_mask(dataset.sample("a/00000_00035"))
    assert (mask[:, 15:25] == dataset.label_set.ignore_index).all()
    assert any("hold no data or no label" in p.what for p in report.problems)


def test_a_png_is_cut_too_and_its_slowness_is_said(tmp_path: Path) -> None:
    for kind, pixels in (("images", IMAGE), ("masks", LABELS)):
        (tmp_path / "s" / kind).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "s" / kind / "a.png")
    report = import_dataset(
        tmp_path / "s", tmp_path / "set", "set", rules=ImportRules(windows=Windows(32))
    )
    image, mask = sewn(Dataset.open(tmp_path / "set"))
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, LABELS)
    assert "no TIFF" in report.problems[0].what


def test_a_scene_beyond_the_size_limit_is_read_by_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(png, "MAX_PIXELS", 5000)  # the scene has 7000, a window 1225 at most
    source = scenes(tmp_path / "s")
    with pytest.raises(SegcoreError, match=r"megapixels.*--windows 512"):
        import_dataset(source, tmp_path / "whole", "whole")
    assert preview(source, rules=ImportRules(windows=Windows(35))).num_pairs == 6
    import_dataset(source, tmp_path / "set", "set", rules=ImportRules(windows=Windows(35)))
    image, mask = sewn(Dataset.open(tmp_path / "set"))
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, LABELS)


def test_sixteen_bits_are_stretched_alike_in_every_window(tmp_path: Path) -> None:
    deep = (np.arange(64 * 64).reshape(64, 64) * 10).astype(np.uint16)
    write_scene(tmp_path / "s" / "images" / "a.tif", np.repeat(deep[:, :, None], 4, 2))
    write_scene(tmp_path / "s" / "masks" / "a.tif", LABELS[:64, :64])
    import_dataset(
        tmp_path / "s",
        tmp_path / "set",
        "set",
        rules=ImportRules(windows=Windows(32), bands=(4, 3, 2)),
    )
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.look is not None
    first, last = dataset.read_image(dataset.samples[0]), dataset.read_image(dataset.samples[-1])
    assert first.max() < 140 < last.max()  # limits are those of the set, not of a window


@pytest.mark.parametrize(("size", "overlap"), [(8, 0), (9000, 0), (32, 17), (32, -1)])
def test_windows_out_of_range_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(SegcoreError, match="Expected"):
        Windows(size, overlap)
