"""How a dataset was split before: every change of its splits can be taken back.

Kept with it in ``splits.json``: how the splits of today came to be, and up to :data:`KEPT`
earlier ones with the samples of each split.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.data.dataset.changes import changing
from segcore.data.dataset.dataset import SPLITS, Dataset
from segcore.data.dataset.documents import write_document
from segcore.data.files.borders import foreign_bytes
from segcore.errors import SegcoreError

FILE_NAME = "splits.json"
VERSION = 1
KEPT = 20
AS_IMPORTED = "as imported"


@dataclass(frozen=True)
class PastSplits:
    """An assignment that a dataset once had.

    Attributes:
        how: How it was made: "as imported", "stratified, seed 0".
        samples: Split to its samples' ids, in the dataset's order; samples without a split are in
            none.
    """

    how: str
    samples: dict[str, list[str]]

    @property
    def sizes(self) -> dict[str, int]:
        """Samples by split: train, validation, test, then others by name."""
        names = [s for s in SPLITS if s in self.samples] + sorted(set(self.samples) - set(SPLITS))
        return {name: len(self.samples[name]) for name in names}


def read_split_history(dataset: Dataset) -> tuple[str, list[PastSplits]]:
    """Return how the splits of today were made, and the earlier ones, the newest last.

    Raises:
        SegcoreError: The file is damaged.
    """
    file = dataset.folder / FILE_NAME
    if not file.is_file():
        return AS_IMPORTED, []
    with foreign_bytes(
        f"{file} is damaged: remove it; only the way back to earlier splits is lost."
    ):
        data = json.loads(file.read_bytes())
        if int(data["version"]) > VERSION:
            raise SegcoreError(
                f"{file} was written by a newer Segscope (format {data['version']}): "
                "update Segscope."
            )
        earlier = [
            PastSplits(
                str(p["how"]), {str(k): [str(i) for i in v] for k, v in p["samples"].items()}
            )
            for p in data["earlier"]
        ]
        return str(data["how"]), earlier


def splits_changed(folder: Path) -> float:
    """Return when the splits of a dataset's folder last changed, seconds since 1970; 0 if never."""
    try:
        return (folder / FILE_NAME).stat().st_mtime
    except OSError:
        return 0.0


def change_splits(dataset: Dataset, splits: Mapping[str, str], how: str) -> Dataset:
    """Give a dataset other splits, saved at once, and remember those of before.

    Args:
        dataset: The dataset.
        splits: Sample id to split.
        how: How they were made, for the list of earlier ones.

    Returns:
        The dataset as saved.

    Raises:
        SegcoreError: A sample or split name is not allowed, or the history is damaged.
    """
    with changing(dataset.folder) as now:
        changed = now.with_splits(splits)
        made, earlier = read_split_history(now)
        before: dict[str, list[str]] = defaultdict(list)
        for sample in now.samples:
            if sample.split:
                before[sample.split].append(sample.id)
        _write(now, how, [*earlier, PastSplits(made, dict(before))][-KEPT:])
        return changed.save()


def undo_splits(dataset: Dataset) -> Dataset:
    """Give a dataset the splits it had before the last change, saved at once.

    Raises:
        SegcoreError: There are none, or the history is damaged.
    """
    with changing(dataset.folder) as now:
        _, earlier = read_split_history(now)
        if not earlier:
            raise SegcoreError(
                f"Expected earlier splits of {now.name!r}, found none: they were never "
                "changed here."
            )
        last = earlier[-1]
        known = {sample.id for sample in now.samples}
        changed = now.with_splits(
            {i: split for split, ids in last.samples.items() for i in ids if i in known}
        ).save()
        _write(now, last.how, earlier[:-1])
        return changed


def _write(dataset: Dataset, how: str, earlier: list[PastSplits]) -> None:
    data: dict[str, Any] = {
        "version": VERSION,
        "how": how,
        "earlier": [{"how": p.how, "samples": p.samples} for p in earlier],
    }
    write_document(dataset.folder / FILE_NAME, json.dumps(data, ensure_ascii=False).encode())
