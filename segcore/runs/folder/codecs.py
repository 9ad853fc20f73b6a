"""Predicted masks as bytes: exact, one zlib stream of indices.

Layout, little-endian: "SGM2", bytes a pixel (1 or 2, uint8), H, W (uint32 each), CRC-32 of these
and of what follows (uint32), then zlib of the indices row by row; of two bytes, all low ones come
first. "SGM1", of earlier versions, has no CRC-32.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.runs.machine.disk import inflate

MAGIC = b"SGM2"
OLD_MAGIC = b"SGM1"
"""Of masks without a checksum, which earlier versions wrote."""
MAX_PIXELS = 1 << 30
_HEADER = struct.Struct("<4sB2I")
_CHECKSUM = struct.Struct("<I")


def encode_mask(mask: npt.NDArray[np.integer]) -> bytes:
    """Pack a mask (H, W) of indices, uint8 or uint16.

    Raises:
        SegcoreError: It has other axes or another dtype.
    """
    mask = np.asarray(mask)
    if (
        mask.ndim != 2
        or mask.size == 0
        or mask.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16))
    ):
        raise SegcoreError(
            f"Expected a mask (H, W) of uint8 or uint16, received {mask.dtype} "
            f"{mask.shape}: give class indices."
        )
    size = mask.dtype.itemsize
    planes = (
        np.ascontiguousarray(mask)
        .astype(f"<u{size}", copy=False)
        .view(np.uint8)
        .reshape(-1, size)
        .T
    )
    header, payload = _HEADER.pack(MAGIC, size, *mask.shape), zlib.compress(planes.tobytes(), 6)
    return header + _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(header))) + payload


def decode_mask(data: bytes) -> npt.NDArray[np.integer]:
    """Unpack what :func:`encode_mask` packed: (H, W) uint8 or uint16, writable.

    Raises:
        SegcoreError: The bytes are cut, damaged, or no mask.
    """
    damaged = SegcoreError("Expected a packed mask, received damaged data: run that step again.")
    if len(data) < _HEADER.size:
        raise damaged
    magic, size, height, width = _HEADER.unpack_from(data)
    payload, expected = memoryview(data)[_HEADER.size :], height * width * size
    if magic == MAGIC:
        if len(payload) < _CHECKSUM.size:
            raise damaged
        (checksum,) = _CHECKSUM.unpack_from(payload)
        payload = payload[_CHECKSUM.size :]
        if zlib.crc32(payload, zlib.crc32(data[: _HEADER.size])) != checksum:
            raise damaged
    if (
        magic not in (MAGIC, OLD_MAGIC)
        or size not in (1, 2)
        or not 0 < height * width <= MAX_PIXELS
    ):
        raise damaged
    raw = inflate(payload, expected)
    if raw is None:
        raise damaged
    planes = np.frombuffer(raw, np.uint8).reshape(size, height, width)
    return (
        planes[0].copy()
        if size == 1
        else planes[0].astype(np.uint16) | planes[1].astype(np.uint16) << np.uint16(8)
    )
