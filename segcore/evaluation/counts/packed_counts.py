"""Counts of many images as bytes: a compressed npz without pickle, only cells above 0.

Arrays: ``ids`` (N names), ``classes`` (C), ``cells`` (pixels), ``places`` (``true * C + predicted``
of each cell, ascending within an image) and ``ends`` (N + 1, where each image's cells begin). Files
of earlier versions hold ``ids`` and ``counts`` (N, C, C) int64, and are read image by image.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.counts.sample_counts import SampleCounts

DAMAGES = (
    ValueError,
    KeyError,
    TypeError,
    OSError,
    EOFError,
    MemoryError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    SegcoreError,
)
"""What reading a damaged archive may raise."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def encode_counts(
    sample_ids: Sequence[str], counts: SampleCounts | npt.NDArray[np.integer]
) -> bytes:
    """Pack the counts of N images.

    Args:
        sample_ids: The N images, in order.
        counts: (N, C, C) whole pixels, [image, true, predicted].

    Raises:
        SegcoreError: The shapes do not fit.
    """
    if not isinstance(counts, SampleCounts):
        counts = np.asarray(counts)
    shape = counts.shape
    whole = isinstance(counts, SampleCounts) or counts.dtype.kind in "iu"
    if len(shape) != 3 or shape[1] != shape[2] or shape[0] != len(sample_ids) or not whole:
        kind = "" if isinstance(counts, SampleCounts) else f"{counts.dtype} "
        raise SegcoreError(
            f"Expected counts ({len(sample_ids)}, C, C) of integers, received {kind}{shape}: "
            "give one matrix for each image."
        )
    packed = SampleCounts.of(counts)
    cells = packed.cells
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        ids=np.array(list(sample_ids), dtype=np.str_),
        classes=np.array(packed.num_classes),
        cells=cells.data.astype(np.int64),
        places=cells.indices.astype(np.int64),
        ends=cells.indptr.astype(np.int64),
    )
    return buffer.getvalue()


def decode_counts(data: bytes) -> tuple[list[str], SampleCounts]:
    """Unpack what :func:`encode_counts` packed, or an earlier version: N ids and their counts.

    Raises:
        SegcoreError: The bytes are incomplete, damaged, or no counts.
    """
    damaged = SegcoreError("Expected packed counts, received damaged data: run that step again.")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            ids = [str(item) for item in arrays["ids"]]
            if "counts" in arrays.files:
                counts = _earlier(data)
            else:
                parts = (arrays["cells"], arrays["places"], arrays["ends"])
                counts = SampleCounts.from_cells(*parts, int(arrays["classes"]))
    except DAMAGES as error:
        raise damaged from error
    if len(ids) != len(counts):
        raise damaged
    return ids, counts


def decode_ids(data: bytes) -> list[str]:
    """Unpack only the N sample ids of what :func:`encode_counts` packed.

    Raises:
        SegcoreError: The bytes are incomplete, damaged, or no counts.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return [str(item) for item in arrays["ids"]]
    except DAMAGES as error:
        raise SegcoreError(
            "Expected packed counts, received damaged data: run that step again."
        ) from error


def _earlier(data: bytes) -> SampleCounts:
    """Read dense (N, C, C) counts, one image in memory at a time."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("counts.npy") as stream:
        version = np.lib.format.read_magic(stream)
        read = _HEADERS[version]
        shape, fortran, dtype = read(stream)
        if len(shape) != 3 or shape[1] != shape[2] or dtype != np.int64 or fortran:
            raise ValueError(shape)
        if not shape[0]:
            return SampleCounts.of(np.zeros(shape, np.int64)) if shape[1] else _nothing()
        return SampleCounts.stack(_matrices(stream, shape[0], shape[1]))


def _nothing() -> SampleCounts:
    return SampleCounts.of(np.zeros((0, 1, 1), np.int64))


def _matrices(stream: Any, images: int, classes: int) -> Iterator[npt.NDArray[np.int64]]:
    size = 8 * classes * classes
    for _ in range(images):
        raw = stream.read(size)
        if len(raw) != size:
            raise EOFError
        matrix = np.frombuffer(raw, np.int64)
        if int(matrix.min()) < 0:
            raise ValueError
        yield matrix
