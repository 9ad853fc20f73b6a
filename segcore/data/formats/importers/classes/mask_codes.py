"""Masks as codes: read or drawn, turned with their image, fitted to its size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.borders import foreign_bytes
from segcore.data.files.images import Frame, frame_of, turn_upright
from segcore.data.files.masks import (
    mask_size,
    read_colors,
    read_ids,
    read_window_codes,
)
from segcore.data.formats.importers.source import Layout, Pair
from segcore.data.statistics.mask_runs import runs_of
from segcore.errors import SegcoreError
from segcore.labels import list_names


@dataclass(frozen=True)
class MaskCodes:
    """One mask as codes, upright and at its image's size.

    Attributes:
        codes: (H, W): ids or 0xRRGGBB.
        note: What was done to make it fit its image, "" for nothing.
        turned: Whether its size shows that it was drawn on the image's pixels as stored (True) or
            as seen (False); None where that is undetermined or does not matter.
    """

    codes: npt.NDArray[Any]
    note: str = ""
    turned: bool | None = None


def read_codes(layout: Layout, pair: Pair, by: str, stored: bool = False) -> MaskCodes:
    """Read or draw one mask and fit it to its image.

    Args:
        layout: What a reader found.
        pair: One of its samples.
        by: "index" or "color".
        stored: Whether masks whose size does not tell were drawn on the image as stored.

    Raises:
        SegcoreError: There is no mask, it has another size than the image, or it cannot be read.
    """
    if pair.mask is None:
        raise SegcoreError(
            pair.reason
            or f"The image {pair.image.name} has no mask: add one under the same name, or "
            "remove the image."
        )
    if pair.part is not None:
        if layout.draw is not None:
            return MaskCodes(layout.draw(pair))
        return MaskCodes(read_window_codes(pair.mask, pair.part.mask, by))
    frame = frame_of(pair.image)
    if layout.draw is not None:
        with foreign_bytes(
            f"The annotation of {pair.image.name} is arranged otherwise or damaged: export it again."
        ):
            codes = layout.draw(pair)
        sized = getattr(pair.extra, "size", None) is not None or not hasattr(pair.extra, "size")
        if not sized and frame.orientation != 1:
            return MaskCodes(codes)
        found = set(np.unique(runs_of(codes)[0]).tolist())
        if pair.classes and not found & pair.classes:
            raise SegcoreError(
                f"Expected the shapes that the annotation of {pair.image.name} names, received "
                "none with an area: draw their outlines, or remove them."
            )
        return _fit(pair, frame, codes, stored, scale=True)
    masks = (pair.mask, *pair.more)
    for file in masks:
        size = mask_size(file)
        if size not in (frame.size, frame.stored):
            raise _other_size(pair, frame, size)
        if _orientation(file) not in (1, frame.orientation):
            raise SegcoreError(
                f"Expected a mask as upright as its image, {file.name} carries a note (EXIF) on how "
                f"to turn it that {pair.image.name} lacks: save the mask without the note."
            )
    read = read_colors if by == "color" else read_ids
    codes = read(pair.mask) if len(masks) == 1 else _unite(pair, [read(file) for file in masks])
    return _fit(pair, frame, codes, stored, scale=False)


def _orientation(mask: Path) -> int:
    try:
        return frame_of(mask).orientation
    except SegcoreError:
        return 1  # a raster that Pillow does not open


def _fit(pair: Pair, frame: Frame, codes: npt.NDArray[Any], stored: bool, scale: bool) -> MaskCodes:
    """Turn a mask with its image, or scale one that was drawn at another size by one factor."""
    size = (codes.shape[0], codes.shape[1])
    if size == frame.size != frame.stored:
        return MaskCodes(codes, turned=False)
    if size == frame.size and (frame.orientation == 1 or not stored):
        return MaskCodes(codes)
    if size == frame.stored:
        note = "its mask was drawn on the image as stored and is turned with it"
        evident = frame.size != frame.stored
        return MaskCodes(
            turn_upright(codes, frame.orientation),
            note if evident else "",
            True if evident else None,
        )
    if not scale or not _is_scaled(size, frame.size):
        raise _other_size(pair, frame, size)
    note = (
        f"its shapes were drawn at {size[0]} x {size[1]} pixels (height x width) and are scaled to "
        f"{frame.size[0]} x {frame.size[1]}"
    )
    rows, columns = (
        np.minimum((np.arange(f) + 0.5) * s / f, s - 1).astype(np.intp)
        for s, f in zip(size, frame.size, strict=True)
    )
    return MaskCodes(codes[np.ix_(rows, columns)], note)


def _is_scaled(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether one factor explains height and width, both rounded as tools do."""
    low = max((f - 1) / (s + 0.5) for s, f in zip(before, after, strict=True))
    high = min((f + 1) / (s - 0.5) for s, f in zip(before, after, strict=True))
    return low <= high


def _other_size(pair: Pair, frame: Frame, mask: tuple[int, int]) -> SegcoreError:
    image = frame.size
    return SegcoreError(
        f"Expected a mask of {image[0]} x {image[1]} pixels (height x width) like its "
        f"image {pair.image.name}, received "
        f"{mask[0]} x {mask[1]}: give both the same size."
    )


def _unite(pair: Pair, masks: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Unite masks of one image that each hold 0 and one other code, the same in all."""
    codes = {int(c) for mask in masks for c in np.unique(runs_of(mask)[0])} - {0}
    if len(codes) > 1 or len({mask.shape for mask in masks}) > 1:
        names = list_names([file.name for file in (pair.mask, *pair.more) if file], 4)
        raise SegcoreError(
            f"Expected one mask for {pair.image.name}, received {len(masks)} of several classes or "
            f"sizes ({names}): join them into one."
        )
    united = masks[0].copy()
    for mask in masks[1:]:
        np.maximum(united, mask, out=united)
    return united
