"""GeoTIFF images: bands picked, values stretched alike, places kept; and what happens without rasterio."""

import numpy as np
import pytest
import rasterio

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.georeference import write_geotiff
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import (
    ImportRules,
    import_dataset,
    parse_bands,
    preview,
    rasters,
)
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes
from tests.data.files.geotiffs import load_georeferences, read_georeference

HEIGHT, WIDTH = 6, 8
MASK = encode_png(np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 2)


def write_raster(path, values, place=0, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff",
        "height": HEIGHT,
        "width": WIDTH,
        "count": len(values),
        "dtype": values.dtype.name,
        **more,
    }
    if place is not None:
        profile |= {
            "crs": "EPSG:32633",
            "transform": rasterio.Affine(10, 0, 500_000 + 80 * place, 0, -10, 4_000_000),
        }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(values)


def make(folder, images, **more):
    for number, values in enumerate(images):
        write_raster(folder / f"images/t{number}.tif", values, number, **more)
        write_bytes(folder / f"masks/t{number}.png", MASK)
    return folder


def bytes_of(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, HEIGHT, WIDTH), dtype=np.uint8)


def test_bands_are_picked_and_a_prediction_goes_back_to_its_place(tmp_path):
    images = [bytes_of(5, seed) for seed in range(2)]
    source = make(tmp_path / "in", images)
    report = import_dataset(
        source, tmp_path / "set", "set", rules=ImportRules(bands=(4, 3, 2)), copy=False
    )
    assert report.num_samples == 2 and not [p for p in report.problems if p.sample]
    dataset = Dataset.open(tmp_path / "set")
    for sample, values in zip(dataset.samples, images, strict=True):
        np.testing.assert_array_equal(
            dataset.read_image(sample), np.moveaxis(values[[3, 2, 1]], 0, -1)
        )
        assert dataset.image_path(sample).is_relative_to(dataset.folder)
    places = load_georeferences(dataset.folder)
    prediction = dataset.read_mask(dataset.samples[1])
    write_geotiff(tmp_path / "back.tif", prediction, places["t1"])
    assert (
        read_georeference(tmp_path / "back.tif")
        == read_georeference(source / "images/t1.tif")
        == places["t1"]
    )
    assert places["t1"].transform[2] - places["t0"].transform[2] == 80
    assert (
        preview(source, 1, rules=ImportRules(bands=(1,))).samples[0][1][..., 1].tolist()
        == images[0][0].tolist()
    )


def test_three_bytes_stay_where_they_are_but_their_place_is_kept(tmp_path):
    source = make(tmp_path / "in", [bytes_of(3)])
    import_dataset(source, tmp_path / "set", "set", copy=False)
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.image_path(dataset.samples[0]) == source / "images/t0.tif"
    assert set(load_georeferences(dataset.folder)) == {"t0"}


def test_sixteen_bits_are_stretched_alike_over_the_set(tmp_path):
    dark = np.linspace(1000, 2000, HEIGHT * WIDTH).astype(np.uint16).reshape(1, HEIGHT, WIDTH)
    source = make(
        tmp_path / "in", [np.repeat(dark, 4, 0), np.repeat(dark + 1000, 4, 0)], nodata=1000
    )
    report = import_dataset(source, tmp_path / "set", "set")
    assert "became 0 to 255" in report.problems[0].what
    dataset = Dataset.open(tmp_path / "set")
    first, second = (dataset.read_image(s)[..., 0].astype(int) for s in dataset.samples)
    assert (
        first[0, 0] == 0
        and first.max() == pytest.approx(second.min(), abs=4)
        and second.max() == 255
    )
    assert (np.diff(first.ravel()) >= 0).all() and 90 < np.median(first + second) / 2 < 165


def test_numbers_that_are_none_become_black(tmp_path):
    values = np.linspace(-1, 1, 3 * HEIGHT * WIDTH).astype(np.float32).reshape(3, HEIGHT, WIDTH)
    values[:, 0, 0] = np.nan
    values[:, 0, 1] = np.inf
    import_dataset(make(tmp_path / "in", [values]), tmp_path / "set", "set")
    dataset = Dataset.open(tmp_path / "set")
    image = dataset.read_image(dataset.samples[0])
    assert (
        image[0, 0].tolist() == [0, 0, 0]
        and image[0, 1].tolist() == [255] * 3
        and image[-1, -1].tolist() == [255] * 3
    )


def test_a_missing_band_and_a_damaged_file_are_told(tmp_path):
    source = make(tmp_path / "in", [bytes_of(4), bytes_of(2), bytes_of(4)])
    whole = (source / "images/t2.tif").read_bytes()
    write_bytes(source / "images/t2.tif", whole[:100])
    report = import_dataset(source, tmp_path / "set", "set", rules=ImportRules(bands=(4,)))
    assert report.num_samples == 1
    told = {p.sample: p.sentence for p in report.problems if p.sample}
    assert (
        "Expected band 4 in t1.tif, it has 2" in told["t1"]
        and "t2.tif cannot be read as GeoTIFF" in told["t2"]
    )
    with pytest.raises(SegcoreError, match="Expected band 9"):
        import_dataset(source, tmp_path / "no", "no", rules=ImportRules(bands=(9,)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "set"]


def test_without_rasterio_a_geotiff_of_three_bytes_comes_in_and_the_report_says_what_is_lost(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(rasters, "is_available", lambda: False)
    report = import_dataset(make(tmp_path / "in", [bytes_of(3)]), tmp_path / "set", "set")
    assert report.num_samples == 1 and "where they lie is not kept" in report.problems[0].what
    assert not (tmp_path / "set/georeference.json").exists()
    with pytest.raises(SegcoreError, match="at least one sound"):
        import_dataset(
            make(tmp_path / "more", [bytes_of(5).astype(np.uint16)]), tmp_path / "no", "no"
        )


@pytest.mark.parametrize("text", ["0,1,2", "a", "-1", "١,٢,٣", "1,,2", "99999"])
def test_bad_bands_are_one_sentence(text):
    with pytest.raises(SegcoreError, match="one or three bands"):
        parse_bands(text)


def test_bands_are_read():
    assert (parse_bands(" 4, 3,2 "), parse_bands("1"), parse_bands(" ")) == ((4, 3, 2), (1,), ())


def test_three_bands_that_are_declared_no_colours_are_a_picture_all_the_same(tmp_path):
    values = bytes_of(3)
    source = make(tmp_path / "in", [values], photometric="minisblack")
    report = import_dataset(source, tmp_path / "set", "set")
    assert report.num_samples == 1
    dataset = Dataset.open(tmp_path / "set")
    image = dataset.read_image(dataset.samples[0])
    np.testing.assert_array_equal(image, np.moveaxis(values, 0, -1))
