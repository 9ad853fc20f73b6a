"""The shelf of data sets: import, open, count, split."""

import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from segcore.data.dataset import Dataset
from segcore.data.importers import ImportReport, check_name, import_dataset
from segcore.data.splits import make_splits
from segcore.data.statistics import ClassStatistics, collect_statistics, load_statistics
from segcore.errors import SegcoreError, unknown

Progress = Callable[[int, int, str], None]


class DatasetShelf:
    """The data sets of a workspace, one folder each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Return the names of all data sets, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(p.parent.name for p in self.folder.glob("*/dataset.json") if not p.parent.name.startswith("."))

    def open(self, name: str) -> Dataset:
        """Open a data set by name.

        Raises:
            SegcoreError: There is none of that name, or it cannot be read.
        """
        known = self.names()
        if name not in known:
            if not known:
                raise SegcoreError(f"Expected the data set {name!r}, found none in {self.folder.parent}: import one first.")
            raise unknown("data set", name, known)
        file = self.folder / name / "dataset.json"
        return _open(file.parent, file.stat().st_mtime_ns)

    def rows(self) -> list[dict[str, Any]]:
        """Return one mapping a data set: name, num_samples, num_classes, splits {split: samples}."""
        rows = []
        for name in self.names():
            dataset = self.open(name)
            splits = {split: len(dataset.select(split)) for split in dataset.splits}
            rows.append({"name": name, "num_samples": len(dataset.samples), "num_classes": dataset.label_set.num_classes, "splits": splits})
        return rows

    def import_(self, source: Path, name: str | None = None, *, copy: bool = True, progress: Progress | None = None) -> ImportReport:
        """Import a folder or archive; see :func:`segcore.data.importers.import_dataset`.

        Raises:
            SegcoreError: The name is unsafe or taken, or nothing sound was found; nothing is left behind then.
        """
        chosen = name or source.resolve().name.split(".")[0]
        check_name(chosen)
        return import_dataset(source, self.folder / chosen, chosen, copy=copy, progress=progress)

    def delete(self, name: str) -> None:
        """Remove a data set's folder; originals imported by reference stay.

        Raises:
            SegcoreError: There is none of that name.
        """
        shutil.rmtree(self.open(name).folder)

    def statistics(self, name: str, progress: Progress | None = None) -> ClassStatistics:
        """Return the class statistics of a data set, counted once and kept beside it.

        Raises:
            SegcoreError: There is no such data set, or a mask cannot be read.
        """
        dataset = self.open(name)
        kept = load_statistics(dataset)
        return kept if kept is not None else collect_statistics(dataset, progress=progress)

    def holding(self, name: str, split: str | None, label: str | None) -> list[str]:
        """Return the ids of the samples of a split that hold a class, those with most of it first; None holds any.

        Raises:
            SegcoreError: There is no such data set, split or class.
        """
        dataset = self.open(name)
        wanted = {s.id for s in dataset.select(split)}
        if label is None:
            return [s.id for s in dataset.samples if s.id in wanted]
        statistics = self.statistics(name)
        pixels = dict(zip(statistics.sample_ids, statistics.counts[:, dataset.label_set.index_of(label)], strict=True))
        return sorted((s for s in wanted if pixels[s] > 0), key=lambda s: (-pixels[s], s))

    def make_splits(self, name: str, method: str, fractions: dict[str, float], seed: int) -> dict[str, Any]:
        """Assign every sample to a split and save that with the data set.

        Raises:
            SegcoreError: The method is unknown or the fractions do not add up.
        """
        dataset = self.open(name)
        statistics = self.statistics(name)
        rows = dict(zip(statistics.sample_ids, statistics.counts, strict=True))
        nothing = np.zeros(dataset.label_set.num_classes, np.int64)
        counts = np.array([rows.get(s.id, nothing) for s in dataset.samples])
        assigned = make_splits(dataset, method=method, fractions=fractions, seed=seed, counts=counts)
        changed = dataset.with_splits(assigned).save()
        return {
            "dataset": name,
            "method": method,
            "seed": seed,
            "splits": {split: len(changed.select(split)) for split in changed.splits},
        }


@lru_cache(maxsize=32)
def _open(folder: Path, modified: int) -> Dataset:
    return Dataset.open(folder)
