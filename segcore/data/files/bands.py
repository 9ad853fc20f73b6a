"""Bands of a raster as a picture: which become red, green and blue, and how values become bytes.

What was done to the images of a dataset is its :class:`RasterLook`. It is kept with the dataset
and with each network trained on it, so that the same file gives the same pixels wherever it comes
in.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.borders import foreign_bytes
from segcore.errors import SegcoreError

FILE_NAME = "bands.json"
DEFAULT_BANDS = (1, 2, 3)
PROBE_SIDE = 512
LOW, HIGH = 2.0, 98.0
"""Percentiles of each band that become 0 and 255 where the values are no bytes."""

Limits = list[tuple[float, float]]
"""For each picked band the values that become 0 and 255."""


@dataclass(frozen=True)
class RasterLook:
    """How rasters become pictures.

    Attributes:
        bands: The bands that become red, green and blue, from 1; one for grey; () for the first
            three (the first, of one or two).
        limits: (low, high) of each band, the values that become 0 and 255; () where the images
            hold bytes, which stay as they are.
        by_bands: Whether bands were read by rasterio; else TIFFs were opened like any picture.
    """

    bands: tuple[int, ...] = ()
    limits: tuple[tuple[float, float], ...] = ()
    by_bands: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {"bands": list(self.bands), "limits": [list(pair) for pair in self.limits],
                "by_bands": self.by_bands}  # fmt: skip

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "RasterLook":
        """Read what :meth:`to_json` gave.

        Raises:
            SegcoreError: It is something else.
        """
        try:
            limits = tuple((float(low), float(high)) for low, high in data["limits"])
            bands = tuple(int(band) for band in data["bands"])
            if (bands and min(bands) < 1) or not np.isfinite(limits).all():
                raise ValueError("no bands")
            return RasterLook(bands, limits, bool(data["by_bands"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SegcoreError(
                f"Expected bands and limits of images, received {str(data)[:80]}: import the "
                "dataset again."
            ) from error

    @property
    def sentence(self) -> str:
        """What becomes of an image, in words, without full stop."""
        bands = ", ".join(map(str, self.bands)) if self.bands else "the first"
        text = f"bands {bands} are shown"
        if self.limits:
            limits = "; ".join(f"{low:.6g} to {high:.6g}" for low, high in self.limits)
            text += f", {limits} becoming 0 to 255"
        return text


def load_look(folder: Path) -> RasterLook | None:
    """Return how the rasters of a dataset folder became pictures; None where it has none.

    Raises:
        SegcoreError: The file is damaged.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        return None
    with foreign_bytes(f"{file} is damaged: import the dataset again."):
        return RasterLook.from_json(json.loads(file.read_bytes()))


def holds_converted_rasters(folder: Path) -> bool:
    """Whether a dataset folder's import report says that values were stretched to bytes.

    Versions before :data:`FILE_NAME` reported the stretch, but kept neither bands nor limits.
    """
    try:
        return b"the images hold no bytes" in (folder / "import.json").read_bytes()
    except OSError:
        return False


@dataclass(frozen=True)
class Bands:
    """All bands of a raster.

    Attributes:
        values: (B, H, W) of any kind of real numbers.
        nodata: The value that stands for nothing, or None.
    """

    values: npt.NDArray[Any]
    nodata: float | None = None


def show_bands(bands: Bands, look: RasterLook, name: str) -> tuple[npt.NDArray[np.uint8], str]:
    """Turn bands into a picture as a look says, and say in words what became of them.

    Values that are no bytes and for which the look has no limits are stretched between their own
    percentiles.

    Args:
        bands: All bands of the raster.
        look: What is done to them.
        name: What the file is called, for messages.

    Returns:
        (H, W, 3) uint8 RGB, and a sentence without full stop.

    Raises:
        SegcoreError: The raster has not the bands that the look names.
    """
    count, height, width = bands.values.shape
    picked = picked_bands(count, look.bands, name)
    values = bands.values[[band - 1 for band in picked]]
    shown = f"band{'s' * (len(picked) > 1)} {', '.join(map(str, picked))} of {count}"
    if values.dtype == np.uint8:
        return to_bytes(values, bands.nodata, None), f"{shown} shown"
    rows, columns = (max(1, -(-side // PROBE_SIDE)) for side in (height, width))
    limits = look.limits or limits_of(
        [_sound(band, bands.nodata) for band in values[:, ::rows, ::columns]]
    )
    between = "; ".join(f"{low:.6g} to {high:.6g}" for low, high in limits)
    source = "as in the training images" if look.limits else f"percentiles {LOW:g} and {HIGH:g}"
    note = f"{shown} hold{'s' * (len(picked) == 1)} no bytes: {between}, {source}, became 0 to 255"
    return to_bytes(values, bands.nodata, limits), note


def is_plain(count: int, dtypes: Sequence[str], bands: Sequence[int] = ()) -> bool:
    """Whether a raster is an ordinary picture: one or three bands of bytes, none of them chosen."""
    return not bands and count in (1, 3) and set(dtypes) == {"uint8"}


def picked_bands(count: int, bands: Sequence[int], name: str) -> Sequence[int]:
    """Return the bands to show of a raster of so many, from 1.

    They are those asked for, else the first three, or the first of one or two.

    Raises:
        SegcoreError: It has no such band.
    """
    chosen = bands or (DEFAULT_BANDS if count >= 3 else (1,))
    if max(chosen) > count:
        raise SegcoreError(f"Expected band {max(chosen)} in {name}, it has {count}: name others.")
    return chosen


def read_sound(raster: Any, picked: Sequence[int]) -> list[npt.NDArray[Any]]:
    """Return a sample of each picked band's values, (n,), without NaN, infinity and nodata."""
    shape = (len(picked), min(raster.height, PROBE_SIDE), min(raster.width, PROBE_SIDE))
    return [_sound(band, raster.nodata) for band in raster.read(list(picked), out_shape=shape)]


def _sound(band: npt.NDArray[Any], nodata: float | None) -> npt.NDArray[Any]:
    flat = band[np.isfinite(band)]
    return flat if nodata is None else flat[flat != nodata]


def limits_of(values: Sequence[npt.NDArray[Any]]) -> Limits:
    """Return the percentiles LOW and HIGH of each band's values, (n,); 0 and 1 of none."""
    return [
        tuple(np.percentile(band, (LOW, HIGH)).tolist()) if len(band) else (0.0, 1.0)
        for band in values
    ]


def to_bytes(
    values: npt.NDArray[Any], nodata: float | None, limits: Sequence[tuple[float, float]] | None
) -> npt.NDArray[np.uint8]:
    """Turn (B, H, W) of any kind into (H, W, 3) uint8; NaN and nodata become 0."""
    if values.dtype == np.uint8:
        bytes_ = values
    else:
        bytes_ = np.zeros(values.shape, np.uint8)
        for position, band in enumerate(values):
            limits = limits or [(0.0, 1.0)]
            low, high = limits[min(position, len(limits) - 1)]
            scaled = (band.astype(np.float32) - low) * (255.0 / max(high - low, 1e-12))
            scaled = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0, 255)
            bytes_[position] = (
                np.where(band == nodata, 0, np.rint(scaled))
                if nodata is not None
                else np.rint(scaled)
            )
    spread = bytes_ if len(bytes_) == 3 else np.repeat(bytes_[:1], 3, axis=0)
    return np.ascontiguousarray(np.moveaxis(spread, 0, -1))
