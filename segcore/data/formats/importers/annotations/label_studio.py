"""Label Studio's brush export: one PNG for each region of an image, united by label."""

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.images import image_size
from segcore.data.files.masks import read_ids
from segcore.data.files.names import name_key, strip_suffixes
from segcore.data.formats.importers.annotations.shapes import ImageFinder, Numbers, unannotated
from segcore.data.formats.importers.paired_folders import sample_id, unique_ids
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError
from segcore.text_files import read_json

_BY_TASK = re.compile(r"task-(\d+)-annotation-\d+-by-.+?-tag-(.+)-(\d+)")
_BY_IMAGE = re.compile(r"(.+)-([^-]+(?:-[^-]+)*?)-(\d+)")
_NO_LABELS = frozenset(("mask", "masks", "label", "seg", "gt"))


class Regions(tuple[tuple[int, Path], ...]):
    """The regions of one image: class number and PNG of each."""


def matches(source: Source) -> bool:
    """Whether PNGs are named by task and tag, or as an image, a label and a number."""
    named = [p for p in source.images if p.suffix.lower() == ".png"]
    if any(_BY_TASK.fullmatch(path.stem) for path in named):
        return True
    masks = [path for path in named if read_place(path).role == "mask"]
    if not masks:
        return False
    stems = {name_key(p.name): None for p in source.images if read_place(p).role != "mask"}
    split = [_split(path.stem, stems) for path in masks]
    return all(split) and any(label.lower() not in _NO_LABELS for _, label in filter(None, split))


def _split(stem: str, images: Any) -> tuple[str, str] | None:
    """Return (image, label) of a mask's name "photo-roof-0": the longest image that begins it."""
    head, _, number = stem.rpartition("-")
    if not number.isdigit():
        return None
    for cut in range(len(head) - 1, 0, -1):
        if head[cut] == "-" and head[:cut] in images and head[cut + 1 :]:
            return head[:cut], head[cut + 1 :]
    return None


def read(source: Source) -> Layout:
    """Read brush regions over background; the regions of one label are united.

    Raises:
        SegcoreError: Masks are named by task, and no export in JSON says which image a task is of.
    """
    masks = [path for path in source.images if _BY_TASK.fullmatch(path.stem)]
    if not masks:
        masks = [path for path in source.images if read_place(path).role == "mask"]
    taken = set(masks)
    images = [path for path in source.images if path not in taken]
    finder, numbers = ImageFinder(images), Numbers()
    by_task = _tasks(source) if _BY_TASK.fullmatch(masks[0].stem) else {}
    stems = {name_key(path.name): None for path in images}
    problems: list[Problem] = []
    regions: dict[PurePosixPath, list[tuple[int, Path]]] = defaultdict(list)
    for path in masks:
        task = _BY_TASK.fullmatch(path.stem)
        name, label = (
            (by_task.get(task[1], ""), task[2]) if task else _split(path.stem, stems) or ("", "")
        )
        image = finder.find(name) if name else None
        if image is None:
            what = "this region has no image"
            problems.append(Problem(str(path), what, "add the image, or remove the region"))
        else:
            regions[image].append((numbers[label], source.root / path))
    pairs = []
    for image in images:
        if image in regions:
            place = read_place(image)
            pairs.append(
                Pair(
                    sample_id(place.folders, strip_suffixes(image.name)),
                    source.root / image,
                    regions[image][0][1],
                    place.split,
                    "/".join(place.folders),
                    Regions(regions[image]),
                    frozenset(number for number, _ in regions[image]) - {0},
                )
            )
    problems += unannotated(images, pairs, source.root, "region")
    return Layout(
        "Label Studio brush masks",
        tuple(unique_ids(pairs, problems)),
        numbers.declared(),
        "the names of the masks",
        tuple(problems),
        draw,
    )


def _tasks(source: Source) -> dict[str, str]:
    """Return the name of each task's image, from an export in JSON."""
    found: dict[str, str] = {}
    for name in source.named(r"[^/]*\.json|(.*/)?(result|project-\d+[^/]*|export|tasks)\.json"):
        try:
            data = read_json(source.root / name)
        except SegcoreError:
            continue
        for row in data if isinstance(data, list) else ():
            if not isinstance(row, dict) or "id" not in row:
                continue
            data_of_task = row.get("data")
            values = data_of_task if isinstance(data_of_task, dict) else row
            places = [v for k, v in values.items() if isinstance(v, str) and k != "id"]
            images = [v for v in places if re.search(r"\.(png|jpe?g|tiff?|bmp|webp)$", v, re.I)]
            if images:
                last = images[0].replace("\\", "/").rsplit("/", 1)[-1]
                found[str(row["id"])] = re.sub(r"^[0-9a-f]{8}-", "", last)
                found.setdefault(f"{row['id']} as stored", last)
    if not found:
        raise SegcoreError(
            "These masks are Label Studio's, one for each brushed region and named by task "
            "(task-1-annotation-...), which does not say of which image: put the export in JSON "
            "of the same project next to them, or rename them to IMAGE-LABEL-0.png."
        )
    return found


def draw(pair: Pair) -> npt.NDArray[np.uint16]:
    """Draw the regions of an image, later ones on top.

    Returns:
        (H, W) uint16 class numbers, 0 for background.

    Raises:
        SegcoreError: A region cannot be read, is empty or has another size than the image.
    """
    size = image_size(pair.image)
    mask = np.zeros(size, np.uint16)
    for number, path in pair.extra:
        region = read_ids(path)
        if region.shape != size:
            raise SegcoreError(
                f"Expected regions of {size[0]} x {size[1]} pixels (height x width), received "
                f"{region.shape[0]} x {region.shape[1]} in {path.name}: export again."
            )
        inside = (region > 0) & (region <= 65535)
        if not inside.any():
            raise SegcoreError(f"Expected a region with pixels in {path.name}: remove it.")
        mask[inside] = number
    return mask
