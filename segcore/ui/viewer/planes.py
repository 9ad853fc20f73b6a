"""Planes of indices as browser and editor send them to each other."""

import base64
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

EDIT_SIDE = 8192
"""Masks with a longer side cannot be edited whole."""


def write_plane(plane: npt.NDArray[np.unsignedinteger[Any]]) -> str:
    """Pack a plane, (H, W) uint8 or uint16: base64 of deflated differences of rows."""
    rows = plane.astype(plane.dtype.newbyteorder("<"))
    rows[1:] -= plane[:-1]  # wraps, as the browser's typed arrays do
    return base64.b64encode(zlib.compress(rows.tobytes(), 6)).decode()


def read_plane(text: object, shape: object, item: object) -> npt.NDArray[np.integer[Any]]:
    """Read a plane of indices as the browser packs it: base64 of deflated differences of rows.

    Args:
        text: What was sent; anybody's, like the others.
        shape: [H, W] that it says it has.
        item: 1 or 2 bytes a pixel.

    Returns:
        (H, W) uint8 or uint16.

    Raises:
        SegcoreError: It is something else, or larger than can be edited.
    """
    sides = shape if isinstance(shape, list) else []
    sound = len(sides) == 2 and all(type(n) is int and 0 < n <= EDIT_SIDE for n in sides)
    if not sound or item not in (1, 2):
        raise SegcoreError(
            f"Expected a mask of at most {EDIT_SIDE} pixels a side from the editor, received "
            "something else: reload the page."
        )
    dtype = np.dtype(np.uint8 if item == 1 else np.uint16)
    wanted = sides[0] * sides[1] * dtype.itemsize
    try:
        packed_plane = base64.b64decode(str(text), validate=True)
        raw = zlib.decompressobj().decompress(packed_plane, wanted + 1)
    except (ValueError, zlib.error) as error:
        raise SegcoreError(
            "Expected a mask from the editor, received bytes that are none: save it again."
        ) from error
    if len(raw) != wanted:
        raise SegcoreError(
            f"Expected a mask of {sides[0]} x {sides[1]} pixels (height x width) from the editor, "
            "received another size: save it again."
        )
    rows = np.frombuffer(raw, dtype.newbyteorder("<")).reshape(sides)
    return np.cumsum(rows, axis=0, dtype=dtype)
