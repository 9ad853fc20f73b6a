"""Regions found block by block are those of the whole raster, with their class and true area."""

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import shapely

from segcore.data.files import outlines
from segcore.data.files.outlines import Outlines, outline, write_outlines
from segcore.data.files.polygons import read_polygons
from segcore.errors import SegcoreError
from tests.data.files.geotiffs import write_scene

rng = np.random.default_rng(3)
COARSE = rng.integers(0, 3, (12, 15)).astype(np.uint8)
MASK = np.kron(COARSE, np.ones((5, 4), np.uint8))
NAMES = {0: "ground", 1: "house", 2: "lake"}


def twin(mask: np.ndarray, transform: rasterio.Affine) -> list[tuple[shapely.Geometry, int]]:
    found = rasterio.features.shapes(mask, connectivity=4, transform=transform)
    return [(shapely.geometry.shape(shape), int(value)) for shape, value in found]


def as_texts(shapes: list[tuple[shapely.Geometry, int]]) -> list[str]:
    return sorted(f"{shapely.to_wkt(shapely.normalize(s), 2)} {value}" for s, value in shapes)


@pytest.mark.parametrize("block", [7, 16, 1000])
def test_blocks_give_the_regions_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(outlines, "BLOCK", block)
    write_scene(tmp_path / "a.tif", MASK)
    with rasterio.open(tmp_path / "a.tif") as raster:
        expected = twin(MASK, raster.transform)
    found = outline(tmp_path / "a.tif")
    pairs = list(zip(found.shapes, found.values.tolist(), strict=True))
    assert as_texts(pairs) == as_texts(expected)
    for value in range(3):
        assert found.area[found.values == value].sum() == (value == MASK).sum()  # a metre a pixel


def test_no_data_has_no_region_and_small_ones_may_be_left_out(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.tif", MASK, nodata=0, pixel=0.5)
    found = outline(tmp_path / "a.tif")
    assert set(found.values.tolist()) == {1, 2}
    assert found.area.sum() == pytest.approx((MASK > 0).sum() / 4)
    every = write_outlines(tmp_path / "every.gpkg", found, NAMES)
    large = write_outlines(tmp_path / "large.gpkg", found, NAMES, least_area=6)
    houses = write_outlines(tmp_path / "houses.gpkg", found, {1: "house"})
    assert every == len(found.shapes) > large == (found.area >= 6).sum()
    assert houses == (found.values == 1).sum()


def test_degrees_are_measured_in_square_metres(tmp_path: Path) -> None:
    pixel = 0.001
    with rasterio.open(
        tmp_path / "a.tif", "w", "GTiff", 10, 10, 1, "EPSG:4326",
        rasterio.Affine(pixel, 0, 10, 0, -pixel, 60), "uint8",
    ) as raster:  # fmt: skip
        raster.write(np.ones((10, 10), np.uint8), 1)
    (area,) = outline(tmp_path / "a.tif").area
    # WGS 84: a degree of latitude at 60 is 111.41 km, one of longitude 55.80 km
    assert area == pytest.approx(0.01**2 * 111_412 * 55_800, rel=2e-3)


def test_simplified_neighbours_leave_no_gap(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:60, :60]
    disc = ((rows - 30) ** 2 + (columns - 30) ** 2 < 600).astype(np.uint8)
    write_scene(tmp_path / "a.tif", disc)
    plain, simple = outline(tmp_path / "a.tif"), outline(tmp_path / "a.tif", simplify=3.0)
    corners = [shapely.get_num_coordinates(o.shapes).sum() for o in (plain, simple)]
    assert corners[1] < corners[0]
    assert shapely.coverage_is_valid(simple.shapes)
    assert simple.area.sum() == pytest.approx(disc.size, rel=0.05)


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp"])
def test_what_is_written_is_read_back(tmp_path: Path, ending: str) -> None:
    write_scene(tmp_path / "a.tif", MASK)
    found = outline(tmp_path / "a.tif")
    place = tmp_path / f"out.{ending}"
    count = write_outlines(place, found, NAMES)
    back = read_polygons(place)
    assert len(back.shapes) == count == len(found.shapes)
    assert set(back.labels) == set(NAMES.values())
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]
    meta, _, _, columns = pyogrio.raw.read(place)
    area = columns[list(meta["fields"]).index("area_m2")]
    assert area.sum() == pytest.approx(MASK.size)


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    write_scene(tmp_path / "rgb.tif", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(SegcoreError, match="one band of class ids"):
        outline(tmp_path / "rgb.tif")
    none = Outlines(np.array([]), np.array([], np.int64), np.array([]), None)
    with pytest.raises(SegcoreError, match="endings"):
        write_outlines(tmp_path / "a.csv", none, NAMES)
