"""The regions of a raster of classes as polygons with class and area, found block by block.

A region that reaches over the border of a block is joined from its parts, so that the polygons are
those of the whole raster. Needs the optional extra ``vector``.
"""

import importlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.georeference import Georeference, georeference_of, load_rasterio
from segcore.data.files.polygons import load_vector, move_shapes
from segcore.data.files.windows import Window, shared_raster
from segcore.errors import SegcoreError
from segcore.whole_files import replacing

BLOCK = 2048
"""Height and width of the blocks, in pixels."""

EQUAL_AREA = "EPSG:6933"
"""Where areas are measured of rasters in degrees: EASE-Grid 2.0, which keeps areas."""

LONGITUDE_LATITUDE = "EPSG:4326"
DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile"}


@dataclass(frozen=True)
class Outlines:
    """Polygons of the regions of a raster.

    Attributes:
        shapes: (N,) shapely polygons in the raster's coordinates; in pixels where it has none.
        values: (N,) the raster's value in each.
        area: (N,) square metres, or pixels where the raster does not say where it lies.
        place: Where the raster lies, or None.
    """

    shapes: npt.NDArray[Any]
    values: npt.NDArray[np.int64]
    area: npt.NDArray[np.float64]
    place: Georeference | None


def outline(
    path: Path,
    simplify: float = 0.0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Outlines:
    """Find the regions of a raster of classes: pixels of one value that share sides.

    Args:
        path: A GeoTIFF of one band of whole numbers; nodata has no region.
        simplify: Tolerance in pixels by which corners are left out, alike on both sides of a
            border so that no gaps open; 0 for every corner.
        progress: Called with (blocks done, blocks, what).

    Raises:
        SegcoreError: A package is missing, or the raster cannot be read or holds other numbers.
    """
    _, shapely = load_vector()
    with shared_raster(path) as raster:
        height, width, place = int(raster.height), int(raster.width), georeference_of(raster)
        if raster.count != 1 or np.dtype(raster.dtypes[0]).kind not in "iu":
            raise SegcoreError(
                f"Expected a raster of one band of class ids, received {path.name} with "
                f"{raster.count} of {raster.dtypes[0]}: choose a predicted GeoTIFF or a mask."
            )
    corners = [(top, left) for top in range(0, height, BLOCK) for left in range(0, width, BLOCK)]
    inner: list[tuple[Any, int]] = []
    parts: dict[int, list[Any]] = defaultdict(list)
    for done, (top, left) in enumerate(corners):
        if progress:
            progress(done, len(corners), path.name)
        block = Window(top, left, BLOCK, BLOCK).within(height, width)
        for shape, value in _regions(path, block):
            if _at_seam(shape, block, height, width):
                parts[value].append(shape)
            else:
                inner.append((shape, value))
    for value, pieces in parts.items():
        joined = shapely.get_parts(shapely.union_all(pieces))
        inner += [(shape, value) for shape in shapely.simplify(joined, 0)]
    shapes = np.array([shape for shape, _ in inner], object)
    values = np.array([value for _, value in inner], np.int64)
    if simplify and len(shapes):
        shapes = shapely.coverage_simplify(shapes, simplify)
    shapes = _placed(shapes, place)
    if progress:
        progress(len(corners), len(corners), path.name)
    return Outlines(shapes, values, _areas(shapes, place), place)


def _regions(path: Path, block: Window) -> list[tuple[Any, int]]:
    """Return the regions of a block in the raster's pixels, with their values."""
    _, shapely = load_vector()
    features = importlib.import_module("rasterio.features")
    with shared_raster(path) as raster:
        values = raster.read(1, window=block.ranges)
        sound = None if raster.nodata is None else values != raster.nodata
    if values.dtype.itemsize > 2 or values.dtype == np.int8:
        values = values.astype(np.int32)
    here = load_rasterio().Affine.translation(block.left, block.top)
    found = features.shapes(values, mask=sound, connectivity=4, transform=here)
    regions = []
    for geometry, value in found:
        outer, *holes = geometry["coordinates"]
        regions.append((shapely.Polygon(outer, holes), int(value)))
    return regions


def _at_seam(shape: Any, block: Window, height: int, width: int) -> bool:
    left, top, right, bottom = shape.bounds
    return bool(
        (left == block.left and left > 0)
        or (top == block.top and top > 0)
        or (right == block.left + block.width and right < width)
        or (bottom == block.top + block.height and bottom < height)
    )


def _placed(shapes: npt.NDArray[Any], place: Georeference | None) -> npt.NDArray[Any]:
    if place is None or not len(shapes):
        return shapes
    a, b, c, d, e, f = place.transform
    _, shapely = load_vector()

    def move(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y = corners.T
        return np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1)

    return np.asarray(shapely.transform(shapes, move))


def _areas(shapes: npt.NDArray[Any], place: Georeference | None) -> npt.NDArray[np.float64]:
    """Return square metres; of degrees on an equal-area map; square pixels without a place."""
    _, shapely = load_vector()
    if place is None or not len(shapes):
        return np.asarray(shapely.area(shapes), float)
    crs = load_rasterio().crs.CRS.from_user_input(place.crs)
    if crs.is_projected:
        metres = float(crs.linear_units_factor[1])
        return np.asarray(shapely.area(shapes) * metres**2, float)
    return np.asarray(shapely.area(move_shapes(shapes, place.crs, EQUAL_AREA)), float)


def check_ending(ending: str) -> None:
    """Refuse an ending of no vector format, given without the full stop.

    Raises:
        SegcoreError: It is none.
    """
    if f".{ending.lower()}" not in DRIVERS:
        raise SegcoreError(
            f"Expected polygons as {', '.join(sorted(e.lstrip('.') for e in DRIVERS))}, received "
            f"{ending!r}: choose one of these endings."
        )


def write_outlines(
    path: Path, outlines: Outlines, names: Mapping[int, str], least_area: float = 0.0
) -> int:
    """Write polygons with ``class_id``, ``class`` and ``area_m2`` (``area_px`` without a place).

    Args:
        path: A new GeoPackage, GeoJSON (in longitude and latitude) or Shapefile, by its ending.
        outlines: The polygons.
        names: Name of each value; values without a name are left out.
        least_area: Smaller polygons are left out.

    Returns:
        How many were written.

    Raises:
        SegcoreError: The ending is another, or the file cannot be written.
    """
    pyogrio, shapely = load_vector()
    check_ending(path.suffix.lstrip("."))
    known = np.array([int(value) in names for value in outlines.values], bool)
    kept = known & (outlines.area >= least_area)
    shapes, values = outlines.shapes[kept], outlines.values[kept]
    crs = outlines.place.crs if outlines.place else None
    if path.suffix.lower() == ".geojson" and crs is not None:
        shapes, crs = move_shapes(shapes, crs, LONGITUDE_LATITUDE), LONGITUDE_LATITUDE
    columns: dict[str, Any] = {
        "class_id": values,
        "class": np.array([names[int(value)] for value in values], object),
        "area_m2" if outlines.place else "area_px": np.round(outlines.area[kept], 2),
    }
    try:
        with replacing(path) as partial:
            pyogrio.raw.write(
                partial,
                shapely.to_wkb(shapes),
                list(columns.values()),
                list(columns),
                layer=path.stem,
                driver=DRIVERS[path.suffix.lower()],
                geometry_type="Polygon",
                crs=crs,
            )
            for beside in partial.parent.glob(f"{partial.stem}.*"):  # a Shapefile's other files
                if beside != partial:
                    beside.replace(path.with_suffix(beside.suffix))
    except (pyogrio.errors.DataSourceError, pyogrio.errors.FeatureError, OSError) as error:
        raise SegcoreError(
            f"{path.name} cannot be written ({error}): choose another place."
        ) from error
    return int(kept.sum())
