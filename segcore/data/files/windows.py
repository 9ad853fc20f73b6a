"""Rectangles of images: read from a GeoTIFF of any size without decoding the rest of it.

A thread keeps the rasters that it reads open: opening one costs more than a window, and where a
file is stored in strips neighbouring windows share what was decoded.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.bands import RasterLook, picked_bands, to_bytes
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.georeference import RASTER_SUFFIXES, is_available, open_geotiff
from segcore.data.files.images import read_image
from segcore.errors import SegcoreError

OPEN_RASTERS = 4
"""Rasters that one thread keeps open."""

_FULL_CHANNEL = 255


@dataclass(frozen=True)
class Window:
    """A rectangle of whole pixels.

    Attributes:
        top: First row.
        left: First column.
        height: Rows.
        width: Columns.
    """

    top: int
    left: int
    height: int
    width: int

    def cut(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the window's part of (H, W) or (H, W, 3), a view."""
        return array[self.top : self.top + self.height, self.left : self.left + self.width]

    def within(self, height: int, width: int) -> "Window":
        """Return the part of the window that lies in an image of that size, perhaps empty."""
        top, left = min(max(self.top, 0), height), min(max(self.left, 0), width)
        bottom = min(max(self.top + self.height, top), height)
        right = min(max(self.left + self.width, left), width)
        return Window(top, left, bottom - top, right - left)

    def moved(self, rows: int, columns: int) -> "Window":
        """Return the window so many rows lower and columns further right."""
        return Window(self.top + rows, self.left + columns, self.height, self.width)

    @property
    def ranges(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """((first row, one past the last), (first column, one past the last)), as rasterio asks."""
        return (self.top, self.top + self.height), (self.left, self.left + self.width)


class _OpenRasters(threading.local):
    """The rasters that a thread has open, by path, change and size of the file."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple[str, int, int], Any] = OrderedDict()


_open = _OpenRasters()


def is_raster(path: Path) -> bool:
    """Whether windows of a file can be read alone: a TIFF, and rasterio is there."""
    return path.suffix.lower() in RASTER_SUFFIXES and is_available()


@contextmanager
def shared_raster(path: Path) -> Iterator[Any]:
    """Hand over a raster that stays open in this thread; it may be of any size.

    Args:
        path: The file.

    Yields:
        A rasterio dataset, to be read.

    Raises:
        SegcoreError: As :func:`segcore.data.files.georeference.open_geotiff`.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise SegcoreError(
            f"Expected the image {path}, found no such file: put it back or import the dataset "
            "again."
        ) from error
    key = (str(path), about.st_mtime_ns, about.st_size)
    if key not in _open.kept:
        _open.kept[key] = open_geotiff(path)
        while len(_open.kept) > OPEN_RASTERS:
            _open.kept.popitem(last=False)[1].close()
    _open.kept.move_to_end(key)
    with foreign_bytes(
        f"{path.name} cannot be read as GeoTIFF, it is damaged or breaks off: replace or remove it."
    ):
        yield _open.kept[key]


def raster_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of a GeoTIFF of any size.

    Raises:
        SegcoreError: As :func:`shared_raster`.
    """
    with shared_raster(path) as raster:
        return int(raster.height), int(raster.width)


def read_window(
    path: Path, window: Window, look: RasterLook | None = None
) -> npt.NDArray[np.uint8]:
    """Read a part of an image; of a TIFF nothing else is decoded.

    Args:
        path: The file.
        window: A rectangle inside it.
        look: How its bands become a picture; None for an ordinary one.

    Returns:
        (h, w, 3) uint8 RGB, C-contiguous and writable.

    Raises:
        SegcoreError: The file is absent or damaged, lacks a band, or ends before the window.
    """
    if not is_raster(path):
        return np.ascontiguousarray(_within(window, _whole(path), path))
    chosen = look or RasterLook()
    with shared_raster(path) as raster:
        _check_inside(window, raster.height, raster.width, path)
        picked = picked_bands(raster.count, chosen.bands, path.name)
        values = raster.read(list(picked), window=window.ranges)
        nodata, palette = raster.nodata, _palette(raster) if len(picked) == 1 else None
    if palette is not None:
        return np.ascontiguousarray(palette[values[0]])
    return to_bytes(values, nodata, chosen.limits or None)


def data_in(path: Path, window: Window) -> npt.NDArray[np.bool_] | None:
    """Return where a part of a raster holds data, (h, w) bool; None where all of it does.

    What counts is what the file says: its nodata value, its alpha band or its mask.

    Raises:
        SegcoreError: As :func:`read_window`.
    """
    if not is_raster(path):
        return None
    with shared_raster(path) as raster:
        if all("all_valid" in [flag.name for flag in flags] for flags in raster.mask_flag_enums):
            return None
        mask = raster.dataset_mask(window=window.ranges)
    return None if mask.all() else mask > 0


def _palette(raster: Any) -> npt.NDArray[np.uint8] | None:
    """The colours, (256, 3), of a raster of one band of palette indices; None for any other."""
    if raster.count != 1 or raster.colorinterp[0].name != "palette":
        return None
    colors = np.zeros((_FULL_CHANNEL + 1, 3), np.uint8)
    for value, color in raster.colormap(1).items():
        colors[min(value, _FULL_CHANNEL)] = color[:3]
    return colors


def _check_inside(window: Window, height: int, width: int, path: Path) -> None:
    if window.within(height, width) != window:
        raise SegcoreError(
            f"Expected {path.name} with at least {window.top + window.height} x "
            f"{window.left + window.width} pixels (height x width), received {height} x {width}: it "
            "was changed after the import; import the dataset again."
        )


def _within(window: Window, pixels: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    _check_inside(window, pixels.shape[0], pixels.shape[1], path)
    return window.cut(pixels)


def _whole(path: Path) -> npt.NDArray[np.uint8]:
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        stamp = 0  # reading says what is wrong
    return _decoded(path, stamp)


@lru_cache(maxsize=1)
def _decoded(path: Path, stamp: int) -> npt.NDArray[np.uint8]:
    """The last image that was decoded whole for its windows: a JPEG or PNG has no parts."""
    return read_image(path)
