"""Names of other people's files: one key that pairs them, what is litter, and one list of a folder.

Every entry point that pairs files by name (import, import-predictions, evaluate, predict) does it
by :func:`name_keys`, and lists folders by :func:`list_files`.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from segcore.errors import SegcoreError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".pnm"}
)
"""File name endings that are looked at when a folder is searched for images."""

OTHER_PICTURES = frozenset(
    {".heic", ".heif", ".avif", ".jp2", ".j2k", ".dng", ".nef", ".cr2", ".arw"}
)
"""Endings of pictures that are not read: they are refused by name, not passed over."""

PAIRED_SUFFIXES = IMAGE_SUFFIXES | {".npy", ".npz", ".nii", ".nii.gz", ".json", ".txt", ".xml"}
"""Endings that are no part of a name when files are paired: those of images and of annotations."""

LITTER = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))
"""Files that Windows and macOS leave in folders, in lower case; hidden files are litter too."""

LITTER_FOLDERS = frozenset(("__macosx", "$recycle.bin", "system volume information"))
MAX_FILES = 2_000_000


def is_litter(path: str | PurePosixPath) -> bool:
    """Whether a relative path is what macOS or Windows left behind, or lies in a hidden folder."""
    parts = PurePosixPath(path).parts
    return any(part.startswith(".") or part.lower() in LITTER_FOLDERS for part in parts) or bool(
        parts and parts[-1].lower() in LITTER
    )


def strip_suffixes(name: str) -> str:
    """Take every ending of an image or annotation off a name: ``a.png.png``, ``a.nii.gz``."""
    while True:
        low = name.lower()
        suffix = next((s for s in (".nii.gz", PurePosixPath(low).suffix) if low.endswith(s)), "")
        if not suffix or suffix not in PAIRED_SUFFIXES or PurePosixPath(name).name == suffix:
            return name
        bare = name[: -len(suffix)]
        if not bare or bare.endswith("/"):
            return name
        name = bare


def plain_path(name: str) -> str:
    """Return a relative path in one spelling: "/" between folders, Unicode composed (NFC)."""
    parts = unicodedata.normalize("NFC", name).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def name_key(name: str) -> str:
    """Return what a file's path shares with its partner's, however it was written down.

    Args:
        name: A path below some folder, with either slash and with or without ending.

    Returns:
        The path in Unicode normal form NFC, with "/", without endings of images.
    """
    return strip_suffixes(plain_path(name))


def name_keys(name: str) -> tuple[str, str, str]:
    """Return the keys by which a name is compared, strictest first.

    Returns:
        :func:`name_key`; the same in folded case, with letters in their plain form (NFKC), without
        %20 for a space and without space around a part; that without nnU-Net's channel ``_0000`` and
        without zeros before a number. A
        later key counts only where an earlier one finds no partner.
    """
    key = name_key(name)
    plain = unicodedata.normalize("NFKC", unquote(key)).casefold()
    folded = "/".join(part.strip() for part in plain.split("/"))
    return key, folded, re.sub(r"(?<!\d)0+(?=\d)", "", folded.removesuffix("_0000"))


def folder_words(name: str) -> list[str]:
    """Split a folder's name into lower-case words: at punctuation, at camel case, at Tr and Ts.

    ``CameraRGB`` gives camera and rgb, ``labelsTr`` labels and train, ``imagesTs`` images and test.
    """
    words: list[str] = []
    for part in re.split(r"[_\-. ]+", unicodedata.normalize("NFC", name)):
        humps = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+", part) or ([part] if part else [])
        last = (
            {"Tr": "train", "Ts": "test", "Va": "val", "Vl": "val"}.get(humps[-1])
            if humps[1:]
            else None
        )
        words.extend(hump.lower() for hump in (humps[:-1] if last else humps))
        words.extend([last] if last else [])
    return words


def natural_order(text: str) -> list[tuple[int, int | str]]:
    """Sort key in which "frame 2" stands before "frame 10"."""
    return [
        (0, int(t)) if t.isdigit() and len(t) < 4000 else (1, t)
        for t in re.split(r"([0-9]+)", text)
        if t
    ]


def list_files(
    folder: Path, suffixes: Collection[str] | None = None, *, links: bool = True
) -> list[str]:
    """List the files below a folder, those in folders below it too, without litter.

    Args:
        folder: The folder.
        suffixes: Endings in lower case that are wanted; None for all files.
        links: Whether symbolic links to files and folders count; a folder that leads back to one
            it lies in is passed over.

    Returns:
        Paths below the folder with "/", in natural order.

    Raises:
        SegcoreError: The folder cannot be listed, or holds more than two million files.
    """
    names: list[str] = []
    above: dict[str, tuple[str, ...]] = {str(folder): (os.path.realpath(folder),)}

    def refuse(error: OSError) -> None:
        raise SegcoreError(
            f"The folder {error.filename or folder} cannot be listed "
            f"({error.strerror or error}): check its permissions."
        ) from error

    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=links):
        folders[:] = sorted(f for f in folders if not is_litter(f))
        if links:
            folders[:] = _without_loops(place, folders, above)
        below = Path(place).relative_to(folder)
        for file in files:
            if is_litter(file):
                continue
            if suffixes is not None and PurePosixPath(file).suffix.lower() not in suffixes:
                continue
            if not links and (Path(place) / file).is_symlink():
                continue
            names.append((below / file).as_posix())
        if len(names) > MAX_FILES:
            raise SegcoreError(
                f"Expected at most {MAX_FILES} files in {folder}, received more: choose a "
                "smaller folder."
            )
    return sorted(names, key=natural_order)


def _without_loops(
    place: str, folders: Iterable[str], above: dict[str, tuple[str, ...]]
) -> list[str]:
    """Return the folders of a place that are none of those it lies in; notes where each leads."""
    chain, kept = above.pop(place), []
    for folder in folders:
        inner = f"{place}{os.sep}{folder}"
        real = os.path.realpath(inner)
        if real not in chain:
            above[inner] = (*chain, real)
            kept.append(folder)
    return kept


def list_images(folder: Path, *, links: bool = True) -> list[str]:
    """List the image files below a folder by their endings, as :func:`list_files`."""
    return list_files(folder, IMAGE_SUFFIXES, links=links)


def count_endings(names: Iterable[str], shown: int = 6) -> str:
    """Say which kinds of file are there, the commonest first: ``40 .txt, 40 .jpg, 1 .yaml``."""
    counts = Counter(
        ".nii.gz"
        if n.lower().endswith(".nii.gz")
        else PurePosixPath(n).suffix.lower() or "no ending"
        for n in names
    )
    parts = [f"{count} {ending}" for ending, count in counts.most_common(shown)]
    return ", ".join(parts) + (", and others" if len(counts) > shown else "")
