"""Datasets written for other tools: index PNG with ``classes.csv``, Pascal VOC, COCO panoptic."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.images import encode_palette_png, encode_png
from segcore.data.files.scanning import Progress, scan
from segcore.errors import SegcoreError, unknown
from segcore.labels import LabelClass, color_to_hex
from segcore.text_files import format_rows
from segcore.whole_files import write_bytes


@dataclass(frozen=True)
class Form:
    """One form to write.

    Attributes:
        title: Its name for people.
        sample: Writes one sample; returns what ``tables`` needs of it.
        tables: Writes what stands once for the whole set, from the results of ``sample``.
    """

    title: str
    sample: Callable[[Dataset, Path, Sample], Any]
    tables: Callable[[Dataset, Path, list[Any]], None]


def export_dataset(
    dataset: Dataset, destination: Path, form: str = "index", progress: Progress | None = None
) -> Path:
    """Write a dataset in a form that other tools, and Segscope's importer, read.

    Args:
        dataset: The dataset; samples without a mask are left out.
        destination: A new folder.
        form: A name in :data:`FORMS`.
        progress: Called with (done, total, what).

    Returns:
        The folder.

    Raises:
        SegcoreError: The form is unknown, the folder exists, or a file cannot be read; nothing is
            left behind then.
    """
    if form not in FORMS:
        raise unknown("export form", form, FORMS)
    destination = Path(destination)
    if destination.exists():
        raise SegcoreError(
            f"Expected a new folder to export to, received {destination}, which exists: "
            "choose another."
        )
    partial_folder = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(partial_folder, ignore_errors=True)
    try:
        samples = [sample for sample in dataset.samples if sample.mask is not None]
        write = partial(FORMS[form].sample, dataset, partial_folder)
        FORMS[form].tables(
            dataset, partial_folder, list(scan(write, samples, None, progress, "exporting"))
        )
        partial_folder.rename(destination)
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return destination


def void_class(dataset: Dataset) -> LabelClass:
    """The class that ignored pixels are written as: the first ignored one, else a new one."""
    labels = dataset.label_set
    if labels.ignored:
        return labels.ignored[0]
    taken = set(labels.class_ids)
    free = next(i for i in (255, *range(65536)) if i not in taken)
    name = next(
        n for n in ("void", "ignored pixels", f"void {free}") if n not in labels.class_names
    )
    return LabelClass(free, name, (0, 0, 0))


def to_ids(dataset: Dataset, mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Turn indices (H, W) into the user's ids, uint8 where they fit, else uint16."""
    labels = dataset.label_set
    void = void_class(dataset)
    dtype = np.uint8 if max([*labels.class_ids, void.id]) <= 255 else np.uint16
    table = np.full(labels.ignore_index + 1, void.id, dtype)
    table[: labels.num_classes] = labels.class_ids
    return table[mask]


def copy_image(dataset: Dataset, sample: Sample, place: Path) -> Path:
    """Copy an image to a place, with its own ending; return the file.

    Raises:
        SegcoreError: The image is gone or cannot be read.
    """
    source = dataset.image_path(sample)
    if sample.window is not None:
        if dataset.bands is not None:
            raise SegcoreError(
                f"Expected images that are files of their own, received windows of rasters in "
                f"{dataset.name!r}, whose bands keep their values: export the rasters themselves, "
                "or import the windows as pictures (--bands 3,2,1)."
            )
        target = place.with_name(f"{place.name}.png")
        write_bytes(target, encode_png(dataset.read_image(sample)))
        return target
    target = place.with_name(place.name + source.suffix.lower())
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if os.access(source, os.R_OK):
            raise  # the target takes no more, which the caller reports
        raise SegcoreError(
            f"The image {source} cannot be copied ({error.strerror}): put it back or "
            "import the dataset again."
        ) from error
    return target


def _write_classes(folder: Path, rows: list[tuple[int, str, str, str]]) -> None:
    text = format_rows([("id", "name", "color", "ignore"), *rows])
    write_bytes(folder / "classes.csv", text.encode())


def _index_sample(dataset: Dataset, folder: Path, sample: Sample) -> None:
    below = f"{sample.split}/{sample.id}" if sample.split else sample.id
    copy_image(dataset, sample, folder / "images" / below)
    mask = dataset.read_mask(sample)
    write_bytes(folder / "masks" / f"{below}.png", encode_png(to_ids(dataset, mask)))


def _index_tables(dataset: Dataset, folder: Path, results: list[Any]) -> None:
    scored = [(c.id, c.name, color_to_hex(c.color), "false") for c in dataset.label_set.classes]
    void = void_class(dataset)
    ignored = [void, *(c for c in dataset.label_set.ignored if c != void)]
    _write_classes(
        folder, [*scored, *((c.id, c.name, color_to_hex(c.color), "true") for c in ignored)]
    )


def flat_name(sample: Sample) -> str:
    """Return a sample's id as the name of a file in one folder."""
    return sample.id.replace("/", "__")


def _voc_sample(dataset: Dataset, folder: Path, sample: Sample) -> tuple[str, str]:
    if dataset.label_set.num_classes > 255:
        raise SegcoreError(
            "Expected at most 255 classes for palette masks, received "
            f"{dataset.label_set.num_classes}: export as 'index'."
        )
    copy_image(dataset, sample, folder / "JPEGImages" / flat_name(sample))
    palette = np.zeros((256, 3), np.uint8)
    palette[: dataset.label_set.num_classes] = dataset.label_set.colors
    data = encode_palette_png(dataset.read_mask(sample), palette)
    write_bytes(folder / "SegmentationClass" / f"{flat_name(sample)}.png", data)
    return flat_name(sample), sample.split


def _voc_tables(dataset: Dataset, folder: Path, results: list[Any]) -> None:
    names = {"train": "train", "validation": "val", "test": "test", "": "trainval"}
    for split in sorted({split for _, split in results}):
        listed = "\n".join(stem for stem, own in results if own == split)
        write_bytes(
            folder / f"ImageSets/Segmentation/{names.get(split, split)}.txt", f"{listed}\n".encode()
        )
    rows = [
        (i, c.name, color_to_hex(c.color), "false") for i, c in enumerate(dataset.label_set.classes)
    ]
    _write_classes(folder, [*rows, (255, void_class(dataset).name, "", "true")])


def _coco_sample(dataset: Dataset, folder: Path, sample: Sample) -> dict[str, Any]:
    split = sample.split or "all"
    image = copy_image(dataset, sample, folder / split / sample.id)
    mask = dataset.read_mask(sample)
    labels = dataset.label_set
    table = np.zeros(
        (labels.ignore_index + 1, 3), np.uint8
    )  # segment id = index + 1 = R + 256 G; 0 is void
    segments = np.arange(1, labels.num_classes + 1)
    table[: labels.num_classes, 0], table[: labels.num_classes, 1] = segments & 255, segments >> 8
    png = f"{flat_name(sample)}.png"
    write_bytes(
        folder / f"annotations/panoptic_{split}" / png,
        encode_png(np.ascontiguousarray(table[mask])),
    )
    counts = np.bincount(mask.ravel(), minlength=labels.num_classes)[: labels.num_classes]
    info = [
        {
            "id": int(i) + 1,
            "category_id": labels.classes[i].id,
            "area": int(counts[i]),
            "iscrowd": 0,
        }
        for i in np.flatnonzero(counts)
    ]
    name = image.relative_to(folder / split).as_posix()
    return {"split": split, "file": name, "png": png, "size": mask.shape, "segments": info}


def _coco_tables(dataset: Dataset, folder: Path, results: list[Any]) -> None:
    categories = [
        {"id": c.id, "name": c.name, "isthing": 0, "color": list(c.color)}
        for c in dataset.label_set.classes
    ]
    for split in sorted({row["split"] for row in results}):
        rows = list(enumerate(row for row in results if row["split"] == split))
        data = {
            "images": [
                {"id": n, "file_name": r["file"], "height": r["size"][0], "width": r["size"][1]}
                for n, r in rows
            ],
            "annotations": [
                {"image_id": n, "file_name": r["png"], "segments_info": r["segments"]}
                for n, r in rows
            ],
            "categories": categories,
        }
        write_bytes(folder / f"annotations/panoptic_{split}.json", json.dumps(data).encode())


FORMS: dict[str, Form] = {
    "index": Form("Index PNG and classes.csv", _index_sample, _index_tables),
    "pascal_voc": Form("Pascal VOC, palette PNG", _voc_sample, _voc_tables),
    "coco_panoptic": Form("COCO panoptic", _coco_sample, _coco_tables),
}
"""Every form that can be written."""
