"""Pascal VOC: ``JPEGImages``, ``SegmentationClass`` (palette PNG, 255 border), ``ImageSets``.

CVAT's "segmentation mask" export has the same folders, with colours declared in ``labelmap.txt``.
"""

from collections import defaultdict
from collections.abc import Collection
from pathlib import PurePosixPath

from segcore.data.files.names import IMAGE_SUFFIXES
from segcore.data.formats.importers.class_tables import read_class_table
from segcore.data.formats.importers.paired_folders import find_class_table, sample_id, unique_ids
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import SPLIT_NAMES, Layout, Pair, Source
from segcore.data.formats.importers.split_lists import one_split_each, read_list
from segcore.data.formats.importers.standard_classes import PASCAL_VOC
from segcore.errors import SegcoreError
from segcore.labels import list_names, plural

_MASKS = {"SegmentationClass", "SegmentationClassPNG"}
_OTHERS = {
    f"Segmentation{kind}{form}"
    for kind in ("Class", "Object")
    for form in ("", "PNG", "Npy", "Visualization")
} - _MASKS
"""Folders in which LabelMe's and VOC's exports keep further forms of the masks."""


def matches(source: Source) -> bool:
    """Whether ``SegmentationClass`` stands next to ``JPEGImages`` or ``ImageSets``."""
    return bool(source.named(r"(.*/)?SegmentationClass(PNG)?/.*")) and bool(
        source.named(r"(.*/)?(JPEGImages|ImageSets)/.*")
    )


def matches_cvat(source: Source) -> bool:
    """Whether CVAT wrote it: ``labelmap.txt`` next to ``SegmentationClass``."""
    return bool(source.named(r"(.*/)?SegmentationClass/.*")) and bool(
        source.named(r"(.*/)?labelmap\.txt")
    )


def read(source: Source) -> Layout:
    """Read Pascal VOC; without a class table its own 20 classes are assumed, and that is reported.

    Raises:
        SegcoreError: There are no images.
    """
    pairs, problems = _pairs(source)
    declared, declared_in = find_class_table(source)
    declared = tuple(row for row in declared if row.name != "__ignore__")
    by = "auto" if not declared or any(row.color for row in declared) else "index"
    return Layout(
        "Pascal VOC",
        tuple(pairs),
        declared or PASCAL_VOC,
        declared_in or "Pascal VOC",
        tuple(problems),
        by=by,
        assumed=not declared,
    )


def read_cvat(source: Source) -> Layout:
    """Read CVAT's export of segmentation masks: the colours of ``labelmap.txt``.

    Raises:
        SegcoreError: There are no images, or ``labelmap.txt`` cannot be understood.
    """
    pairs, problems = _pairs(source)
    table = source.named(r"(.*/)?labelmap\.txt")[0]
    return Layout(
        "CVAT segmentation masks",
        tuple(pairs),
        read_class_table(source.root / table),
        table,
        tuple(problems),
        by="color",
    )


def _pairs(source: Source) -> tuple[list[Pair], list[Problem]]:
    masks: dict[str, list[PurePosixPath]] = defaultdict(list)
    images: dict[str, list[PurePosixPath]] = defaultdict(list)
    apart = any("JPEGImages" in path.parts for path in source.images)
    for path in source.images:
        if _MASKS & set(path.parts):
            masks[_name_below(path)].append(path)
        elif "JPEGImages" in path.parts or not (apart or _OTHERS & set(path.parts)):
            images[_name_below(path)].append(path)
    if not images:
        raise SegcoreError(
            f"Expected images in a folder 'JPEGImages' of {source.root}, found only masks: "
            "export or copy the images there too."
        )
    # The lists in Main are those of detection, which name thousands of images without masks.
    lists = source.named(r"(.*/)?ImageSets/Segmentation/.+\.txt") or source.named(
        r"(.*/)?ImageSets/Main/.+\.txt"
    )
    listed: dict[str, set[str]] = defaultdict(set)
    unlisted: list[Problem] = []
    for name in lists:
        split = SPLIT_NAMES.get(PurePosixPath(name).stem.lower(), "")
        lost = []
        for line in read_list(source, name):
            stem = _listed(line, images.keys() | masks.keys())
            if stem in images or stem in masks:
                listed[stem] |= {split} - {""}
            else:
                lost.append(line)
        if lost:
            what = f"{plural(len(lost), 'line')} without an image, such as {lost[0][:80]!r}"
            unlisted.append(Problem(name, what, "correct the list if they belong to the dataset"))
    splits = one_split_each(listed, unlisted)
    wanted = [
        stem for stem in images if stem in masks or stem in listed
    ]  # VOC holds thousands of images without masks
    pairs = []
    for stem in wanted:
        several = max(images[stem], masks.get(stem, []), key=len)
        reason = ""
        if len(several) > 1:
            shown = list_names([str(path) for path in several], 4)
            reason = f"Expected one image and one mask named {stem}, received {shown}: keep one."
        mask = source.root / masks[stem][0] if stem in masks and not reason else None
        image = source.root / images[stem][0]
        pairs.append(Pair(_id_of(stem), image, mask, splits.get(stem, ""), reason=reason))
    problems = [
        Problem(
            str(path),
            "this mask has no image",
            "add the image under the same name, or remove the mask",
        )
        for stem, paths in masks.items()
        for path in paths
        if stem not in images
    ]
    problems += unlisted
    return unique_ids(pairs, problems), problems


def _listed(line: str, stems: Collection[str]) -> str:
    """Return what a line of a list names: a name, or the first of several, with or without ending."""
    first = line.split()[0]
    for word in (line, first):
        path = PurePosixPath(word.replace("\\", "/"))
        bare = path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path
        for name in (word, str(bare), path.name, bare.name):
            if name in stems:
                return name
    return line


def _name_below(path: PurePosixPath) -> str:
    """What image and mask share: the path below the folder that says which they are."""
    at = next(
        (n for n, part in enumerate(path.parts) if part in {"JPEGImages", *_MASKS}),
        len(path.parts) - 2,
    )
    return PurePosixPath(*path.parts[at + 1 :]).with_suffix("").as_posix()


def _id_of(name: str) -> str:
    path = PurePosixPath(name)
    return sample_id(path.parts[:-1], path.name)
