"""Images and masks in folders of any nesting, paired by their names.

``images/train/a.jpg`` + ``masks/train/a.png``; ``Tile 1/images/a.jpg`` + ``Tile 1/masks/a.png``;
``train/a.png`` + ``trainannot/a.png``; ``images_png/1.png`` + ``masks_png/1.png``; ``a_sat.jpg`` +
``a_mask.png`` in one folder; ``image1.png`` + ``mask1.png``; ``a.jpg`` + ``a.png``.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from segcore.data.formats.importers.class_tables import TABLE_NAMES, DeclaredClass, read_class_table
from segcore.data.formats.importers.pairing import Pairing, Stopwatch
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import SPLIT_NAMES, Layout, Pair, Source
from segcore.errors import SegcoreError

# fmt: off
MASK_WORDS = frozenset((
    "mask", "masks", "label", "labels", "labelids", "annotation", "annotations", "annot", "annots", "gt", "gts", "groundtruth", "truth",
    "segmentation", "segmentations", "seg", "segmentationclass", "semantic", "semantics", "target", "targets", "indices",
))
IMAGE_WORDS = frozenset((
    "image", "images", "img", "imgs", "jpegimages", "photo", "photos", "picture", "pictures", "rgb", "input", "inputs", "original",
    "originals", "frames", "leftimg8bit",
))
# fmt: on
FORMAT_WORDS = frozenset(
    ("png", "jpg", "jpeg", "tif", "tiff", "gif", "bmp", "webp", "8bit", "16bit")
)
"""What stands in a folder's name beside one of the words above and tells no two folders apart: ``masks_png``."""

MASK_AFFIX = (
    r"masks?|labels?|label(?:train)?ids|gts?|seg|segmentations?|anno|annot|annotations?|(?:ground[_ "
    r""
    r""
    r""
    r"-]?)?truth|targets?|semantic|l"
)
IMAGE_AFFIX = r"image|img|rgb|sat|leftimg8bit"


@dataclass(frozen=True)
class Place:
    """What a path says: its role ("image", "mask" or ""), its split, and the folders that say neither."""

    path: PurePosixPath
    role: str
    split: str
    folders: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What an image and its mask have in common."""
        return (self.split, *self.folders, self.path.stem)


def read_place(path: PurePosixPath) -> Place:
    """Read role and split from the folders of a path."""
    role, split, rest = "", "", []
    for part in path.parts[:-1]:
        part_role, part_split, left = _read_folder(part)
        role, split = part_role or role, part_split or split
        if left:
            rest.append(left)
    return Place(path, role, split, tuple(rest))


def _read_folder(part: str) -> tuple[str, str, str]:
    """Return (role, split, what of the folder's name says neither); a name with a word that is none of ours is wholly left."""
    words = re.split(r"[_\-. ]+", part.lower())
    if words == ["ground", "truth"]:
        return "mask", "", ""
    if len(words) == 1 and words[0] not in SPLIT_NAMES:
        for alias in sorted(SPLIT_NAMES, key=len, reverse=True):
            tail = words[0].removeprefix(alias)
            if tail != words[0] and tail in MASK_WORDS | IMAGE_WORDS:
                words = [alias, tail]
                break
    said = MASK_WORDS | IMAGE_WORDS | SPLIT_NAMES.keys()
    numbers = [
        w for w in words if w.isdigit()
    ]  # "images_2" and "masks_2" belong together, and are not "images_1"
    if not said & set(words) or not all(
        w in said or w in FORMAT_WORDS or w.isdigit() for w in words
    ):
        return "", "", part
    role = "mask" if MASK_WORDS & set(words) else "image" if IMAGE_WORDS & set(words) else ""
    if numbers and not role:
        return "", "", part
    return role, next((SPLIT_NAMES[w] for w in words if w in SPLIT_NAMES), ""), "_".join(numbers)


def bare_stem(stem: str, affixes: str) -> str:
    """Take one affix ("_mask", "img_", "mask" before a number) off a stem; the stem itself where there is none."""
    behind = re.fullmatch(rf"(.+?)[_\-. ](?:{affixes})", stem, re.IGNORECASE)
    before = re.fullmatch(rf"(?:{affixes})(?:[_\-. ](?=.)|(?=\d))(.+)", stem, re.IGNORECASE)
    found = behind or before
    return found[1] if found else stem


def find_class_table(source: Source) -> tuple[tuple[DeclaredClass, ...], str]:
    """Read the class table nearest to the top of a source.

    Returns:
        The declared classes and the table's file name; ``((), "")`` where there is none.

    Raises:
        SegcoreError: It cannot be understood.
    """
    named = [name for name in source.files if TABLE_NAMES.fullmatch(name)]
    if not named:
        return (), ""
    nearest = min(named, key=lambda name: (name.count("/"), not name.endswith(".csv"), name))
    return read_class_table(source.root / nearest), nearest


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


def split_roles(source: Source, pairing: Pairing | None = None) -> tuple[list[Place], list[Place]]:
    """Part the image files of a source into images and masks: by the user's suffix, else by folders, affixes or endings."""
    places = [read_place(path) for path in source.images]
    if pairing and pairing.mask_suffix:
        return (
            [p for p in places if not pairing.is_mask(p.path.stem) and p.role != "mask"],
            [p for p in places if pairing.is_mask(p.path.stem)],
        )
    masks = [p for p in places if p.role == "mask"]
    others = [p for p in places if p.role != "mask"]
    if masks:
        return others, masks
    photos = [p for p in others if bare_stem(p.path.stem, MASK_AFFIX) == p.path.stem]
    keys = {
        (*p.key[:-1], stem)
        for p in photos
        for stem in (p.path.stem, bare_stem(p.path.stem, IMAGE_AFFIX))
    }
    masks = [
        p
        for p in others
        if (bare := bare_stem(p.path.stem, MASK_AFFIX)) != p.path.stem
        and (*p.key[:-1], bare) in keys
    ]
    if not masks:  # a.jpg + a.png
        stems = {p.key for p in others if p.path.suffix.lower() in (".jpg", ".jpeg")}
        masks = [
            p for p in others if p.path.suffix.lower() not in (".jpg", ".jpeg") and p.key in stems
        ]
    taken = {p.path for p in masks}
    return [p for p in others if p.path not in taken], masks


def pair_places(images: list[Place], masks: list[Place]) -> dict[PurePosixPath, Place]:
    """Find each image's mask: by whole key, then without affixes, then by a stem that stands once."""
    found: dict[PurePosixPath, Place] = {}
    free = list(masks)
    rules = (
        (lambda p: p.key, lambda p: p.key),
        (lambda p: p.key, lambda p: (*p.key[:-1], bare_stem(p.path.stem, MASK_AFFIX))),
        (
            lambda p: (*p.key[:-1], bare_stem(p.path.stem, IMAGE_AFFIX)),
            lambda p: (*p.key[:-1], bare_stem(p.path.stem, MASK_AFFIX)),
        ),
        (lambda p: (p.path.stem,), lambda p: (p.path.stem,)),
        (
            lambda p: (bare_stem(p.path.stem, IMAGE_AFFIX),),
            lambda p: (bare_stem(p.path.stem, MASK_AFFIX),),
        ),
    )
    for image_key, mask_key in rules:
        by_key: dict[tuple[str, ...], list[Place]] = defaultdict(list)
        waiting: dict[tuple[str, ...], list[Place]] = defaultdict(list)
        for mask in free:
            by_key[mask_key(mask)].append(mask)
        for image in images:
            if image.path not in found:
                waiting[image_key(image)].append(image)
        for key, group in waiting.items():
            if len(group) == 1 and len(by_key.get(key, ())) == 1:
                found[group[0].path] = by_key[key][0]
        taken = {m.path for m in found.values()}
        free = [m for m in free if m.path not in taken]
    return found


def pair_by_rule(
    images: list[Place], masks: list[Place], pairing: Pairing, problems: list[Problem]
) -> tuple[list[Place], list[Place], dict[PurePosixPath, Place]]:
    """Find each image's mask by the user's rule: within its split and folders, then anywhere by a key that stands once.

    Returns:
        The images and masks whose names the rule matches, and the mask of each image that has one.

    Raises:
        SegcoreError: The rule matches no name, or takes too long.
    """
    watch = Stopwatch.start()
    keys: dict[PurePosixPath, str] = {}
    strange: list[PurePosixPath] = []
    for place in (*images, *masks):
        watch.check()
        key = pairing.key(place.path.stem)
        if key is None:
            strange.append(place.path)
        else:
            keys[place.path] = key
    images, masks = [p for p in images if p.path in keys], [p for p in masks if p.path in keys]
    if not images or not masks:
        shown = next(iter(strange), None)
        raise SegcoreError(
            (
                "Expected names of images and masks that the rule matches, found "
                f"{len(images)} and {len(masks)}"
            )
            + (
                f", {shown.name} for one does not: correct the rule."
                if shown
                else ": correct the rule."
            )
        )
    if strange:
        what = (
            f"{len(strange)} names do not match the rule and are left out, for example {strange[0]}"
        )
        problems.append(Problem("", what, "correct the rule if they belong to the dataset"))
    found: dict[PurePosixPath, Place] = {}
    taken: set[PurePosixPath] = set()
    for within_folders in (True, False):
        groups: dict[tuple[str, ...], tuple[list[Place], list[Place]]] = defaultdict(
            lambda: ([], [])
        )
        for role, places in enumerate((images, masks)):
            for place in places:
                if place.path not in found and place.path not in taken:
                    key = keys[place.path]
                    groups[(*place.key[:-1], key) if within_folders else (key,)][role].append(place)
        for own_images, own_masks in groups.values():
            if len(own_images) == len(own_masks) == 1:
                found[own_images[0].path] = own_masks[0]
                taken.add(own_masks[0].path)
    return images, masks, found


def matches(source: Source) -> bool:
    """Whether there is any image file at all: this is the last reader asked."""
    return bool(source.images)


def read(source: Source, pairing: Pairing | None = None) -> Layout:
    """Pair the images and masks of a source by their names.

    Args:
        source: The files.
        pairing: The user's own rule; None to try the usual ones.

    Raises:
        SegcoreError: There is no image, no mask, or the class table cannot be understood.
    """
    declared, declared_in = find_class_table(source)
    images, masks = split_roles(source, pairing)
    if not images and not masks:
        raise SegcoreError(
            f"Expected images and masks in {source.root}, found no image file: check the path."
        )
    if not masks:
        raise SegcoreError(
            f"Expected masks beside the {len(images)} images in {source.root}, found none: "
            "put them in a folder 'masks' "
            "under the names of their images, or say how their names end (mask suffix)."
        )
    if not images:
        raise SegcoreError(
            f"Expected images beside the {len(masks)} masks in {source.root}, found none: "
            "put them in a folder 'images'."
        )
    problems: list[Problem] = []
    if pairing:
        images, masks, found = pair_by_rule(images, masks, pairing, problems)
    else:
        found = pair_places(images, masks)
    if not found:
        raise SegcoreError(
            f"Expected each mask under its image's name, none of the {len(masks)} masks, "
            f"such as {masks[0].path}, belongs to one of the "
            f"{len(images)} images, such as {images[0].path}: rename them, or say by a "
            "pattern what their names share."
        )
    pairs = []
    for image in images:
        mask = found.get(image.path)
        split = image.split or (mask.split if mask else "")
        file = None if mask is None else source.root / mask.path
        pairs.append(
            Pair(
                sample_id(image.folders, image.path.stem),
                source.root / image.path,
                file,
                split,
                "/".join(image.folders),
            )
        )
    taken = {m.path for m in found.values()}
    for place in masks:
        if place.path not in taken:
            problems.append(
                Problem(
                    str(place.path),
                    "this mask has no image",
                    "add the image under the same name, or remove the mask",
                )
            )
    return Layout(
        "paired folders", tuple(unique_ids(pairs, problems)), declared, declared_in, tuple(problems)
    )


def matches_roboflow(source: Source) -> bool:
    """Whether Roboflow wrote it: ``_classes.csv`` beside ``*_mask.png``."""
    return bool(source.named(r"(.*/)?_classes\.csv")) and bool(source.named(r".*_mask\.png"))


def read_roboflow(source: Source) -> Layout:
    """Read Roboflow's semantic masks: ``train/a.jpg``, ``train/a_mask.png``, ``train/_classes.csv``; values are ids.

    Raises:
        SegcoreError: As :func:`read`.
    """
    return replace(read(source), title="Roboflow masks", by="index")
