"""Pixels of every class in every sample, counted once and kept with the dataset.

The cache ``statistics.npz`` is keyed by the content of each mask, so that new splits, new names or
added samples never make what is known be counted again.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import open_image
from segcore.data.files.png import decode_grey
from segcore.data.files.scanning import Progress, scan
from segcore.data.statistics.imbalance import (
    earth_mover_distance,
    entropy_bits,
    mean_imbalance,
    scumble,
    shares_of,
)
from segcore.data.statistics.mask_runs import count_values
from segcore.errors import SegcoreError, unknown, unknown_split
from segcore.labels import LabelSet
from segcore.text_files import as_json
from segcore.whole_files import write_bytes

FILE_NAME = "statistics.npz"


def count_mask(path: Path, num_values: int) -> npt.NDArray[np.int64]:
    """Count how often each value is in an index PNG.

    Args:
        path: A mask of one channel, 8 or 16 bits.
        num_values: Length of the result; 256 or 65536.

    Returns:
        (num_values,) int64.

    Raises:
        SegcoreError: The file is missing or damaged, or holds a value too large.
    """
    indices = decode_grey(path)
    if indices is not None:
        counts = count_values(indices)
    else:
        with open_image(path) as image:
            eight_bits = image.mode in ("L", "P")  # Pillow's own histogram makes no array
            counts = (
                np.array(image.histogram(), np.int64)
                if eight_bits
                else np.bincount(np.asarray(image).ravel())
            )
    if len(counts) > num_values:
        if counts[num_values:].any():
            raise SegcoreError(
                f"Expected mask values below {num_values}, received {len(counts) - 1} in "
                f"{path.name}: import it again."
            )
        counts = counts[:num_values]
    found = np.zeros(num_values, np.int64)
    found[: len(counts)] = counts
    return found


def _count_row(
    num_classes: int, ignore_index: int, path: Path
) -> tuple[npt.NDArray[np.int64], int]:
    counts = count_mask(path, ignore_index + 1)
    if counts[num_classes:ignore_index].any():
        strange = num_classes + int(np.flatnonzero(counts[num_classes:ignore_index])[0])
        raise SegcoreError(
            f"Expected mask indices below {num_classes} or {ignore_index}, received "
            f"{strange} in {path.name}: "
            "the mask was changed after the import; import the dataset again."
        )
    return counts[:num_classes], int(counts[ignore_index])


@dataclass(frozen=True)
class ClassFrequency:
    """How often one class occurs.

    Attributes:
        id: The user's id of the class.
        name: Its name.
        pixels: Pixels of it.
        pixel_share: Share of the labelled pixels, 0 to 1; NaN where nothing is labelled.
        images: Images that contain it.
    """

    id: int
    name: str
    pixels: int
    pixel_share: float
    images: int


@dataclass(frozen=True)
class Imbalance:
    """How uneven the classes are; None for a figure that does not exist.

    Attributes:
        earth_mover_distance: From equal frequencies, 0 to 1.
        mean_ir: Mean imbalance ratio, 1 or more.
        entropy_bits: Entropy of the frequencies, bits.
    """

    earth_mover_distance: float | None
    mean_ir: float | None
    entropy_bits: float


@dataclass(frozen=True)
class StatisticsSummary:
    """The figures of a dataset or of one of its splits.

    Attributes:
        dataset: Name of the dataset.
        split: Name of the split; None for all samples.
        num_samples: Samples with a mask.
        ignored_share: Share of all pixels that is ignored, 0 to 1; None without pixels.
        classes: Each class, in index order.
        imbalance: By "pixel" and by "count" of images.
        scumble: How far rare and frequent classes share images, 0 to 1; None where undefined.
    """

    dataset: str
    split: str | None
    num_samples: int
    ignored_share: float | None
    classes: tuple[ClassFrequency, ...]
    imbalance: Mapping[str, Imbalance]
    scumble: float | None

    def to_json(self) -> dict[str, Any]:
        """Return what the ``stats`` command prints."""
        keys = ("earth_mover_distance", "mean_ir")
        data: dict[str, Any] = as_json(vars(self))
        del data["scumble"]
        return data | {
            "imbalance": {
                **{
                    mode: {k: getattr(own, k) for k in keys} for mode, own in self.imbalance.items()
                },
                "scumble": self.scumble,
            }
        }


@dataclass(frozen=True)
class ClassStatistics:
    """Pixel counts of the samples that have a mask.

    Attributes:
        dataset: Name of the dataset.
        fingerprint: Fingerprint of the dataset that was counted.
        label_set: Its classes.
        sample_ids: Ids of the N samples.
        splits: Split of each, "" for none.
        counts: (N, C) int64, pixels of each class.
        ignored: (N,) int64, ignored pixels.
    """

    dataset: str
    fingerprint: str
    label_set: LabelSet
    sample_ids: tuple[str, ...]
    splits: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    ignored: npt.NDArray[np.int64]

    @property
    def num_samples(self) -> int:
        """N."""
        return len(self.sample_ids)

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Whether the sample holds the class, (N, C) bool."""
        return self.counts > 0

    @cached_property
    def pixels(self) -> npt.NDArray[np.int64]:
        """Pixels of each class over all samples, (C,) int64."""
        return self.counts.sum(0)

    @cached_property
    def images(self) -> npt.NDArray[np.int64]:
        """Samples that hold each class, (C,) int64."""
        return self.present.sum(0)

    def totals(self, mode: str) -> npt.NDArray[np.int64]:
        """Return :attr:`pixels` for "pixel", :attr:`images` for "count".

        Raises:
            SegcoreError: The mode is another.
        """
        tables = {"pixel": self.pixels, "count": self.images}
        if mode not in tables:
            raise unknown("balance mode", mode, tables)
        return tables[mode]

    def select(self, split: str | None) -> "ClassStatistics":
        """Return the rows of one split; None for all.

        Raises:
            SegcoreError: No sample is in that split.
        """
        if split is None:
            return self
        if split not in self.splits:
            raise unknown_split(self.dataset, split, self.splits)
        if split not in self._selected:
            rows = np.flatnonzero(np.array(self.splits) == split)
            self._selected[split] = self._rows(rows)
        return self._selected[split]

    @cached_property
    def _selected(self) -> dict[str, "ClassStatistics"]:
        """Rows by split, filled when a split is asked for: pages ask at each step."""
        return {}

    def _rows(self, rows: npt.NDArray[np.intp]) -> "ClassStatistics":
        ids, splits = tuple(self.sample_ids[i] for i in rows), tuple(self.splits[i] for i in rows)
        return ClassStatistics(
            self.dataset,
            self.fingerprint,
            self.label_set,
            ids,
            splits,
            self.counts[rows],
            self.ignored[rows],
        )

    def cooccurrence(self) -> npt.NDArray[np.int64]:
        """Samples that contain both classes, (C, C) int64, symmetric; diagonal: :attr:`images`."""
        present = self.present.astype(np.int64)
        return present.T @ present

    def measures(self, mode: str) -> Imbalance:
        """Return how uneven the classes are by pixel or by count.

        Raises:
            SegcoreError: The mode is unknown.
        """
        totals = self.totals(mode)
        shares = shares_of(totals)
        return Imbalance(
            earth_mover_distance=_number(earth_mover_distance(shares)),
            mean_ir=_number(mean_imbalance(totals)),
            entropy_bits=entropy_bits(shares),
        )

    def summary(self, split: str | None = None) -> StatisticsSummary:
        """Return the figures of a split; None for all samples.

        Raises:
            SegcoreError: No sample is in that split.
        """
        return replace(self.select(split)._summary, split=split)

    @cached_property
    def _summary(self) -> StatisticsSummary:
        pixels, images, shares = self.pixels, self.images, shares_of(self.pixels)
        labelled, ignored = int(pixels.sum()), int(self.ignored.sum())
        return StatisticsSummary(
            dataset=self.dataset,
            split=None,
            num_samples=self.num_samples,
            ignored_share=ignored / (labelled + ignored) if labelled + ignored else None,
            classes=tuple(
                ClassFrequency(c.id, c.name, int(pixels[i]), float(shares[i]), int(images[i]))
                for i, c in enumerate(self.label_set.classes)
            ),
            imbalance={mode: self.measures(mode) for mode in ("pixel", "count")},
            scumble=scumble(self.present),
        )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def collect_statistics(
    dataset: Dataset, executor: Executor | None = None, progress: Progress | None = None
) -> ClassStatistics:
    """Return the pixel counts of a dataset; masks that the cache knows are not read.

    Args:
        dataset: The dataset; samples without a mask are left out.
        executor: Where masks are counted; None for threads, one a core.
        progress: Called as ``progress(done, total, what)`` while masks are counted.

    Returns:
        One row a sample; also saved as ``statistics.npz`` when anything was counted.

    Raises:
        SegcoreError: A mask is missing or damaged, or holds an index of no class.
    """
    label_set = dataset.label_set
    samples = [sample for sample in dataset.samples if sample.mask is not None]
    known = _read_cache(dataset.folder / FILE_NAME, label_set.num_classes)
    missing = [sample for sample in samples if sample.mask_digest not in known]
    work = partial(_count_row, label_set.num_classes, label_set.ignore_index)
    paths = [dataset.mask_path(sample) for sample in missing]
    for sample, (row, ignored) in zip(
        missing, scan(work, paths, executor, progress, "masks counted"), strict=True
    ):
        known[sample.mask_digest] = np.append(row, ignored)
    table = np.array([known[sample.mask_digest] for sample in samples], np.int64).reshape(
        len(samples), label_set.num_classes + 1
    )
    if missing:
        _write_cache(dataset.folder / FILE_NAME, [sample.mask_digest for sample in samples], table)
    return ClassStatistics(
        dataset.name,
        dataset.fingerprint,
        label_set,
        tuple(sample.id for sample in samples),
        tuple(sample.split for sample in samples),
        table[:, :-1],
        table[:, -1],
    )


def load_statistics(dataset: Dataset) -> ClassStatistics | None:
    """Return the saved pixel counts, or None if a mask is not counted yet; reads no mask."""
    known = _read_cache(dataset.folder / FILE_NAME, dataset.label_set.num_classes)
    complete = all(
        sample.mask_digest in known for sample in dataset.samples if sample.mask is not None
    )
    return collect_statistics(dataset) if complete else None


def _write_cache(file: Path, digests: Sequence[str], table: npt.NDArray[np.int64]) -> None:
    keys = np.array([list(bytes.fromhex(d)) for d in digests], np.uint8).reshape(len(digests), -1)
    buffer = BytesIO()
    np.savez_compressed(buffer, digests=keys, counts=table)
    with suppress(
        OSError
        # kept for speed only: a folder that may be read but not written can be looked at all the
        # same
    ):
        write_bytes(file, buffer.getvalue())


def _read_cache(file: Path, num_classes: int) -> dict[str, npt.NDArray[np.int64]]:
    """Read rows (C + 1 counts, the last for ignored pixels) by digest of the mask.

    A missing or foreign file has none.
    """
    try:
        with np.load(file, allow_pickle=False) as data:
            keys, table = data["digests"], data["counts"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}
    if table.ndim != 2 or table.shape[1] != num_classes + 1 or len(keys) != len(table):
        return {}
    text, width = keys.tobytes().hex(), 2 * keys.shape[1]
    return {text[i * width : (i + 1) * width]: row for i, row in enumerate(table)}
