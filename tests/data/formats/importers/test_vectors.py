"""Polygons as labels: burned where they lie, in every window, whatever their coordinates."""

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.polygons import move_shapes, read_polygons
from segcore.data.files.windows import Window
from segcore.data.formats.importers import ImportReport, ImportRules, Windows, import_dataset
from segcore.errors import SegcoreError
from tests.data.files.geotiffs import write_scene

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
X, Y = 500_000, 4_000_000  # of the scene's first corner, one metre a pixel
BOXES = [((5, 10, 25, 40), "house"), ((30, 20, 50, 70), "lake"), ((35, 30, 40, 40), "house")]
"""(first row, first column, row after, column after) and class; the last lies on the lake."""


def box(rows: tuple[int, int, int, int]) -> shapely.Polygon:
    top, left, bottom, right = rows
    return shapely.box(X + left, Y - bottom, X + right, Y - top)


def truth() -> np.ndarray:
    mask = np.zeros((60, 80), int)
    for (top, left, bottom, right), name in BOXES:
        mask[top:bottom, left:right] = {"house": 1, "lake": 2}[name]
    return mask


def write(
    path: Path, shapes: list, columns: dict[str, list], crs: str | None = "EPSG:32632"
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array(shapes)),
        [np.array(values, object) for values in columns.values()],
        list(columns),
        geometry_type="Unknown",
        crs=crs,
    )


def bring_in(folder: Path, windows: Windows | None = None) -> tuple[Dataset, ImportReport]:
    write_scene(folder / "s" / "a.tif", IMAGE)
    report = import_dataset(folder / "s", folder / "set", "set", ImportRules(windows=windows))
    return Dataset.open(folder / "set"), report


def sewn(dataset: Dataset) -> np.ndarray:
    mask = np.full((60, 80), -1)
    for sample in dataset.samples:
        corner = sample.window or (0, 0)
        Window(*corner, sample.height, sample.width).cut(mask)[:] = dataset.read_mask(sample)
    return mask


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp"])
@pytest.mark.parametrize("size", [0, 32])
def test_polygons_become_masks_later_ones_on_top(tmp_path: Path, ending: str, size: int) -> None:
    columns = {"class": [name for _, name in BOXES], "id_of_object": [1, 2, 3]}
    shapes = [box(rows) for rows, _ in BOXES]
    if ending == "geojson":  # whose coordinates are longitude and latitude
        shapes = list(move_shapes(np.array(shapes), "EPSG:32632", "EPSG:4326"))
    crs = "EPSG:4326" if ending == "geojson" else "EPSG:32632"
    write(tmp_path / "s" / f"houses.{ending}", shapes, columns, crs)
    dataset, report = bring_in(tmp_path, windows=Windows(size))
    assert dataset.label_set.class_names == ["background", "house", "lake"]
    np.testing.assert_array_equal(sewn(dataset), truth())
    reprojected = any("is reprojected" in problem.what for problem in report.problems)
    assert reprojected == (ending == "geojson")


def test_a_class_table_fixes_ids_and_what_is_ignored(tmp_path: Path) -> None:
    write(tmp_path / "s" / "p.gpkg", [box(r) for r, _ in BOXES], {"kind": [7, 9, 7]})
    (tmp_path / "s" / "classes.csv").write_text(
        "id,name,color,ignore\n0,ground,#000000,false\n7,house,#ff0000,false\n9,lake,#0000ff,true\n"
    )
    dataset, _ = bring_in(tmp_path, windows=Windows(64))
    assert dataset.label_set.class_names == ["ground", "house"]
    expected = np.where(truth() == 2, dataset.label_set.ignore_index, truth())
    np.testing.assert_array_equal(sewn(dataset), expected)


def test_a_polygon_of_class_zero_lies_on_top_too(tmp_path: Path) -> None:
    write(tmp_path / "s" / "p.gpkg", [box(r) for r, _ in BOXES], {"class": ["b", "b", "z"]})
    (tmp_path / "s" / "classes.csv").write_text("id,name\n0,z\n1,b\n")
    dataset, _ = bring_in(tmp_path)
    mask = sewn(dataset)
    assert (mask[35:40, 30:40] == 0).all()
    assert mask[31, 21] == 1


def test_what_has_no_class_or_area_is_left_out_and_said(tmp_path: Path) -> None:
    shapes = [box(BOXES[0][0]), box(BOXES[1][0]), shapely.Point(X + 3, Y - 3)]
    write(tmp_path / "s" / "p.gpkg", shapes, {"class": ["house", None, "house"]})
    dataset, report = bring_in(tmp_path)
    assert set(np.unique(sewn(dataset))) == {0, 1}
    said = " ".join(problem.what for problem in report.problems)
    assert "1 polygon without a class" in said
    assert "1 shape without area" in said


@pytest.mark.parametrize(
    ("columns", "field", "says"),
    [
        ({"a": ["x"], "b": ["y"]}, "", "--class-field"),
        ({"class": ["x"]}, "kind", "attribute 'kind'"),
    ],
)
def test_a_class_in_doubt_is_asked_about(
    tmp_path: Path, columns: dict, field: str, says: str
) -> None:
    write(tmp_path / "s" / "p.gpkg", [box(BOXES[0][0])], columns)
    with pytest.raises(SegcoreError, match=says):
        bring_in(tmp_path, windows=Windows(0, 0, field))


def test_a_raster_without_a_place_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "s" / "p.gpkg", [box(BOXES[0][0])], {"class": ["house"]})
    write_scene(tmp_path / "s" / "a.tif", IMAGE, crs=None)
    with pytest.raises(SegcoreError, match="georeference"):
        import_dataset(tmp_path / "s", tmp_path / "set", "set")


def test_a_class_attribute_needs_polygons(tmp_path: Path) -> None:
    write_scene(tmp_path / "s" / "images" / "a.tif", IMAGE)
    write_scene(tmp_path / "s" / "masks" / "a.tif", IMAGE[:, :, 0] % 2)
    with pytest.raises(SegcoreError, match="--class-field"):
        import_dataset(
            tmp_path / "s",
            tmp_path / "set",
            "set",
            rules=ImportRules(windows=Windows(0, 0, "kind")),
        )


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "p.gpkg").write_bytes(b"SQLite format 3\0" + bytes(100))
    with pytest.raises(SegcoreError, match="damaged"):
        read_polygons(tmp_path / "p.gpkg")
