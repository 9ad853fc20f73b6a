"""Versions of a mask: every save is kept, whoever made it, and any can be taken back.

A dataset's folder holds ``mask_versions/<sample>/``: ``history.json`` and one PNG a version. The
version in use lies with the other masks under a name of its own (``masks/<sample>.v2-<digest>.png``), and
``dataset.json`` names it with its digest. A save writes the PNG, then the history, then
``dataset.json``: what breaks off before the last step leaves the mask as it was, and what was drawn
in the history. Masks in use are never overwritten, so a run that reads them continues to read the
version it began with.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.changes import changing
from segcore.data.dataset.dataset import POOL, Dataset, Sample, digest_mask
from segcore.data.dataset.documents import write_document
from segcore.data.dataset.relabel import rewrite_origin
from segcore.data.editing.differences import ClassChange, class_changes
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.images import encode_png, read_indices
from segcore.errors import SegcoreError, unknown_split

FOLDER = "mask_versions"
FORMAT = 1
MAX_NOTE = 200


@dataclass(frozen=True)
class MaskVersion:
    """One version of a sample's mask.

    Attributes:
        number: 1 is the mask as it was imported (or the first one drawn).
        digest: Of the mask, see :func:`segcore.data.dataset.dataset.digest_mask`; of the indices
            at that time.
        class_ids: Ids of the classes that its indices stand for, by position.
        time: When it was saved, ISO 8601 in UTC; "" for the import.
        author: Who saved it; "" for the import.
        origin: What it was made from: "import", "editor", "prediction of r003", "version 2".
        based_on: Number of the version it changed; 0 for none.
        changes: Pixels by class before and after, against that version.
        aside: Whether it was put aside because somebody else saved first: never in use so far.
    """

    number: int
    digest: str
    class_ids: tuple[int, ...]
    time: str = ""
    author: str = ""
    origin: str = "import"
    based_on: int = 0
    changes: tuple[ClassChange, ...] = ()
    aside: bool = False

    @property
    def saved(self) -> float:
        """When it was saved, seconds since 1970; 0 for the import."""
        return datetime.fromisoformat(self.time).timestamp() if self.time else 0.0


class MaskChanged(SegcoreError):
    """Somebody else saved the mask meanwhile; what was drawn is kept aside.

    Attributes:
        kept: The version that holds it.
    """

    def __init__(self, message: str, kept: MaskVersion) -> None:
        super().__init__(message)
        self.kept = kept


def mask_history(dataset: Dataset, sample_id: str) -> tuple[MaskVersion, ...]:
    """Return the versions of a sample's mask, the oldest first; the one in use is :func:`current`.

    A mask that was never edited has one version, an image without a mask none.

    Raises:
        SegcoreError: There is no such sample, or its history is damaged.
    """
    sample = dataset.sample(sample_id)
    file = _history_file(dataset, sample)
    if not file.is_file():
        if sample.mask is None:
            return ()
        return (MaskVersion(1, sample.mask_digest, tuple(dataset.label_set.class_ids)),)
    with foreign_bytes(
        f"{file} is damaged: remove its folder; only earlier versions of this mask are lost."
    ):
        data = json.loads(file.read_bytes())
        if int(data["format"]) > FORMAT:
            raise SegcoreError(
                f"{file} was written by a newer Segscope (format {data['format']}): "
                "update Segscope."
            )
        return tuple(_version(row) for row in data["versions"])


def current(versions: Sequence[MaskVersion], sample: Sample) -> MaskVersion | None:
    """Return the version in use: the newest whose mask is the sample's; None where none is.

    After the classes of a dataset were reordered or ignored, digests differ from those in the
    history; then it is the newest that was not put aside.
    """
    used = [v for v in versions if not v.aside]
    same = [v for v in used if v.digest == sample.mask_digest]
    found = same or used
    return found[-1] if found else None


def read_version(dataset: Dataset, sample_id: str, number: int) -> npt.NDArray[Any]:
    """Read a version of a mask in the classes of today.

    Returns:
        (H, W) of ``label_set.mask_dtype``; classes that are ignored today are ``ignore_index``.

    Raises:
        SegcoreError: There is no such version, or its file is gone or damaged.
    """
    sample = dataset.sample(sample_id)
    version = _numbered(mask_history(dataset, sample_id), number)
    file = _file(dataset, sample, number)
    if not file.is_file() and number == 1 and not _history_file(dataset, sample).is_file():
        return dataset.read_mask(sample)
    mask = read_indices(file)
    if mask.shape != (sample.height, sample.width):
        raise SegcoreError(
            f"Version {number} of the mask of {sample_id!r} is damaged: choose another version."
        )
    return _in_classes_of_today(dataset, mask, version.class_ids)


def save_mask(
    folder: Path,
    sample_id: str,
    mask: npt.NDArray[Any],
    *,
    based_on: str,
    author: str,
    origin: str = "editor",
    class_ids: Sequence[int] | None = None,
    split: str = "train",
) -> MaskVersion:
    """Save a mask as the version in use; an unlabelled image becomes a labelled sample by it.

    Args:
        folder: The dataset's folder.
        sample_id: Which sample.
        mask: (H, W) class indices or ``ignore_index``, of the image's size.
        based_on: ``mask_digest`` of the sample when it was opened for editing; "" without a mask.
        author: Who saves it, for the history.
        origin: What it was made from, for the history.
        class_ids: Ids of the classes that its indices stand for, by position; None for those of
            the dataset. Classes that are ignored by now become ``ignore_index``.
        split: Which split an unlabelled image joins, where the dataset has splits.

    Returns:
        The new version; the one in use where nothing changed.

    Raises:
        MaskChanged: Somebody saved this mask since it was opened: theirs stays in use and this one
            is kept as a version put aside.
        SegcoreError: The mask has another size or holds an index of no class, the sample or the
            split is unknown, or the folder cannot be written. Nothing is changed then.
    """
    with changing(folder) as dataset:
        sample = dataset.sample(sample_id)
        new = _checked(dataset, sample, mask, class_ids)
        split = _joined(dataset, split) if sample.split == POOL else sample.split
        versions = mask_history(dataset, sample_id)
        used = current(versions, sample)
        digest = digest_mask(new)
        if used is not None and digest == sample.mask_digest:
            return used
        before = _kept_before(dataset, sample)
        version = MaskVersion(
            number=max((v.number for v in versions), default=0) + 1,
            digest=digest,
            class_ids=tuple(dataset.label_set.class_ids),
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            author=author,
            origin=origin[:MAX_NOTE],
            based_on=0 if used is None else used.number,
            changes=() if before is None else class_changes(before, new),
            aside=based_on != sample.mask_digest,
        )
        _write(dataset, sample, version.number, new)
        _write_history(dataset, sample, [*versions, version])
        if version.aside:
            raise _changed_meanwhile(sample_id, used, version)
        _use(dataset, sample, version, new, split)
        return version


def restore_version(
    folder: Path, sample_id: str, number: int, *, based_on: str, author: str
) -> MaskVersion:
    """Put an earlier version, or one put aside, back in use, as a new version.

    Raises:
        MaskChanged: Somebody saved this mask since its history was shown.
        SegcoreError: There is no such version, or the folder cannot be written.
    """
    mask = read_version(Dataset.open(folder), sample_id, number)
    return save_mask(
        folder, sample_id, mask, based_on=based_on, author=author, origin=f"version {number}"
    )


def edited_samples(dataset: Dataset, since: float = 0.0) -> list[str]:
    """Return the ids of the samples whose mask was saved after a moment, in the dataset's order.

    Args:
        dataset: The dataset.
        since: The moment, in seconds since 1970; 0 for ever.

    Raises:
        SegcoreError: A history is damaged.
    """
    return [name for name, saved in last_saves(dataset).items() if saved > since]


def last_saves(dataset: Dataset) -> dict[str, float]:
    """Return when each edited mask was last saved, seconds since 1970, in the dataset's order.

    Raises:
        SegcoreError: A history is damaged.
    """
    if not (dataset.folder / FOLDER).is_dir():
        return {}
    saved = {
        sample.id: max(
            (v.saved for v in mask_history(dataset, sample.id) if v.time and not v.aside),
            default=None,
        )
        for sample in dataset.samples
        if _history_file(dataset, sample).is_file()
    }
    return {name: moment for name, moment in saved.items() if moment is not None}


def used_at(versions: Sequence[MaskVersion], moment: float) -> MaskVersion | None:
    """Return the version in use at a moment, seconds since 1970; None where there was none."""
    earlier = [v for v in versions if not v.aside and v.saved <= moment]
    return earlier[-1] if earlier else None


def _in_classes_of_today(
    dataset: Dataset, mask: npt.NDArray[Any], class_ids: Sequence[int]
) -> npt.NDArray[Any]:
    labels = dataset.label_set
    position = {class_id: index for index, class_id in enumerate(labels.class_ids)}
    known = [position.get(class_id, labels.ignore_index) for class_id in class_ids]
    table = np.array([*known, labels.ignore_index], labels.mask_dtype)
    return table[np.where((mask >= 0) & (mask < len(known)), mask, len(known))]


def _checked(
    dataset: Dataset, sample: Sample, mask: npt.NDArray[Any], class_ids: Sequence[int] | None
) -> npt.NDArray[Any]:
    """Return a mask in the dataset's classes; refuse another size, and indices of no class."""
    labels = dataset.label_set
    if class_ids is not None and tuple(class_ids) != tuple(labels.class_ids):
        mask = _in_classes_of_today(dataset, mask, class_ids)
    if mask.shape != (sample.height, sample.width):
        raise SegcoreError(
            f"Expected a mask of {sample.height} x {sample.width} pixels (height x width) for "
            f"{sample.id!r}, received {' x '.join(map(str, mask.shape))}: edit the mask of this "
            "image."
        )
    wrong = (mask >= labels.num_classes) & (mask != labels.ignore_index)
    if mask.dtype.kind not in "iu" or wrong.any() or (mask < 0).any():
        odd = mask[wrong | (mask < 0)]
        raise SegcoreError(
            f"Expected class indices below {labels.num_classes} or {labels.ignore_index} in "
            f"the mask of {sample.id!r}, received {odd[0] if odd.size else mask.dtype}: choose a "
            "class of this dataset."
        )
    return np.ascontiguousarray(mask, labels.mask_dtype)


def _kept_before(dataset: Dataset, sample: Sample) -> npt.NDArray[Any] | None:
    """Return the mask in use, None without one; that of the import is kept as version 1."""
    if sample.mask is None:
        return None
    before = dataset.read_mask(sample)
    if not _file(dataset, sample, 1).is_file():
        _write(dataset, sample, 1, before)
    return before


def _joined(dataset: Dataset, split: str) -> str:
    """Return the split that an unlabelled image joins; "" where the dataset has none."""
    if not dataset.splits:
        return ""
    if split not in dataset.splits:
        raise unknown_split(dataset.name, split, dataset.splits)
    return split


def _use(
    dataset: Dataset, sample: Sample, version: MaskVersion, mask: npt.NDArray[Any], split: str
) -> None:
    """Name a version in ``dataset.json``; its file lies beside the mask before."""
    name = f"{sample.id}.v{version.number}-{version.digest[:8]}"  # no other sample's id
    place = f"{_masks_folder(dataset)}/{name}.png"
    rewrite_origin(dataset, sample, place, mask)
    write_document(dataset.folder / place, encode_png(mask))
    row = dataclasses.replace(sample, mask=place, mask_digest=version.digest)
    samples = tuple(row if s.id == sample.id else s for s in dataset.samples)
    pool = tuple(s for s in dataset.pool if s.id != sample.id)
    if len(pool) < len(dataset.pool):
        samples = (*samples, dataclasses.replace(row, split=split))
    dataclasses.replace(dataset, samples=samples, pool=pool).save()


def _masks_folder(dataset: Dataset) -> str:
    return next((s.mask.split("/", 1)[0] for s in dataset.samples if s.mask), "masks")


def _changed_meanwhile(sample_id: str, used: MaskVersion | None, kept: MaskVersion) -> MaskChanged:
    who = f"{used.author} at {used.time[11:16]} UTC" if used and used.author else "somebody else"
    return MaskChanged(
        f"The mask of {sample_id!r} was changed by {who} after you opened it: theirs is in use, "
        f"yours is kept as version {kept.number}; compare the two in the history and restore the "
        "one you want.",
        kept,
    )


def _numbered(versions: Sequence[MaskVersion], number: int) -> MaskVersion:
    found = next((v for v in versions if v.number == number), None)
    if found is None:
        raise SegcoreError(
            f"Expected a version from 1 to {len(versions)}, received {number}: choose one of the "
            "history."
        )
    return found


def _file(dataset: Dataset, sample: Sample, number: int) -> Path:
    return dataset.folder / FOLDER / sample.id / f"{number}.png"


def _history_file(dataset: Dataset, sample: Sample) -> Path:
    return dataset.folder / FOLDER / sample.id / "history.json"


def _write(dataset: Dataset, sample: Sample, number: int, mask: npt.NDArray[Any]) -> None:
    write_document(_file(dataset, sample, number), encode_png(mask))


def _write_history(dataset: Dataset, sample: Sample, versions: Sequence[MaskVersion]) -> None:
    rows = [dataclasses.asdict(version) for version in versions]
    text = json.dumps({"format": FORMAT, "versions": rows}, ensure_ascii=False)
    write_document(_history_file(dataset, sample), text.encode())


def _version(row: dict[str, Any]) -> MaskVersion:
    changes = tuple(ClassChange(**{k: int(v) for k, v in c.items()}) for c in row["changes"])
    ids = tuple(int(i) for i in row["class_ids"])
    return MaskVersion(**{**row, "class_ids": ids, "changes": changes})
