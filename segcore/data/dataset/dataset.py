"""A dataset on disk: its label set, its samples, and how their pixels are read.

A dataset folder holds ``dataset.json`` (what this module reads and writes), ``masks/`` (always
index PNGs, whatever the source was), ``images/`` unless the images were imported by reference,
``plans/<plan>.json``, ``label_maps/<map>.json``, and caches that other modules key by
:attr:`Dataset.fingerprint`.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore import acting
from segcore.data.bands.band_set import BandSet, load_band_set
from segcore.data.bands.display import load_display, read_picture
from segcore.data.bands.reading import Values, read_values
from segcore.data.dataset.documents import Documents, check_name, write_document
from segcore.data.files.bands import RasterLook, load_look
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.images import read_image, read_indices
from segcore.data.files.windows import Window, read_window
from segcore.errors import SegcoreError, unknown, unknown_split
from segcore.labels import LabelMap, LabelSet

VERSION = 2
"""Version of ``dataset.json``; without windows and unlabelled images 1 is written, which older ones read."""

SPLITS = ("train", "validation", "test")
"""The usual splits, in the order they are shown."""

POOL = "unlabelled"
"""What the images without a mask that wait for one are predicted as; no split has this name."""


def check_sample_id(sample_id: str) -> str:
    """Return the id if it can be a relative path without surprises ("Tile 1/image_001").

    Raises:
        SegcoreError: It is empty, absolute, holds "..", a hidden part, a backslash or a control
            character.
    """
    parts = sample_id.split("/")
    if any(not part or part.startswith(".") or part != part.strip() for part in parts) or re.search(
        r"[\\\x00-\x1f\x7f:\ud800-\udfff]", sample_id
    ):
        raise SegcoreError(
            f"Expected a sample id that is a plain relative path, received {sample_id!r}: "
            "rename that file."
        )
    return sample_id


@dataclass(frozen=True)
class Sample:
    """One image with its mask.

    Attributes:
        id: Unique in the dataset; may hold "/" ("Tile 1/image_001"), never "..".
        image: Path of the image: relative to the dataset folder, or absolute when imported by
            reference.
        mask: Path of the index PNG relative to the dataset folder, or None for an image without a
            mask.
        split: "train", "validation", "test", another name, or "" when the dataset has no splits.
        height: Rows of the image and of the mask.
        width: Columns of the image and of the mask.
        group: What it must not be parted from in a split (a drive, a tile), or "".
        mask_digest: SHA-256 of the mask's indices and shape, "" without a mask.
        window: (row, column) of its first pixel in ``image``, of which it is a part; None where it
            is the whole image.
    """

    id: str
    image: str
    mask: str | None
    split: str
    height: int
    width: int
    group: str = ""
    mask_digest: str = ""
    window: tuple[int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the sample's row; ``window`` only where it has one."""
        return {name: value for name, value in vars(self).items() if name != "window" or value}


def sample_from_json(row: dict[str, Any]) -> Sample:
    """Rebuild a sample from its row.

    Raises:
        TypeError: A field is missing, unknown or of another kind.
    """
    sample = Sample(**row)
    if sample.window is not None:
        top, left = sample.window
        if not all(isinstance(at, int) and at >= 0 for at in (top, left)):
            raise TypeError(f"a window expected in {row}")
        sample = dataclasses.replace(sample, window=(top, left))
    texts = (sample.id, sample.image, sample.split, sample.group, sample.mask_digest)
    sizes = (sample.height, sample.width)
    if not all(isinstance(text, str) for text in (*texts, sample.mask or "")):
        raise TypeError(f"text expected in {row}")
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise TypeError(f"whole numbers expected in {row}")
    return sample


def window_of(sample: Sample) -> Window | None:
    """Return which part of its image a sample is; None for the whole."""
    return None if sample.window is None else Window(*sample.window, sample.height, sample.width)


def part_of(sample: Sample, part: Window) -> Sample:
    """Return a rectangle of a sample's image as a sample, whose image can be read.

    Its mask is still that of the whole, and so is its id.
    """
    top, left = sample.window or (0, 0)
    corner = (top + part.top, left + part.left)
    return dataclasses.replace(sample, window=corner, height=part.height, width=part.width)


def _rows(samples: tuple[Sample, ...]) -> str:
    """Write samples as JSON, one a line: quick, and easy to compare."""
    return ",\n".join(json.dumps(sample.to_json(), ensure_ascii=False) for sample in samples)


def digest_mask(mask: npt.NDArray[Any]) -> str:
    """Return the SHA-256, in hexadecimal, of a mask's shape, dtype and indices, (H, W) integers."""
    digest = hashlib.sha256(f"{mask.shape} {mask.dtype.name} ".encode())
    digest.update(np.ascontiguousarray(mask).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Dataset:
    """A label set and samples in a folder.

    Attributes:
        folder: Where it lies.
        name: What the user calls it.
        label_set: Its classes.
        samples: Its samples, in a fixed order; ``source`` says where they came from, for display.
        pool: Images without a mask, each with the split :data:`POOL`. They are predicted, and
            neither trained on, scored nor counted: no split, statistic or fingerprint holds them.
    """

    folder: Path
    name: str
    label_set: LabelSet
    samples: tuple[Sample, ...]
    source: str = ""
    pool: tuple[Sample, ...] = ()

    def __post_init__(self) -> None:
        """Refuse ids that stand twice or are no plain relative paths, and masks in the pool."""
        twice = len(self.samples) + len(self.pool) - len(self._by_id)
        if twice:
            raise SegcoreError(
                f"Expected each sample id once, received {twice} twice: rename them."
            )
        if any(sample.mask is not None or sample.split != POOL for sample in self.pool):
            raise SegcoreError(
                f"Expected unlabelled images without masks in {self.folder}, received others: "
                "import the dataset again."
            )
        for sample_id in self._by_id:
            check_sample_id(sample_id)

    @staticmethod
    def open(folder: Path | str) -> "Dataset":
        """Open a dataset folder.

        Raises:
            SegcoreError: There is none, it is damaged, or a newer Segscope wrote it.
        """
        folder = Path(folder)
        file = folder / "dataset.json"
        if not file.is_file():
            raise SegcoreError(
                f"Expected a dataset in {folder}, found no dataset.json: import one or "
                "check the name."
            )
        with foreign_bytes(f"{file} is damaged: import the dataset again."):
            data = json.loads(file.read_bytes())
            version = int(data["version"])
            if version > VERSION:
                raise SegcoreError(
                    f"{file} was written by a newer Segscope (format {version}, this one "
                    f"reads {VERSION}): update Segscope."
                )
            return Dataset(
                folder,
                str(data["name"]),
                LabelSet.from_json(data["label_set"]),
                tuple(sample_from_json(row) for row in data["samples"]),
                str(data.get("source", "")),
                tuple(sample_from_json(row) for row in data.get("pool", ())),
            )

    def save(self) -> "Dataset":
        """Write ``dataset.json`` and return the dataset itself."""
        head = {
            "version": VERSION if self.pool or any(s.window for s in self.samples) else 1,
            "name": self.name,
            "source": self.source,
            "label_set": self.label_set.to_json(),
        }
        text = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
        text += f',\n "samples": [\n{_rows(self.samples)}\n ]'
        if self.pool:
            text += f',\n "pool": [\n{_rows(self.pool)}\n ]'
        text += "\n}"
        write_document(self.folder / "dataset.json", text.encode())
        return self

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the label set and every sample's id, split, size, group, mask and window.

        Where bands keep their values, also over which and under what names.
        """
        digest = hashlib.sha256(json.dumps(self.label_set.to_json(), sort_keys=True).encode())
        if self.bands is not None:
            digest.update(json.dumps(self.bands.to_json(), sort_keys=True).encode())
        for sample in self.samples:
            row = [
                sample.id,
                sample.split,
                sample.height,
                sample.width,
                sample.group,
                sample.mask_digest,
                *(sample.window or ()),
            ]
            digest.update(json.dumps(row).encode())
        return digest.hexdigest()

    @cached_property
    def bands(self) -> BandSet | None:
        """The bands whose values the images keep; None where they are pictures, as usual.

        Raises:
            SegcoreError: Their file is damaged.
        """
        return load_band_set(self.folder)

    @cached_property
    def splits(self) -> list[str]:
        """Names of the splits that hold a sample: train, validation, test, then others by name."""
        found = {sample.split for sample in self.samples} - {""}
        return [s for s in SPLITS if s in found] + sorted(found - set(SPLITS))

    def select(self, split: str | None = None) -> list[Sample]:
        """Return the samples of a split, in order; None for all.

        Raises:
            SegcoreError: The dataset has no such split.
        """
        return list(self._selected(split))

    def ids(self, split: str | None = None) -> tuple[str, ...]:
        """Return the ids of the samples of a split, in order; None for all.

        Raises:
            SegcoreError: The dataset has no such split.
        """
        if split not in self._ids:
            self._ids[split] = tuple(sample.id for sample in self._selected(split))
        return self._ids[split]

    def predictable(self, split: str) -> list[Sample]:
        """Return the samples of a split, or with :data:`POOL` the images without a mask, in order.

        Raises:
            SegcoreError: There is no such split, or no image waits for a mask.
        """
        if split != POOL or POOL in self.splits:
            return self.select(split)
        if not self.pool:
            raise SegcoreError(
                f"Expected unlabelled images in {self.name!r}, found none: add some first "
                f"(segscope pool {self.name} --add FOLDER)."
            )
        return list(self.pool)

    def _selected(self, split: str | None) -> tuple[Sample, ...]:
        if split is None:
            return self.samples
        if split not in self.splits:
            if split == POOL and self.pool:
                raise SegcoreError(
                    f"Expected a split whose images have masks, received {POOL!r}, whose images "
                    "have none: choose another, or label some of them first."
                )
            raise unknown_split(self.name, split, self.splits)
        if split not in self._by_split:
            self._by_split[split] = tuple(s for s in self.samples if s.split == split)
        return self._by_split[split]

    @cached_property
    def _by_split(self) -> dict[str, tuple[Sample, ...]]:
        """Samples by split, filled when a split is asked for: pages ask at each step."""
        return {}

    @cached_property
    def _ids(self) -> dict[str | None, tuple[str, ...]]:
        return {}

    @cached_property
    def _by_id(self) -> dict[str, Sample]:
        return {sample.id: sample for sample in (*self.samples, *self.pool)}

    def sample(self, sample_id: str) -> Sample:
        """Return the sample with that id.

        Raises:
            SegcoreError: There is none.
        """
        if sample_id not in self._by_id:
            raise unknown("sample", sample_id, self._by_id)
        return self._by_id[sample_id]

    def image_path(self, sample: Sample) -> Path:
        """Where the sample's image lies."""
        return self.folder / sample.image

    def mask_path(self, sample: Sample) -> Path:
        """Where the sample's index PNG lies.

        Raises:
            SegcoreError: The sample has no mask.
        """
        if sample.mask is None:
            raise SegcoreError(
                f"Expected a mask for sample {sample.id!r}, it has none: choose a sample "
                "with a mask."
            )
        return self.folder / sample.mask

    def read_image(self, sample: Sample) -> npt.NDArray[np.uint8]:
        """Read an image as it is shown: (H, W, 3) uint8 RGB 0..255, C-contiguous and writable.

        Where bands keep their values, these are the bands to show, between the dataset's limits;
        a network sees :meth:`read_values` instead.

        Of a window nothing but the window is decoded.

        Raises:
            SegcoreError: The file is gone or damaged, or has another size than when it was
                imported.
        """
        path, window = self.image_path(sample), window_of(sample)
        if self.bands is not None:
            shown = read_picture(path, self.bands, load_display(self.folder), window)
            return self._sized(shown, sample, "image")
        if window is not None:
            return read_window(path, window, self.look)
        return self._sized(read_image(path), sample, "image")

    def read_values(self, sample: Sample) -> Values:
        """Read the channels of an image whose bands keep their values.

        Returns:
            (H, W, N) float32 in the raster's units, channels as in ``bands.channels``; NaN where a
            channel has no value.

        Raises:
            SegcoreError: The dataset holds pictures, or as :meth:`read_image`.
        """
        if self.bands is None:
            raise SegcoreError(
                f"Expected a dataset whose bands keep their values, received {self.name!r}, which "
                "holds pictures: import it with --bands all."
            )
        values = read_values(self.image_path(sample), self.bands, window_of(sample))
        return self._sized(values, sample, "image")

    @cached_property
    def look(self) -> RasterLook | None:
        """How the bands of its rasters become pictures; None where it has none."""
        return load_look(self.folder)

    def read_mask(self, sample: Sample) -> npt.NDArray[Any]:
        """Read a mask as class indices.

        Returns:
            (H, W) of ``label_set.mask_dtype``: indices or ``ignore_index``; C-contiguous, writable.

        Raises:
            SegcoreError: There is none, or the file is gone or damaged, or is not the mask that was
                imported.
        """
        mask = read_indices(self.mask_path(sample)).astype(self.label_set.mask_dtype, copy=False)
        self._sized(mask, sample, "mask")
        if sample.mask_digest and digest_mask(mask) != sample.mask_digest:
            raise SegcoreError(
                f"Expected the mask of {sample.id!r} as it was imported, received another: it was "
                "changed after the import; import the dataset again."
            )
        return mask

    def empty_mask(self, sample: Sample) -> npt.NDArray[Any]:
        """Return a mask of a sample's size that is ``ignore_index`` everywhere."""
        labels = self.label_set
        return np.full((sample.height, sample.width), labels.ignore_index, labels.mask_dtype)

    def read(self, sample: Sample) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
        """Read image and mask of a sample, as :meth:`read_image` and :meth:`read_mask`."""
        return self.read_image(sample), self.read_mask(sample)

    @staticmethod
    def _sized(pixels: npt.NDArray[Any], sample: Sample, what: str) -> npt.NDArray[Any]:
        if pixels.shape[:2] != (sample.height, sample.width):
            raise SegcoreError(
                f"Expected the {what} of {sample.id!r} with {sample.height} x "
                f"{sample.width} pixels (height x width), received "
                f"{pixels.shape[0]} x {pixels.shape[1]}: it was changed after the import; "
                "import the dataset again."
            )
        return pixels

    def with_splits(self, splits: Mapping[str, str]) -> "Dataset":
        """Return the dataset with other splits; call :meth:`save` to keep them.

        Args:
            splits: Sample id to split name; samples not named keep no split ("").

        Raises:
            SegcoreError: A sample or a split name is not allowed.
        """
        for sample_id, split in splits.items():
            self.sample(sample_id)
            if split:
                check_name(split, "split")
            if split == POOL or self._by_id[sample_id].split == POOL:
                raise SegcoreError(
                    f"Expected splits of images with masks, received {sample_id!r} in {split!r}: "
                    f"unlabelled images have no split, and {POOL!r} is no name for one."
                )
        samples = tuple(dataclasses.replace(s, split=splits.get(s.id, "")) for s in self.samples)
        return dataclasses.replace(self, samples=samples)

    def label_maps(self) -> dict[str, LabelMap]:
        """Return every saved label map's newest version, by name."""
        return {name: self.load_label_map(name) for name in self._maps.names()}

    def save_label_map(self, label_map: LabelMap) -> None:
        """Save a label map as the newest version of its name; older ones stay for undoing.

        Raises:
            SegcoreError: Its name cannot be a file name, or it is over another number of classes.
        """
        label_map.merge_label_set(self.label_set)
        older = (
            self._maps.read(label_map.name)["versions"]
            if label_map.name in self._maps.names()
            else []
        )
        self._maps.write(
            label_map.name,
            {"versions": [*older, {**label_map.to_json(), "by": acting.person().name}]},
        )

    def load_label_map(self, name: str) -> LabelMap:
        """Return the newest version of a saved label map.

        Raises:
            SegcoreError: There is none of that name, or it is damaged.
        """
        data = self._maps.read(name)
        with foreign_bytes(f"The label map {name!r} is damaged: make it again."):
            return LabelMap.from_json(data["versions"][-1])

    def undo_label_map(self, name: str) -> LabelMap | None:
        """Drop the newest version of a label map and return the one before, None for none."""
        older = self._maps.read(name)["versions"][:-1]
        if older:
            self._maps.write(name, {"versions": older})
            return LabelMap.from_json(older[-1])
        self._maps.remove(name)
        return None

    def plans(self) -> dict[str, dict[str, Any]]:
        """Return every saved balance plan as its JSON mapping, by name."""
        return {name: self._plans.read(name) for name in self._plans.names()}

    def save_plan(self, name: str, plan: dict[str, Any]) -> None:
        """Save a balance plan (the mapping that ``BalancePlan.to_json`` returns) under a name."""
        self._plans.write(name, plan)

    def load_plan(self, name: str) -> dict[str, Any]:
        """Return a saved balance plan's mapping (for ``BalancePlan.from_json``).

        Raises:
            SegcoreError: There is none of that name.
        """
        return self._plans.read(name)

    @property
    def _maps(self) -> Documents:
        return Documents(self.folder / "label_maps", "label map")

    @property
    def _plans(self) -> Documents:
        return Documents(self.folder / "plans", "plan")
