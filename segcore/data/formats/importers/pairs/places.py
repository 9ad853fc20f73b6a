"""What the path of a file says: image or mask, its split, and the name of its partner."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from segcore.data.files.mask_folders import IMAGE_WORDS, MASK_WORDS
from segcore.data.files.names import folder_words, name_key
from segcore.data.formats.importers.source import SPLIT_NAMES

FORMAT_WORDS = frozenset(
    ("png", "jpg", "jpeg", "tif", "tiff", "gif", "bmp", "webp", "8bit", "16bit")
)
"""Further words that do not distinguish folders: ``masks_png``."""

MASK_AFFIX = (
    r"masks?|labels?|label(?:train)?ids|gts?|seg|segmentations?|anno|annot|annotations?"
    r"|(?:ground[_ -]?)?truth|targets?|semantic|l"
)
IMAGE_AFFIX = r"image|img|rgb|sat|leftimg8bit"


@dataclass(frozen=True)
class Place:
    """What a path says.

    Attributes:
        path: The path below the source.
        role: "image", "mask" or "", by the words of its folders.
        split: Its split, or "".
        folders: The folders that say neither.
        family: The folder that tells this kind of file from others: the one that says its role,
            else the first that says no split; "" for none.
    """

    path: PurePosixPath
    role: str
    split: str
    folders: tuple[str, ...]
    family: str = ""

    @cached_property
    def stem(self) -> str:
        """The name without endings, in one Unicode form."""
        return name_key(self.path.name)

    @property
    def scope(self) -> tuple[str, ...]:
        """Split and folders: where an image and its mask both lie."""
        return (self.split, *self.folders)


Roles = Mapping[str, tuple[str, str, str]]
"""Folder names whose role is known only in company: role, split and the rest of the name."""


def read_place(path: PurePosixPath, roles: Roles | None = None) -> Place:
    """Read role and split from the folders of a path.

    Args:
        path: The path below the source.
        roles: Folder names of which more is known than their words say.
    """
    role, split, family, rest = "", "", "", []
    for part in path.parts[:-1]:
        part_role, part_split, left = (roles or {}).get(part) or _read_folder(part)
        if part_role or (not role and not family and not part_split):
            family = part
        role, split = part_role or role, part_split or split
        if left:
            rest.append(unicodedata.normalize("NFC", left))
    return Place(path, role, split, tuple(rest), family)


def _read_folder(part: str) -> tuple[str, str, str]:
    """Return role, split and what of a folder's name says neither: all, with a strange word."""
    for words in (re.split(r"[_\-. ]+", part.lower()), folder_words(part)):
        role, split, left = _read_words(words, part)
        if role or split:
            return role, split, left
    return "", "", part


def _read_words(words: list[str], part: str) -> tuple[str, str, str]:
    if words == ["ground", "truth"]:
        return "mask", "", ""
    if len(words) == 1 and words[0] not in SPLIT_NAMES:
        for alias in sorted(SPLIT_NAMES, key=len, reverse=True):
            tail = words[0].removeprefix(alias)
            if tail != words[0] and tail in MASK_WORDS | IMAGE_WORDS:
                words = [alias, tail]
                break
    known = MASK_WORDS | IMAGE_WORDS | SPLIT_NAMES.keys()
    numbers = [
        w for w in words if w.isdigit()
    ]  # "images_2" and "masks_2" belong together, and are not "images_1"
    if not known & set(words) or not all(
        w in known or w in FORMAT_WORDS or w.isdigit() for w in words
    ):
        return "", "", part
    role = "mask" if MASK_WORDS & set(words) else "image" if IMAGE_WORDS & set(words) else ""
    if numbers and not role:
        return "", "", part
    return role, next((SPLIT_NAMES[w] for w in words if w in SPLIT_NAMES), ""), "_".join(numbers)


def roles_in_company(paths: Iterable[PurePosixPath]) -> Roles:
    """Read folders like CameraRGB and CameraSeg, which differ in a word for images or masks."""
    parsed: dict[str, tuple[str, tuple[str, ...]]] = {}
    for part in {part for path in paths for part in path.parts[:-1]}:
        words = folder_words(part)
        images, masks = IMAGE_WORDS & set(words), MASK_WORDS & set(words)
        if bool(images) != bool(masks) and not _read_folder(part)[0]:
            rest = tuple(w for w in words if w not in images | masks)
            parsed[part] = ("image" if images else "mask", rest)
    both = {rest for role, rest in parsed.values() if role == "image"} & {
        rest for role, rest in parsed.values() if role == "mask"
    }
    alone = len(both) == 1
    return {
        part: (role, "", "" if alone else "_".join(rest))
        for part, (role, rest) in parsed.items()
        if rest in both
    }


def bare_stem(stem: str, affixes: str) -> str:
    """Take one affix, such as "_mask", "img_" or "mask" before a number, off a stem."""
    behind = re.fullmatch(rf"(.+?)[_\-. ](?:{affixes})", stem, re.IGNORECASE)
    before = re.fullmatch(rf"(?:{affixes})(?:[_\-. ](?=.)|(?=\d))(.+)", stem, re.IGNORECASE)
    found = behind or before
    return found[1] if found else stem


def unnumbered(stem: str) -> str:
    """Take the number off a mask of which an image has several: a_mask_2."""
    found = re.fullmatch(rf"(.+?[_\-. ](?:{MASK_AFFIX}))[_\-. ]?\d+", stem, re.IGNORECASE)
    return found[1] if found else stem
