"""The bands of a raster as a picture: which become red, green and blue, and what of their values becomes 0 to 255."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

DEFAULT_BANDS = (1, 2, 3)
PROBE_SIDE = 512
LOW, HIGH = 2.0, 98.0
"""Percentiles of each band that become 0 and 255 where the values are no bytes."""

Limits = list[tuple[float, float]]
"""For each picked band the values that become 0 and 255."""


def picked_bands(raster: Any, bands: Sequence[int], name: str) -> Sequence[int]:
    """Return the bands to show of an open raster, counted from 1: those asked for, else the first three, or one of fewer.

    Raises:
        SegcoreError: It has no such band.
    """
    chosen = bands or (DEFAULT_BANDS if raster.count >= 3 else (1,))
    if max(chosen) > raster.count:
        raise SegcoreError(
            f"Expected band {max(chosen)} in {name}, it has {raster.count}: name others."
        )
    return chosen


def read_sound(raster: Any, picked: Sequence[int]) -> list[npt.NDArray[Any]]:
    """Return for each picked band a sample of its values, (n,), without those that are no number or stand for nothing."""
    shape = (len(picked), min(raster.height, PROBE_SIDE), min(raster.width, PROBE_SIDE))
    return [_sound(band, raster.nodata) for band in raster.read(list(picked), out_shape=shape)]


def _sound(band: npt.NDArray[Any], nodata: float | None) -> npt.NDArray[Any]:
    flat = band[np.isfinite(band)]
    return flat if nodata is None else flat[flat != nodata]


def limits_of(values: Sequence[npt.NDArray[Any]]) -> Limits:
    """Return the percentiles :data:`LOW` and :data:`HIGH` of each band's values, (n,); 0 and 1 where there are none."""
    return [
        tuple(np.percentile(band, (LOW, HIGH)).tolist()) if len(band) else (0.0, 1.0)
        for band in values
    ]


def to_bytes(
    values: npt.NDArray[Any], nodata: float | None, limits: Limits | None
) -> npt.NDArray[np.uint8]:
    """(B, H, W) of any kind to (H, W, 3) uint8; what is no number, or stands for nothing, becomes 0."""
    if values.dtype == np.uint8:
        bytes_ = values
    else:
        bytes_ = np.zeros(values.shape, np.uint8)
        for position, band in enumerate(values):
            low, high = (limits or [(0.0, 1.0)])[min(position, len(limits or [0]) - 1)]
            scaled = (band.astype(np.float32) - low) * (255.0 / max(high - low, 1e-12))
            scaled = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0, 255)
            bytes_[position] = (
                np.where(band == nodata, 0, np.rint(scaled))
                if nodata is not None
                else np.rint(scaled)
            )
    spread = bytes_ if len(bytes_) == 3 else np.repeat(bytes_[:1], 3, axis=0)
    return np.ascontiguousarray(np.moveaxis(spread, 0, -1))
