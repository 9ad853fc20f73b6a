"""A mask of any tool as class indices of a known label set: by ids, by colours, or by positions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.masks import (
    COLOR_MODES,
    HIDDEN,
    NO_DATA,
    mask_mode,
    mask_size,
    palette_colors,
    read_colors,
    read_ids,
)
from segcore.errors import SegcoreError
from segcore.labels import LabelSet, color_to_hex

USUAL_VOID = (255, 65535)
"""What masks hold where nothing is labelled, where no class has such an id."""

SHOWN = 4


def read_mask_indices(path: Path, label_set: LabelSet, values: str = "auto") -> npt.NDArray[Any]:
    """Read a mask file as class indices.

    Args:
        path: A mask as :mod:`segcore.data.files.masks` reads it.
        label_set: The classes.
        values: "ids", "colors", "indices" (positions among the classes), or "auto": colour files by
            colour where they fit and else by number, all others the other way round.

    Returns:
        (H, W) of the label set's ``mask_dtype``: indices, or ``ignore_index`` where the mask holds
        an ignored class, the usual void or no data.

    Raises:
        SegcoreError: The file cannot be read, or a pixel stands for no class.
    """
    if values == "colors":
        return to_indices(read_colors(path), label_set, "colors", path.name)
    if values != "auto":
        return to_indices(read_ids(path), label_set, values, path.name)
    mode = mask_mode(path)
    if mode == "P":
        _check_palette(path, label_set)
    ways: list[tuple[str, Callable[[Path], npt.NDArray[Any]]]] = [
        ("ids", read_ids),
        ("colors", read_colors),
    ]
    if mode in COLOR_MODES:
        ways.reverse()
    if mode in ("I", "F") or mode.startswith("I;"):
        ways = ways[:1]
    first: SegcoreError | None = None
    for way, read in ways:
        try:
            return to_indices(read(path), label_set, way, path.name)
        except SegcoreError as error:
            first = first or error
    raise first or SegcoreError(f"{path.name} cannot be read as a mask: save it as PNG.")


def _check_palette(path: Path, label_set: LabelSet) -> None:
    """Refuse a palette that numbers the classes' own colours in another order.

    Raises:
        SegcoreError: By index and by colour the mask would show different classes.
    """
    classes = (*label_set.classes, *label_set.ignored)
    of_color = {int(color_to_hex(c.color)[1:], 16): c for c in reversed(classes)}
    of_id = {c.id: c for c in classes}
    used = palette_colors(path)
    by_id = used.keys() <= {*of_id, *USUAL_VOID}
    by_color = set(used.values()) <= of_color.keys() and len(set(used.values())) == len(used)
    if not (by_id and by_color):
        return
    for index, color in used.items():
        named = of_id.get(index)
        if named is not None and named.color != of_color[color].color:
            raise SegcoreError(
                f"Expected a palette that numbers the classes as their table does, {path.name} "
                f"gives index {index}, the id of {named.name!r}, the colour of "
                f"{of_color[color].name!r}: save it without a palette, or say how it is to be read "
                "(import-predictions --values ids or colors)."
            )


def to_indices(
    codes: npt.NDArray[Any], label_set: LabelSet, values: str, name: str
) -> npt.NDArray[Any]:
    """Map codes (H, W) to class indices.

    Args:
        codes: Ids, positions or 0xRRGGBB, with the codes of :mod:`segcore.data.files.masks` for
            what is no data.
        label_set: The classes.
        values: "ids", "colors" or "indices".
        name: What the file is called, for messages.

    Raises:
        SegcoreError: A code stands for no class; the message says which and in how many pixels.
    """
    ignore = label_set.ignore_index
    both = [(c, i) for i, c in enumerate(label_set.classes)]
    both += [(c, ignore) for c in label_set.ignored]
    if values == "colors":
        table = {int(color_to_hex(c.color)[1:], 16): i for c, i in reversed(both)}
        table[HIDDEN] = ignore
    elif values == "ids":
        table = {**dict.fromkeys(USUAL_VOID, ignore), NO_DATA: ignore}
        table |= {c.id: i for c, i in reversed(both)}
    else:
        table = {i: i for i in range(label_set.num_classes)} | {ignore: ignore, NO_DATA: ignore}
    present, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    strange = [k for k, value in enumerate(present) if int(value) not in table]
    if strange:
        raise SegcoreError(_unknown_codes(present[strange], counts[strange], values, name))
    indices = np.array([table[int(v)] for v in present], label_set.mask_dtype)
    return indices[inverse].reshape(codes.shape)


def _unknown_codes(
    codes: npt.NDArray[Any], counts: npt.NDArray[Any], values: str, name: str
) -> str:
    shown = ", ".join(
        f"#{int(code):06x}" if values == "colors" else str(int(code)) for code in codes[:SHOWN]
    )
    more = ", ..." if len(codes) > SHOWN else ""
    what = {"colors": "colours", "ids": "ids"}.get(values, "positions")
    return (
        f"Expected only {what} of the declared classes in {name}, received {shown}{more} in "
        f"{int(counts.sum())} pixels: declare them in the class table, or say how pixels are to "
        "be read (import-predictions --values ids, indices or colors)."
    )


def check_size(path: Path, height: int, width: int, name: str) -> None:
    """Refuse a mask of another size than its image, from its header alone.

    Raises:
        SegcoreError: It has another size, or cannot be read.
    """
    received = mask_size(path)
    if received != (height, width):
        raise SegcoreError(
            f"Expected {height} x {width} pixels (height x width) for {name!r}, received "
            f"{received[0]} x {received[1]} in {path.name}: save predictions at the images' own "
            "size."
        )
