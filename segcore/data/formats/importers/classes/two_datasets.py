"""A folder one level too high: two datasets below it, of which one's class table is not the other's."""

import shlex
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.masks import HIDDEN, NO_DATA, mask_mode, read_colors, read_ids
from segcore.data.formats.importers.classes.agreement import PROBES, spread
from segcore.data.formats.importers.classes.codes import VOID_CODES, color_code
from segcore.data.formats.importers.classes.labelling import with_ids
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError

FITS = 0.5
"""Share of the pixels that a table must declare in half of the masks to be theirs."""


def refuse_two_datasets(layout: Layout, source: Source, unpacked: bool) -> None:
    """Refuse samples in two folders where the class table of one does not fit the masks of the other.

    Args:
        layout: What a reader found.
        source: The files.
        unpacked: Whether they come from an archive.

    Raises:
        SegcoreError: There are such; both folders are named.
    """
    place = PurePosixPath(layout.declared_in)
    if layout.draw or layout.assumed or not (source.root / place).is_file():
        return
    depth = len(place.parts) - 1  # 0: the table is for all
    parts: dict[str, list[Path]] = {}
    for pair in layout.pairs if depth else ():
        part = _part(pair, source.root, depth)
        if pair.mask and part:
            parts.setdefault(part, []).append(pair.mask)
    own = place.parent.as_posix()
    read_by = _read_by(layout, parts.get(own, [])) or set()
    for other, masks in parts.items() if read_by else ():
        fitting = _read_by(layout, masks)
        if fitting is not None and not fitting & read_by:
            paths = [shlex.quote(str(source.root / part)) for part in (other, own)]
            fix = (
                "unpack it and import each folder by itself"
                if unpacked
                else f"import each by itself: segscope import {paths[0]}, segscope import {paths[1]}"
            )
            raise SegcoreError(
                f"Expected one dataset in {source.root}, received two: the classes of {place} are "
                f"not those of the masks in {other}; {fix}."
            )


def _part(pair: Pair, root: Path, depth: int) -> str:
    """The folder, ``depth`` levels below the root, of an image and its mask; "" if they share none."""
    folders = []
    for file in (pair.image, pair.mask):
        if file is None or not file.is_relative_to(root):
            return ""
        folders.append(file.relative_to(root).parent.parts[:depth])
    same = folders[0] == folders[1] and len(folders[0]) == depth
    return "/".join(folders[0]) if same else ""


def _read_by(layout: Layout, masks: Sequence[Path]) -> set[str] | None:
    """How a table declares most of some masks: "index", "color"; None where none can be read."""
    ids = {row.id or 0 for row in with_ids(layout.declared)} | {*VOID_CODES, NO_DATA}
    colors = {color_code(row.color) for row in layout.declared if row.color} | {HIDDEN}
    probes = [mask for mask in spread(masks, PROBES) if _is_readable(mask)]
    shares = {
        "index": [_declared_share(read_ids, mask, ids) for mask in probes],
        "color": [_declared_share(read_colors, mask, colors) for mask in probes],
    }
    return {by for by in shares if np.median(shares[by]) >= FITS} if probes else None


def _is_readable(mask: Path) -> bool:
    try:
        mask_mode(mask)
    except SegcoreError:
        return False
    return True


def _declared_share(
    reader: Callable[[Path], npt.NDArray[Any]], mask: Path, known: Collection[int]
) -> float:
    """The share of a mask's pixels whose id or colour is declared; 0 where it holds none such."""
    try:
        return float(np.isin(reader(mask), list(known)).mean())
    except SegcoreError:
        return 0.0
