"""Which image files of a source are images and which are masks, as far as that is plain."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from segcore.data.files.masks import read_colors
from segcore.data.formats.importers.pairs.pairing import Pairing
from segcore.data.formats.importers.pairs.partners import pair_places
from segcore.data.formats.importers.pairs.places import (
    IMAGE_AFFIX,
    MASK_AFFIX,
    Place,
    bare_stem,
    read_place,
    roles_in_company,
    unnumbered,
)
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Source
from segcore.errors import SegcoreError
from segcore.labels import plural

LOOKED_INTO = 3
"""Files of a folder that are read to distinguish masks from photographs."""

MAX_MASK_COLORS = 64
RIVAL_SHARE = 0.2
"""Share of the images with masks in two places from which on the user is asked which are meant."""


@dataclass(frozen=True)
class Roles:
    """The images and masks of a source.

    Attributes:
        images: Where the images are.
        masks: Where the masks are.
        problems: What was decided.
        loose: Whether the masks were known by names that agree in their beginning only.
    """

    images: list[Place]
    masks: list[Place]
    problems: tuple[Problem, ...] = ()
    loose: bool = False


def choose_roles(source: Source, pairing: Pairing) -> Roles:
    """Part the image files of a source into images and masks.

    Args:
        source: The files.
        pairing: What the user says about names and folders.

    Raises:
        SegcoreError: A folder that the user names is not there, or several kinds of masks fit the
            images.
    """
    roles = roles_in_company(source.images)
    places = [read_place(path, roles) for path in source.images]
    if pairing.mask_suffix:
        own = _within(places, pairing.images) if pairing.images else places
        return Roles(
            [p for p in own if not pairing.is_mask(p.stem) and p.role != "mask"],
            [
                p
                for p in (_within(places, pairing.masks) if pairing.masks else places)
                if pairing.is_mask(p.stem)
            ],
        )
    if pairing.masks:
        masks = _within(places, pairing.masks)
        taken = {p.path for p in masks}
        others = [p for p in places if p.path not in taken and p.role != "mask"]
        if pairing.images:
            return Roles(_within(places, pairing.images), masks)
        named = [p for p in others if p.role == "image"]
        return Roles(named or _without_masks(source, others), masks)
    if pairing.images:
        images = _within(places, pairing.images)
        taken = {p.path for p in images}
        rest = [p for p in places if p.path not in taken]
        masks = [p for p in rest if p.role == "mask"]
        return _ask_if_several(source, images, masks, [p for p in rest if p.role == ""])
    images, masks = split_roles(source)
    named = [p for p in images if p.role == "image"]
    if named and masks:
        beside = _masks_beside(source, named, masks)
        taken = {p.path for p in beside}
        named, masks = [p for p in named if p.path not in taken], [*masks, *beside]
    if named:
        return _ask_if_several(source, named, masks, [p for p in images if p.role == ""])
    return _without_names(source, images, masks)


def _masks_beside(source: Source, images: list[Place], masks: list[Place]) -> list[Place]:
    """Return files of an image folder that are named and look like masks of others there."""
    stems = {(*p.scope, p.stem) for p in images}
    named = [
        p
        for p in images
        if (bare := bare_stem(unnumbered(p.stem), MASK_AFFIX)) != p.stem
        and (*p.scope, bare) in stems
    ]
    if not named:
        return []
    paired = pair_places(images, masks).masks
    lonely = [p for p in named if p.path not in paired]
    return lonely if lonely and _look_like_masks(source, lonely) else []


def _within(places: Sequence[Place], folder: str) -> list[Place]:
    """Return the files that lie in a folder, given by its name or by a path."""
    wanted = [part.casefold() for part in _parts(folder)]
    inside = []
    for place in places:
        parts = [part.casefold() for part in _parts(str(place.path.parent))]
        if any(parts[i : i + len(wanted)] == wanted for i in range(len(parts))):
            inside.append(without_folders(place, wanted))
    if not inside or not wanted:
        families = sorted({str(p.path.parent) for p in places})[:12]
        raise SegcoreError(
            f"Expected image files in a folder {folder!r}, found none: name one of "
            f"{', '.join(families)}."
        )
    return inside


def without_folders(place: Place, names: Collection[str]) -> Place:
    """Take folders out of what an image and its mask share."""
    folded = {unicodedata.normalize("NFC", name).casefold() for name in names}
    return replace(place, folders=tuple(f for f in place.folders if f.casefold() not in folded))


def _parts(path: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFC", path.strip()).replace("\\", "/").strip("/")
    return tuple(part for part in PurePosixPath(plain).parts if part != ".")


def _by_kind(masks: Sequence[Place]) -> dict[str, list[Place]]:
    """Group masks by what makes them such: their folder, else the ending of their names."""
    kinds: dict[str, list[Place]] = defaultdict(list)
    for mask in masks:
        bare = bare_stem(unnumbered(mask.stem), MASK_AFFIX)
        affix = unnumbered(mask.stem).replace(bare, "*", 1) if mask.role != "mask" else ""
        kinds[affix if affix not in ("", "*") else f"{mask.family}/"].append(mask)
    return kinds


def _ask_if_several(
    source: Source, images: list[Place], masks: list[Place], others: list[Place]
) -> Roles:
    """Take the masks of folders that say so, unless another folder fits the images as well.

    Args:
        source: The files.
        images: The images.
        masks: The masks, by the words of their folders or names.
        others: Files in folders that say neither.
    """
    kinds = _by_kind(masks)
    problems: list[Problem] = []
    loose = False
    unknown: dict[str, list[Place]] = defaultdict(list)
    for place in others:
        unknown[f"{place.family}/"].append(place)
    strangers: list[Place] = []
    for family, places in unknown.items():
        bare = [without_folders(place, [place.family]) for place in places]
        fitting = len(pair_places(images, bare, loose=True).masks)
        if 2 * fitting < len(places):
            strangers.extend(places)
        elif _look_like_masks(source, places):
            loose = loose or 2 * len(pair_places(images, bare).masks) < len(places)
            kinds[family] = bare
        else:
            what = (
                f"{plural(len(places), 'file')} in {family} have the names of images, in a folder "
                "of neither images nor masks; they are left out"
            )
            problems.append(Problem("", what, "name the folders that you mean: --images, --masks"))
    _refuse_rivals(images, kinds, set(unknown) & set(kinds))
    chosen = [place for places in kinds.values() for place in places]
    if chosen and not masks:
        what = f"the masks are taken from {', '.join(kinds)}"
        problems.append(Problem("", what, "name another folder with --masks if these are none"))
    elif len(kinds) > 1:
        what = f"the masks come from several places: {', '.join(sorted(kinds))}"
        problems.append(Problem("", what, "name one with --masks if they are of different kinds"))
    return Roles([*images, *strangers], chosen, tuple(problems), loose)


def _refuse_rivals(
    images: Sequence[Place], kinds: Mapping[str, list[Place]], unnamed: set[str]
) -> None:
    """Ask which kind of masks is meant where images have several, or where one only seems to be.

    Raises:
        SegcoreError: They do.
    """
    if len(kinds) < 2:
        return
    fits = {
        kind: set(pair_places(images, places, loose=True).masks) for kind, places in kinds.items()
    }
    covered = set().union(*fits.values())
    twice = [path for path in covered if sum(path in own for own in fits.values()) > 1]
    if len(twice) < RIVAL_SHARE * max(1, len(covered)) and not unnamed:
        return
    shown = " and ".join(
        f"{kind} (masks of {len(own)} of the {len(images)} images)" for kind, own in fits.items()
    )
    folders = [kind.rstrip("/") for kind in kinds if kind.endswith("/")]
    endings = [kind.replace("*", "") for kind in kinds if not kind.endswith("/")]
    ways = [f"--masks {name}" for name in folders] + [f"--mask-suffix={end}" for end in endings]
    raise SegcoreError(
        f"Expected one kind of masks, received {len(kinds)} that fit the images, {shown}: choose "
        f"with {' or '.join(ways)}."
    )


def _without_names(source: Source, images: list[Place], masks: list[Place]) -> Roles:
    """Choose where no folder says that it holds images: masks are what looks like masks."""
    families: dict[str, list[Place]] = defaultdict(list)
    for place in images:
        families[f"{place.family}/"].append(place)
    if len(families) < 2:
        kinds = _by_kind(masks)
        _refuse_rivals(images, kinds, set())
        return Roles(images, masks)
    flat = {family for family, places in families.items() if _look_like_masks(source, places)}
    photos = [p for family, places in families.items() if family not in flat for p in places]
    if not photos or not flat:
        return Roles(images, masks)
    rest = [p for family in flat for p in families[family]]
    roles = _ask_if_several(source, photos, masks, rest)
    return roles if roles.masks else Roles(images, masks)


def _without_masks(source: Source, places: list[Place]) -> list[Place]:
    """Drop folders of files that look like masks, where others do not."""
    families: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        families[place.family].append(place)
    photos = [p for own in families.values() if not _look_like_masks(source, own) for p in own]
    return photos or places


def _look_like_masks(source: Source, places: Sequence[Place]) -> bool:
    """Whether files hold few colours, as masks do; a JPEG is a photograph."""
    step = max(1, len(places) // LOOKED_INTO)
    for place in places[::step][:LOOKED_INTO]:
        if _is_jpeg(place):
            return False
        try:
            colors = np.unique(read_colors(source.root / place.path))
        except SegcoreError:
            return False
        if len(colors) > MAX_MASK_COLORS:
            return False
    return True


def split_roles(source: Source) -> tuple[list[Place], list[Place]]:
    """Part the image files of a source into images and masks: by folders, affixes or endings."""
    roles = roles_in_company(source.images)
    places = [read_place(path, roles) for path in source.images]
    masks = [p for p in places if p.role == "mask"]
    others = [p for p in places if p.role != "mask"]
    if masks:
        return others, masks
    photos = [p for p in others if bare_stem(p.stem, MASK_AFFIX) == p.stem]
    keys = {(*p.scope, stem) for p in photos for stem in (p.stem, bare_stem(p.stem, IMAGE_AFFIX))}
    masks = [
        p
        for p in others
        if (bare := bare_stem(unnumbered(p.stem), MASK_AFFIX)) != p.stem
        and bare != unnumbered(p.stem)
        and (*p.scope, bare) in keys
    ]
    if not masks:  # a.jpg + a.png
        stems = {(*p.scope, p.stem) for p in others if _is_jpeg(p)}
        masks = [p for p in others if not _is_jpeg(p) and (*p.scope, p.stem) in stems]
    taken = {p.path for p in masks}
    return [p for p in others if p.path not in taken], masks


def _is_jpeg(place: Place) -> bool:
    return place.path.suffix.lower() in (".jpg", ".jpeg")
