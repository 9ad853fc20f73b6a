"""Supervisely: ``meta.json``, ``ann/x.jpg.json`` of bitmaps and polygons, ``img/x.jpg``."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Any

from segcore.data.formats.importers.annotations.shapes import (
    Bitmap,
    Drawing,
    ImageFinder,
    Numbers,
    Polygon,
    Shape,
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
from segcore.labels import hex_to_color
from segcore.text_files import read_json

_ANNOTATIONS = r"(.*/)?ann/[^/]+\.json"
_META = r"(.*/)?meta\.json"
NO_AREA = ("point", "line", "polyline", "graph", "cuboid", "keypoints", "any")


def matches(source: Source) -> bool:
    """Whether there is a ``meta.json`` and JSON files in a folder ``ann``."""
    return bool(source.named(_META)) and bool(source.named(_ANNOTATIONS))


def read(source: Source) -> Layout:
    """Read Supervisely's shapes over background, in the file's order.

    Raises:
        SegcoreError: ``meta.json`` is damaged, or no annotation can be read.
    """
    meta = min(source.named(_META), key=lambda name: (name.count("/"), name))
    numbers = _classes(source, meta)
    finder = ImageFinder(source.images)
    problems: list[Problem] = []
    skipped: Counter[str] = Counter()
    pairs: list[Pair] = []
    refused: set[PurePosixPath] = set()
    for name in source.named(_ANNOTATIONS):
        path = PurePosixPath(name)
        image_name = path.name.removesuffix(".json")
        image = finder.find(image_name, path.parent.parent / "img", path.parent.parent)
        if image is None:
            problems.append(
                Problem(name, "this annotation has no image", "add the image in the folder img")
            )
            continue
        try:
            with broken(name, "objects and the size of the image"):
                drawing = _drawing(read_json(source.root / name), numbers, skipped)
        except SegcoreError as error:
            problems.append(Problem.of(name, error))
            refused.add(image)
            continue
        pairs.append(drawn_pair(source, image, name, drawing, without=("img",)))
    problems += passed_over(skipped)
    known = [p for p in source.images if "img" in p.parts or len(pairs) == 0]
    problems += unannotated(known, pairs, source.root, "annotation", refused)
    return Layout(
        "Supervisely",
        tuple(unique_ids(pairs, problems)),
        numbers.declared(),
        meta,
        tuple(problems),
        draw,
    )


def _classes(source: Source, meta: str) -> Numbers:
    numbers = Numbers()
    with broken(meta, "a list of classes"):
        for row in read_json(source.root / meta)["classes"]:
            title = str(row["title"])
            _ = numbers[title]
            if row.get("color"):
                numbers.colors[title] = hex_to_color(str(row["color"]))
    return numbers


def _drawing(data: Any, numbers: Numbers, skipped: Counter[str]) -> Drawing:
    shapes: list[Shape] = []
    for row in data["objects"]:
        kind, value = str(row.get("geometryType")), numbers[str(row["classTitle"])]
        if kind == "bitmap":
            x, y = (int(v) for v in row["bitmap"]["origin"])
            shapes.append(Bitmap(value, str(row["bitmap"]["data"]), x, y))
        elif kind == "polygon":
            points = row["points"]
            shapes.append(Polygon(value, points["exterior"], tuple(points.get("interior") or ())))
        elif kind == "rectangle":
            (left, top), (right, bottom) = row["points"]["exterior"]
            corners = ((left, top), (right + 1, top), (right + 1, bottom + 1), (left, bottom + 1))
            shapes.append(Polygon(value, corners))
        elif kind in NO_AREA:
            skipped[kind] += 1
        else:
            raise SegcoreError(
                f"Expected bitmaps, polygons or rectangles, received a shape of kind {kind[:40]!r}"
                ": convert it to a bitmap."
            )
    size = (int(data["size"]["height"]), int(data["size"]["width"]))
    if not 0 < size[0] * size[1] <= 100_000_000 or min(size) < 1:
        raise SegcoreError(f"Expected the size of the image, received {size}: export again.")
    return Drawing(tuple(shapes), size)
