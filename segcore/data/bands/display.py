"""Which channels are shown, and how values become a picture; a network sees nothing of it.

Values between two limits become 0 to 255. The limits belong to the dataset, percentiles 2 and 98 of
a few images, so that its images compare; a channel without a value is black.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.bands.band_set import BandSet
from segcore.data.bands.reading import Values, read_values
from segcore.data.files.bands import PROBE_SIDE, limits_of
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.png import MAX_PIXELS
from segcore.data.files.windows import Window, raster_size
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes

FILE_NAME = "band_display.json"
PROBES = 16


@dataclass(frozen=True)
class BandDisplay:
    """How channels are shown.

    Attributes:
        shown: Positions of the channels that are red, green and blue; one for grey.
        limits: (low, high) of **every** channel, the values that become 0 and 255.
    """

    shown: tuple[int, ...]
    limits: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Refuse other than one or three channels that are there."""
        if len(self.shown) not in (1, 3) or not all(0 <= p < len(self.limits) for p in self.shown):
            raise SegcoreError(
                f"Expected one or three of {len(self.limits)} channels to show, received "
                f"{len(self.shown)}: choose one for grey, or red, green and blue."
            )

    def show(self, values: Values) -> npt.NDArray[np.uint8]:
        """Turn all channels of an image, (H, W, N), into the picture of those that are shown."""
        limits = [self.limits[place] for place in self.shown]
        return show_values(values[..., list(self.shown)], limits)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {"shown": list(self.shown), "limits": [list(pair) for pair in self.limits]}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "BandDisplay":
        """Read what :meth:`to_json` gave.

        Raises:
            SegcoreError: It is something else.
        """
        try:
            limits = tuple((float(low), float(high)) for low, high in data["limits"])
            return BandDisplay(tuple(int(place) for place in data["shown"]), limits)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SegcoreError(
                f"Expected channels to show and their limits, received {str(data)[:80]}: import "
                "the dataset again."
            ) from error


def usual_channels(bands: BandSet) -> tuple[int, ...]:
    """Return the channels that are shown unless chosen: red, green, blue, else the first three."""
    if bands.rgb is not None:
        return bands.rgb
    return (0, 1, 2) if len(bands.numbers) >= 3 else (0,)


def measure_display(files: Sequence[Path], bands: BandSet) -> BandDisplay:
    """Measure the limits of every channel over a few images of a set.

    Args:
        files: The images.
        bands: Their bands.

    Raises:
        SegcoreError: None of those looked at can be read.
    """
    held: list[list[npt.NDArray[np.float32]]] = [[] for _ in bands.channels]
    first: SegcoreError | None = None
    for file in files[:: max(1, len(files) // PROBES)][:PROBES]:
        try:
            values = _probe(file, bands)
        except SegcoreError as error:
            first = first or error
            continue
        for channel, own in enumerate(held):
            plane = values[..., channel]
            own.append(plane[~np.isnan(plane)])
    if not held[0]:
        raise first or SegcoreError("Expected images, received none: choose a folder with some.")
    limits = limits_of([np.concatenate(own) for own in held])
    return BandDisplay(usual_channels(bands), tuple(limits))


def _probe(file: Path, bands: BandSet) -> Values:
    """Read a sample of an image: of a large one its middle, as the whole would take long."""
    height, width = raster_size(file)
    if height * width <= MAX_PIXELS:
        return read_values(file, bands, shape=(min(height, PROBE_SIDE), min(width, PROBE_SIDE)))
    side = min(4 * PROBE_SIDE, height, width)
    middle = Window((height - side) // 2, (width - side) // 2, side, side)
    return read_values(file, bands, middle, (PROBE_SIDE, PROBE_SIDE))


def load_display(folder: Path) -> BandDisplay:
    """Return how the channels of a dataset are shown.

    Raises:
        SegcoreError: The file is absent or damaged.
    """
    file = folder / FILE_NAME
    with foreign_bytes(f"{file} is damaged: import the dataset again."):
        return BandDisplay.from_json(json.loads(file.read_bytes()))


def save_display(folder: Path, display: BandDisplay) -> None:
    """Keep how the channels of a dataset are shown from now on."""
    write_bytes(folder / FILE_NAME, json.dumps(display.to_json(), indent=1).encode())


def show_values(values: Values, limits: Sequence[tuple[float, float]]) -> npt.NDArray[np.uint8]:
    """Turn channels into a picture.

    Args:
        values: (H, W, 1 or 3) float32, only those that are shown.
        limits: (low, high) of each of them.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous and writable.
    """
    low, high = np.asarray(limits, np.float32).T
    scaled = (values - low) * (np.float32(255) / np.maximum(high - low, np.float32(1e-12)))
    picture = np.rint(np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255)).astype(np.uint8)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else np.ascontiguousarray(picture)


def read_picture(
    path: Path, bands: BandSet, display: BandDisplay, window: Window | None = None
) -> npt.NDArray[np.uint8]:
    """Read an image as it is shown, (H, W, 3) uint8 RGB; only the bands that this needs are read.

    Args:
        path: A GeoTIFF.
        bands: Which bands are kept.
        display: Which channels are shown.
        window: The part to read; None for all of it.

    Raises:
        SegcoreError: As :func:`segcore.data.bands.reading.read_values`.
    """
    values = read_values(path, bands, window, channels=display.shown)
    return show_values(values, [display.limits[place] for place in display.shown])
