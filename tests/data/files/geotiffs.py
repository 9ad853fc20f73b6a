"""What tests read back of GeoTIFFs and of the file that says where samples lie."""

import json
from pathlib import Path

import numpy as np
import rasterio

from segcore.data.files.georeference import (
    FILE_NAME,
    Georeference,
    georeference_of,
    open_raster,
)


def read_georeference(path: Path) -> Georeference | None:
    """Where a GeoTIFF lies; None where it does not say."""
    with open_raster(path) as raster:
        return georeference_of(raster)


def load_georeferences(folder: Path) -> dict[str, Georeference]:
    """Where each sample of a dataset lies, by its id; empty where none is known."""
    file = folder / FILE_NAME
    rows = json.loads(file.read_bytes())["samples"] if file.is_file() else {}
    return {
        sample: Georeference(row["crs"], tuple(row["transform"])) for sample, row in rows.items()
    }


def write_scene(
    path: Path,
    pixels: np.ndarray,
    *,
    size: tuple[int, int] | None = None,
    row: float = 0,
    column: float = 0,
    pixel: float = 1.0,
    crs: str | None = "EPSG:32632",
    nodata: float | None = None,
) -> None:
    """Write a tiled GeoTIFF, (H, W) or (H, W, B), whose first pixel lies so far down and right.

    With a size it is larger than the pixels, and holds nothing beyond them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    bands = bands.astype(np.uint8) if bands.dtype == bool else bands
    height, width = size or bands.shape[1:]
    profile = {"height": height, "width": width, "count": len(bands), "dtype": bands.dtype.name}
    transform = rasterio.Affine(pixel, 0, 500_000 + column, 0, -pixel, 4_000_000 - row)
    tiles = (
        {"tiled": True, "blockxsize": 32, "blockysize": 32}
        if size is None
        else {"tiled": True, "blockxsize": 512, "blockysize": 512}
    )
    with rasterio.open(
        path,
        "w",
        "GTiff",
        **profile,
        crs=crs,
        transform=transform if crs else None,
        nodata=nodata,
        compress="deflate",
        sparse_ok=True,
        **tiles,
    ) as raster:
        raster.write(bands, window=((0, bands.shape[1]), (0, bands.shape[2])))
