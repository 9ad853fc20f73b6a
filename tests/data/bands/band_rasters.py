"""Rasters of several bands for tests, and the datasets that they become."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.georeference import load_rasterio
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import ImportRules, import_dataset, parse_bands

NAMES = ("red", "green", "blue", "nir", "height")
SIZE = (24, 32)
SPLIT_FOLDERS = {"train": 4, "val": 2, "test": 2}


def write_bands(
    path: Path, values: npt.NDArray[Any], names: tuple[str, ...] = (), nodata: float | None = None
) -> None:
    """Write (B, H, W) as a GeoTIFF whose bands are called as said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    rasterio = load_rasterio()
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count,
        dtype=values.dtype.name, nodata=nodata, crs="EPSG:32633",
        transform=rasterio.Affine(10, 0, 500_000, 0, -10, 4_000_000), photometric="minisblack",
    ) as raster:  # fmt: skip
        raster.write(values)
        for number, name in enumerate(names, 1):
            raster.set_band_description(number, name)


def planted(seed: int, size: tuple[int, int] = SIZE) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return five bands (5, H, W) uint16 and a mask (H, W): only band 4 tells class 1 from class 0.

    The other bands are the same noise in both; class 2 is bright in all of them.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    mask = np.zeros(size, np.uint8)
    top, left = (int(rng.integers(1, side // 2)) for side in size)
    mask[top : top + height // 2, left : left + width // 2] = 1
    mask[: height // 6] = 2
    values = rng.normal(3000, 250, (5, *size))
    values[:, mask == 2] += 4000
    values[3] += np.where(mask == 1, 2500, 0)
    values[4] = rng.normal(120, 15, size)
    return np.clip(values, 0, 60_000).astype(np.uint16), mask


def write_source(folder: Path, size: tuple[int, int] = SIZE) -> Path:
    """Write images and masks of :func:`planted` in folders of splits."""
    seed = 0
    for split, count in SPLIT_FOLDERS.items():
        for number in range(count):
            values, mask = planted(seed, size)
            write_bands(folder / split / "images" / f"{split}{number}.tif", values, NAMES)
            place = folder / split / "masks" / f"{split}{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(encode_png(mask))
            seed += 1
    return folder


def make_dataset(
    folder: Path, size: tuple[int, int] = SIZE, bands: str = "all", indices: str = ""
) -> Dataset:
    """Import the planted rasters as the dataset ``<folder>/datasets/fields``, bands kept."""
    source = write_source(folder / "source", size)
    target = folder / "datasets" / "fields"
    import_dataset(source, target, "fields", rules=ImportRules(bands=parse_bands(bands, indices)))
    return Dataset.open(target)
