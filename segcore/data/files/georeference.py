"""Where on Earth an image lies: read from a GeoTIFF, kept, written back with a prediction.

Reading and writing need rasterio, the optional extra ``geo``; GDAL may read GeoTIFF only and
no file next to the one named.
"""

import importlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.borders import foreign_bytes
from segcore.data.files.png import check_pixels
from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.whole_files import replacing

FILE_NAME = "georeference.json"
RASTER_SUFFIXES = frozenset({".tif", ".tiff"})
MOST_UNSEEN_BYTES = 256_000_000
MOST_BANDS = 16
"""Bands that are read of one raster at most."""

MAX_RATIO = 1000
"""A raster that declares more bytes, and more than this many times its file's size, is refused."""

_DAMAGED = "{} cannot be read as GeoTIFF, it is damaged or breaks off: replace or remove it."

CACHE_MEGABYTES = 128
"""Decoded blocks that GDAL keeps, of all files together; its own limit is a share of the memory."""


@dataclass(frozen=True)
class Georeference:
    """Where an image lies.

    Attributes:
        crs: Its coordinate reference system as WKT.
        transform: (a, b, c, d, e, f): pixel (column, row) lies at x = a column + b row + c, y = d
            column + e row + f.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]

    def at(self, row: float, column: float) -> tuple[float, float]:
        """Return the (x, y) of a corner of pixels."""
        a, b, c, d, e, f = self.transform
        return a * column + b * row + c, d * column + e * row + f

    def moved(self, row: int, column: int) -> "Georeference":
        """Return where the part of the image lies whose first pixel that one is."""
        a, b, _, d, e, _ = self.transform
        x, y = self.at(row, column)
        return Georeference(self.crs, (a, b, x, d, e, y))

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Georeference":
        """Read what ``asdict`` gave.

        Raises:
            SegcoreError: It is something else.
        """
        try:
            a, b, c, d, e, f = (float(v) for v in data["transform"])
            return Georeference(str(data["crs"]), (a, b, c, d, e, f))
        except (KeyError, TypeError, ValueError) as error:
            raise SegcoreError(
                "Expected a georeference with crs and transform, received "
                f"{str(data)[:80]}: import again."
            ) from error


@lru_cache(maxsize=1)
def load_rasterio() -> Any:
    """Return the module rasterio.

    Raises:
        SegcoreError: It is not installed.
    """
    os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_MEGABYTES))
    try:
        rasterio = importlib.import_module("rasterio")
    except ImportError as error:
        raise SegcoreError(
            "Expected rasterio, which reads and writes GeoTIFF, found none: "
            f"{extra_command('geo')}."
        ) from error
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)  # damage is reported in a sentence
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    return rasterio


def is_available() -> bool:
    """Whether GeoTIFFs can be read and written here."""
    try:
        load_rasterio()
    except SegcoreError:
        return False
    return True


@contextmanager
def open_raster(path: Path, any_size: bool = False) -> Iterator[Any]:
    """Open a GeoTIFF.

    Args:
        path: The file.
        any_size: Whether it is read by windows, so that its size does not matter.

    Yields:
        A rasterio dataset, to be read.

    Raises:
        SegcoreError: rasterio is absent, or the file is absent, no TIFF, damaged or too large to
            decode.
    """
    with foreign_bytes(_DAMAGED.format(path.name)), open_geotiff(path) as raster:
        if not any_size:
            check_pixels(raster.height, raster.width, path.name)
            _check_declared(raster, path)
        yield raster


def open_geotiff(path: Path) -> Any:
    """Open a GeoTIFF of any size, to be closed by the caller.

    Raises:
        SegcoreError: rasterio is absent, or the file is absent, no TIFF or damaged.
    """
    rasterio = load_rasterio()
    with (
        foreign_bytes(_DAMAGED.format(path.name)),
        rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", CPL_LOG=os.devnull),
    ):
        return rasterio.open(path, driver="GTiff")


def _check_declared(raster: Any, path: Path) -> None:
    """Refuse a file that declares far more bytes than it can hold, before they are reserved."""
    size = np.dtype(raster.dtypes[0]).itemsize if raster.dtypes else 1
    declared = raster.height * raster.width * min(raster.count, MOST_BANDS) * size
    if declared > MOST_UNSEEN_BYTES and declared > MAX_RATIO * path.stat().st_size:
        raise SegcoreError(
            f"{path.name} declares {declared / 1e6:.0f} MB of pixels and holds "
            f"{path.stat().st_size / 1e3:.0f} kB: replace it, most of it is missing."
        )


def size_if_raster(path: Path) -> tuple[int, int] | None:
    """Return (height, width) of a GeoTIFF; None where it is none, damaged, or rasterio is absent."""
    if path.suffix.lower() not in RASTER_SUFFIXES or not is_available():
        return None
    try:
        with open_raster(path) as raster:
            return int(raster.height), int(raster.width)
    except SegcoreError:
        return None


def georeference_of(raster: Any) -> Georeference | None:
    """Return where an open raster lies; None where it has no coordinate reference system."""
    return Georeference(raster.crs.to_wkt(), tuple(raster.transform)[:6]) if raster.crs else None


def same_crs(one: str, other: str) -> bool:
    """Whether two coordinate reference systems, as WKT or "EPSG:n", are the same."""
    crs = load_rasterio().crs.CRS
    return one == other or bool(crs.from_user_input(one) == crs.from_user_input(other))


def write_geotiff(
    path: Path,
    values: npt.NDArray[Any],
    georeference: Georeference,
    colors: npt.NDArray[np.uint8] | None = None,
    nodata: int | None = None,
) -> None:
    """Write a mask or prediction as a GeoTIFF of one band, packed without loss.

    Args:
        path: The file; replaced whole where it exists.
        values: (H, W) uint8 or uint16 ids or indices.
        georeference: Where it lies: that of its image.
        colors: (256, 3) uint8, colour of each value of a uint8 mask, or None.
        nodata: The value that stands for nothing (the ignored index), or None.

    Raises:
        SegcoreError: rasterio is absent, the array is of another kind, or the file cannot be
            written.
    """
    if values.ndim != 2 or values.dtype not in (np.uint8, np.uint16):
        raise SegcoreError(
            f"Expected an (H, W) uint8 or uint16 mask, received {values.shape} "
            f"{values.dtype}: convert it."
        )
    rasterio = load_rasterio()
    profile = {
        "driver": "GTiff",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": values.dtype.name,
        "crs": georeference.crs,
        "transform": rasterio.Affine(*georeference.transform),
        "nodata": nodata,
        "compress": "deflate",
    }
    try:
        with replacing(path) as partial, rasterio.open(partial, "w", **profile) as raster:
            raster.write(values, 1)
            if colors is not None and values.dtype == np.uint8:
                raster.write_colormap(
                    1, {value: tuple(int(c) for c in color) for value, color in enumerate(colors)}
                )
    except (rasterio.errors.RasterioError, ValueError, OSError) as error:
        raise SegcoreError(
            f"{path.name} cannot be written as GeoTIFF ({error}): choose another place."
        ) from error


def georeferences_to_json(found: Mapping[str, Georeference]) -> dict[str, Any]:
    """Return the content of :data:`FILE_NAME`: where each sample lies, by its id."""
    return {"samples": {sample: asdict(georeference) for sample, georeference in found.items()}}
