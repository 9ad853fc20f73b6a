"""What a run found out, on disk: probabilities, masks and counts of samples.

Counts on disk: one confusion matrix a sample, in a compressed npz without pickle ("ids", "counts").

Predicted masks on disk: exact, one zlib stream of indices.

Layout, little-endian: "SGM1", bytes a pixel (1 or 2, uint8), H, W (uint32 each), then zlib of the
indices row by row; of two bytes, all the low ones come first.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.runs.machine.disk import inflate

_DAMAGES = (
    ValueError,
    KeyError,
    TypeError,
    OSError,
    EOFError,
    MemoryError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def encode_counts(sample_ids: Sequence[str], counts: npt.NDArray[np.integer]) -> bytes:
    """Pack the counts of N samples.

    Args:
        sample_ids: The N samples, in order.
        counts: (N, C, C) integers, pixels, [sample, true, predicted].

    Raises:
        SegcoreError: The shapes do not fit.
    """
    counts = np.asarray(counts)
    if (
        counts.ndim != 3
        or counts.shape[1] != counts.shape[2]
        or len(counts) != len(sample_ids)
        or counts.dtype.kind not in "iu"
    ):
        raise SegcoreError(
            f"Expected counts ({len(sample_ids)}, C, C) of integers, received "
            f"{counts.dtype} {counts.shape}: give one matrix a sample."
        )
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, ids=np.array(list(sample_ids), dtype=np.str_), counts=counts.astype(np.int64)
    )
    return buffer.getvalue()


def decode_counts(data: bytes) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Unpack what :func:`encode_counts` packed: N ids and (N, C, C) int64.

    Raises:
        SegcoreError: The bytes are cut, damaged, or no counts.
    """
    damaged = SegcoreError("Expected packed counts, received damaged data: run that step again.")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            ids, counts = [str(item) for item in arrays["ids"]], arrays["counts"]
    except _DAMAGES as error:
        raise damaged from error
    if (
        counts.ndim != 3
        or counts.shape[1] != counts.shape[2]
        or len(ids) != len(counts)
        or counts.dtype != np.int64
    ):
        raise damaged
    return ids, counts


def decode_ids(data: bytes) -> list[str]:
    """Unpack only the N sample ids of what :func:`encode_counts` packed.

    Raises:
        SegcoreError: The bytes are cut, damaged, or no counts.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return [str(item) for item in arrays["ids"]]
    except _DAMAGES as error:
        raise SegcoreError(
            "Expected packed counts, received damaged data: run that step again."
        ) from error


MAGIC = b"SGM1"
MAX_PIXELS = 1 << 30
_HEADER = struct.Struct("<4sB2I")


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
    return _HEADER.pack(MAGIC, size, *mask.shape) + zlib.compress(planes.tobytes(), 6)


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
    if magic != MAGIC or size not in (1, 2) or not 0 < height * width <= MAX_PIXELS:
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
