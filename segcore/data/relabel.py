"""Editing the classes of a data set: names, colours, order, and which are ignored. Masks are rewritten where they must be."""

import dataclasses
import shutil
from concurrent.futures import Executor
from functools import partial

import numpy as np

from segcore.data.dataset import Dataset, Sample, digest_mask
from segcore.data.image_files import encode_png, write_bytes
from segcore.data.scanning import Progress, scan
from segcore.errors import SegcoreError
from segcore.labels import LabelSet


def relabel(dataset: Dataset, label_set: LabelSet, executor: Executor | None = None, progress: Progress | None = None) -> Dataset:
    """Give a data set other names, colours or order of classes, or set classes to ignored; saved at once.

    Classes are known again by their ids. Setting a class to ignored forgets where it was: its pixels
    become ``ignore_index`` in the masks, as those of classes ignored before are. New masks are written into a
    folder of their own before ``dataset.json`` names them, so an interruption leaves the old state whole.

    Args:
        dataset: The data set.
        label_set: The classes wished for: the same ids, each scored or ignored.
        executor: As :func:`segcore.data.scanning.scan`.
        progress: Called with (done, total, what) while masks are rewritten.

    Returns:
        The data set as saved. Label maps and plans made before stay; they fit only while the number of classes stays.

    Raises:
        SegcoreError: An id is missing or new, or a class that is ignored now should be scored.
    """
    before, after = dataset.label_set, label_set
    scored, ignored = set(before.class_ids), {c.id for c in before.ignored}
    wished = set(after.class_ids) | {c.id for c in after.ignored}
    if wished != scored | ignored:
        odd = sorted(wished ^ (scored | ignored))
        raise SegcoreError(f"Expected the same class ids as before, received a difference in {odd}: keep every id, scored or ignored.")
    lost = sorted(set(after.class_ids) & ignored)
    if lost:
        raise SegcoreError(f"Expected ignored classes to stay ignored, received the ids {lost} as scored: import the data set again.")
    if before.class_ids == after.class_ids:
        return dataclasses.replace(dataset, label_set=after).save()
    position = {class_id: index for index, class_id in enumerate(after.class_ids)}
    table = np.full(before.ignore_index + 1, after.ignore_index, after.mask_dtype)
    table[: before.num_classes] = [position.get(class_id, after.ignore_index) for class_id in before.class_ids]
    old_folder = next((s.mask.split("/", 1)[0] for s in dataset.samples if s.mask), "masks")
    new_folder = "masks" if old_folder != "masks" else "masks-relabelled"
    shutil.rmtree(dataset.folder / new_folder, ignore_errors=True)
    try:
        write = partial(_rewrite, dataset, table, new_folder)
        samples = tuple(scan(write, dataset.samples, executor, progress, "rewriting masks"))
        saved = dataclasses.replace(dataset, label_set=after, samples=samples).save()
    except BaseException:
        shutil.rmtree(dataset.folder / new_folder, ignore_errors=True)
        raise
    shutil.rmtree(dataset.folder / old_folder, ignore_errors=True)
    return saved


def _rewrite(dataset: Dataset, table: np.ndarray, folder: str, sample: Sample) -> Sample:
    if sample.mask is None:
        return sample
    mask = table[dataset.read_mask(sample)]
    place = f"{folder}/{sample.mask.split('/', 1)[1]}"
    write_bytes(dataset.folder / place, encode_png(mask))
    return dataclasses.replace(sample, mask=place, mask_digest=digest_mask(mask))
