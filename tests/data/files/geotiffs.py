"""What tests read back of GeoTIFFs and of the file that says where samples lie."""

import json
from pathlib import Path

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
