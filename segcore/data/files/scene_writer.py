"""Rasters of classes and pictures written block by block: tiled, packed, with overviews, whole or not at all."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.georeference import Georeference, load_rasterio
from segcore.data.files.windows import Window
from segcore.errors import SegcoreError
from segcore.whole_files import replacing

BLOCK = 512
"""Height and width of a block, in pixels."""

SMALLEST_OVERVIEW = 512
"""Overviews are made down to a side of about so many pixels."""


@dataclass(frozen=True)
class SceneForm:
    """What a raster is like.

    Attributes:
        height: Rows.
        width: Columns.
        dtype: "uint8" or "uint16".
        nodata: The value that stands for nothing.
        place: Where it lies, or None.
        colors: (256, 3) uint8, colour of each value of a uint8 raster, or None.
    """

    height: int
    width: int
    dtype: str
    nodata: int
    place: Georeference | None = None
    colors: npt.NDArray[np.uint8] | None = None


class SceneWriter:
    """Writes whole blocks, so that none is packed twice; rows come from top to bottom of a stripe."""

    def __init__(self, raster: Any) -> None:
        self._raster = raster
        self._rows: list[npt.NDArray[Any]] = []
        self._top = 0
        self._held = 0

    def add(self, left: int, rows: npt.NDArray[Any]) -> None:
        """Add rows (n, w) below those added before, whose first column is ``left``."""
        self._rows.append(rows)
        self._held += len(rows)
        if self._held >= BLOCK:
            joined = np.concatenate(self._rows)
            whole = len(joined) - len(joined) % BLOCK
            self._write(left, joined[:whole])
            self._rows, self._held = [joined[whole:]], len(joined) - whole

    def end_stripe(self, left: int) -> None:
        """Write what is left of a stripe; the next rows begin at the top again."""
        if self._held:
            self._write(left, np.concatenate(self._rows))
        self._rows, self._held, self._top = [], 0, 0

    def _write(self, left: int, rows: npt.NDArray[Any]) -> None:
        window = Window(self._top, left, *rows.shape)
        self._raster.write(rows, 1, window=window.ranges)
        self._top += len(rows)


@contextmanager
def write_scene(path: Path, form: SceneForm) -> Iterator[SceneWriter]:
    """Write a GeoTIFF of one band: tiled, deflate, BigTIFF where needed, with overviews.

    Args:
        path: The file; it appears whole when the block ends without an error.
        form: What it is like.

    Yields:
        The writer.

    Raises:
        SegcoreError: rasterio is absent, or the file cannot be written.
    """
    kind = {"count": 1, "dtype": form.dtype, "nodata": form.nodata, "compress": "deflate"}
    with _raster(path, form.height, form.width, kind | {"predictor": 2}, form.place) as raster:
        if form.colors is not None and form.dtype == "uint8":
            colors = {v: tuple(int(c) for c in color) for v, color in enumerate(form.colors)}
            raster.write_colormap(1, colors)
        yield SceneWriter(raster)


@contextmanager
def write_picture(
    path: Path, height: int, width: int
) -> Iterator[Callable[[Window, npt.NDArray[np.uint8]], None]]:
    """Write a picture to look at as a GeoTIFF of JPEG blocks with averaged overviews.

    Args:
        path: The file; it appears whole when the block ends without an error.
        height: Rows.
        width: Columns.

    Yields:
        A function that takes a window and its (h, w, 3) uint8 RGB.

    Raises:
        SegcoreError: As :func:`write_scene`.
    """
    kind = {"count": 3, "dtype": "uint8", "compress": "jpeg", "photometric": "ycbcr"}
    with _raster(path, height, width, kind, None) as raster:
        yield lambda window, picture: raster.write(
            np.moveaxis(picture, -1, 0), window=window.ranges
        )


@contextmanager
def _raster(
    path: Path, height: int, width: int, kind: dict[str, Any], place: Georeference | None
) -> Iterator[Any]:
    """Hand over a new raster to write into; overviews follow when the block ends."""
    rasterio = load_rasterio()
    profile = {"driver": "GTiff", "height": height, "width": width, "tiled": True} | kind
    profile |= {"blockxsize": BLOCK, "blockysize": BLOCK, "BIGTIFF": "IF_SAFER"}
    if place is not None:
        profile |= {"crs": place.crs, "transform": rasterio.Affine(*place.transform)}
    ways = rasterio.enums.Resampling
    rule = ways.nearest if kind["count"] == 1 else ways.average
    try:
        with replacing(path) as partial, rasterio.Env(CPL_LOG=os.devnull):
            with rasterio.open(partial, "w", **profile) as raster:
                yield raster
            levels = overview_levels(height, width)
            if levels:
                with rasterio.open(partial, "r+") as raster:
                    raster.build_overviews(levels, rule)
    except (rasterio.errors.RasterioError, OSError) as error:
        raise SegcoreError(
            f"{path.name} cannot be written as GeoTIFF ({error}): free some space, or choose another "
            "place."
        ) from error


def overview_levels(height: int, width: int) -> list[int]:
    """Return the factors 2, 4, 8 ... by which overviews are smaller."""
    levels = []
    factor = 2
    while max(height, width) / factor >= SMALLEST_OVERVIEW:
        levels.append(factor)
        factor *= 2
    return levels
