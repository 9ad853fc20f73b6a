"""VGG Image Annotator: a JSON of regions (``via_region_data.json``) next to its images."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from segcore.data.formats.importers.annotations.shapes import (
    Drawing,
    ImageFinder,
    Numbers,
    Polygon,
    broken,
    draw,
    drawn_pair,
    passed_over,
    unannotated,
)
from segcore.data.formats.importers.paired_folders import unique_ids
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError
from segcore.labels import list_names, plural
from segcore.text_files import read_json

PEEK_BYTES = 8192
MOST_FILES = 40
KEYS = ("class", "label", "name", "category", "type", "object")
"""Attributes of a region that usually hold its class."""

NO_CLASS = "object"


def matches(source: Source) -> bool:
    """Whether a JSON begins as VIA's do."""
    return bool(_files(source))


def _files(source: Source) -> list[str]:
    return [n for n in source.named(r".*\.json")[:MOST_FILES] if _is_via(source, n)]


def _is_via(source: Source, name: str) -> bool:
    try:
        with open(source.root / name, "rb") as file:
            start = file.read(PEEK_BYTES)
    except OSError:
        return False
    return b'"_via_' in start or (b'"regions"' in start and b'"filename"' in start)


def read(source: Source) -> Layout:
    """Read VIA's polygons, rectangles, circles and ellipses over background.

    Raises:
        SegcoreError: A JSON cannot be read.
    """
    finder, numbers = ImageFinder(source.images), Numbers()
    problems: list[Problem] = []
    skipped: Counter[str] = Counter()
    pairs: list[Pair] = []
    refused: set[PurePosixPath] = set()
    files = _files(source)
    for name, row in _rows(source, files):
        image = finder.find(str(row["filename"]), PurePosixPath(name).parent)
        if image is None:
            problems.append(
                Problem(
                    str(row["filename"])[:80],
                    f"{name} names this image, it is not there",
                    "add the image, or remove it from the JSON",
                )
            )
            continue
        try:
            with broken(f"{name}, {image.name}", "regions with shapes and attributes"):
                drawing = Drawing(_shapes(row["regions"], numbers, skipped))
        except SegcoreError as error:
            problems.append(Problem.of(str(image), error))
            refused.add(image)
            continue
        pairs.append(drawn_pair(source, image, name, drawing))
    nameless = skipped.pop(NO_CLASS, 0)
    problems += passed_over(skipped)
    if nameless and len(numbers.of) > 1:
        what = f"{plural(nameless, 'region')} without a class, taken for {NO_CLASS!r}"
        problems.append(Problem("", what, "name their class, or remove them"))
    problems += unannotated(source.images, pairs, source.root, "regions in the JSON", refused)
    return Layout(
        "VIA",
        tuple(unique_ids(pairs, problems)),
        numbers.declared(),
        files[0],
        tuple(problems),
        draw,
    )


def _rows(source: Source, files: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the entries of images, each with the name of its JSON."""
    for name in files:
        with broken(name, "VIA's regions"):
            data = read_json(source.root / name)
            rows = list(data.get("_via_img_metadata", data).values())
        yield from ((name, row) for row in rows if isinstance(row, dict) and "filename" in row)


def _shapes(regions: Any, numbers: Numbers, skipped: Counter[str]) -> tuple[Polygon, ...]:
    shapes = []
    for region in regions.values() if isinstance(regions, dict) else regions:
        form = region["shape_attributes"]
        corners = _corners(form)
        if corners is None:
            skipped[str(form["name"])] += 1
        else:
            label = _label(region.get("region_attributes"))
            if not label:
                skipped[NO_CLASS] += 1
            shapes.append(Polygon(numbers[label or NO_CLASS], corners))
    return tuple(shapes)


def _corners(form: dict[str, Any]) -> list[tuple[float, float]] | None:
    """Return the outline of a shape; None where it has no area."""
    kind = str(form["name"])
    if kind == "polygon":
        return [
            (float(x), float(y))
            for x, y in zip(form["all_points_x"], form["all_points_y"], strict=True)
        ]
    if kind == "rect":
        x, y, width, height = (float(form[key]) for key in ("x", "y", "width", "height"))
        return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    if kind in ("circle", "ellipse"):
        radii = (form["r"], form["r"]) if kind == "circle" else (form["rx"], form["ry"])
        turn = float(form.get("theta") or 0)
        angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        along, across = float(radii[0]) * np.cos(angles), float(radii[1]) * np.sin(angles)
        x = float(form["cx"]) + along * np.cos(turn) - across * np.sin(turn)
        y = float(form["cy"]) + along * np.sin(turn) + across * np.cos(turn)
        return list(zip(x.tolist(), y.tolist(), strict=True))
    if kind in ("point", "polyline", "line"):
        return None
    raise SegcoreError(
        f"Expected polygons, rectangles, circles or ellipses, received a shape of kind "
        f"{kind[:40]!r}: draw its outline instead."
    )


def _label(attributes: Any) -> str:
    """Return the class of a region: the usual attribute, else the only one; "" for none.

    Raises:
        SegcoreError: Several attributes may hold it.
    """
    if not isinstance(attributes, dict):
        return ""
    known = {str(key).strip().lower(): value for key, value in attributes.items()}
    value = next((known[key] for key in KEYS if known.get(key)), None)
    if value is None and len(known) == 1:
        value = next(iter(known.values()))
    if isinstance(value, dict):  # a checkbox: {"apple": true}
        ticked = [str(name) for name, on in value.items() if on]
        if len(ticked) != 1:
            raise SegcoreError(
                f"Expected one class a region, received {len(ticked)} ticked: choose one."
            )
        value = ticked[0]
    if value is None and len(known) > 1:
        raise SegcoreError(
            f"Expected the class of a region in an attribute such as 'class', received "
            f"{list_names(list(known), 6)}: rename the one that holds the class to 'class'."
        )
    return str(value).strip() if value is not None else ""
