"""Run lengths in a CSV next to the images, as Kaggle's competitions publish masks."""

import re
from collections import defaultdict
from pathlib import PurePosixPath

from segcore.data.files.names import strip_suffixes
from segcore.data.formats.importers.annotations.shapes import (
    Drawing,
    ImageFinder,
    Numbers,
    Runs,
    draw,
    unannotated,
)
from segcore.data.formats.importers.paired_folders import sample_id, unique_ids
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError
from segcore.text_files import read_text, split_rows

MAX_BYTES = 1 << 30
PEEK_BYTES = 2048
MOST_FILES = 40
RUNS = ("encodedpixels", "encoding", "rle", "rle_mask", "mask_rle", "segmentation_rle")
IMAGES = ("imageid_classid", "image_label", "imageid", "image_id", "id", "img", "image", "filename")
CLASSES = ("classid", "class_id", "class", "label", "category")
NOTHING = frozenset(("", "-1", "nan", "none", "null", "1 0"))
"""Cells that say that an image holds nothing of the class."""


def matches(source: Source) -> bool:
    """Whether a CSV has a column of run lengths."""
    return bool(source.images) and bool(_tables(source))


def _tables(source: Source) -> list[str]:
    names = [n for n in source.named(r".*\.csv") if "submission" not in n.lower()]
    tables = [n for n in names[:MOST_FILES] if set(_header(source, n)) & set(RUNS)]
    train = [n for n in tables if "train" in PurePosixPath(n).stem.lower()]
    return train or tables


def _header(source: Source, name: str) -> list[str]:
    try:
        with open(source.root / name, "rb") as file:
            start = file.read(PEEK_BYTES)
        first = re.split(rb"[\r\n]", start, maxsplit=1)[0].decode("utf-8-sig")
        return [cell.lower() for cell in split_rows(first, name)[0]]
    except (OSError, UnicodeDecodeError, IndexError, SegcoreError):
        return []


def read(source: Source) -> Layout:
    """Read run lengths over background; rows of one image and class are united.

    Raises:
        SegcoreError: The table has no column of images, or no row names an image that is there.
    """
    table = _tables(source)[0]
    finder, numbers = ImageFinder(source.images), Numbers()
    runs: dict[PurePosixPath, list[Runs]] = defaultdict(list)
    lost: dict[str, None] = {}
    for image_name, label, text in _rows(source, table):
        image = finder.find(image_name)
        if image is None:
            lost[image_name] = None
            continue
        drawn = runs[image]
        value = numbers[label]
        if text.strip().lower() not in NOTHING:
            drawn.append(Runs(value, text))
    if not runs:
        shown = next(iter(lost), "none")
        raise SegcoreError(
            f"Expected images that {table} names, such as {shown[:60]!r}, found none of "
            f"{len(lost)} among the {len(source.images)} image files: put them next to it."
        )
    problems: list[Problem] = []
    if lost:
        what = f"{table} names {len(lost)} images that are not there, such as {next(iter(lost))}"
        problems.append(Problem("", what[:200], "add them if they belong to the dataset"))
    pairs = []
    for image in source.images:
        if image in runs:
            place = read_place(image)
            pairs.append(
                Pair(
                    sample_id(_folders(place.folders, image.stem), strip_suffixes(image.name)),
                    source.root / image,
                    source.root / table,
                    place.split,
                    "",
                    Drawing(tuple(runs[image])),
                    Drawing(tuple(runs[image])).classes,
                )
            )
    problems += unannotated(source.images, pairs, source.root, f"row in {table}")
    return Layout(
        "run lengths in CSV",
        tuple(unique_ids(pairs, problems)),
        numbers.declared(),
        table,
        tuple(problems),
        draw,
    )


def _folders(folders: tuple[str, ...], stem: str) -> tuple[str, ...]:
    """Folders of an image without one of its own name, as in ``abc/images/abc.png``."""
    return tuple(folder for folder in folders if folder != stem)


def _rows(source: Source, table: str) -> list[tuple[str, str, str]]:
    """Return (image, class, run lengths) of each row of a table."""
    header, *rows = split_rows(read_text(source.root / table, MAX_BYTES).text, table)
    names = [cell.lower() for cell in header]
    at_runs = next(names.index(n) for n in RUNS if n in names)
    at_image = next((names.index(n) for n in IMAGES if n in names), None)
    at_class = next((names.index(n) for n in CLASSES if n in names), None)
    if at_image is None:
        raise SegcoreError(
            f"Expected a column of images next to the run lengths in {table}, received "
            f"{', '.join(names)[:80]}: call it ImageId."
        )
    joint = names[at_image] in ("imageid_classid", "image_label")
    found = []
    for row in rows:
        cells = dict(enumerate(row))
        image, label = cells.get(at_image, ""), cells.get(-1 if at_class is None else at_class, "")
        if joint:
            image, _, label = image.rpartition("_")
        label = f"class {label}" if label.isdigit() else label or "object"
        found.append((image, label, cells.get(at_runs, "")))
    return found
