"""Figures of each band over the images of a split, streamed: an image at a time is in memory."""

import hashlib
import json
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.bands.band_set import BandSet
from segcore.data.bands.learned import LearnedBands
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.bands import HIGH, LOW
from segcore.data.files.scanning import Progress, scan
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes

FILE_NAME = "band_statistics.json"
FORMAT = 1
KEPT_VALUES = 1_000_000
"""Values of each channel that percentiles are computed from, over all images; evenly spread."""


@dataclass(frozen=True)
class BandFigures:
    """Figures of one channel over all pixels of a split that have a value.

    Attributes:
        name: The channel.
        mean: Mean, in the raster's units; NaN where no pixel has a value, as all others.
        std: Standard deviation.
        minimum: Least value.
        maximum: Greatest value.
        low: Percentile 2, of at most :data:`KEPT_VALUES` evenly spread values.
        high: Percentile 98.
        missing: Share of the pixels without a value (nodata, NaN, infinity), 0 to 1.
    """

    name: str
    mean: float
    std: float
    minimum: float
    maximum: float
    low: float
    high: float
    missing: float

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping; None for a figure that does not exist."""
        return {k: None if v != v else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class _Part:
    """Moments of one image or several: (N,) float64 each, and (n, N) values for percentiles."""

    count: npt.NDArray[np.float64]
    pixels: int
    mean: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    minimum: npt.NDArray[np.float64]
    maximum: npt.NDArray[np.float64]
    kept: npt.NDArray[np.float32]


def collect_band_statistics(
    dataset: Dataset,
    split: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> tuple[BandFigures, ...]:
    """Read the images of a split once and return the figures of each channel.

    Moments of images are joined without losing digits: Chan, Golub, LeVeque, "Algorithms for
    computing the sample variance", The American Statistician 37(3), 1983. They are kept with the
    dataset until its samples or splits change.

    Args:
        dataset: A dataset that keeps bands.
        split: Split; None for all.
        executor: As :func:`segcore.data.files.scanning.scan`.
        progress: As :func:`segcore.data.files.scanning.scan`.

    Raises:
        SegcoreError: The dataset keeps no bands, the split is unknown, or an image cannot be read.
    """
    bands = bands_of(dataset)
    samples = dataset.select(split)
    key = hashlib.sha256(f"{FORMAT} {dataset.fingerprint} {split!r}".encode()).hexdigest()
    known = _load(dataset).get(key)
    if known is not None:
        return known
    each = max(16, KEPT_VALUES // max(1, len(samples)))

    def measure(sample: Sample) -> _Part:
        return _measure(dataset.read_values(sample).reshape(-1, len(bands.channels)), each)

    joined: _Part | None = None
    kept = []
    for part in scan(measure, samples, executor, progress, "bands measured"):
        kept.append(part.kept)
        joined = part if joined is None else _join(joined, part)
    if joined is None:
        raise SegcoreError("Expected images, received a split without any: choose another.")
    figures = _figures(bands, joined, np.concatenate(kept))
    _keep(dataset, key, figures)
    return figures


def bands_of(dataset: Dataset) -> BandSet:
    """Return the bands that a dataset keeps.

    Raises:
        SegcoreError: It holds pictures.
    """
    if dataset.bands is None:
        raise SegcoreError(
            f"Expected a dataset whose bands keep their values, received {dataset.name!r}, which "
            "holds pictures: import it with --bands all."
        )
    return dataset.bands


def learn_bands(
    dataset: Dataset, split: str | None, progress: Progress | None = None
) -> LearnedBands | None:
    """Measure mean and deviation of each channel over the training split, and over no other.

    Args:
        dataset: The dataset that is trained on.
        split: Its training split; None for a dataset without splits.
        progress: Called with (done, total, what).

    Returns:
        What the network needs to know of its bands; None for a dataset of pictures.

    Raises:
        SegcoreError: The split is unknown, an image cannot be read, or a channel has no value.
    """
    if dataset.bands is None:
        return None
    figures = collect_band_statistics(dataset, split, None, progress)
    empty = [one.name for one in figures if np.isnan(one.mean)]
    if empty:
        raise SegcoreError(
            f"Expected values in every band of the split {split!r}, found none in "
            f"{', '.join(empty)}: leave these bands out, or check what stands for nodata."
        )
    stds = (one.std for one in figures)
    return LearnedBands(
        dataset.bands,
        tuple(one.mean for one in figures),
        tuple(std if std > 0 else 1.0 for std in stds),
    )


def _measure(rows: npt.NDArray[np.float32], each: int) -> _Part:
    """Return the moments of an image's pixels, (P, N) with NaN where there is no value."""
    has = ~np.isnan(rows)
    count = has.sum(0).astype(np.float64)
    wide = np.where(has, rows, 0).astype(np.float64)
    mean = wide.sum(0) / np.maximum(count, 1)
    squares = np.where(has, (wide - mean) ** 2, 0).sum(0)
    return _Part(
        count,
        len(rows),
        mean,
        squares,
        np.where(has, rows, np.inf).min(0).astype(np.float64),
        np.where(has, rows, -np.inf).max(0).astype(np.float64),
        rows[:: -(-len(rows) // each) | 1],  # odd: not the same columns of every row
    )


def _join(one: _Part, other: _Part) -> _Part:
    count = one.count + other.count
    share = other.count / np.maximum(count, 1)
    apart = other.mean - one.mean
    return _Part(
        count,
        one.pixels + other.pixels,
        one.mean + apart * share,
        one.squares + other.squares + apart**2 * one.count * share,
        np.minimum(one.minimum, other.minimum),
        np.maximum(one.maximum, other.maximum),
        one.kept,
    )


def _figures(bands: BandSet, all_: _Part, kept: npt.NDArray[np.float32]) -> tuple[BandFigures, ...]:
    figures = []
    for channel, name in enumerate(bands.channels):
        count = float(all_.count[channel])
        missing = 1 - count / max(1, all_.pixels)
        if not count:
            figures.append(BandFigures(name, *(float("nan"),) * 6, missing))
            continue
        sound = kept[:, channel][~np.isnan(kept[:, channel])]
        low, high = (
            np.percentile(sound, (LOW, HIGH)) if len(sound) else (all_.minimum[channel],) * 2
        )
        figures.append(
            BandFigures(
                name,
                float(all_.mean[channel]),
                float(np.sqrt(all_.squares[channel] / count)),
                float(all_.minimum[channel]),
                float(all_.maximum[channel]),
                float(low),
                float(high),
                missing,
            )
        )
    return tuple(figures)


def _load(dataset: Dataset) -> dict[str, tuple[BandFigures, ...]]:
    """Return the figures that were kept, by key; {} where there are none or they are damaged."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        data = json.loads((dataset.folder / FILE_NAME).read_bytes())
        return {key: tuple(map(_figures_from, rows)) for key, rows in data.items()}
    return {}


def _figures_from(row: dict[str, Any]) -> BandFigures:
    numbers = {k: float("nan") if v is None else float(v) for k, v in row.items() if k != "name"}
    return BandFigures(str(row["name"]), **numbers)


def _keep(dataset: Dataset, key: str, figures: tuple[BandFigures, ...]) -> None:
    """Keep figures beside those of other splits of the same samples; older ones are forgotten."""
    kept = dict(list(_load(dataset).items())[-7:]) | {key: figures}
    text = json.dumps({k: [one.to_json() for one in rows] for k, rows in kept.items()}, indent=1)
    with suppress(OSError):  # for speed only: a folder that is read only can be measured as well
        write_bytes(dataset.folder / FILE_NAME, text.encode())
