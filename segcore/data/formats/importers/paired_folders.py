"""Images and masks in folders of any nesting, paired by their names.

``images/train/a.jpg`` + ``masks/train/a.png``; ``Tile 1/images/a.jpg`` + ``Tile 1/masks/a.png``;
``train/a.png`` + ``trainannot/a.png``; ``images_png/1.png`` + ``masks_png/1.png``; ``a_sat.jpg`` +
``a_mask.png`` in one folder; ``image1.png`` + ``mask1.png``; ``a.jpg`` + ``a.png``.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath

from segcore.data.formats.importers.class_tables import (
    TABLE_NAMES,
    DeclaredClass,
    declare_alike,
    read_class_table,
)
from segcore.data.formats.importers.hints import describe, masks_beside, name_ways
from segcore.data.formats.importers.pairs.pairing import Pairing
from segcore.data.formats.importers.pairs.partners import Partners, pair_by_rule, pair_places
from segcore.data.formats.importers.pairs.places import Place
from segcore.data.formats.importers.pairs.roles import choose_roles
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.data.formats.importers.split_lists import with_listed_splits
from segcore.errors import SegcoreError
from segcore.labels import list_names, plural


def find_class_table(source: Source) -> tuple[tuple[DeclaredClass, ...], str]:
    """Read the class table nearest to the top of a source.

    Returns:
        The declared classes and the table's file name; ``((), "")`` where there is none.

    Raises:
        SegcoreError: It cannot be understood, or another of its name says otherwise.
    """
    named = [name for name in source.files if TABLE_NAMES.fullmatch(name)]
    if not named:
        return (), ""
    nearest = min(named, key=lambda name: (name.count("/"), not name.endswith(".csv"), name))
    declared = read_class_table(source.root / nearest)
    last = PurePosixPath(nearest).name.lower()
    for other in [n for n in named if n != nearest and PurePosixPath(n).name.lower() == last]:
        if read_class_table(source.root / other) != declared:
            raise SegcoreError(
                f"Expected one class table, received {nearest} and {other}, which differ: keep one "
                "for all masks, or import what belongs to each by itself."
            )
    return declared, nearest


def other_tables(source: Source, read: str) -> list[Problem]:
    """Report the class tables in the folder of the one that was read which declare other classes."""
    if not TABLE_NAMES.fullmatch(read):
        return []
    declared, problems = read_class_table(source.root / read), []
    for name in source.files:
        beside = name != read and PurePosixPath(name).parent == PurePosixPath(read).parent
        if not beside or not TABLE_NAMES.fullmatch(name):
            continue
        with suppress(SegcoreError):  # not every file of such a name is a table
            if not declare_alike(read_class_table(source.root / name), declared):
                what = f"the classes are read from {read}; {name} declares others"
                problems.append(Problem("", what, "remove the one that is not meant"))
    return problems


def sample_id(folders: tuple[str, ...], stem: str) -> str:
    """Join folders and a stem to an id that is a plain relative path."""
    parts = [
        re.sub(r'[\\:*?"<>|\x00-\x1f\x7f]', "_", part).strip().lstrip(".") or "_"
        for part in (*folders, stem)
    ]
    return "/".join(parts)


def unique_ids(pairs: list[Pair], problems: list[Problem]) -> list[Pair]:
    """Put the split before ids that would stand twice; drop what still does, and say so."""
    counts: dict[str, int] = defaultdict(int)
    for pair in pairs:
        counts[pair.id] += 1
    named = [
        replace(p, id=f"{p.split}/{p.id}") if counts[p.id] > 1 and p.split else p for p in pairs
    ]
    kept: dict[str, Pair] = {}
    for pair in named:
        if pair.id in kept and pair.reason:
            continue  # reported with the one kept: neither has a mask
        if pair.id in kept:
            problems.append(
                Problem(
                    pair.id,
                    f"two images have this name, {pair.image.name} is left out",
                    "rename one of them",
                )
            )
        else:
            kept[pair.id] = pair
    return list(kept.values())


def matches(source: Source) -> bool:
    """Whether there is any image file at all: this is the last reader asked."""
    return bool(source.images)


def read(source: Source, pairing: Pairing | None = None) -> Layout:
    """Pair the images and masks of a source by their names.

    Args:
        source: The files.
        pairing: The user's own rule; None to try the usual ones.

    Raises:
        SegcoreError: There is no image, no mask, more than one folder of masks to choose from, or
            the class table cannot be understood.
    """
    declared, declared_in = _shifted(source, *find_class_table(source))
    roles = choose_roles(source, pairing or Pairing())
    images, masks = roles.images, roles.masks
    if not images and not masks:
        raise SegcoreError(
            f"Expected images and masks in {source.root}, found no image file, "
            f"{describe(source)}: check the path."
        )
    if not masks:
        if beside := masks_beside(source.root):
            raise SegcoreError(
                f"Expected images and masks in {source.root}, found {plural(len(images), 'image')} "
                f"and no mask: import the folder above, whose folder {beside!r} seems to hold the "
                f"masks ({source.root.parent})."
            )
        ways = name_ways(source.images)
        perhaps = f", here perhaps {ways}" if ways else ""
        raise SegcoreError(
            f"Expected masks next to the {plural(len(images), 'image')} in {source.root}, found "
            f"none, {describe(source)}: put them in a folder 'masks' under the names of their "
            "images, name their folder (--masks FOLDER), or say how their names end "
            f"(--mask-suffix=_END){perhaps}."
        )
    if not images:
        raise SegcoreError(
            f"Expected images next to the {plural(len(masks), 'mask')} in {source.root}, found "
            f"none, {describe(source)}: put them in a folder 'images', or name their folder "
            "(--images FOLDER)."
        )
    problems = list(roles.problems)
    if pairing and pairing.names:
        partners = pair_by_rule(images, masks, pairing, problems)
    else:
        partners = pair_places(images, masks, loose=bool(pairing and pairing.masks) or roles.loose)
    if not partners.masks:
        raise SegcoreError(_none_fits(images, masks, partners))
    problems.extend(_what_is_read_alike(partners))
    pairs = [_pair(source, image, partners) for image in partners.images]
    pairs = with_listed_splits(source, pairs, problems)
    problems.extend(
        Problem(
            str(place.path),
            "this mask has no image",
            "add the image under the same name, or remove the mask",
        )
        for place in partners.free
    )
    return Layout(
        "paired folders", tuple(unique_ids(pairs, problems)), declared, declared_in, tuple(problems)
    )


def _shifted(
    source: Source, declared: tuple[DeclaredClass, ...], declared_in: str
) -> tuple[tuple[DeclaredClass, ...], str]:
    """Number COCO-Stuff's classes as its maps do: one less than its ``labels.txt``, 255 is nothing.

    Source: github.com/nightrome/cocostuff, "the PNG label ids are offset by 1".
    """
    first = declared[0] if declared else None
    if first is None or (first.id, first.name.lower()) != (0, "unlabeled"):
        return declared, declared_in
    if not source.named(r"(.*/)?stuffthingmaps[^/]*/.*"):
        return declared, declared_in
    rest = tuple(replace(row, id=row.id - 1) for row in declared[1:] if row.id)
    return (*rest, replace(first, id=255, ignore=True)), declared_in


def _what_is_read_alike(partners: Partners) -> list[Problem]:
    """Say where several masks are united, or lie in folders that could be classes."""
    problems = []
    several = [(path, masks) for path, masks in partners.masks.items() if len(masks) > 1]
    if several:
        path, masks = several[0]
        what = (
            f"{plural(len(several), 'image')} with several masks, such as "
            f"{list_names([m.path.name for m in masks], 3)} of {path.name}, which are united as one "
            "class"
        )
        problems.append(Problem("", what, "join them into one mask of ids if they are of several"))
    scopes = {image.path: image.folders for image in partners.images}
    folders = {
        masks[0].folders
        for path, masks in partners.masks.items()
        if len(masks) == 1 and masks[0].folders != scopes[path]
    }
    if len(folders) > 1:
        shown = list_names(sorted("/".join(folder) for folder in folders), 6)
        what = f"the masks lie in folders of their own ({shown}) and are all read alike"
        fix = (
            "if each folder is a class, write the class as id into its masks, or take one (--masks)"
        )
        problems.append(Problem("", what, fix))
    return problems


def _pair(source: Source, image: Place, partners: Partners) -> Pair:
    masks = partners.masks.get(image.path, ())
    files = tuple(source.root / mask.path for mask in masks)
    return Pair(
        sample_id(image.folders, image.stem),
        source.root / image.path,
        files[0] if files else None,
        image.split or (masks[0].split if masks else ""),
        "/".join(image.folders),
        more=files[1:],
        reason=partners.reasons.get(image.path, ""),
    )


def _none_fits(images: Sequence[Place], masks: Sequence[Place], partners: Partners) -> str:
    """Say why no mask belongs to an image, with the first names of each."""
    if partners.reasons:
        reason = next(iter(partners.reasons.values()))
        return (
            f"Expected one mask for each image, received {len(images)} images and {len(masks)} "
            f"masks that do not fit one to one. {reason}"
        )
    return (
        f"Expected each mask under its image's name, none of the {len(masks)} masks, "
        f"such as {masks[0].path}, belongs to one of the "
        f"{len(images)} images, such as {images[0].path}: rename them, or say by a pattern what "
        r"their names share (--match '(\d+)')."
    )


def matches_roboflow(source: Source) -> bool:
    """Whether Roboflow wrote it: ``_classes.csv`` next to ``*_mask.png``."""
    return bool(source.named(r"(.*/)?_classes\.csv")) and bool(source.named(r".*_mask\.png"))


def read_roboflow(source: Source) -> Layout:
    """Read Roboflow's masks of ids: ``train/a.jpg``, ``train/a_mask.png``, ``_classes.csv``.

    Raises:
        SegcoreError: As :func:`read`.
    """
    return replace(read(source), title="Roboflow masks", by="index")
