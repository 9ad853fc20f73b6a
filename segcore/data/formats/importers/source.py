"""The folder that is imported, listed once; and what a reader makes of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy.typing as npt

from segcore.data.files.names import IMAGE_SUFFIXES, list_files
from segcore.data.files.scanning import Progress
from segcore.data.files.windows import Window
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.report import Problem
from segcore.errors import SegcoreError

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""What people call the splits -> what Segscope calls them."""


@dataclass(frozen=True)
class Source:
    """A folder and the files below it.

    Attributes:
        root: The folder; a lone folder inside a folder is stepped into.
        files: Paths relative to ``root`` with "/", in natural order; hidden files are left out.
    """

    root: Path
    files: tuple[str, ...]

    @staticmethod
    def scan(folder: Path) -> "Source":
        """List a folder.

        Raises:
            SegcoreError: It is missing, or holds no file, or more than two million.
        """
        if not folder.is_dir():
            raise SegcoreError(
                f"Expected a folder or an archive to import, found none at {folder}: check "
                "the path."
            )
        root = folder
        found = list_files(folder)
        while (
            found
            and len(tops := {name.split("/", 1)[0] for name in found}) == 1
            and all("/" in name for name in found)
        ):
            root = root / tops.pop()
            found = [name.split("/", 1)[1] for name in found]
        if not found:
            held = "an empty folder: check the path"
            if any(folder.iterdir()):
                held = (
                    "only hidden files, whose names or folders begin with a full stop, and what "
                    "systems leave behind: rename what you mean"
                )
            raise SegcoreError(f"Expected images and masks in {folder}, found {held}.")
        return Source(root, tuple(found))

    @cached_property
    def images(self) -> tuple[PurePosixPath, ...]:
        """The files that look like images by their ending, in order."""
        paths = (PurePosixPath(name) for name in self.files)
        return tuple(p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES)

    def named(self, pattern: str) -> list[str]:
        """Return the files whose whole relative path matches a regular expression, case ignored."""
        rule = re.compile(pattern, re.IGNORECASE)
        return [name for name in self.files if rule.fullmatch(name)]


@dataclass(frozen=True)
class Part:
    """Which part of an image a sample is.

    Attributes:
        window: A rectangle of the image.
        mask: The same rectangle in the pixels of its mask, which may lie otherwise and reach less
            far.
    """

    window: Window
    mask: Window


@dataclass(frozen=True)
class Pair:
    """An image and where its mask comes from.

    Attributes:
        id: Sample id.
        image: The image file.
        mask: The mask file (or annotation file), or None where there is none.
        split: Split, or "".
        group: Group, or "".
        extra: What else the reader needs to draw the mask.
        classes: Ids of the classes that its annotation names, where the reader draws the mask: at
            least one must be seen in it.
        more: Further mask files of this image, all of one class, to be united with ``mask``.
        reason: Why the image has no mask, for the message; "" for the plain one.
        part: Which part of the image it is; None for all of it.
    """

    id: str
    image: Path
    mask: Path | None
    split: str = ""
    group: str = ""
    extra: Any = None
    classes: frozenset[int] = frozenset()
    more: tuple[Path, ...] = ()
    reason: str = ""
    part: Part | None = None


@dataclass(frozen=True)
class Layout:
    """What a reader found in a source.

    Attributes:
        title: Name of the form, for people.
        pairs: The samples, in order.
        declared: The classes that the source declares, () for none.
        declared_in: File that declares them, for messages.
        problems: What did not fit so far.
        draw: Makes a mask (H, W) of integer class ids from a pair, at the size at which it was
            annotated; None when masks are plain files.
        by: How mask files are read: "index", "color", or "auto" to look at them.
        draws_parts: Whether ``draw`` draws the part of an image that a pair names, of any size.
        totals: Samples of each split where ``pairs`` are but a few of them, for a preview; else
            empty.
        assumed: Whether the declared classes are those of a publication, which the masks must bear
            out, and not of a file of the source.
    """

    title: str
    pairs: tuple[Pair, ...]
    declared: tuple[DeclaredClass, ...] = ()
    declared_in: str = ""
    problems: tuple[Problem, ...] = ()
    draw: Callable[[Pair], npt.NDArray[Any]] | None = None
    by: str = "auto"
    draws_parts: bool = False
    totals: Mapping[str, int] = field(default_factory=dict)
    assumed: bool = False


@dataclass(frozen=True)
class Reader:
    """One form of dataset.

    Attributes:
        title: Its name for people.
        matches: Whether a source has this form; looks at names only, never at pixels.
        read: Lists the samples and declared classes of such a source.
        unpack: Where the samples lie inside tables: writes them as files into a folder, all or up
            to a limit, for ``read`` to list.
    """

    title: str
    matches: Callable[[Source], bool]
    read: Callable[[Source], Layout]
    unpack: Callable[[Source, Path, int | None, Progress | None], Source] | None = None
