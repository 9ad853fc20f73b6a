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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.runs.folder.names import check_name, sample_parts
from segcore.runs.folder.probabilities import BITS, FloatArray, decode, encode
from segcore.runs.machine import disk
from segcore.runs.machine.disk import inflate


def _read_result(path: Path, run: str, what: str) -> bytes:
    if not path.is_file():
        raise SegcoreError(
            f"Expected a result of the run {run!r} for {what}, found none: run that step first."
        )
    return disk.read_bytes(path)


class RunResults:
    """The results in a run's folder.

    Attributes:
        folder: The run's folder.
        id: Its name.
    """

    folder: Path
    id: str

    def write_probabilities(
        self,
        split: str,
        sample_id: str,
        probabilities: FloatArray,
        size: tuple[int, int],
        bits: int = BITS,
    ) -> None:
        """Store the probabilities of one sample compactly.

        Args:
            split: Name of the split.
            sample_id: Id of the sample; "/" makes folders.
            probabilities: (h, w, C) float32 in 0..1, at the network's own resolution.
            size: (H, W) of the sample itself.
            bits: Precision (see :func:`segcore.runs.folder.probabilities.encode`).

        Raises:
            SegcoreError: The values or names are refused, or the folder cannot be written.
        """
        disk.write_bytes(
            self._sample("probabilities", split, sample_id, ".prob"),
            encode(probabilities, size, bits),
        )

    def read_probabilities(self, split: str, sample_id: str) -> tuple[FloatArray, tuple[int, int]]:
        """Return the stored (h, w, C) float32 probabilities, which sum to 1 in each pixel, and the sample's own (H, W).

        Raises:
            SegcoreError: There are none, or they are damaged.
        """
        path = self._sample("probabilities", split, sample_id, ".prob")
        return decode(_read_result(path, self.id, sample_id))

    def has_probabilities(self, split: str, sample_id: str) -> bool:
        """Whether probabilities of that sample are stored."""
        return self._sample("probabilities", split, sample_id, ".prob").is_file()

    def write_mask(
        self, split: str, stage: str, sample_id: str, mask: npt.NDArray[np.integer]
    ) -> None:
        """Store the predicted mask (H, W) of a stage ("crf"), uint8 or uint16 indices.

        Raises:
            SegcoreError: The mask or a name is refused, or the folder cannot be written.
        """
        disk.write_bytes(
            self._sample(f"masks/{check_name(split)}", stage, sample_id, ".mask"), encode_mask(mask)
        )

    def read_mask(self, split: str, stage: str, sample_id: str) -> npt.NDArray[np.integer]:
        """Return the predicted mask (H, W) of a stage, uint8 or uint16.

        Raises:
            SegcoreError: There is none, or it is damaged.
        """
        path = self._sample(f"masks/{check_name(split)}", stage, sample_id, ".mask")
        return decode_mask(_read_result(path, self.id, sample_id))

    def has_mask(self, split: str, stage: str, sample_id: str) -> bool:
        """Whether the predicted mask of a stage is stored for that sample."""
        return self._sample(f"masks/{check_name(split)}", stage, sample_id, ".mask").is_file()

    def write_counts(
        self, split: str, stage: str, sample_ids: Sequence[str], counts: npt.NDArray[np.int64]
    ) -> None:
        """Store one confusion matrix a sample.

        Args:
            split: Name of the split.
            stage: What was counted: "prediction", "ensemble", "crf".
            sample_ids: The N samples, in order.
            counts: (N, C, C) int64 pixels, [sample, true, predicted].

        Raises:
            SegcoreError: The shapes do not fit, or the folder cannot be written.
        """
        disk.write_bytes(
            self._sample("counts", split, stage, ".npz"), encode_counts(sample_ids, counts)
        )

    def read_counts(self, split: str, stage: str) -> tuple[list[str], npt.NDArray[np.int64]]:
        """Return the N sample ids and their counts (N, C, C) int64, [sample, true, predicted].

        Raises:
            SegcoreError: There are none, or they are damaged.
        """
        path = self._sample("counts", split, stage, ".npz")
        return decode_counts(_read_result(path, self.id, f"{split}, stage {stage}"))

    def write_arrays(self, split: str, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Store named arrays that follow from a split's results and are dear to make; ``name`` says from what.

        Raises:
            SegcoreError: A name is refused, or the folder cannot be written.
        """
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, **arrays)
        disk.write_bytes(self._sample("measures", split, name, ".npz"), packed.getvalue())

    def read_arrays(self, split: str, name: str) -> dict[str, npt.NDArray[Any]] | None:
        """Return what :meth:`write_arrays` stored; None where there is nothing, or it cannot be read (it is made again then)."""
        path = self._sample("measures", split, name, ".npz")
        if not path.is_file():
            return None
        try:
            with np.load(io.BytesIO(disk.read_bytes(path)), allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (ValueError, OSError, EOFError, BadZipFile, KeyError):
            return None

    def stages(self, split: str) -> list[str]:
        """Names of the stages that have counts for a split, sorted."""
        return sorted(
            path.stem
            for path in (self.folder / "counts" / check_name(split)).glob("*.npz")
            if not disk.is_temporary(path.name)
        )

    def _sample(self, kind: str, split: str, sample_id: str, suffix: str) -> Path:
        parts = sample_parts(sample_id)
        return self.folder.joinpath(kind, check_name(split), *parts[:-1], parts[-1] + suffix)


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
