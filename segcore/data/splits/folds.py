"""Folds as datasets of their own: the same files under other splits.

So every fold is trained, scored and compared like any dataset.

Images and masks are hard links (copies where a disk has none), so k folds need no space of their
own, and relabelling or removing the dataset they came from leaves them whole.
"""

import dataclasses
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.documents import deleting
from segcore.errors import SegcoreError, disk_error

_CACHES = (
    "statistics.npz",
    "hashes.npz",
    "import.json",
    "georeference.json",
    "bands.json",
    "band_set.json",
    "band_display.json",
    "label_maps",
    "tags.json",
)
"""Files that stay valid for the same pixels under any split."""

_SOURCE = re.compile(r"fold (\d+) of \d+ of (.+?)(?: \(.*\))?")


def fold_name(name: str, number: int) -> str:
    """Name of the dataset of a fold: "camvid-fold-1"."""
    return f"{name}-fold-{number}"


def parent_of(dataset: Dataset) -> str:
    """Return the name of the dataset that one is a fold of; "" where it is none."""
    found = _SOURCE.fullmatch(dataset.source)
    return found[2] if found and dataset.name == fold_name(found[2], int(found[1])) else ""


def folds_of(name: str, root: Path) -> list[str]:
    """Return the names of the folds of a dataset; empty where the first is missing.

    Args:
        name: Name of the dataset.
        root: The folder in which datasets lie.
    """
    found: list[str] = []
    while (root / fold_name(name, len(found) + 1) / "dataset.json").is_file():
        found.append(fold_name(name, len(found) + 1))
    return found


def write_folds(
    dataset: Dataset, assigned: Sequence[Mapping[str, str]], root: Path, how: str = ""
) -> list[Dataset]:
    """Write one dataset for each assignment of splits: all of them, or none.

    Args:
        dataset: What they are folds of.
        assigned: Sample id to split for each fold, as :func:`segcore.data.splits.splits.make_folds`
            gives them.
        root: The folder they are written into, one folder each.
        how: How they were made, kept as a part of their source.

    Returns:
        The datasets, the first fold first.

    Raises:
        SegcoreError: One of that name exists, or a file of the dataset is gone, or the folder
            cannot be written.
    """
    targets = [root / fold_name(dataset.name, number) for number in range(1, len(assigned) + 1)]
    taken = [target.name for target in targets if target.exists()]
    if taken:
        raise SegcoreError(
            f"Expected names that are free for the folds, but {taken[0]!r} exists: delete "
            f"the existing folds first ({deleting(taken)})."
        )
    drafts = [root / f".{target.name}.part" for target in targets]
    made = []
    try:
        for number, (draft, target, splits) in enumerate(
            zip(drafts, targets, assigned, strict=True), 1
        ):
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            _link_files(dataset, draft)
            source = f"fold {number} of {len(assigned)} of {dataset.name}" + (
                f" ({how})" if how else ""
            )
            view = dataclasses.replace(
                dataset.with_splits(splits),
                folder=draft,
                name=target.name,
                source=source,
                pool=(),
            ).save()
            made.append(dataclasses.replace(view, folder=target))
        for draft, target in zip(drafts, targets, strict=True):
            draft.replace(target)
    except FileNotFoundError as error:
        raise SegcoreError(
            f"Expected every file of {dataset.name!r}, but {error.filename} cannot be "
            "read: import it again."
        ) from error
    except OSError as error:
        raise disk_error("write", root, error) from error
    finally:
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)
    return made


def _link_files(dataset: Dataset, folder: Path) -> None:
    files = {sample.image for sample in dataset.samples if not Path(sample.image).is_absolute()}
    files |= {sample.mask for sample in dataset.samples if sample.mask is not None}
    for place in {str(Path(file).parent) for file in files}:
        (folder / place).mkdir(parents=True, exist_ok=True)
    for file in files:
        try:
            os.link(dataset.folder / file, folder / file)
        except FileNotFoundError:
            raise
        except OSError:  # another disk, or one without links
            shutil.copy2(dataset.folder / file, folder / file)
    for name in _CACHES:
        kept = dataset.folder / name
        if kept.is_dir():
            shutil.copytree(kept, folder / name)
        elif kept.is_file():
            shutil.copy2(kept, folder / name)
