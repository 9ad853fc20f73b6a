"""LabelMe: one JSON of shapes for each image, beside it or in a folder of its own."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.images import image_size
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.paired_folders import read_place, sample_id, unique_ids
from segcore.data.formats.importers.polygons import BACKGROUND, draw_polygon
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError

BACKGROUND_NAMES = frozenset(("_background_", BACKGROUND))
VOID_NAMES = frozenset(("__ignore__", "void", "ignore"))
PEEK_BYTES = 4096


@dataclass(frozen=True)
class Shapes:
    """What is drawn for one image, and the class number of each label of the set."""

    shapes: tuple[dict[str, Any], ...]
    numbers: dict[str, int]


def matches(source: Source) -> bool:
    """Whether a JSON of the same stem as an image, beside it or in another folder, begins as LabelMe's do."""
    written = [PurePosixPath(name) for name in source.files if name.lower().endswith(".json")]
    stems = {path.stem for path in source.images} if written else set()
    return any(
        _begins_with_shapes(source.root / name)
        for name in [name for name in written if name.stem in stems][:3]
    )


def _begins_with_shapes(file: Path) -> bool:
    with open(file, "rb") as opened:
        return b'"shapes"' in opened.read(PEEK_BYTES)


def read(source: Source) -> Layout:
    """Read LabelMe: polygons, boxes and circles, drawn in the file's order over background; ``__ignore__`` is void.

    Raises:
        SegcoreError: No JSON can be read.
    """
    images = {path.with_suffix(""): path for path in source.images}
    elsewhere: dict[str, list[PurePosixPath]] = defaultdict(list)
    for path in source.images:
        elsewhere[path.stem].append(path)
    problems: list[Problem] = []
    found: list[tuple[PurePosixPath, PurePosixPath, tuple[dict[str, Any], ...]]] = []
    for name in source.files:
        path = PurePosixPath(name)
        if path.suffix.lower() != ".json":
            continue
        same = elsewhere[path.stem]  # in a folder of its own beside that of the JSON
        image = images.get(path.with_suffix("")) or (same[0] if len(same) == 1 else None)
        try:
            shapes = json.loads((source.root / name).read_bytes())["shapes"]
            shapes = tuple({k: s.get(k) for k in ("label", "points", "shape_type")} for s in shapes)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            problems.append(
                Problem(
                    name,
                    f"this JSON holds no LabelMe shapes ({error!r})",
                    "save it again in LabelMe, or remove it",
                )
            )
            continue
        if image is None:
            problems.append(
                Problem(name, "this annotation has no image", "add the image under the same name")
            )
            continue
        found.append((path, image, shapes))
    annotated = {image for _, image, _ in found}
    for path in source.images:
        if path not in annotated:
            problems.append(
                Problem(str(path), "this image has no annotation", "annotate it, or remove it")
            )
    labels = sorted(
        {str(s["label"]) for _, _, shapes in found for s in shapes} - BACKGROUND_NAMES - VOID_NAMES
    )
    numbers = {label: position for position, label in enumerate(labels, start=1)}
    void = len(labels) + 1
    numbers |= dict.fromkeys(BACKGROUND_NAMES, 0) | dict.fromkeys(VOID_NAMES, void)
    declared = [
        DeclaredClass(BACKGROUND, 0, (0, 0, 0)),
        *(DeclaredClass(label, numbers[label]) for label in labels),
    ]
    declared.append(DeclaredClass("void", void, (0, 0, 0), True))
    pairs = []
    for path, image, shapes in found:
        place = read_place(image)
        pair_id = sample_id(place.folders, image.stem)
        pairs.append(
            Pair(
                pair_id,
                source.root / image,
                source.root / path,
                place.split,
                "/".join(place.folders),
                Shapes(shapes, numbers),
            )
        )
    return Layout(
        "LabelMe",
        tuple(unique_ids(pairs, problems)),
        tuple(declared),
        "LabelMe's shapes",
        tuple(problems),
        draw,
    )


def draw(pair: Pair) -> npt.NDArray[np.uint16]:
    """Draw the shapes of an image, later ones on top.

    Returns:
        (H, W) uint16 class numbers.

    Raises:
        SegcoreError: A shape is damaged or of a kind that has no area.
    """
    given: Shapes = pair.extra
    mask = np.zeros(image_size(pair.image), np.uint16)
    for shape in given.shapes:
        kind = shape["shape_type"] or "polygon"
        try:
            points = [(float(x), float(y)) for x, y in shape["points"]]
        except (TypeError, ValueError) as error:
            raise SegcoreError(
                f"Expected points as pairs of numbers in {pair.id}, received others: "
                "correct the annotation."
            ) from error
        if kind == "rectangle" and len(points) == 2:
            (left, top), (right, bottom) = points
            points = [(left, top), (right, top), (right, bottom), (left, bottom)]
        elif kind == "circle" and len(points) == 2:
            (x, y), (edge_x, edge_y) = points
            radius, turns = (
                np.hypot(edge_x - x, edge_y - y),
                np.linspace(0, 2 * np.pi, 64, endpoint=False),
            )
            points = list(
                zip(
                    (x + radius * np.cos(turns)).tolist(),
                    (y + radius * np.sin(turns)).tolist(),
                    strict=True,
                )
            )
        elif kind != "polygon":
            raise SegcoreError(
                f"Expected polygons, rectangles or circles, received a {kind} in "
                f"{pair.id}: draw its outline instead."
            )
        draw_polygon(mask, points, given.numbers[str(shape["label"])])
    return mask
