"""Imports whose bands keep their values: what is stored, what becomes void, what is left out."""

import numpy as np
import pytest

from segcore.data.bands.band_set import FILE_NAME as BAND_SET
from segcore.data.bands.display import load_display
from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import (
    ImportRules,
    Windows,
    import_dataset,
    parse_bands,
    preview,
)
from segcore.data.health.image_hashes import hash_images
from segcore.data.splits.folds import write_folds
from segcore.errors import SegcoreError
from tests.data.bands.band_rasters import NAMES, make_dataset, planted, write_bands


def write(folder, number, values, names=NAMES, nodata=None):
    write_bands(folder / f"images/t{number}.tif", values, names, nodata)
    place = folder / f"masks/t{number}.png"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(encode_png(np.arange(values[0].size, dtype=np.uint8).reshape(values[0].shape) % 2))  # fmt: skip


def test_values_names_and_the_picture(tmp_path):
    dataset = make_dataset(tmp_path, indices="ndvi")
    assert dataset.bands is not None and dataset.bands.channels == (*NAMES, "ndvi")
    assert dataset.bands.dtype == "uint16" and dataset.splits == ["train", "validation", "test"]
    values, mask = planted(0)
    sample = next(s for s in dataset.samples if s.id.endswith("train0"))
    read = dataset.read_values(sample)
    np.testing.assert_array_equal(read[..., :5], np.moveaxis(values, 0, -1))
    np.testing.assert_array_equal(dataset.read_mask(sample), mask)
    red, nir = (values[k].astype(np.float64) for k in (0, 3))
    np.testing.assert_allclose(read[..., 5], (nir - red) / (nir + red), atol=1e-6)
    display = load_display(dataset.folder)
    assert display.shown == (0, 1, 2)
    low, high = display.limits[0]
    shown = np.rint(np.clip((values[0] - low) / (high - low) * 255, 0, 255))
    np.testing.assert_allclose(dataset.read_image(sample)[..., 0], shown, atol=1)


def test_pixels_that_no_band_knows_are_void_and_others_keep_their_class(tmp_path):
    values = planted(1)[0].astype(np.float32)
    values[:, :3], values[4, 5, 5] = np.nan, np.nan
    write(tmp_path / "in", 0, values)
    import_dataset(
        tmp_path / "in", tmp_path / "set", "set", rules=ImportRules(bands=parse_bands("all"))
    )
    dataset = Dataset.open(tmp_path / "set")
    mask = dataset.read_mask(dataset.samples[0])
    ignored = dataset.label_set.ignore_index
    assert (mask[:3] == ignored).all() and (mask[3:] != ignored).all()


def test_images_of_another_kind_are_left_out_by_name(tmp_path):
    source = tmp_path / "in"
    for number in range(3):
        write(source, number, planted(number)[0])
    write(source, 3, planted(3)[0][:4], NAMES[:4])
    write(source, 4, (planted(4)[0] // 256).astype(np.uint8))
    write(source, 5, planted(5)[0], ("nir", "green", "blue", "red", "height"))
    report = import_dataset(
        source, tmp_path / "set", "set", rules=ImportRules(bands=parse_bands("all"))
    )
    assert report.num_samples == 3 and report.bands.startswith("5 channels (red, green,")
    told = {problem.sample: problem.what for problem in report.problems if problem.sample}
    assert "with 4 bands of uint16" in told["t3"] and "uint8" in told["t4"]
    assert "calls band 1 'nir'" in told["t5"]
    named = "red=1,green=2,blue=3,nir=4,height=5"
    report = import_dataset(
        source, tmp_path / "named", "named", rules=ImportRules(bands=parse_bands(named))
    )
    assert report.num_samples == 4


def test_pictures_have_no_values_to_keep(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / "in" / part).mkdir(parents=True)
        image = np.zeros((8, 8, 3) if part == "images" else (8, 8), np.uint8)
        (tmp_path / "in" / part / "a.png").write_bytes(encode_png(image))
    with pytest.raises(SegcoreError, match="Expected a GeoTIFF, whose bands can keep"):
        import_dataset(
            tmp_path / "in", tmp_path / "set", "set", rules=ImportRules(bands=parse_bands("all"))
        )
    assert not (tmp_path / "set").exists()


def test_a_preview_shows_what_the_dataset_will(tmp_path):
    write(tmp_path / "in", 0, planted(0)[0])
    chosen = parse_bands("nir=4,red=1,green=2")
    seen = preview(tmp_path / "in", 1, rules=ImportRules(bands=chosen)).samples[0][1]
    import_dataset(
        tmp_path / "in", tmp_path / "set", "set", rules=ImportRules(bands=chosen), copy=False
    )
    dataset = Dataset.open(tmp_path / "set")
    np.testing.assert_array_equal(seen, dataset.read_image(dataset.samples[0]))
    assert dataset.image_path(dataset.samples[0]) == tmp_path / "in/images/t0.tif"


def test_folds_keep_the_bands(tmp_path):
    dataset = make_dataset(tmp_path, (12, 16))
    splits = {sample.id: "train" for sample in dataset.samples}
    (fold,) = write_folds(dataset, [splits], tmp_path / "datasets")
    assert fold.bands == dataset.bands
    np.testing.assert_array_equal(
        fold.read_image(fold.samples[0]), dataset.read_image(dataset.samples[0])
    )


def test_other_bands_or_indices_are_another_dataset(tmp_path):
    plain = make_dataset(tmp_path / "a", (12, 16))
    more = make_dataset(tmp_path / "b", (12, 16), indices="ndvi")
    assert plain.fingerprint != more.fingerprint
    (plain.folder / BAND_SET).unlink()
    assert Dataset.open(plain.folder).fingerprint != plain.fingerprint


def test_windows_of_a_raster_keep_its_values(tmp_path):
    values, mask = planted(3, (40, 48))
    values[:, :20, :24] = 0
    write_bands(tmp_path / "in/images/a.tif", values, NAMES, nodata=0)
    (tmp_path / "in/masks").mkdir()
    (tmp_path / "in/masks/a.png").write_bytes(encode_png(mask))
    import_dataset(
        tmp_path / "in",
        tmp_path / "set",
        "set",
        rules=ImportRules(bands=parse_bands("all", "ndvi"), windows=Windows(20, 4)),
        copy=False,
    )
    dataset = Dataset.open(tmp_path / "set")
    assert len(dataset.samples) > 4 and dataset.bands.channels[-1] == "ndvi"
    for sample in dataset.samples:
        top, left = sample.window
        part = np.moveaxis(values, 0, -1)[top : top + sample.height, left : left + sample.width]
        read = dataset.read_values(sample)[..., :5]
        empty = (part == 0).all(axis=2)
        np.testing.assert_array_equal(read[~empty], part[~empty])
        assert np.isnan(read[empty]).all()
        assert (dataset.read_mask(sample)[empty] == dataset.label_set.ignore_index).all()
        assert dataset.read_image(sample).shape == (sample.height, sample.width, 3)
    assert not {s.id for s in dataset.samples} & {"a/00000_00000"}


def test_health_looks_at_what_is_shown(tmp_path):
    dataset = make_dataset(tmp_path, (12, 16))
    hashes, readable = hash_images(dataset)
    assert readable.all() and len(set(hashes.tolist())) > 1
