"""Road scenes in their publishers' folders: Cityscapes, and CamVid with its 32 colours."""

import re
from collections import defaultdict
from pathlib import PurePosixPath

from segcore.data.formats.importers.paired_folders import find_class_table, unique_ids
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import SPLIT_NAMES, Layout, Pair, Source
from segcore.data.formats.importers.standard_classes import (
    CAMVID_32,
    CITYSCAPES_IDS,
    CITYSCAPES_TRAIN_IDS,
)
from segcore.errors import SegcoreError
from segcore.labels import list_names

_CITYSCAPES_MASK = (
    r"(?:.*/)?gt(?:Fine|Coarse)/([^/]+)/([^/]+)/(.+)_gt(?:Fine|Coarse)_(labelIds|labelTrainIds)"
    r"\.png"
)
_CITYSCAPES_OTHERS = (
    r"(.*/)?gt(Fine|Coarse)/[^/]+/[^/]+/.+_gt(Fine|Coarse)_(color\.png|instanceIds\.png"
    r"|instanceTrainIds\.png|polygons\.json)"
)
_CAMVID_MASK = r"(?:.*/)?([^/]+)_L\.png"
_CAMVID_DRIVES = r"(.*/)?(0001TP|0006R0|0016E5|Seq05VD)_\w+_L\.png"


def matches_cityscapes(source: Source) -> bool:
    """Whether there are ``gtFine/<split>/<city>/*_labelIds.png``, or only other files there."""
    if source.named(_CITYSCAPES_MASK):
        return True
    others = source.named(_CITYSCAPES_OTHERS)
    return bool(others) and len(others) == len(source.named(r"(.*/)?gt(Fine|Coarse)/.*"))


def read_cityscapes(source: Source) -> Layout:
    """Read Cityscapes: ``leftImg8bit`` and ``gtFine``; 19 classes are scored, cities are groups.

    ``labelTrainIds`` are taken where every image has them, or more than have ``labelIds``.

    Raises:
        SegcoreError: There are no images in ``leftImg8bit``, or only colours and instances of them.
    """
    rule = re.compile(_CITYSCAPES_MASK, re.IGNORECASE)
    masks: dict[str, dict[tuple[str, ...], str]] = {"labelids": {}, "labeltrainids": {}}
    for name in source.files:
        if found := rule.fullmatch(name):
            masks[found[4].lower()][found[1], found[2], found[3]] = name
    images = {
        (p.parent.parent.name, p.parent.name, p.stem.removesuffix("_leftImg8bit")): p
        for p in source.images
        if p.stem.endswith("_leftImg8bit")
    }
    if not masks["labelids"] and not masks["labeltrainids"]:
        raise SegcoreError(
            f"Expected masks '*_labelIds.png' in {source.root}, found only colours, instances or "
            "polygons of gtFine: unpack gtFine_trainvaltest.zip whole, or make labelTrainIds with "
            "csCreateTrainIdLabelImgs."
        )
    if not images:
        raise SegcoreError(
            f"Expected images '*_leftImg8bit.png' in {source.root}, found only masks: "
            "unpack leftImg8bit next to gtFine."
        )
    held = {kind: sum(key in own for key in images) for kind, own in masks.items()}
    by_train_ids = held["labeltrainids"] == len(images) or (
        held["labeltrainids"] > held["labelids"]
    )
    chosen = masks["labeltrainids" if by_train_ids else "labelids"]
    problems: list[Problem] = []
    pairs = []
    for key, path in images.items():
        folder, city, stem = key
        split = SPLIT_NAMES.get(folder.lower(), folder)
        pairs.append(
            Pair(
                f"{city}/{stem}",
                source.root / path,
                source.root / chosen[key] if key in chosen else None,
                split,
                city,
            )
        )
    declared = CITYSCAPES_TRAIN_IDS if by_train_ids else CITYSCAPES_IDS
    return Layout(
        "Cityscapes",
        tuple(unique_ids(pairs, problems)),
        declared,
        "Cityscapes",
        tuple(problems),
        by="index",
    )


def matches_camvid(source: Source) -> bool:
    """Whether there are CamVid's colour masks: ``LabeledApproved_full``, or ``_L.png``."""
    return bool(
        source.named(r"(.*/)?LabeledApproved_full/.*_L\.png") or source.named(_CAMVID_DRIVES)
    )


def read_camvid(source: Source) -> Layout:
    """Read CamVid's 32 colours: masks ``NAME_L.png``, images ``NAME.png``; drives are groups.

    Raises:
        SegcoreError: A class table next to it cannot be understood.
    """
    rule = re.compile(_CAMVID_MASK, re.IGNORECASE)
    masks: dict[str, list[str]] = defaultdict(list)
    for name in source.files:
        if found := rule.fullmatch(name):
            masks[found[1]].append(name)
    problems: list[Problem] = []
    pairs = []
    for path in source.images:
        if rule.fullmatch(str(path)):
            continue
        several = masks.get(path.stem, [])
        mask = several[0] if len(several) == 1 else None
        reason = ""
        if len(several) > 1:
            shown = list_names(several, 4)
            reason = f"The image {path.name} has {len(several)} masks ({shown}): keep one."
        split = read_place(path).split or (read_place(PurePosixPath(mask)).split if mask else "")
        pairs.append(
            Pair(
                path.stem,
                source.root / path,
                source.root / mask if mask else None,
                split,
                path.stem.split("_")[0],
                reason=reason,
            )
        )
    declared, declared_in = find_class_table(source)
    void = {row.color for row in CAMVID_32 if row.ignore}
    rows = tuple(
        row if row.color not in void else type(row)(row.name, row.id, row.color, True)
        for row in declared
    )
    kept = tuple(unique_ids(pairs, problems))
    return Layout(
        "CamVid colours",
        kept,
        rows or CAMVID_32,
        declared_in or "CamVid",
        tuple(problems),
        by="color",
    )
