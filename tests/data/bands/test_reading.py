"""Values come in exactly, gaps are gaps, windows are parts of the whole, indices are their formula."""

import numpy as np
import pytest

from segcore.data.bands.band_set import BandSet
from segcore.data.bands.indices import Index, normalised_difference, parse_indices, place_indices
from segcore.data.bands.reading import has_values, pick_values, read_values
from segcore.data.files.windows import Window
from segcore.errors import SegcoreError
from tests.data.bands.band_rasters import write_bands

TOPS = {"uint8": 255, "uint16": 65_535, "int16": 32_767, "float32": 3e4}


def raster(dtype, count=5, seed=0, size=(6, 8)):
    values = np.random.default_rng(seed).random((count, *size)) * TOPS[dtype]
    if dtype in ("int16", "float32"):
        values = values - TOPS[dtype] / 2
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", TOPS)
def test_values_are_those_of_the_file(dtype, tmp_path):
    values = raster(dtype)
    write_bands(tmp_path / "a.tif", values)
    bands = BandSet((5, 1, 2), ("a", "b", "c"), 5, dtype, (Index("d", 1, 2),))
    read = read_values(tmp_path / "a.tif", bands)
    assert read.dtype == np.float32 and read.shape == (6, 8, 4) and read.flags.writeable
    np.testing.assert_array_equal(read[..., :3], np.moveaxis(values[[4, 0, 1]], 0, -1))
    np.testing.assert_array_equal(read, pick_values(values, None, bands, "a.tif"))
    part = read_values(tmp_path / "a.tif", bands, Window(1, 2, 3, 4))
    np.testing.assert_array_equal(part, read[1:4, 2:6])
    few = read_values(tmp_path / "a.tif", bands, channels=(3, 0))
    np.testing.assert_array_equal(few, read[..., [3, 0]])


def test_no_data_and_what_is_no_number_are_gaps(tmp_path):
    values = raster("float32")
    values[:, 0, 0] = -9999
    values[1, 2, 2], values[2, 3, 3] = np.nan, np.inf
    write_bands(tmp_path / "a.tif", values, nodata=-9999)
    names = ("a", "b", "c", "d", "e")
    bands = BandSet((1, 2, 3, 4, 5), names, 5, "float32", (Index("i", 1, 0),))
    read = read_values(tmp_path / "a.tif", bands)
    expected = np.zeros(read.shape, bool)
    expected[0, 0] = expected[2, 2, 1] = expected[3, 3, 2] = expected[2, 2, 5] = True
    np.testing.assert_array_equal(np.isnan(read), expected)
    np.testing.assert_array_equal(np.argwhere(~has_values(read)), [[0, 0]])
    np.testing.assert_array_equal(np.isnan(pick_values(values, -9999, bands, "a")), expected)


def test_another_kind_of_raster_is_refused(tmp_path):
    bands = BandSet((1, 2), ("a", "b"), 5, "uint16")
    write_bands(tmp_path / "few.tif", raster("uint16", 4))
    write_bands(tmp_path / "bytes.tif", raster("uint8"))
    with pytest.raises(SegcoreError, match=r"Expected 5 bands of uint16.*few.tif with 4 bands of"):
        read_values(tmp_path / "few.tif", bands)
    with pytest.raises(SegcoreError, match=r"bytes.tif with 5 bands of uint8"):
        read_values(tmp_path / "bytes.tif", bands)


def test_normalised_differences_by_hand():
    nir = np.array([[6, 1, 0, np.nan, -3]], np.float32)
    red = np.array([[2, 3, 0, 1, 1]], np.float32)
    np.testing.assert_array_equal(
        normalised_difference(nir, red), np.array([[0.5, -0.5, 0, np.nan, 1]], np.float32)
    )
    ahead = normalised_difference(np.float32([[1, -1]]), np.float32([[-1, 1]]))
    np.testing.assert_array_equal(ahead, [[0, 0]])


def test_what_people_write_of_indices():
    assert parse_indices("ndvi, NDWI") == (("ndvi", "nir", "red"), ("ndwi", "green", "nir"))
    assert parse_indices("ndvi=8:4,wet=nir:swir") == (("ndvi", "8", "4"), ("wet", "nir", "swir"))
    wanted = parse_indices("ndvi=8:4,ndwi")
    placed = place_indices(wanted, (3, 4, 8), ("green", "far red", "NIR"))
    assert placed == (Index("ndvi", 2, 1), Index("ndwi", 0, 2))
    for text in ("evi", "a=b", "a=b:c:d", "=1:2", "ndvi,ndvi=1:2"):
        with pytest.raises(SegcoreError, match="Expected"):
            parse_indices(text)
    with pytest.raises(SegcoreError, match="two different bands"):
        place_indices((("a", "1", "1"),), (1, 2), ("x", "y"))
