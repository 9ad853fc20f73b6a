"""Run lengths in a CSV next to the images, as Kaggle's competitions publish masks."""

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from segcore.data.files.images import image_size
from segcore.data.files.names import strip_suffixes
from segcore.data.formats.importers.annotations.shapes import (
    Drawing,
    ImageFinder,
    Numbers,
    Runs,
    decode_run_pairs,
    draw,
    unannotated,
)
from segcore.data.formats.importers.paired_folders import sample_id, unique_ids
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError
from segcore.labels import list_names, plural
from segcore.text_files import decode_text, read_text, split_rows

MAX_BYTES = 1 << 30
PEEK_BYTES = 65536
MOST_FILES = 40
RUNS = (
    "encodedpixels",
    "encoded_pixels",
    "encoding",
    "rle",
    "rle_mask",
    "mask_rle",
    "segmentation_rle",
)
PERHAPS_RUNS = ("annotation", "annotations", "segmentation", "mask", "masks", "pixels", "runs")
"""Columns that hold run lengths if their cells look so."""

_CELL = re.compile(r"\d+ \d+( \d+ \d+)*")
PROBES = 48
MARGIN = 1.2
"""By how much shorter the outlines must be for runs to be read along the rows."""

IMAGES = ("imageid_classid", "image_label", "imageid", "image_id", "id", "img", "image", "filename")
CLASSES = ("classid", "class_id", "class", "label", "category")
NOTHING = frozenset(("", "-1", "nan", "none", "null", "1 0", "0 0"))
"""Cells that say that an image holds nothing of the class."""

NO_LABEL = "object"


def matches(source: Source) -> bool:
    """Whether a CSV has a column of run lengths."""
    return bool(source.images) and bool(_tables(source))


def _tables(source: Source) -> list[str]:
    names = [n for n in source.named(r".*\.csv") if "submission" not in n.lower()]
    tables = [n for n in names[:MOST_FILES] if _runs_column(_beginning(source, n))]
    train = [n for n in tables if "train" in PurePosixPath(n).stem.lower()]
    return train or tables


def _beginning(source: Source, name: str) -> list[list[str]]:
    """Return the first rows of a table; none where it is no text."""
    try:
        with open(source.root / name, "rb") as file:
            start = file.read(PEEK_BYTES)
        if len(start) == PEEK_BYTES:  # a last row that breaks off is none
            start = start[: start.rfind(b"\n") // 2 * 2 or None]
        return split_rows(decode_text(start, name).text, name)
    except (OSError, SegcoreError):
        return []


def _runs_column(rows: list[list[str]]) -> str:
    """Return the name of the column of run lengths, "" for none."""
    header = [cell.lower() for cell in rows[0]] if rows else []
    for name in RUNS:
        if name in header:
            return name
    for name in PERHAPS_RUNS:
        if name in header:
            at = header.index(name)
            cells = [row[at] for row in rows[1:] if at < len(row)]
            full = [cell for cell in cells if cell.lower() not in NOTHING]
            if full and all(_CELL.fullmatch(cell) for cell in full):
                return name
    return ""


def read(source: Source) -> Layout:
    """Read run lengths over background; rows of one image and class are united.

    Raises:
        SegcoreError: The table has no column of images, or no row names an image that is there.
    """
    tables = _tables(source)
    table = list_names(tables, 3)
    numbers = Numbers()
    runs, lost = _by_image(source, tables, numbers)
    if not runs:
        shown = next(iter(lost), "none")
        raise SegcoreError(
            f"Expected images that {table} names, such as {shown[:60]!r}, found none of "
            f"{len(lost)} among the {len(source.images)} image files: put them next to it."
        )
    problems: list[Problem] = []
    runs = _from_the_first_pixel(runs, table, problems)
    if len(tables) > 1:
        problems.append(
            Problem(
                "", f"the run lengths of {table} are united", "remove tables that are not meant"
            )
        )
    by_rows = _choose_order(source, runs, table, problems)
    if lost:
        what = (
            f"{table} names {plural(len(lost), 'image')} without a file, such as {next(iter(lost))}"
        )
        problems.append(Problem("", what[:200], "add them if they belong to the dataset"))
    pairs = []
    for image in source.images:
        if image in runs:
            drawing = Drawing(tuple(replace(r, by_rows=by_rows) for r in runs[image]))
            place = read_place(image)
            pairs.append(
                Pair(
                    sample_id(_folders(place.folders, image.stem), strip_suffixes(image.name)),
                    source.root / image,
                    source.root / tables[0],
                    place.split,
                    "",
                    drawing,
                    drawing.classes,
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


def _by_image(
    source: Source, tables: Sequence[str], numbers: Numbers
) -> tuple[dict[PurePosixPath, list[Runs]], dict[str, None]]:
    """Return the runs of each image that is there, and the names of images that are not."""
    finder = ImageFinder(source.images)
    runs: dict[PurePosixPath, list[Runs]] = defaultdict(list)
    lost: dict[str, None] = {}
    for image_name, label, text in (row for name in tables for row in _rows(source, name)):
        image = finder.find(image_name)
        if image is None:
            lost[image_name] = None
            continue
        drawn, empty = runs[image], text.strip().lower() in NOTHING
        if not empty:
            drawn.append(Runs(numbers[label], text))
        elif label != NO_LABEL:
            _ = numbers[label]  # a class that this image does not hold
    return runs, lost


def _from_the_first_pixel(
    runs: dict[PurePosixPath, list[Runs]], table: str, problems: list[Problem]
) -> dict[PurePosixPath, list[Runs]]:
    """Count the pixels of all runs from 0 where one of them starts there, and say so."""
    if not any(re.match(r"0+\s", one.text.lstrip()) for own in runs.values() for one in own):
        return runs
    what = f"the runs of {table} count pixels from 0, not from 1 as Kaggle's do: one starts at 0"
    problems.append(Problem("", what, "correct that run if it is a mistake"))
    return {image: [replace(one, first=0) for one in own] for image, own in runs.items()}


def _choose_order(
    source: Source,
    runs: dict[PurePosixPath, list[Runs]],
    table: str,
    problems: list[Problem],
) -> bool:
    """Return whether runs go along the rows: read in the wrong order, a shape falls into stripes.

    Reports it, and also where all images are square, whose shapes only lie transposed.
    """
    outlines = np.zeros(2)
    held = [(image, one) for image, own in runs.items() for one in own[:2]]
    square = True
    for image, one in held[:: max(1, len(held) // PROBES)][:PROBES]:
        with suppress(SegcoreError):
            size = image_size(source.root / image)
            square = square and size[0] == size[1]
            for by_rows in (False, True):
                mask = decode_run_pairs(one.text, size, by_rows, one.first)
                edges = sum(int((np.diff(mask, axis=a)).sum()) for a in (0, 1))
                outlines[int(by_rows)] += edges
    if held and square:
        what = (
            f"the runs of {table} are read down the columns, as Kaggle's usually go; the images "
            "are square, so that runs along the rows would only lie transposed"
        )
        problems.append(Problem("", what, "look at one; transpose the runs if the masks lie wrong"))
        return False
    if MARGIN * outlines[1] < outlines[0]:
        what = f"the runs of {table} go along the rows, not down the columns, as their shapes show"
        problems.append(Problem("", what, "look at one of them"))
        return True
    return False


def _folders(folders: tuple[str, ...], stem: str) -> tuple[str, ...]:
    """Folders of an image without one of its own name, as in ``abc/images/abc.png``."""
    return tuple(folder for folder in folders if folder != stem)


def _rows(source: Source, table: str) -> list[tuple[str, str, str]]:
    """Return (image, class, run lengths) of each row of a table."""
    header, *rows = split_rows(read_text(source.root / table, MAX_BYTES).text, table)
    names = [cell.lower() for cell in header]
    at_runs = names.index(_runs_column([header, *rows]))
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
        label = f"class {label}" if label.isdigit() else label or NO_LABEL
        found.append((image, label, cells.get(at_runs, "")))
    return found
