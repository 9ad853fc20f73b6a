"""Reads the kept bands of a raster, whole or a window of it: the one place where values come in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.bands.band_set import BandSet
from segcore.data.bands.indices import normalised_difference
from segcore.data.files.georeference import open_raster
from segcore.data.files.windows import Window, shared_raster
from segcore.errors import SegcoreError
from segcore.labels import plural

Values = npt.NDArray[np.float32]
"""(H, W, N) float32 in the raster's own units, channels as in ``BandSet.channels``; NaN where a
channel has no value."""


def read_values(
    path: Path,
    bands: BandSet,
    window: Window | None = None,
    shape: tuple[int, int] | None = None,
    channels: Sequence[int] | None = None,
) -> Values:
    """Read the channels of a raster.

    Args:
        path: A GeoTIFF.
        bands: Which bands are kept.
        window: The part to read; None for all of it.
        shape: (height, width) to read at, by the nearest pixels; None for the own one.
        channels: Positions of the channels to return, in this order; None for all.

    Returns:
        (H, W, N) float32, C-contiguous and writable; NaN for nodata, NaN and infinity. 8 and 16
        bits are exact in float32.

    Raises:
        SegcoreError: The file is absent, damaged or too large, or holds other bands than when it
            was imported.
    """
    with open_raster(path) if window is None else shared_raster(path) as raster:
        check_kind(bands, int(raster.count), raster.dtypes, path.name)
        part = None if window is None else window.ranges
        needed = sorted(_sources(bands, channels))
        planes = raster.read([bands.numbers[place] for place in needed], window=part, out_shape=(
            None if shape is None else (len(needed), *shape)
        ))  # fmt: skip
        nodata = [raster.nodatavals[bands.numbers[place] - 1] for place in needed]
    held = {
        place: _sound(*pair)
        for place, pair in zip(needed, zip(planes, nodata, strict=True), strict=True)
    }
    return _stack(bands, held, channels)


def pick_values(
    planes: npt.NDArray[Any], nodata: float | None, bands: BandSet, name: str
) -> Values:
    """Return the channels of a raster whose bands were all read before; as :func:`read_values`.

    Args:
        planes: (B, H, W), every band of the raster.
        nodata: The value that stands for nothing, or None.
        bands: Which are kept.
        name: What the raster is called, for messages.

    Raises:
        SegcoreError: It holds other bands than the set.
    """
    check_kind(bands, len(planes), (planes.dtype.name,) * len(planes), name)
    held = {place: _sound(planes[number - 1], nodata) for place, number in enumerate(bands.numbers)}
    return _stack(bands, held, None)


def has_values(values: Values) -> npt.NDArray[np.bool_]:
    """Return where any channel has a value, (H, W) bool; elsewhere a pixel is void."""
    return np.asarray(~np.isnan(values).all(axis=-1))


def check_kind(bands: BandSet, count: int, dtypes: Sequence[str], name: str) -> None:
    """Refuse a raster of another number of bands or of other values than a set.

    Raises:
        SegcoreError: It is.
    """
    if count != bands.count or set(dtypes) != {bands.dtype}:
        raise SegcoreError(
            f"Expected {plural(bands.count, 'band')} of {bands.dtype} ({', '.join(bands.channels)} "
            f"are read), received {name} with {plural(count, 'band')} of "
            f"{', '.join(sorted(set(dtypes)))}: give images of the same bands, or import them as a "
            "dataset of their own and train on it."
        )


def described_bands(raster: Any) -> tuple[str, ...]:
    """Return what an open raster calls each band: its description, else its colour, else ""."""
    colors = [color.name for color in raster.colorinterp]
    return tuple(
        (text or "").strip() or (color if color in ("red", "green", "blue", "nir") else "")
        for text, color in zip(raster.descriptions, colors, strict=True)
    )


def _sources(bands: BandSet, channels: Sequence[int] | None) -> set[int]:
    """Return the positions of the bands that some channels are made of."""
    own = len(bands.numbers)
    needed: set[int] = set()
    for channel in range(len(bands.channels)) if channels is None else channels:
        if channel < own:
            needed.add(channel)
        else:
            index = bands.indices[channel - own]
            needed |= {index.first, index.second}
    return needed


def _sound(plane: npt.NDArray[Any], nodata: float | None) -> Values:
    """Return a band as float32 with NaN where it has no value."""
    values = plane.astype(np.float32)
    if nodata is not None and not np.isnan(nodata):
        values[plane == nodata] = np.nan
    if plane.dtype.kind == "f":
        values[~np.isfinite(values)] = np.nan
    return values


def _stack(bands: BandSet, held: dict[int, Values], channels: Sequence[int] | None) -> Values:
    """Lay bands and indices behind each other as channels."""
    own = len(bands.numbers)
    planes = []
    for channel in range(len(bands.channels)) if channels is None else channels:
        if channel < own:
            planes.append(held[channel])
        else:
            index = bands.indices[channel - own]
            planes.append(normalised_difference(held[index.first], held[index.second]))
    return np.ascontiguousarray(np.stack(planes, axis=-1))
