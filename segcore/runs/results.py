"""What a run found out, on disk: probabilities, masks and counts of samples."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.runs import disk
from segcore.runs.counts import decode_counts, encode_counts
from segcore.runs.masks import decode_mask, encode_mask
from segcore.runs.names import check_name, sample_parts
from segcore.runs.probabilities import BITS, FloatArray, decode, encode


def _read_result(path: Path, run: str, what: str) -> bytes:
    if not path.is_file():
        raise SegcoreError(f"Expected a result of the run {run!r} for {what}, found none: run that step first.")
    return disk.read_bytes(path)


class RunResults:
    """The results in a run's folder.

    Attributes:
        folder: The run's folder.
        id: Its name.
    """

    folder: Path
    id: str

    def write_probabilities(self, split: str, sample_id: str, probabilities: FloatArray, size: tuple[int, int], bits: int = BITS) -> None:
        """Store the probabilities of one sample compactly.

        Args:
            split: Name of the split.
            sample_id: Id of the sample; "/" makes folders.
            probabilities: (h, w, C) float32 in 0..1, at the network's own resolution.
            size: (H, W) of the sample itself.
            bits: Precision (see :func:`segcore.runs.probabilities.encode`).

        Raises:
            SegcoreError: The values or names are refused, or the folder cannot be written.
        """
        disk.write_bytes(self._sample("probabilities", split, sample_id, ".prob"), encode(probabilities, size, bits))

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

    def write_mask(self, split: str, stage: str, sample_id: str, mask: npt.NDArray[np.integer]) -> None:
        """Store the predicted mask (H, W) of a stage ("crf"), uint8 or uint16 indices.

        Raises:
            SegcoreError: The mask or a name is refused, or the folder cannot be written.
        """
        disk.write_bytes(self._sample(f"masks/{check_name(split)}", stage, sample_id, ".mask"), encode_mask(mask))

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

    def write_counts(self, split: str, stage: str, sample_ids: Sequence[str], counts: npt.NDArray[np.int64]) -> None:
        """Store one confusion matrix a sample.

        Args:
            split: Name of the split.
            stage: What was counted: "prediction", "ensemble", "crf".
            sample_ids: The N samples, in order.
            counts: (N, C, C) int64 pixels, [sample, true, predicted].

        Raises:
            SegcoreError: The shapes do not fit, or the folder cannot be written.
        """
        disk.write_bytes(self._sample("counts", split, stage, ".npz"), encode_counts(sample_ids, counts))

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
        return sorted(path.stem for path in (self.folder / "counts" / check_name(split)).glob("*.npz") if not disk.is_temporary(path.name))

    def _sample(self, kind: str, split: str, sample_id: str, suffix: str) -> Path:
        parts = sample_parts(sample_id)
        return self.folder.joinpath(kind, check_name(split), *parts[:-1], parts[-1] + suffix)
