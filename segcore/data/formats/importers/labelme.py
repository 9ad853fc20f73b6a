"""LabelMe: one JSON of shapes for each image, next to it or in a folder of its own."""

import base64
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.borders import foreign_bytes
from segcore.data.files.images import image_size, open_stream
from segcore.data.files.png import MAX_PIXELS
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.paired_folders import sample_id, unique_ids
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.polygons import (
    BACKGROUND,
    check_pixels_meant,
    check_reach,
    draw_polygon,
)
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError
from segcore.labels import list_names
from segcore.text_files import read_json

BACKGROUND_NAMES = frozenset(("_background_", BACKGROUND))
VOID_NAMES = frozenset(("__ignore__", "void", "ignore"))
"""Labels of background and void, in lower case."""

KINDS_WITHOUT_AREA = ("line", "linestrip", "point", "points")
PEEK_BYTES = 4096


@dataclass(frozen=True)
class Shapes:
    """What is drawn for one image.

    Attributes:
        shapes: Its shapes that have an area, in order.
        numbers: The class number of each label of the set.
        size: (height, width) at which they were drawn, None where the JSON does not say.
    """

    shapes: tuple[dict[str, Any], ...]
    numbers: dict[str, int]
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Annotation:
    """One JSON and the image that it belongs to."""

    file: PurePosixPath
    image: PurePosixPath
    shapes: tuple[dict[str, Any], ...]
    size: tuple[int, int] | None


def matches(source: Source) -> bool:
    """Whether a JSON begins as LabelMe's do, one of the same stem as an image first."""
    if not source.images:
        return False
    written = [PurePosixPath(name) for name in source.files if name.lower().endswith(".json")]
    stems = {path.stem for path in source.images} if written else set()
    named = [name for name in written if name.stem in stems]
    return any(begins_with_shapes(source.root / name) for name in (named or written)[:3])


def begins_with_shapes(file: Path) -> bool:
    """Whether a file holds LabelMe's list of shapes near its beginning."""
    with open(file, "rb") as opened:
        return b'"shapes"' in opened.read(PEEK_BYTES)


def read(source: Source) -> Layout:
    """Read LabelMe: outlines, boxes, circles and masks in the file's order over background.

    ``__ignore__`` is void. Lines and points have no area: they are passed over and reported.

    Raises:
        SegcoreError: No JSON can be read.
    """
    beside: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    elsewhere: dict[str, list[PurePosixPath]] = defaultdict(list)
    for path in source.images:
        beside[path.with_suffix("")].append(path)
        elsewhere[path.stem].append(path)
    problems: list[Problem] = []
    annotations: list[_Annotation] = []
    for name in source.files:
        path = PurePosixPath(name)
        if path.suffix.lower() != ".json":
            continue
        same = beside.get(path.with_suffix("")) or elsewhere[path.stem]
        try:
            with foreign_bytes("This JSON holds no LabelMe shapes: save it again, or remove it."):
                shapes, size, named = _load(source.root / name)
                if any(
                    shape["label"] is None or not str(shape["label"]).strip() for shape in shapes
                ):
                    raise SegcoreError(
                        "Expected a label for each shape, received one without: name it, or remove "
                        "it."
                    )
        except SegcoreError as error:
            problems.append(Problem.of(name, error))
            continue
        if not same and named:
            same = elsewhere[PurePosixPath(named).stem]
        images = [p for p in same if p.name == named] if len(same) > 1 else same
        if len(images) != 1:
            shown = list_names([str(p) for p in same], 4)
            what = (
                f"this annotation has {len(same)} images ({shown})"
                if same
                else ("this annotation has no image")
            )
            problems.append(Problem(name, what, "keep one image of the same name next to it"))
            continue
        annotations.append(_Annotation(path, images[0], shapes, size))
    annotated = {annotation.image for annotation in annotations}
    for path in source.images:
        if path not in annotated:
            problems.append(
                Problem(str(path), "this image has no annotation", "annotate it, or remove it")
            )
    annotations = _drop_lines(annotations, problems)
    labels = {str(s["label"]) for annotation in annotations for s in annotation.shapes}
    return _lay_out(source, annotations, sorted(labels), problems)


def _load(file: Path) -> tuple[tuple[dict[str, Any], ...], tuple[int, int] | None, str]:
    """Return the shapes of a JSON, (height, width) at which they were drawn, the image's name."""
    data = read_json(file)
    keys = ("label", "points", "shape_type", "mask")
    shapes = tuple({key: shape.get(key) for key in keys} for shape in data["shapes"])
    height, width = data.get("imageHeight"), data.get("imageWidth")
    named = str(data.get("imagePath") or "").replace("\\", "/").rsplit("/", 1)[-1]
    if not isinstance(height, int) or not isinstance(width, int) or height < 1 or width < 1:
        return shapes, None, named
    return shapes, (height, width) if height * width <= MAX_PIXELS else None, named


def _drop_lines(annotations: list[_Annotation], problems: list[Problem]) -> list[_Annotation]:
    """Pass over shapes without area, and images that hold no others; a problem for each image."""
    kept = []
    for annotation in annotations:
        solid = tuple(s for s in annotation.shapes if s["shape_type"] not in KINDS_WITHOUT_AREA)
        if len(solid) < len(annotation.shapes):
            flat = Counter(
                f"{s['shape_type']} ({s['label']})" for s in annotation.shapes if s not in solid
            )
            shown = ", ".join(f"{number} {kind}" for kind, number in flat.items())
            what = f"shapes without an area are passed over: {shown}"
            what += "" if solid else "; there is no other, the image is left out"
            problems.append(Problem(str(annotation.file), what, "draw their outlines instead"))
        if solid or not annotation.shapes:
            kept.append(replace(annotation, shapes=solid))
    return kept


def _lay_out(
    source: Source, annotations: list[_Annotation], labels: list[str], problems: list[Problem]
) -> Layout:
    ground = {label for label in labels if label.strip().lower() in BACKGROUND_NAMES}
    ignored = {label for label in labels if label.strip().lower() in VOID_NAMES}
    labels = [label for label in labels if label not in ground | ignored]
    numbers = {label: position for position, label in enumerate(labels, start=1)}
    void = len(labels) + 1
    numbers |= dict.fromkeys(ground, 0) | dict.fromkeys(ignored, void)
    declared = [
        DeclaredClass(BACKGROUND, 0, (0, 0, 0)),
        *(DeclaredClass(label, numbers[label]) for label in labels),
        DeclaredClass("void", void, (0, 0, 0), True),
    ]
    pairs = []
    for annotation in annotations:
        place = read_place(annotation.image)
        named = frozenset(numbers[str(s["label"])] for s in annotation.shapes) - {0}
        pairs.append(
            Pair(
                sample_id(place.folders, annotation.image.stem),
                source.root / annotation.image,
                source.root / annotation.file,
                place.split,
                "/".join(place.folders),
                Shapes(annotation.shapes, numbers, annotation.size),
                named,
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
        (H, W) uint16 class numbers, at the size that the JSON states.

    Raises:
        SegcoreError: A shape is damaged, of an unknown kind, leaves no trace, or lies outside.
    """
    given: Shapes = pair.extra
    mask = np.zeros(given.size or image_size(pair.image), np.uint16)
    for shape in given.shapes:
        kind = shape["shape_type"] or "polygon"
        number = given.numbers[str(shape["label"])]
        try:
            points = [(float(x), float(y)) for x, y in shape["points"]]
        except (TypeError, ValueError, OverflowError) as error:
            raise SegcoreError(
                f"Expected points as pairs of numbers in {pair.id}, received others: "
                "correct the annotation."
            ) from error
        if kind == "mask":
            _paste(mask, shape["mask"], points, number, pair.id)
        elif kind == "circle" and len(points) == 2:
            _draw_circle(mask, points, number)
        elif kind == "rectangle" and len(points) == 2:
            (left, top), (right, bottom) = points
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            draw_polygon(mask, corners, number)
        elif kind in ("polygon", "rectangle"):
            check_pixels_meant(points, mask.shape)
            draw_polygon(mask, points, number)
        else:
            raise SegcoreError(
                f"Expected polygons, rectangles, circles or masks, received a {kind} in "
                f"{pair.id}: draw its outline instead."
            )
    return mask


def _draw_circle(
    mask: npt.NDArray[np.uint16], points: list[tuple[float, float]], number: int
) -> None:
    """Draw a circle of which the part within the image counts, as long as its middle lies there."""
    (x, y), (edge_x, edge_y) = points
    check_reach(np.array([[x, y]]), mask.shape)
    radius = np.hypot(edge_x - x, edge_y - y)
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    inside = (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 < radius**2
    if not inside.any():
        draw_polygon(mask, [(x - radius, y), (x, y - radius), (x + radius, y)], number)
    mask[inside] = number


def _paste(
    mask: npt.NDArray[np.uint16],
    packed: Any,
    points: list[tuple[float, float]],
    number: int,
    sample: str,
) -> None:
    """Draw a mask of LabelMe's AI tool: a PNG in base64 that fills the box of two points."""
    try:
        data = base64.b64decode(str(packed), validate=True)
        (left, top), (right, bottom) = points
    except ValueError as error:
        raise SegcoreError(
            f"Expected a mask as a PNG in base64 with two points in {sample}, received another: "
            "draw its outline instead."
        ) from error
    with open_stream(BytesIO(data), f"the mask in {sample}") as image:
        shape = np.asarray(image.convert("L")) > 0
    x, y = round(left), round(top)
    height, width = shape.shape
    box = (abs(round(bottom) - y), abs(round(right) - x))
    if any(abs(side - drawn) > 1 for side, drawn in zip(box, shape.shape, strict=True)):
        raise SegcoreError(
            f"Expected a mask of the size of its box, {box[0]} x {box[1]} pixels (height x width), "
            f"received {height} x {width} in {sample}: the image may have been scaled since."
        )
    check_reach(np.array([[x, y], [x + width, y + height]], np.float64), mask.shape)
    shape = shape[max(0, -y) : mask.shape[0] - y, max(0, -x) : mask.shape[1] - x]
    if not shape.any():
        raise SegcoreError(
            f"Expected a mask with an area in {sample}, received an empty one: correct or remove "
            "it."
        )
    target = mask[max(0, y) : max(0, y) + shape.shape[0], max(0, x) : max(0, x) + shape.shape[1]]
    target[shape] = number
