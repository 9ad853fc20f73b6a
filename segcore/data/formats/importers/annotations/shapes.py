"""Shapes that annotation tools keep in files of their own, drawn over background into a mask."""

import base64
import binascii
import io
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.borders import foreign_bytes
from segcore.data.files.images import image_size, open_stream
from segcore.data.files.names import name_keys, strip_suffixes
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.paired_folders import sample_id
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.polygons import (
    BACKGROUND,
    check_pixels_meant,
    draw_polygon,
    fill_polygon,
)
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Pair, Source
from segcore.errors import SegcoreError
from segcore.labels import Color

MAX_PACKED_BYTES = 64_000_000


@dataclass(frozen=True)
class Polygon:
    """A filled outline.

    Attributes:
        value: What its pixels become.
        corners: (x, y) in pixels, or in shares of the image's sides.
        holes: Outlines that are cut out of it.
        relative: Whether corners are shares of width and height, 0 to 1.
    """

    value: int
    corners: Sequence[Any]
    holes: Sequence[Sequence[Any]] = ()
    relative: bool = False


@dataclass(frozen=True)
class Bitmap:
    """A small mask at a place: a PNG, perhaps packed by zlib, as base64 text.

    Attributes:
        value: What its pixels become.
        data: The text.
        x: Column of its left edge.
        y: Row of its top edge.
    """

    value: int
    data: str
    x: int
    y: int


@dataclass(frozen=True)
class Runs:
    """Run lengths: start and length in turn, as text.

    Attributes:
        value: What their pixels become.
        text: "17 6 33 6".
        by_rows: Whether pixels are counted along the rows, not down the columns.
        first: Number of the first pixel: 1, or 0.
    """

    value: int
    text: str
    by_rows: bool = False
    first: int = 1


Shape = Polygon | Bitmap | Runs


@dataclass(frozen=True)
class Drawing:
    """What is drawn for one image, later shapes on top.

    Attributes:
        shapes: The shapes.
        size: (height, width) of the image as the annotation states it; None where it does not.
    """

    shapes: tuple[Shape, ...]
    size: tuple[int, int] | None = None

    @property
    def classes(self) -> frozenset[int]:
        """The classes that are named, background aside: one of them at least must be seen."""
        return frozenset(shape.value for shape in self.shapes) - {0}


def draw(pair: Pair) -> npt.NDArray[np.uint16]:
    """Draw the :class:`Drawing` of a pair.

    Returns:
        (H, W) uint16: 0 for background, else the shapes' values; at the size that the annotation
        states, else at the image's.

    Raises:
        SegcoreError: A shape is damaged, lies outside the image or leaves no trace.
    """
    drawing: Drawing = pair.extra
    size = drawing.size or image_size(pair.image)
    mask = np.zeros(size, np.uint16)
    for shape in drawing.shapes:
        if isinstance(shape, Polygon):
            _draw_polygon(mask, shape)
        elif isinstance(shape, Bitmap):
            _paste(mask, shape, pair.id)
        else:
            runs = decode_run_pairs(shape.text, size, shape.by_rows, shape.first)
            mask[runs] = shape.value
    return mask


def _draw_polygon(mask: npt.NDArray[np.uint16], polygon: Polygon) -> None:
    scale = np.array([mask.shape[1], mask.shape[0]], np.float64) if polygon.relative else 1.0
    if not polygon.relative:
        check_pixels_meant(polygon.corners, mask.shape)
    if not polygon.holes:
        draw_polygon(mask, list(_points(polygon.corners) * scale), polygon.value)
        return
    layer = np.zeros_like(mask)
    draw_polygon(layer, list(_points(polygon.corners) * scale), 1)
    for hole in polygon.holes:
        fill_polygon(layer, _points(hole) * scale, 0)
    mask[layer == 1] = polygon.value


def _points(corners: Sequence[Any]) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(corners, np.float64).reshape(-1, 2)
    except (ValueError, TypeError, OverflowError) as error:
        raise SegcoreError(
            f"Expected corners as pairs of numbers, received {str(corners)[:60]}: correct the "
            "annotation."
        ) from error


def _paste(mask: npt.NDArray[np.uint16], bitmap: Bitmap, name: str) -> None:
    shape = decode_bitmap(bitmap.data, name)
    height, width = shape.shape
    top, left = bitmap.y, bitmap.x
    if top < 0 or left < 0 or top + height > mask.shape[0] or left + width > mask.shape[1]:
        raise SegcoreError(
            f"Expected bitmaps within {mask.shape[0]} x {mask.shape[1]} pixels (height x width) "
            f"in {name}, received one of {height} x {width} at row {top}, column {left}: the "
            "image may have another size than when it was annotated."
        )
    if not shape.any():
        raise SegcoreError(
            f"Expected bitmaps with an area in {name}, received an empty one: remove it."
        )
    mask[top : top + height, left : left + width][shape] = bitmap.value


def decode_bitmap(text: str, name: str) -> npt.NDArray[np.bool_]:
    """Decode a PNG in base64, packed by zlib or not, to (H, W) bool: what is neither 0 nor clear.

    Raises:
        SegcoreError: It is damaged, or unpacks to far more than a mask takes.
    """
    try:
        data = base64.b64decode(text, validate=False)
        if not data.startswith(b"\x89PNG"):
            unpacker = zlib.decompressobj()
            data = unpacker.decompress(data, MAX_PACKED_BYTES)
            if unpacker.unconsumed_tail:
                raise ValueError("too large")
    except (binascii.Error, zlib.error, ValueError, TypeError) as error:
        raise SegcoreError(
            f"Expected bitmaps as PNG in base64 in {name}, received others: export again."
        ) from error
    with open_stream(io.BytesIO(data), f"a bitmap of {name}") as image:
        if image.mode in ("LA", "RGBA"):
            return np.asarray(image.getchannel("A")) > 0
        return np.asarray(image.convert("L") if image.mode != "1" else image) > 0


def decode_run_pairs(
    text: str, size: tuple[int, int], by_rows: bool = False, first: int = 1
) -> npt.NDArray[np.bool_]:
    """Decode run lengths as Kaggle's competitions write them.

    Args:
        text: Start and length in turn.
        size: (height, width) of the image.
        by_rows: Whether pixels are counted along the rows; else down the columns.
        first: Number of the first pixel: 1, or 0.

    Returns:
        (H, W) bool.

    Raises:
        SegcoreError: The numbers come in no pairs, are no whole numbers, or leave the image.
    """
    height, width = size
    words = text.split()
    if len(words) % 2 or not all(w.isascii() and w.isdigit() and len(w) < 12 for w in words):
        raise SegcoreError(
            f"Expected pairs of start and length as run lengths, received {text[:40]!r}: correct "
            "the table."
        )
    runs = np.array(words, np.int64).reshape(-1, 2)
    runs[:, 0] += 1 - first
    ends = runs.sum(axis=1) - 1
    if len(runs) and (runs[:, 0].min() < 1 or runs[:, 1].min() < 1 or ends.max() > height * width):
        raise SegcoreError(
            f"Expected runs within {height} x {width} pixels, counted from {first}, received one up "
            f"to {int(ends.max()) + first - 1}: the image may have another size than when it was annotated."
        )
    steps = np.zeros(height * width + 1, np.int64)
    np.add.at(steps, runs[:, 0] - 1, 1)
    np.add.at(steps, ends, -1)
    flat = np.cumsum(steps)[:-1] > 0
    return flat.reshape(size) if by_rows else np.ascontiguousarray(flat.reshape(width, height).T)


@dataclass
class Numbers:
    """Class numbers of labels as they occur; background is 0."""

    of: dict[str, int] = field(default_factory=dict)
    colors: dict[str, Color] = field(default_factory=dict)

    def __getitem__(self, label: str) -> int:
        """Return the number of a label, the next free one where it is new.

        Raises:
            SegcoreError: There are thousands of labels.
        """
        if label.strip().lower() == BACKGROUND:
            return 0
        if label not in self.of and len(self.of) >= 60_000:
            raise SegcoreError("Expected a few labels, received thousands: is this a class name?")
        return self.of.setdefault(label, len(self.of) + 1)

    def declared(self) -> tuple[DeclaredClass, ...]:
        """Return background and the labels as classes."""
        rows = [DeclaredClass(BACKGROUND, 0, (0, 0, 0))]
        rows += [DeclaredClass(name, n, self.colors.get(name)) for name, n in self.of.items()]
        return tuple(rows)


class ImageFinder:
    """Finds the image that an annotation names."""

    def __init__(self, images: Iterable[PurePosixPath]) -> None:
        self._whole: dict[str, list[PurePosixPath]] = defaultdict(list)
        self._last: dict[str, list[PurePosixPath]] = defaultdict(list)
        for path in images:
            key = name_keys(str(path))[1]
            self._whole[key].append(path)
            self._last[key.rsplit("/", 1)[-1]].append(path)

    def find(self, name: str, *folders: PurePosixPath) -> PurePosixPath | None:
        """Return an image of a name: in one of some folders, else the only one of that name."""
        for folder in folders:
            paths = self._whole.get(name_keys(str(folder / name))[1], [])
            if len(paths) == 1:
                return paths[0]
        paths = self._last.get(name_keys(name)[1].rsplit("/", 1)[-1], [])
        return paths[0] if len(paths) == 1 else None


def drawn_pair(
    source: Source,
    image: PurePosixPath,
    document: str,
    drawing: Drawing,
    *,
    without: Collection[str] = (),
) -> Pair:
    """Return an image with the shapes of its mask, in the split and group that its folders say.

    Args:
        source: The files.
        image: The image.
        document: Name of the file that holds its shapes.
        drawing: The shapes.
        without: Folders that every image lies in, and that are no groups.
    """
    place = read_place(image)
    folders = tuple(f for f in place.folders if f not in without)
    return Pair(
        sample_id(folders, strip_suffixes(image.name)),
        source.root / image,
        source.root / document,
        place.split,
        "/".join(folders),
        drawing,
        drawing.classes,
    )


_UNANNOTATED = "annotate them, or add an empty annotation where nothing is to be seen"


def unannotated(
    images: Iterable[PurePosixPath],
    pairs: Iterable[Pair],
    root: Any,
    what: str,
    refused: Collection[PurePosixPath] = (),
) -> list[Problem]:
    """Report the images that no annotation names; they are left out.

    Args:
        images: The images.
        pairs: Those that come in.
        root: Where the images lie.
        what: What they lack.
        refused: Images of which another problem says why they are left out.
    """
    used = {pair.image for pair in pairs}
    left = [path for path in images if root / path not in used and path not in refused]
    if not left:
        return []
    count = f"{len(left)} image{'s' * (len(left) != 1)}"
    return [
        Problem(
            "",
            f"{count}, such as {left[0]}, {'has' if len(left) == 1 else 'have'} no {what} and "
            f"{'is' if len(left) == 1 else 'are'} left out",
            _UNANNOTATED,
        )
    ]


def is_about_unannotated(problem: Problem) -> bool:
    """Whether a problem is the one of :func:`unannotated`."""
    return problem.fix == _UNANNOTATED


def passed_over(counts: dict[str, int]) -> list[Problem]:
    """Report shapes without area, such as points and lines, that were not drawn."""
    if not counts:
        return []
    shown = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
    return [Problem("", f"shapes without area are not drawn: {shown}", "draw outlines instead")]


def broken(name: str, what: str) -> Any:
    """Return the border at which an annotation file is taken apart."""
    return foreign_bytes(
        f"Expected {what} in {name}, it is arranged otherwise or damaged: export it again."
    )
