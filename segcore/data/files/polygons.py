"""Polygons with a class: read from GeoPackage, GeoJSON and Shapefile, burned into masks of ids.

Reading needs pyogrio and shapely, the optional extra ``vector``.
"""

import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.borders import foreign_bytes
from segcore.data.files.georeference import Georeference, load_rasterio
from segcore.data.files.windows import Window
from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.labels import MAX_CLASSES, list_names

VECTOR_SUFFIXES = frozenset({".gpkg", ".geojson", ".shp"})
USUAL_FIELDS = ("class", "class_name", "classname", "label", "category", "class_id", "classid")
"""Attributes that are taken for the class where nothing is said, in this order."""

ALSO_USUAL = ("landuse", "land_use", "landcover", "land_cover", "kind", "type", "name", "code")


@lru_cache(maxsize=1)
def load_vector() -> tuple[Any, Any]:
    """Return the modules pyogrio and shapely.

    Raises:
        SegcoreError: One is not installed.
    """
    try:
        return importlib.import_module("pyogrio"), importlib.import_module("shapely")
    except ImportError as error:
        raise SegcoreError(
            "Expected pyogrio and shapely, which read and write polygons, found none: "
            f"{extra_command('vector')}."
        ) from error


@dataclass(frozen=True)
class Polygons:
    """Polygons of one file, each with the text of its class.

    Attributes:
        name: Name of the file, for messages.
        shapes: (N,) shapely polygons and multipolygons, in the order of the file.
        labels: The class of each, as text; "" where the file says none.
        crs: Their coordinate reference system as WKT or "EPSG:n"; "" where the file says none.
        attribute: The attribute that names the class; "" where the file has none.
        left_out: Shapes without area.
    """

    name: str
    shapes: npt.NDArray[Any]
    labels: tuple[str, ...]
    crs: str
    attribute: str
    left_out: int = 0
    _moved: dict[str, tuple[npt.NDArray[Any], Any]] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def burn(
        self, values: Sequence[int], window: Window, place: Georeference
    ) -> npt.NDArray[np.uint16]:
        """Draw the polygons into a part of a raster, later ones on top.

        A pixel belongs to a polygon that holds its centre.

        Args:
            values: What the pixels of each polygon become; 0 draws nothing.
            window: Which part.
            place: Where the raster lies.

        Returns:
            (h, w) uint16; 0 where no polygon is.

        Raises:
            SegcoreError: The polygons cannot be brought into the raster's coordinates.
        """
        rasterio = load_rasterio()
        features = importlib.import_module("rasterio.features")
        _, shapely = load_vector()
        shapes, tree = self._in(place.crs)
        here = place.moved(window.top, window.left)
        corners = [
            here.at(row, column) for row in (0, window.height) for column in (0, window.width)
        ]
        xs, ys = zip(*corners, strict=True)
        near = np.sort(tree.query(shapely.box(min(xs), min(ys), max(xs), max(ys))))
        drawn = [(shapes[i], values[i]) for i in near.tolist() if values[i]]
        size = (window.height, window.width)
        if not drawn:
            return np.zeros(size, np.uint16)
        burned = features.rasterize(
            drawn,
            out_shape=size,
            transform=rasterio.Affine(*here.transform),
            fill=0,
            dtype="uint16",
        )
        return np.asarray(burned, np.uint16)

    def _in(self, crs: str) -> tuple[npt.NDArray[Any], Any]:
        """Return the shapes in a coordinate reference system, and a tree of them."""
        with self._lock:
            if crs not in self._moved:
                _, shapely = load_vector()
                shapes = move_shapes(self.shapes, self.crs or crs, crs)
                self._moved[crs] = shapes, shapely.STRtree(shapes)
            return self._moved[crs]


def move_shapes(shapes: npt.NDArray[Any], source: str, target: str) -> npt.NDArray[Any]:
    """Return shapely shapes in another coordinate reference system, both as WKT or "EPSG:n".

    Raises:
        SegcoreError: One of the systems is unknown, or a corner has no place in the other.
    """
    rasterio, (_, shapely) = load_rasterio(), load_vector()
    warp = importlib.import_module("rasterio.warp")
    with foreign_bytes(
        "The polygons cannot be brought into the raster's coordinates: reproject them first "
        "(ogr2ogr -t_srs)."
    ):
        first, second = (rasterio.crs.CRS.from_user_input(text) for text in (source, target))
        if first == second:
            return shapes

        def move(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            return np.stack(warp.transform(first, second, corners[:, 0], corners[:, 1]), axis=-1)

        return np.asarray(shapely.transform(shapes, move))


def read_polygons(path: Path, class_field: str = "") -> Polygons:
    """Read the polygons of a file; of a GeoPackage its first layer.

    Args:
        path: A GeoPackage, GeoJSON or Shapefile.
        class_field: The attribute that names the class; "" takes a usual one, or the only one.

    Returns:
        The polygons; shapes without area are left out and counted. Where the file has no
        attribute, its name is the class.

    Raises:
        SegcoreError: A package is missing, the file cannot be read, has several attributes of
            which none is usual, or not the one that was asked for.
    """
    pyogrio, shapely = load_vector()
    with foreign_bytes(
        f"{path.name} cannot be read as polygons, it is damaged or of another kind: export it again "
        "as GeoPackage or GeoJSON."
    ):
        meta, _, geometry, columns = pyogrio.raw.read(path, force_2d=True)
        shapes = shapely.from_wkb(geometry)
    names = [str(name) for name in meta["fields"]]
    chosen = _field(names, class_field, path.name)
    texts = _texts(columns[names.index(chosen)]) if chosen else [path.stem] * len(shapes)
    kinds = shapely.get_type_id(shapes)
    area = np.isin(kinds, (3, 6)) & ~shapely.is_empty(shapes)
    return Polygons(
        path.name,
        shapes[area],
        tuple(text for text, keep in zip(texts, area, strict=True) if keep),
        str(meta["crs"] or ""),
        chosen,
        int((~area).sum()),
    )


def _texts(column: npt.NDArray[Any]) -> list[str]:
    """Values of an attribute as text: whole numbers without a point, "" for none."""
    texts = []
    for value in column.tolist():
        if value is None or value != value:
            texts.append("")
        elif isinstance(value, float) and value.is_integer():
            texts.append(str(int(value)))
        else:
            texts.append(str(value).strip())
    return texts


def _field(names: Sequence[str], asked: str, file: str) -> str:
    low = {name.lower(): name for name in names}
    if asked:
        if asked.lower() not in low:
            raise SegcoreError(
                f"Expected the attribute {asked!r} in {file}, received "
                f"{list_names(names) or 'none'}: name one of these (--class-field)."
            )
        return low[asked.lower()]
    for usual in (*USUAL_FIELDS, *ALSO_USUAL):
        if usual in low:
            return low[usual]
    if len(names) > 1:
        raise SegcoreError(
            f"Expected to know which attribute of {file} names the class, received "
            f"{list_names(names)}: name it (--class-field)."
        )
    return names[0] if names else ""


def classes_of(labels: Sequence[str], file: str) -> dict[str, int]:
    """Return the number of each class that polygons name: their own numbers, else 1, 2 ... by name.

    Raises:
        SegcoreError: There are too many to be classes.
    """
    names = sorted({label for label in labels if label})
    if len(names) > MAX_CLASSES:
        raise SegcoreError(
            f"Expected at most {MAX_CLASSES} classes in {file}, received {len(names):,}: is this "
            "the name of each object? Name another attribute (--class-field)."
        )
    if names and all(
        name.isascii() and name.isdigit() and 0 < int(name) < 65_535 for name in names
    ):
        return {name: int(name) for name in sorted(names, key=int)}
    return {name: number for number, name in enumerate(names, 1)}
