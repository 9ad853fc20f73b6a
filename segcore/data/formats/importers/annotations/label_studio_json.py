"""Label Studio's export in JSON: brush regions as run lengths inside the tasks."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.images import image_size
from segcore.data.formats.brush_rle import decode_brush
from segcore.data.formats.importers.annotations.shapes import ImageFinder, Numbers, broken
from segcore.data.formats.importers.paired_folders import sample_id, unique_ids
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError
from segcore.text_files import MAX_JSON_BYTES, read_bytes, read_json

MAX_FILES = 8
"""JSON files that are looked into, at most."""

_BRUSH = b'"brushlabels"'
_IMAGE = re.compile(r"\.(png|jpe?g|tiff?|bmp|webp)$", re.IGNORECASE)


class BrushRegions(tuple[tuple[int, dict[str, Any]], ...]):
    """The regions of one image: class number and value of each, as the export has them."""


def matches(source: Source) -> bool:
    """Whether a JSON file holds brush labels."""
    return bool(_exports(source))


def _exports(source: Source) -> list[str]:
    named = source.named(r".*\.json")
    if len(named) > MAX_FILES:
        return []
    return [name for name in named if _holds_brush(source.root / name)]


def _holds_brush(file: Path) -> bool:
    try:
        data = read_bytes(file, MAX_JSON_BYTES)
    except SegcoreError:
        return False
    return data.lstrip().startswith(b"[") and _BRUSH in data


def read(source: Source) -> Layout:
    """Read the newest annotation of each task; tasks that nobody answered have no mask.

    Raises:
        SegcoreError: A file is damaged, or arranged otherwise.
    """
    finder, numbers = ImageFinder(source.images), Numbers()
    problems: list[Problem] = []
    pairs = []
    names = _exports(source)
    for name in names:
        with broken(name, "Label Studio's tasks"):
            for task in read_json(source.root / name):
                pair = _pair(source, source.root / name, task, finder, numbers, problems)
                if pair is not None:
                    pairs.append(pair)
    kept = tuple(unique_ids(pairs, problems))
    return Layout(
        "Label Studio brush labels", kept, numbers.declared(), names[0], tuple(problems), draw
    )


def image_name(task: dict[str, Any]) -> str:
    """Return the file name of a task's image, without the random prefix of an upload; "" for none."""
    data = task.get("data")
    values = data.values() if isinstance(data, dict) else ()
    named = [v for v in values if isinstance(v, str) and _IMAGE.search(v)]
    last = named[0].replace("\\", "/").rsplit("/", 1)[-1] if named else ""
    return re.sub(r"^[0-9a-f]{8}-", "", last)


def _pair(
    source: Source,
    file: Path,
    task: dict[str, Any],
    finder: ImageFinder,
    numbers: Numbers,
    problems: list[Problem],
) -> Pair | None:
    """Return a task's image with its regions; None, and a problem, where the image is missing."""
    name = image_name(task)
    image = finder.find(name) if name else None
    if image is None:
        what = f"the task {task.get('id', '')} has no image {name}".rstrip()
        problems.append(Problem(name, what, "add the image under the name that the task gives"))
        return None
    place = read_place(image)
    identity = sample_id(place.folders, image.stem)
    answered = [a for a in task.get("annotations") or () if not a.get("was_cancelled")]
    if not answered:
        reason = f"Nobody annotated {name} in Label Studio: annotate it, then export again."
        return Pair(identity, source.root / image, None, place.split, reason=reason)
    regions = []
    for result in answered[-1]["result"]:
        if result.get("type") != "brushlabels":
            what = f"a region of type {result.get('type')!r} is left out"
            problems.append(Problem(name, what, "draw it with the brush"))
            continue
        (label, *_) = result["value"]["brushlabels"]
        size = {"height": result["original_height"], "width": result["original_width"]}
        regions.append((numbers[str(label)], {**size, "rle": result["value"]["rle"]}))
    return Pair(
        identity,
        source.root / image,
        file,
        place.split,
        "/".join(place.folders),
        BrushRegions(regions),
        frozenset(number for number, _ in regions) - {0},
    )


def draw(pair: Pair) -> npt.NDArray[np.uint16]:
    """Draw the regions of an image, later ones on top.

    Returns:
        (H, W) uint16 class numbers, 0 for background.

    Raises:
        SegcoreError: A region is damaged or has another size than the image.
    """
    height, width = image_size(pair.image)
    mask = np.zeros((height, width), np.uint16)
    for number, region in pair.extra:
        if (region["height"], region["width"]) != (height, width):
            raise SegcoreError(
                f"Expected regions of {height} x {width} pixels (height x width), received "
                f"{region['height']} x {region['width']} of {pair.image.name}: export again."
            )
        mask[decode_brush(region["rle"], height, width)] = number
    return mask
