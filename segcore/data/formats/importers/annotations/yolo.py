"""YOLO polygons: ``labels/x.txt`` for ``images/x.jpg``, one ``class x y x y ...`` a line.

Where there is no folder ``labels``, ``x.txt`` lies beside ``x.jpg``.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from segcore.data.files.borders import foreign_bytes
from segcore.data.formats.importers.annotations.shapes import (
    Drawing,
    ImageFinder,
    Polygon,
    draw,
    drawn_pair,
    unannotated,
)
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.paired_folders import unique_ids
from segcore.data.formats.importers.pairs.roles import split_roles
from segcore.data.formats.importers.polygons import BACKGROUND
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError
from segcore.labels import list_names
from segcore.text_files import MAX_BYTES, read_text

_LABELS = r"(.*/)?labels/(.*/)?[^/]+\.txt"
_BESIDE = r"(.*/)?[^/]+\.txt"
_LINE = re.compile(r"\d+(\s+-?[\d.]+(e-?\d+)?){4,}\s*", re.IGNORECASE)
_YAML = r"(.*/)?(data|dataset)[^/]*\.ya?ml"
CLASS_LISTS = ("classes.txt", "obj.names")
_CLASS_LISTS = r"(.*/)?(classes\.txt|obj\.names)"
"""Lists of class names, one a line, as Label Studio, CVAT and LabelImg write them."""

MAX_CLASS = 9999


def matches(source: Source) -> bool:
    """Whether text files bear names of images, in ``labels`` or beside them, and hold YOLO's lines."""
    stems = {path.stem for path in source.images}
    paired = [n for n in _label_files(source) if PurePosixPath(n).stem in stems]
    for name in paired[:50]:
        try:
            lines = read_text(source.root / name).text.splitlines()
        except SegcoreError:
            return False
        if lines:
            return bool(_LINE.fullmatch(lines[0].strip()))
    return False


def _label_files(source: Source) -> list[str]:
    """Return the files of labels: those in folders ``labels``, else those beside their images."""
    names = source.named(_LABELS)
    if not names and not split_roles(source)[1]:
        beside = {path.with_suffix(".txt") for path in source.images}
        names = [n for n in source.named(_BESIDE) if PurePosixPath(n) in beside]
    return [n for n in names if PurePosixPath(n).name.lower() not in CLASS_LISTS]


def read(source: Source) -> Layout:
    """Read YOLO's polygons over background; names of classes are those of ``data.yaml``.

    Raises:
        SegcoreError: ``data.yaml`` is damaged, or every file holds boxes alone.
    """
    titles, declared_in = _titles(source)
    finder = ImageFinder(source.images)
    problems: list[Problem] = []
    pairs: list[Pair] = []
    refused: set[PurePosixPath] = set()
    highest, boxes = -1, 0
    for name in _label_files(source):
        path = PurePosixPath(name)
        image = finder.find(path.stem, _image_folder(path))
        if image is None:
            problems.append(_without_image(source, path))
            continue
        try:
            shapes, count = _shapes(read_text(source.root / name, MAX_BYTES).text, name)
        except SegcoreError as error:
            problems.append(Problem.of(name, error))
            refused.add(image)
            continue
        if count:
            boxes += 1
            refused.add(image)
            problems.append(
                Problem(
                    str(image),
                    f"{count} of its objects are boxes, which say nothing of outlines; the image "
                    "is left out",
                    "annotate outlines, or train with a detector",
                )
            )
            continue
        highest = max([highest, *(shape.value - 1 for shape in shapes)])
        pairs.append(drawn_pair(source, image, name, Drawing(shapes)))
    if not pairs and boxes:
        raise SegcoreError(
            "Expected YOLO polygons (class x y x y ...), received boxes (class x y width height): "
            "boxes say nothing of outlines, export the dataset for segmentation."
        )
    problems += unannotated(source.images, pairs, source.root, "file of labels", refused)
    return Layout(
        "YOLO polygons",
        tuple(unique_ids(pairs, problems)),
        tuple(_classes(titles, highest)),
        declared_in or "YOLO's labels",
        tuple(problems),
        draw,
    )


def _image_folder(path: PurePosixPath) -> PurePosixPath:
    """Return where the image of a file of labels lies: ``images`` for ``labels``, else beside it."""
    within = [i for i, part in enumerate(path.parts[:-1]) if part.lower() == "labels"]
    if not within:
        return path.parent
    at = within[-1]
    return PurePosixPath(*path.parts[:at], "images", *path.parts[at + 1 : -1])


def _without_image(source: Source, path: PurePosixPath) -> Problem:
    """Say why labels have no image: none of their name, or several."""
    several = [str(image) for image in source.images if image.stem == path.stem]
    if len(several) > 1:
        what = f"these labels have {len(several)} images ({list_names(several, 4)})"
        return Problem(str(path), what, "keep one of them")
    return Problem(str(path), "these labels have no image", "add the image under the same name")


def _classes(titles: Mapping[int, str], highest: int) -> list[DeclaredClass]:
    """Return background and every class that has a title or occurs, YOLO's numbers plus 1."""
    names = {n: titles.get(n, f"class {n}") for n in sorted({*titles, *range(highest + 1)})}
    ground = BACKGROUND if BACKGROUND not in names.values() else f"no {BACKGROUND}"
    declared = [DeclaredClass(title, n + 1) for n, title in names.items()]
    return [DeclaredClass(ground, 0, (0, 0, 0)), *declared]


def _shapes(text: str, name: str) -> tuple[tuple[Polygon, ...], int]:
    """Return the polygons of a file, and how many of its lines are boxes."""
    polygons, boxes = [], 0
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"line {number} of {name}"
        if not re.fullmatch(r"\d{1,4}", words[0], re.ASCII):
            raise SegcoreError(
                f"Expected a class number first in {where}, received {words[0][:20]!r}: correct it."
            )
        if len(words) == 5:
            boxes += 1
            continue
        try:
            values = [float(word) for word in words[1:]]
        except ValueError as error:
            raise SegcoreError(
                f"Expected numbers in {where}, received {line[:40]!r}: correct it."
            ) from error
        if len(values) % 2 or len(values) < 6:
            raise SegcoreError(
                f"Expected pairs of x and y in {where}, at least three, received {len(values)} "
                "numbers: correct it."
            )
        if not all(-0.05 <= value <= 1.05 for value in values):
            raise SegcoreError(
                f"Expected shares of width and height from 0 to 1 in {where}, received "
                f"{max(values, key=abs):.6g}: divide pixels by the image's size."
            )
        polygons.append(Polygon(int(words[0]) + 1, values, relative=True))
    return tuple(polygons), boxes


def _titles(source: Source) -> tuple[dict[int, str], str]:
    """Return the names of the classes by number, and the file that gives them."""
    files = sorted(source.named(_YAML), key=lambda name: (name.count("/"), name))
    found = [(titles, file) for file in files if (titles := _titles_of(source, file))]
    for titles, file in found[1:]:
        if titles != found[0][0]:
            raise SegcoreError(
                f"Expected one list of classes, received {found[0][1]} and {file}, which differ: "
                "keep one for all labels, or import what belongs to each by itself."
            )
    if found:
        return found[0]
    lists = sorted(source.named(_CLASS_LISTS), key=lambda name: (name.count("/"), name))
    if not lists:
        return {}, ""
    lines = read_text(source.root / lists[0]).text.splitlines()
    return {n: line.strip() for n, line in enumerate(lines) if line.strip()}, lists[0]


def _titles_of(source: Source, file: str) -> dict[int, str]:
    """Return the names that one YAML gives, {} for none."""
    text = read_text(source.root / file, 1 << 20).text
    with foreign_bytes(f"Expected YAML with 'names' in {file}, it is damaged: correct it."):
        data: Any = yaml.safe_load(text)
        names = data.get("names") if isinstance(data, dict) else None
        rows = dict(enumerate(names)) if isinstance(names, list) else dict(names or {})
        titles = {int(number): str(title) for number, title in rows.items()}
    if titles and not all(0 <= number <= MAX_CLASS for number in titles):
        raise SegcoreError(f"Expected class numbers from 0 in {file}: correct 'names'.")
    if isinstance(data, dict) and "kpt_shape" in data:
        raise SegcoreError(
            f"Expected YOLO polygons, {file} declares keypoints (kpt_shape), whose lines say "
            "nothing of outlines: export the dataset for segmentation."
        )
    if len(set(titles.values())) < len(titles):
        titles = {number: f"{title} {number}" for number, title in titles.items()}
    return titles
