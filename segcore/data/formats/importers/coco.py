"""COCO: instance JSON (polygons and run-length codes) and panoptic JSON with its PNGs."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.images import image_size
from segcore.data.files.masks import COLOR_MODES, MAX_ID, mask_mode, read_colors, read_ids
from segcore.data.files.names import name_keys
from segcore.data.files.png import MAX_PIXELS
from segcore.data.formats.importers.class_tables import DeclaredClass, parse_color
from segcore.data.formats.importers.paired_folders import sample_id, unique_ids
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.pairs.roles import split_roles
from segcore.data.formats.importers.polygons import (
    BACKGROUND,
    check_pixels_meant,
    cover_polygon,
    decode_runs,
)
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import SPLIT_NAMES, Layout, Pair, Source
from segcore.data.formats.importers.split_lists import one_split_each
from segcore.errors import SegcoreError
from segcore.labels import Color, list_names, plural
from segcore.text_files import read_json

_FILES = (
    r"(.*/)?((panoptic|instances)_?\w*|_annotations\.coco|coco\w*|annotations\w*|stuff_\w+)\.json"
)
PEEK_BYTES = 4096
MAX_OTHERS = 12
"""JSON files of other names that are looked into."""


@dataclass(frozen=True)
class Drawing:
    """What is drawn for one image.

    Attributes:
        annotations: Its annotations.
        empty: The number of pixels that none of them covers.
        size: (height, width) at which they were drawn, None where the JSON does not say.
    """

    annotations: tuple[dict[str, Any], ...]
    empty: int
    size: tuple[int, int] | None = None


def matches(source: Source) -> bool:
    """Whether a JSON begins with one of COCO's keys, looking at likely names first."""
    return any(_begins_like_coco(source.root / name) for name in _tables(source)[:3])


def _begins_like_coco(file: Path) -> bool:
    with open(file, "rb") as opened:
        start = opened.read(PEEK_BYTES).lstrip()
    return start.startswith(b"{") and bool(
        re.match(rb'\{\s*"(info|licenses|images|annotations|categories)"', start)
    )


def _tables(source: Source) -> list[str]:
    found = (
        source.named(_FILES) or source.named(r"(.*/)?annotations/[^/]+\.json") or _others(source)
    )
    panoptic = [name for name in found if "panoptic" in PurePosixPath(name).name.lower()]
    return panoptic or [
        name for name in found if not re.search(r"(captions|person_keypoints)_", name)
    ]


def _others(source: Source) -> list[str]:
    """JSON files of any name that hold COCO's lists, where there are only a few and no masks."""
    named = source.named(r".*\.json")
    if len(named) > MAX_OTHERS or split_roles(source)[1]:
        return []
    return [
        name
        for name in named
        if _begins_like_coco(source.root / name) and _holds_lists(source.root / name)
    ]


def _holds_lists(file: Path) -> bool:
    text = file.read_bytes()
    return all(key in text for key in (b'"images"', b'"annotations"', b'"categories"'))


def read(source: Source) -> Layout:
    """Read COCO: panoptic segments become their category, instances are drawn large first.

    Raises:
        SegcoreError: A JSON cannot be read, or the files disagree about their categories.
    """
    tables = {name: _load(source.root / name) for name in _tables(source)}
    panoptic = any(
        "segments_info" in a for data in tables.values() for a in data["annotations"][:1]
    )
    categories: dict[int, str] = {}
    colors: dict[int, Color] = {}
    for name, data in tables.items():
        for category in data["categories"]:
            number, title = _category(category, name)
            if isinstance(category.get("color"), list):
                colors[number] = parse_color(category["color"], f"category {number} of {name}")
            if categories.setdefault(number, title) != title:
                raise SegcoreError(
                    f"Expected one meaning for category {number}, received another in "
                    f"{name}: import the files one by one."
                )
    empty = 0 if 0 not in categories else max(categories) + 1
    names = list(categories.values())
    declared = [
        DeclaredClass(t if names.count(t) == 1 else f"{t} {n}", n, colors.get(n))
        for n, t in categories.items()
    ]
    ground = (
        DeclaredClass("void", empty, (0, 0, 0), True)
        if panoptic
        else DeclaredClass(BACKGROUND, empty, (0, 0, 0))
    )
    known = {row.name for row in declared}
    ground = (
        ground
        if ground.name not in known
        else DeclaredClass(f"no {ground.name}", empty, ground.color, ground.ignore)
    )
    by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
    for path in source.images:
        by_name[_key(path)].append(path)
        by_name[_loose_key(path)].append(path)
    pairs: list[Pair] = []
    problems: list[Problem] = []
    for name, data in tables.items():
        table = _Table(name, data, by_name, empty, panoptic)
        pairs.extend(_pairs(source, table, problems))
    if not panoptic:
        pairs = _join_drawings(pairs, problems)
    title = "COCO panoptic" if panoptic else "COCO instances"
    draw = draw_panoptic if panoptic else draw_instances
    return Layout(
        title,
        tuple(unique_ids(pairs, problems)),
        (ground, *declared),
        next(iter(tables)),
        tuple(problems),
        draw,
    )


def _category(row: Any, table: str) -> tuple[int, str]:
    """Return id and name of a category.

    Raises:
        SegcoreError: One is absent, or the id is no number that a mask can hold.
    """
    try:
        number, title = int(row["id"]), str(row["name"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SegcoreError(
            f"Expected categories with id and name in {table}, received {str(row)[:60]}: export "
            "again."
        ) from error
    if not 0 <= number < MAX_ID:
        raise SegcoreError(
            f"Expected category ids from 0 to {MAX_ID - 1} in {table}, received {number}: "
            "renumber the categories."
        )
    return number, title


def _load(file: Path) -> dict[str, Any]:
    data = read_json(file)
    keys = ("images", "annotations", "categories")
    if isinstance(data, dict) and all(isinstance(data.get(key), list) for key in keys):
        return data
    raise SegcoreError(
        f"Expected lists of images, annotations and categories in {file.name}, found none: "
        "export again."
    )


@dataclass(frozen=True)
class _Table:
    """One JSON of the source, and what is known of all of them."""

    name: str
    data: dict[str, Any]
    by_name: dict[str, list[PurePosixPath]]
    empty: int
    panoptic: bool


def _pairs(source: Source, table: _Table, problems: list[Problem]) -> list[Pair]:
    of_image: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for annotation in table.data["annotations"]:
        of_image[_image_id(annotation.get("image_id"))].append(annotation)
    split = _split_of(table.name)
    pairs = []
    for row in table.data["images"]:
        file = PurePosixPath(str(row.get("file_name", "")).replace("\\", "/"))
        of_name = table.by_name.get(_key(file)) or table.by_name.get(_loose_key(file)) or []
        found = _nearest([p for p in of_name if not _is_panoptic(p)], file, table.name)
        annotations = of_image.pop(_image_id(row.get("id")), [])
        if len(found) != 1:
            what = f"{table.name} names this image, " + (
                f"{len(found)} files have this name ({list_names([str(p) for p in found], 4)})"
                if found
                else "it is not there"
            )
            fix = "name its folder in the JSON" if found else "add it, or remove it from the JSON"
            problems.append(Problem(str(file), what, fix))
            continue
        image = found[0]
        mask: Path | None = source.root / table.name
        if table.panoptic:
            mask = _panoptic_png(source, table, annotations, file, image)
        folders = tuple(f for f in read_place(file).folders if not _split_of(f))
        drawing = Drawing(tuple(annotations), table.empty, _size_of(row))
        pairs.append(
            Pair(
                sample_id(folders, file.stem),
                source.root / image,
                mask,
                split or read_place(image).split,
                "",
                drawing,
                _named_classes(annotations),
            )
        )
    for number, annotations in of_image.items():
        what = (
            f"{plural(len(annotations), 'annotation')} of an image that {table.name} does not list"
        )
        problems.append(Problem(f"image_id {number}", what, "add the image to the JSON's list"))
    return pairs


def _key(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", path.name)


def _loose_key(path: PurePosixPath) -> str:
    """What of a name counts where no file bears it: without case and ending."""
    return f"{name_keys(path.name)[1]} without ending"


def _image_id(value: Any) -> str:
    """Return an image id as text: 7, 7.0 and "7" are one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _panoptic_png(
    source: Source,
    table: _Table,
    annotations: list[dict[str, Any]],
    file: PurePosixPath,
    image: PurePosixPath,
) -> Path | None:
    named = annotations[0].get("file_name", "") if annotations else f"{file.stem}.png"
    png = PurePosixPath(str(named))
    drawn = _nearest([p for p in table.by_name.get(_key(png), ()) if p != image], png, table.name)
    return source.root / drawn[0] if len(drawn) == 1 else None


def _size_of(row: dict[str, Any]) -> tuple[int, int] | None:
    """Height and width at which an image was annotated, as far as its row says."""
    height, width = row.get("height"), row.get("width")
    if not isinstance(height, (int, float)) or not isinstance(width, (int, float)):
        return None
    if not (height >= 1 and width >= 1 and height * width <= MAX_PIXELS):
        return None
    return int(height), int(width)


def _named_classes(annotations: list[dict[str, Any]]) -> frozenset[int]:
    """The categories that annotations name, directly or by panoptic segments."""
    rows = [*annotations, *(s for a in annotations for s in a.get("segments_info") or ())]
    numbers = [row.get("category_id") for row in rows if isinstance(row, dict)]
    return frozenset(n for n in numbers if isinstance(n, int))


def _join_drawings(pairs: list[Pair], problems: list[Problem]) -> list[Pair]:
    """Join what several rows or files draw on one image; in files of two splits it gets none."""
    joined: dict[Path, Pair] = {}
    listed: dict[Path, set[str]] = defaultdict(set)
    for pair in pairs:
        listed[pair.image] |= {pair.split} - {""}
        known = joined.get(pair.image)
        if known is None:
            joined[pair.image] = pair
            continue
        first, second = known.extra, pair.extra
        size = first.size if first.size == second.size or second.size is None else second.size
        drawing = Drawing((*first.annotations, *second.annotations), first.empty, size)
        joined[pair.image] = replace(known, extra=drawing, classes=known.classes | pair.classes)
    one_split_each({joined[image].id: own for image, own in listed.items()}, problems)
    return [
        replace(pair, split="") if len(listed[pair.image]) > 1 else pair for pair in joined.values()
    ]


def _is_panoptic(path: PurePosixPath) -> bool:
    return any(part.lower().startswith("panoptic") for part in path.parts[:-1])


def _split_of(text: str) -> str:
    words = re.split(r"[/_.\-]|(?<=[a-z])(?=\d)", text.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")


def _nearest(paths: list[PurePosixPath], wanted: PurePosixPath, table: str) -> list[PurePosixPath]:
    """Of files of one name, take those in the folder that the JSON names, or of its split."""
    tag = re.sub(r"^(panoptic|instances|stuff)_", "", PurePosixPath(table).stem)

    def rank(path: PurePosixPath) -> tuple[bool, bool, bool]:
        ends = path.parts[-len(wanted.parts) :] == wanted.parts
        beside = path.parent == PurePosixPath(table).parent
        tagged = any(tag in part for part in path.parts[:-1]) or (
            _split_of(str(path.parent)) == _split_of(table) != ""
        )
        return (not ends, not beside, not tagged)

    best = min(map(rank, paths), default=None)
    return [path for path in paths if rank(path) == best]


def draw_instances(pair: Pair) -> npt.NDArray[np.uint16]:
    """Draw the instances of an image, large ones first, so that small ones stay visible.

    Returns:
        (H, W) uint16 category ids, at the size that the JSON states.

    Raises:
        SegcoreError: A shape is damaged, leaves no trace, or lies outside the image.
    """
    drawing: Drawing = pair.extra
    mask = np.full(drawing.size or image_size(pair.image), drawing.empty, np.uint16)
    faults: Counter[str] = Counter()
    try:
        for annotation in sorted(drawing.annotations, key=lambda a: -float(a.get("area") or 0)):
            shape, number = annotation.get("segmentation"), int(annotation["category_id"])
            if not shape:
                faults["without an outline (only a box?)"] += 1
            elif not _draw_shape(mask, shape, number):
                faults["that cover no pixel"] += 1
    except (KeyError, ValueError, TypeError, OverflowError, IndexError) as error:
        raise SegcoreError(
            f"Expected COCO annotations of {pair.image.name}, received damaged ones export again."
        ) from error
    if faults:
        listed = " and ".join(f"{number} {what}" for what, number in faults.items())
        raise SegcoreError(
            f"Expected an outline for each annotation, of its {len(drawing.annotations)} received "
            f"{listed}: draw or remove them."
        )
    return mask


def _draw_shape(mask: npt.NDArray[np.uint16], shape: Any, number: int) -> int:
    """Draw polygons or runs and return the pixels that they cover."""
    if isinstance(shape, dict):
        runs = decode_runs(shape)
        if runs.shape != mask.shape:
            raise SegcoreError(
                f"Expected runs of {mask.shape[0]} x {mask.shape[1]} pixels (height x width), "
                f"received {runs.shape[0]} x {runs.shape[1]}: correct the annotation."
            )
        mask[runs] = number
        return int(np.count_nonzero(runs))
    polygons = [shape] if isinstance(shape[0], (int, float)) else shape
    for polygon in polygons:
        check_pixels_meant(polygon, mask.shape)
    return sum(cover_polygon(mask, polygon, number) for polygon in polygons)


def draw_panoptic(pair: Pair) -> npt.NDArray[np.uint16]:
    """Turn a panoptic PNG (segment id R + 256 G + 65536 B, or grey) into categories; 0 is void.

    Returns:
        (H, W) uint16 category ids.

    Raises:
        SegcoreError: The PNG or its list of segments is damaged, or one holds what the other lacks.
    """
    drawing: Drawing = pair.extra
    if pair.mask is None:
        raise SegcoreError(
            f"The image {pair.image.name} has no panoptic PNG: add it, or remove the image "
            "from the JSON."
        )
    if mask_mode(pair.mask) in COLOR_MODES:
        codes = read_colors(pair.mask)
        segments = (codes >> 16) | (codes & 0xFF00) | ((codes & 255) << 16)
    else:
        segments = read_ids(pair.mask)
    try:
        category = {
            int(s["id"]): int(s["category_id"])
            for a in drawing.annotations
            for s in a["segments_info"]
        }
    except (KeyError, ValueError, TypeError) as error:
        raise SegcoreError(
            f"Expected segments of {pair.image.name}, received damaged ones: export again."
        ) from error
    found, inverse, pixels = np.unique(segments, return_inverse=True, return_counts=True)
    _check_segments(category.keys(), dict(zip(found.tolist(), pixels.tolist(), strict=True)))
    values = np.array([category.get(int(number), drawing.empty) for number in found], np.uint16)
    return values[inverse].reshape(segments.shape)


def _check_segments(listed: Collection[int], held: Mapping[int, int]) -> None:
    """Refuse a PNG whose segments are not those of its list; segment 0 is nothing."""
    unlisted = sorted(number for number in held if number and number not in listed)
    absent = sorted(number for number in listed if number not in held)
    if unlisted:
        share = sum(held[number] for number in unlisted) / sum(held.values())
        raise SegcoreError(
            "Expected each segment of the panoptic PNG in its segments_info, received "
            f"{plural(len(unlisted), 'segment')} without an entry ({_shown_ids(unlisted)}: "
            f"{share:.2%} of the pixels): export again."
        )
    if absent:
        raise SegcoreError(
            "Expected pixels of each segment in segments_info, the panoptic PNG holds none of "
            f"{_shown_ids(absent)}: export again, without scaling."
        )


def _shown_ids(numbers: Sequence[int]) -> str:
    """Return up to six numbers for a sentence."""
    return ", ".join(map(str, numbers[:6])) + (", ..." if len(numbers) > 6 else "")
