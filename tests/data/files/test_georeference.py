"""What is read from a GeoTIFF is written back, so a prediction lies where its image does."""

import numpy as np
import pytest
import rasterio

from segcore.data.files import georeference
from segcore.data.files.georeference import (
    Georeference,
    open_raster,
    write_geotiff,
)
from segcore.data.files.images import encode_png
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes
from tests.data.files.geotiffs import read_georeference

TRANSFORM = (0.5, 0.1, 400_000.0, 0.2, -0.5, 5_800_000.0)


@pytest.fixture
def lies():
    return Georeference(rasterio.crs.CRS.from_epsg(32633).to_wkt(), TRANSFORM)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_mask_goes_out_and_comes_in(tmp_path, lies, dtype):
    values = np.random.default_rng(0).integers(0, 5, (7, 11)).astype(dtype)
    colors = np.arange(768, dtype=np.uint8).reshape(256, 3)
    write_geotiff(tmp_path / "out" / "a.tif", values, lies, colors, nodata=255)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.tif"]
    found = read_georeference(tmp_path / "out" / "a.tif")
    assert found is not None and found.transform == TRANSFORM
    assert rasterio.crs.CRS.from_wkt(found.crs).to_epsg() == 32633
    with open_raster(tmp_path / "out" / "a.tif") as raster:
        np.testing.assert_array_equal(raster.read(1), values)
        assert raster.nodata == 255
        assert dtype is np.uint16 or raster.colormap(1)[4] == (12, 13, 14, 255)
        # the corner of pixel (column 2, row 3): x = .5 * 2 + .1 * 3 + 400000, y = .2 * 2 - .5 * 3 +
        # 5800000
        assert raster.transform @ (2, 3) == pytest.approx((400_001.3, 5_799_998.9))


def test_what_lies_nowhere_says_so_and_mistakes_are_sentences(tmp_path, lies, monkeypatch):
    with rasterio.open(
        tmp_path / "plain.tif", "w", driver="GTiff", width=4, height=3, count=1, dtype="uint8"
    ) as raster:
        raster.write(np.zeros((1, 3, 4), np.uint8))
    assert read_georeference(tmp_path / "plain.tif") is None
    write_bytes(tmp_path / "a.tif", encode_png(np.zeros((3, 4), np.uint8)))
    write_bytes(tmp_path / "vrt.tif", b'<VRTDataset rasterXSize="4" rasterYSize="3"></VRTDataset>')
    for name in ("a.tif", "vrt.tif", "absent.tif"):
        with pytest.raises(SegcoreError, match="cannot be read as GeoTIFF"):
            read_georeference(tmp_path / name)
    for bad in (np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), np.int64)):
        with pytest.raises(SegcoreError, match="uint8 or uint16 mask"):
            write_geotiff(tmp_path / "b.tif", bad, lies)
    with pytest.raises(SegcoreError, match="cannot be written as GeoTIFF"):
        write_geotiff(
            tmp_path / "b.tif", np.zeros((3, 4), np.uint8), Georeference("nonsense", TRANSFORM)
        )
    assert not list(tmp_path.glob("*b.tif*"))
    monkeypatch.setattr("segcore.data.files.png.MAX_PIXELS", 11)
    with pytest.raises(SegcoreError, match="megapixels"):
        read_georeference(tmp_path / "plain.tif")


def test_without_rasterio_it_says_what_to_install(monkeypatch):
    def absent(name):
        raise ImportError(name)

    georeference.load_rasterio.cache_clear()
    monkeypatch.setattr(georeference.importlib, "import_module", absent)
    with pytest.raises(SegcoreError, match="pip install"):
        georeference.load_rasterio()
    assert not georeference.is_available()
