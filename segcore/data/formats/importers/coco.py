"""COCO: instance JSON (polygons and run-length codes) and panoptic JSON with its PNGs."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.images import image_size
from segcore.data.files.masks import read_colors
from segcore.data.formats.importers.class_tables import DeclaredClass, parse_color
from segcore.data.formats.importers.paired_folders import (
    read_place,
    sample_id,
    split_roles,
    unique_ids,
)
from segcore.data.formats.importers.polygons import BACKGROUND, decode_runs, draw_polygon
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import SPLIT_NAMES, Layout, Pair, Source
from segcore.errors import SegcoreError
from segcore.labels import Color

_FILES = (
    r"(.*/)?((panoptic|instances)_?\w*|_annotations\.coco|coco\w*|annotations\w*|stuff_\w+)\.json"
)
PEEK_BYTES = 4096
MAX_OTHERS = 12
"""JSON files of other names that are looked into."""


@dataclass(frozen=True)
class Drawing:
    """What is drawn for one image: its annotations, and the number of pixels that none of them covers."""

    annotations: tuple[dict[str, Any], ...]
    empty: int


def matches(source: Source) -> bool:
    """Whether a JSON begins with one of COCO's keys: one named as COCO's are, one in a folder ``annotations``, else any other."""
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
    """JSON files of any name that hold COCO's lists (``result.json``, ``train.json``), where there are only a few and no masks."""
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
    """Read COCO. Panoptic segments become their category; instances are drawn large first over background.

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
            number, title = int(category["id"]), str(category["name"])
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
        by_name[path.name].append(path)
    pairs: list[Pair] = []
    problems: list[Problem] = []
    for name, data in tables.items():
        pairs.extend(_pairs(source, name, data, by_name, empty, panoptic, problems))
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


def _load(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes())
        if all(isinstance(data[key], list) for key in ("images", "annotations", "categories")):
            return dict(data)
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise SegcoreError(
            f"Expected COCO's images, annotations and categories in {file.name}, found "
            f"{error!r}: export again."
        ) from error
    raise SegcoreError(
        f"Expected lists of images, annotations and categories in {file.name}, found none: "
        "export again."
    )


def _pairs(
    source: Source,
    table: str,
    data: dict[str, Any],
    by_name: dict[str, list[PurePosixPath]],
    empty: int,
    panoptic: bool,
    problems: list[Problem],
) -> list[Pair]:
    of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in data["annotations"]:
        of_image[annotation.get("image_id")].append(annotation)
    split = _split_of(table)
    pairs = []
    for row in data["images"]:
        file = PurePosixPath(str(row.get("file_name", "")))
        found = _nearest(
            [p for p in by_name.get(file.name, ()) if not _is_panoptic(p)], file, table
        )
        annotations = of_image.get(row.get("id"), [])
        if found is None:
            problems.append(
                Problem(
                    str(file),
                    f"{table} names this image, it is not there",
                    "add the image, or remove it from the JSON",
                )
            )
            continue
        mask: Path | None = source.root / table
        if panoptic:
            png = (
                PurePosixPath(str(annotations[0].get("file_name", "")))
                if annotations
                else PurePosixPath(file.stem + ".png")
            )
            drawn = _nearest([p for p in by_name.get(png.name, ()) if p != found], png, table)
            mask = source.root / drawn if drawn else None
        place = read_place(found)
        folders = tuple(f for f in read_place(file).folders if not _split_of(f))
        drawing = Drawing(tuple(annotations), empty)
        pairs.append(
            Pair(
                sample_id(folders, file.stem),
                source.root / found,
                mask,
                split or place.split,
                "",
                drawing,
            )
        )
    return pairs


def _is_panoptic(path: PurePosixPath) -> bool:
    return any(part.lower().startswith("panoptic") for part in path.parts[:-1])


def _split_of(text: str) -> str:
    words = re.split(r"[/_.\-]|(?<=[a-z])(?=\d)", text.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")


def _nearest(paths: list[PurePosixPath], wanted: PurePosixPath, table: str) -> PurePosixPath | None:
    """Of files of one name: the one whose folders end as the JSON says, then the one whose folder says the JSON's split."""
    tag = re.sub(r"^(panoptic|instances|stuff)_", "", PurePosixPath(table).stem)

    def rank(path: PurePosixPath) -> tuple[bool, bool, bool, str]:
        ends = path.parts[-len(wanted.parts) :] == wanted.parts
        beside = path.parent == PurePosixPath(table).parent
        tagged = any(tag in part for part in path.parts[:-1]) or (
            _split_of(str(path.parent)) == _split_of(table) != ""
        )
        return (not ends, not beside, not tagged, str(path))

    return min(paths, key=rank, default=None)


def draw_instances(pair: Pair) -> npt.NDArray[np.uint16]:
    """Draw the instances of an image, large ones first, so that small ones stay visible.

    Returns:
        (H, W) uint16 category ids.

    Raises:
        SegcoreError: A shape is damaged.
    """
    drawing: Drawing = pair.extra
    mask = np.full(image_size(pair.image), drawing.empty, np.uint16)
    try:
        for annotation in sorted(drawing.annotations, key=lambda a: -float(a.get("area") or 0)):
            shape, number = annotation.get("segmentation"), int(annotation["category_id"])
            if isinstance(shape, dict):
                runs = decode_runs(shape)
                if runs.shape != mask.shape:
                    raise SegcoreError(
                        f"Expected runs of {mask.shape}, received {runs.shape}: correct "
                        "the annotation."
                    )
                mask[runs] = number
            for polygon in shape if isinstance(shape, list) else []:
                draw_polygon(mask, polygon, number)
    except (KeyError, ValueError, TypeError) as error:
        raise SegcoreError(
            f"Expected COCO annotations of {pair.image.name}, received damaged ones "
            f"({error!r}): export again."
        ) from error
    return mask


def draw_panoptic(pair: Pair) -> npt.NDArray[np.uint16]:
    """Turn a panoptic PNG (segment id = R + 256 G + 65536 B) into categories; segments nobody lists are void.

    Returns:
        (H, W) uint16 category ids.

    Raises:
        SegcoreError: The PNG or its list of segments is damaged.
    """
    drawing: Drawing = pair.extra
    if pair.mask is None:
        raise SegcoreError(
            f"The image {pair.image.name} has no panoptic PNG: add it, or remove the image "
            "from the JSON."
        )
    codes = read_colors(pair.mask)
    segments = (codes >> 16) | (codes & 0xFF00) | ((codes & 255) << 16)
    try:
        category = {
            int(s["id"]): int(s["category_id"])
            for a in drawing.annotations
            for s in a["segments_info"]
        }
    except (KeyError, ValueError, TypeError) as error:
        raise SegcoreError(
            f"Expected segments of {pair.image.name}, received damaged ones ({error!r}): "
            "export again."
        ) from error
    found, inverse = np.unique(segments, return_inverse=True)
    values = np.array([category.get(int(number), drawing.empty) for number in found], np.uint16)
    return values[inverse].reshape(segments.shape)
