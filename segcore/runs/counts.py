"""Counts on disk: one confusion matrix a sample, in a compressed npz without pickle ("ids", "counts")."""

import io
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

_DAMAGES = (ValueError, KeyError, TypeError, OSError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def encode_counts(sample_ids: Sequence[str], counts: npt.NDArray[np.integer]) -> bytes:
    """Pack the counts of N samples.

    Args:
        sample_ids: The N samples, in order.
        counts: (N, C, C) integers, pixels, [sample, true, predicted].

    Raises:
        SegcoreError: The shapes do not fit.
    """
    counts = np.asarray(counts)
    if counts.ndim != 3 or counts.shape[1] != counts.shape[2] or len(counts) != len(sample_ids) or counts.dtype.kind not in "iu":
        raise SegcoreError(
            f"Expected counts ({len(sample_ids)}, C, C) of integers, received {counts.dtype} {counts.shape}: give one matrix a sample."
        )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, ids=np.array(list(sample_ids), dtype=np.str_), counts=counts.astype(np.int64))
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
    if counts.ndim != 3 or counts.shape[1] != counts.shape[2] or len(ids) != len(counts) or counts.dtype != np.int64:
        raise damaged
    return ids, counts
