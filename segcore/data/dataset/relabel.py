"""Editing the classes of a dataset: names, colours, order, and which are ignored.

While a class of the import is ignored here, the masks that know where it is stay next to those in
use, and ``origin.json`` says which they are; so it can be scored again. They go when no class needs
them any more.
"""

import dataclasses
import json
import shutil
from concurrent.futures import Executor
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.changes import changing
from segcore.data.dataset.dataset import Dataset, Sample, digest_mask
from segcore.data.dataset.documents import write_document
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.images import encode_png
from segcore.data.files.scanning import Progress, scan
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

ORIGIN = "origin.json"
_FOLDERS = ("masks", "masks-relabelled", "masks-relabelled-2")
"""Where masks may lie: those of the import, those in use, and those being written."""


def returnable(dataset: Dataset) -> tuple[LabelClass, ...]:
    """Return the ignored classes that can be scored again, since masks that know them are kept.

    Raises:
        SegcoreError: The note about those masks is damaged.
    """
    known = _origin(dataset).label_set.class_ids
    return tuple(c for c in dataset.label_set.ignored if c.id in known)


def ignored_pixels(dataset: Dataset, executor: Executor | None = None) -> dict[int, int]:
    """Count the pixels of the classes of :func:`returnable`, by id; reads every kept mask.

    Raises:
        SegcoreError: The note about those masks is damaged, or one cannot be read.
    """
    classes = returnable(dataset)
    if not classes:
        return {}
    origin = _origin(dataset)
    counts = np.zeros(origin.label_set.ignore_index + 1, np.int64)
    masks = [sample for sample in origin.samples if sample.mask is not None]
    for row in scan(partial(_count, origin), masks, executor):
        counts += row
    place = {class_id: index for index, class_id in enumerate(origin.label_set.class_ids)}
    return {one.id: int(counts[place[one.id]]) for one in classes}


def _count(dataset: Dataset, sample: Sample) -> npt.NDArray[np.int64]:
    """Pixels of each index of a mask, (``ignore_index`` + 1,)."""
    mask = dataset.read_mask(sample)
    return np.bincount(mask.ravel(), minlength=dataset.label_set.ignore_index + 1)


def relabel(
    dataset: Dataset,
    label_set: LabelSet,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Rename, recolour, reorder or ignore the classes of a dataset, saved at once.

    Classes are known again by their ids. The pixels of a class set to ignored become
    ``ignore_index`` in the masks, as those of classes ignored before are; the masks of before are
    kept for :func:`returnable`. New masks are written into a folder of their own before
    ``dataset.json`` names them, so an interruption leaves the old state whole.

    Args:
        dataset: The dataset.
        label_set: The classes wished for: the same ids, each scored or ignored.
        executor: As :func:`segcore.data.files.scanning.scan`.
        progress: Called with (done, total, what) while masks are rewritten.

    Returns:
        The dataset as saved. Label maps and plans made before stay; they fit only while the number
        of classes stays.

    Raises:
        SegcoreError: An id is missing or new, or a class whose place no mask knows any more should
            be scored.
    """
    with changing(dataset.folder) as now:
        return _relabel(now, label_set, executor, progress)


def _relabel(
    dataset: Dataset, after: LabelSet, executor: Executor | None, progress: Progress | None
) -> Dataset:
    origin = _origin(dataset)
    _check_ids(dataset.label_set, after, origin.label_set)
    if dataset.label_set.class_ids == after.class_ids:
        return dataclasses.replace(dataset, label_set=after).save()
    table = _index_table(origin.label_set, after)
    new_folder = next(f for f in _FOLDERS if f not in (_folder_of(dataset), _folder_of(origin)))
    shutil.rmtree(dataset.folder / new_folder, ignore_errors=True)
    kept = {new_folder}
    try:
        samples = tuple(
            scan(
                partial(_rewrite, origin, table, new_folder),
                origin.samples,
                executor,
                progress,
                "rewriting masks",
            )
        )
        if after.num_classes < origin.label_set.num_classes:
            note = {"folder": _folder_of(origin), "class_ids": origin.label_set.class_ids}
            write_document(dataset.folder / ORIGIN, json.dumps(note).encode())
            kept.add(_folder_of(origin))
        saved = dataclasses.replace(dataset, label_set=after, samples=samples).save()
    except BaseException:
        shutil.rmtree(dataset.folder / new_folder, ignore_errors=True)
        raise
    if len(kept) == 1:
        (dataset.folder / ORIGIN).unlink(missing_ok=True)
    for folder in set(_FOLDERS) - kept:
        shutil.rmtree(dataset.folder / folder, ignore_errors=True)
    return saved


def rewrite_origin(dataset: Dataset, sample: Sample, place: str, mask: npt.NDArray[Any]) -> None:
    """Bring the kept mask that knows the ignored classes up to an edited one, under a new name.

    Pixels that were edited get the edited class; the others stay what they were, ignored classes
    among them. Nothing is done where no such masks are kept.

    Args:
        dataset: The dataset before the edit.
        sample: The sample before the edit.
        place: Path of the edited mask relative to the dataset folder.
        mask: (H, W) of ``label_set.mask_dtype``: the edited mask.

    Raises:
        SegcoreError: A kept mask cannot be read, or the folder cannot be written.
    """
    if not (dataset.folder / ORIGIN).is_file():
        return
    origin = _origin(dataset)
    table = _index_table(dataset.label_set, origin.label_set)
    if sample.mask is None:
        merged = table[mask]
    else:
        kept = origin.read_mask(origin.sample(sample.id))
        merged = np.where(mask != dataset.read_mask(sample), table[mask], kept)
    file = dataset.folder / _folder_of(origin) / _below(place)
    write_document(file, encode_png(merged.astype(origin.label_set.mask_dtype)))


def _check_ids(before: LabelSet, after: LabelSet, origin: LabelSet) -> None:
    """Refuse ids that are new or missing, and classes that no kept mask knows any more."""
    known, wished = ({c.id for c in labels.classes + labels.ignored} for labels in (before, after))
    if wished != known:
        odd = sorted(wished ^ known)
        raise SegcoreError(
            f"Expected the same class ids as before, received a difference in {odd}: keep "
            "every id, scored or ignored."
        )
    lost = sorted(set(after.class_ids) - set(origin.class_ids))
    if lost:
        raise SegcoreError(
            f"Expected ignored classes to stay ignored, received the ids {lost} as scored: "
            "import the dataset again."
        )


def _index_table(origin: LabelSet, after: LabelSet) -> npt.NDArray[Any]:
    """Return the new index of each index of the kept masks, (``ignore_index`` + 1,)."""
    position = {class_id: index for index, class_id in enumerate(after.class_ids)}
    table = np.full(origin.ignore_index + 1, after.ignore_index, after.mask_dtype)
    table[: origin.num_classes] = [
        position.get(class_id, after.ignore_index) for class_id in origin.class_ids
    ]
    return table


def _origin(dataset: Dataset) -> Dataset:
    """The dataset as its oldest masks know it: these, and the classes that they hold, in order."""
    file = dataset.folder / ORIGIN
    if not file.is_file():
        return dataset
    with foreign_bytes(
        f"{file} is damaged: remove it; classes ignored since the import then stay ignored."
    ):
        note = json.loads(file.read_bytes())
        folder, ids = str(note["folder"]), [int(i) for i in note["class_ids"]]
        known = {c.id: c for c in dataset.label_set.classes + dataset.label_set.ignored}
        labels = LabelSet(
            tuple(known[i] for i in ids), tuple(c for c in known.values() if c.id not in ids)
        )
        if folder not in _FOLDERS:
            raise ValueError(folder)
    samples = tuple(  # whose digests are those of the masks in use now
        s
        if s.mask is None
        else dataclasses.replace(s, mask=f"{folder}/{_below(s.mask)}", mask_digest="")
        for s in dataset.samples
    )
    return dataclasses.replace(dataset, label_set=labels, samples=samples)


def _folder_of(dataset: Dataset) -> str:
    return next((s.mask.split("/", 1)[0] for s in dataset.samples if s.mask), "masks")


def _below(mask: str) -> str:
    return mask.split("/", 1)[1]


def _rewrite(dataset: Dataset, table: np.ndarray, folder: str, sample: Sample) -> Sample:
    if sample.mask is None:
        return sample
    mask = table[dataset.read_mask(sample)]
    place = f"{folder}/{_below(sample.mask)}"
    write_document(dataset.folder / place, encode_png(mask))
    return dataclasses.replace(sample, mask=place, mask_digest=digest_mask(mask))
