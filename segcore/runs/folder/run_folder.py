"""Where a run lives: its folder, and everything that is read from it or written to it.

    runs/<run>/
        config.json                               what the run is (see ``segcore.config``)
        status.json  status.lock                  how it is going (see ``status.py``)
        notes.json                                annotations: tags, a note, a star, archived
        log.txt                                   what its process said
        environment.json  usage.jsonl             what it was made with; how busy its devices are
        metrics.jsonl                             train: one line an epoch
        model.keras  checkpoints/                 best weights; what a resumed run continues from
        probabilities/<split>/<sample>.prob       packed (h, w, C), see ``probabilities.py``
        masks/<split>/<stage>/<sample>.mask       predicted masks of a stage, see ``codecs.py``
        counts/<split>/<stage>.npz                one (C, C) confusion matrix an image
        report.json ...                           any other JSON document, by name

Every file but the two logs is written under a temporary name and renamed, so a reader never meets
half a file.
"""

import io
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from segcore import acting
from segcore.config import RunConfig, config_from_json, to_json
from segcore.errors import SegcoreError, disk_error
from segcore.evaluation.counts.packed_counts import decode_counts, decode_ids, encode_counts
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.runs.folder import work_lock
from segcore.runs.folder.annotations import Annotations, change_annotations, read_annotations
from segcore.runs.folder.codecs import (
    decode_mask,
    encode_mask,
)
from segcore.runs.folder.environment import note_device, note_environment
from segcore.runs.folder.history import append_record, read_records, read_tail
from segcore.runs.folder.listing import RunSummary, list_runs, read_config
from segcore.runs.folder.mask_history import keeps_epoch, mask_history_stage
from segcore.runs.folder.names import check_run_id, check_stage, sample_parts
from segcore.runs.folder.probabilities import (
    BITS,
    TOP_CLASSES,
    FloatArray,
    decode,
    decode_strips,
    encode,
    encode_strips,
    is_top,
)
from segcore.runs.folder.status import (
    FORMAT,
    Status,
    change_status,
    read_status,
    status_lock,
    update_status,
)
from segcore.runs.folder.usage import UsageRecorder
from segcore.runs.machine import disk
from segcore.runs.machine.disk import replacing
from segcore.whole_files import is_temporary

__all__ = [
    "RunFolder",
    "RunSummary",
    "Status",
    "UsageRecorder",
    "keeps_epoch",
    "list_runs",
    "mask_history_stage",
    "note_device",
    "note_environment",
    "replacing",
]


def _read_result(path: Path, run: str, what: str) -> bytes:
    if not path.is_file():
        raise SegcoreError(
            f"Expected a result of the run {run!r} for {what}, found none: run that step first."
        )
    return disk.read_bytes(path)


@lru_cache(maxsize=4096)
def _config_of(folder: Path, stamp: tuple[int, int, int]) -> RunConfig:
    """Read a run's config; the stamp is part of the key, so that a changed file is read again."""
    return config_from_json(read_config(folder))


COARSE = 2_000_000_000
"""Nanoseconds: no file system keeps times of change more coarsely than 2 s."""

_KEPT_LISTINGS = 128
_listings: dict[tuple[Path, str], tuple[dict[str, int], frozenset[str]]] = {}
"""Of a folder: when each folder in it changed, and the sample ids of its files."""


def _list_ids(root: Path, suffix: str) -> frozenset[str]:
    """Return the sample ids of the files below a folder, listed anew when a folder changed."""
    known = _listings.get((root, suffix))
    if known and all(_modified(folder) == before for folder, before in known[0].items()):
        return known[1]
    folders: dict[str, int] = {}
    ids: set[str] = set()
    pending = [("", str(root))]
    while pending:
        prefix, folder = pending.pop()
        folders[folder] = _modified(folder)  # before it is listed, so that no change is missed
        if folders[folder] == 0:
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    pending.append((f"{prefix}{entry.name}/", entry.path))
                elif entry.name.endswith(suffix) and not is_temporary(entry.name):
                    ids.add(prefix + entry.name.removesuffix(suffix))
    listed = frozenset(ids)
    if max(folders.values()) < time.time_ns() - COARSE:  # else a change to come may look the same
        _listings[root, suffix] = folders, listed
        while len(_listings) > _KEPT_LISTINGS:
            _listings.pop(next(iter(_listings)), None)
    return listed


def _modified(folder: str) -> int:
    """Return when a folder changed, in nanoseconds since 1970; 0 where there is none."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - for each folder at each look
    except OSError:
        return 0


FEATURES = "encoder-features"
"""Arrays kept with predictions of unlabelled images: ``ids`` and ``rows`` (N, D) of the encoder."""


class RunFolder:
    """One run on disk; cheap to make, holds nothing open and remembers nothing.

    Attributes:
        folder: The run's folder.
        id: Its name, unique in the workspace.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.id = self.folder.name

    @staticmethod
    def create(root: Path | str, id: str, config: RunConfig) -> "RunFolder":
        """Make the folder of a new run, queued, whole or not at all.

        Args:
            root: Folder of all runs of a workspace.
            id: Name of the run: letters, digits, ".", "_" and "-", beginning with a letter or
                digit.
            config: What the run is.

        Raises:
            SegcoreError: The id is unsafe or taken, or the folder cannot be written.
        """
        check_run_id(id)
        run = RunFolder(Path(root) / id)
        draft = RunFolder(Path(root) / f".{id}.{os.getpid()}.tmp")
        if run.folder.exists():
            raise SegcoreError(
                f"Expected a new run id, received {id!r}, which exists: choose another "
                f"name, or delete that run (segscope runs delete {id})."
            )
        try:
            disk.write_json(
                draft.folder / "config.json",
                {"format": FORMAT, "id": id, "config": to_json(config)},
            )
            draft.write_status(
                state="queued", cause="", created=time.time(), by=acting.person().name
            )
            draft.folder.rename(run.folder)
        except OSError as error:
            raise disk_error("write", run.folder, error) from error
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)
        return run

    @staticmethod
    def open(folder: Path | str) -> "RunFolder":
        """Return an existing run after a look at its config.

        Raises:
            SegcoreError: There is no run, its config is damaged, or a newer version wrote it.
        """
        run = RunFolder(folder)
        _ = run.config
        return run

    @property
    def config(self) -> RunConfig:
        """What the run is, read from ``config.json``.

        Raises:
            SegcoreError: It is absent, damaged, refused, or written by a newer version.
        """
        try:
            found = (self.folder / "config.json").stat()
        except OSError:
            return config_from_json(read_config(self.folder))  # which says what is missing
        return _config_of(self.folder, (found.st_ino, found.st_mtime_ns, found.st_size))

    def status(self) -> Status:
        """How the run is going; never raises (see :func:`read_status`)."""
        return read_status(self.folder / "status.json")

    def write_status(
        self,
        *,
        only_if: Collection[str] | None = None,
        lock_seconds: float = disk.LOCK_SECONDS,
        **changes: Any,
    ) -> Status:
        """Change some fields of the status and return the whole (see :func:`change_status`).

        Raises:
            SegcoreError: A field or state is unknown, the folder cannot be written, or another
                process holds the lock of the status.
        """
        try:
            return change_status(self.folder / "status.json", changes, only_if, lock_seconds)
        except SegcoreError:
            if not self.folder.is_dir():
                raise SegcoreError(
                    f"Expected the run {self.id!r}, found no folder {self.folder}: it was deleted."
                ) from None
            raise

    def status_lock(self, seconds: float = disk.LOCK_SECONDS) -> AbstractContextManager[None]:
        """Hold the lock of the status, for a change that depends on the queue as well.

        Raises:
            Locked: Another process held it for so many seconds.
        """
        return status_lock(self.folder / "status.json", seconds)

    def update_status(self, *, only_if: Collection[str] | None = None, **changes: Any) -> Status:
        """Change the status as :meth:`write_status` does, inside :meth:`status_lock`."""
        return update_status(self.folder / "status.json", changes, only_if)

    def beat(self, **changes: Any) -> Status:
        """Change the status as :meth:`write_status` does, with a fresh heartbeat.

        A worker that finds that another process took over its run ends here at once, unwritten.
        """
        if work_lock.is_lost(self.folder):
            print(f"Another process took over {self.id!r}: this one ends.", file=sys.stderr)
            os._exit(work_lock.LOST_LOCK)
        return self.write_status(heartbeat=time.time(), **changes)

    def annotations(self) -> Annotations:
        """Return the run's annotations; never raises (see :func:`read_annotations`)."""
        return read_annotations(self.folder / "notes.json")

    def write_annotations(self, **changes: Any) -> Annotations:
        """Change tags, text, star or archived and return the whole.

        Raises:
            SegcoreError: A field is unknown, a value is refused, or the folder cannot be written.
        """
        return change_annotations(self.folder / "notes.json", changes)

    def append_metrics(self, metrics: dict[str, Any]) -> None:
        """Append one line to ``metrics.jsonl``; NaN and infinity are kept as null.

        Raises:
            SegcoreError: The file cannot be written.
        """
        append_record(self.folder / "metrics.jsonl", metrics)

    def metrics(self) -> list[dict[str, Any]]:
        """Read the history, in order; half a line or a damaged one is left out.

        A line with an "epoch" replaces the earlier lines of that epoch and of later ones: a resumed
        run repeats the epoch in which it was cut.
        """
        return read_records(self.folder / "metrics.jsonl")

    @property
    def log_path(self) -> Path:
        """The file that the worker's standard output and error go to."""
        return self.folder / "log.txt"

    def log_tail(self, lines: int = 100) -> str:
        """Return the last lines of the log, at most its last 256 KiB; "" while there is none.

        Of a line that was drawn over and over (a progress bar) only the last state is kept.
        """
        return read_tail(self.log_path, lines)

    @property
    def model_path(self) -> Path:
        """Where the best weights are, ``model.keras``; write it through :func:`replacing`."""
        return self.folder / "model.keras"

    @property
    def checkpoints(self) -> Path:
        """The folder of what a resumed run continues from, made on first use."""
        folder = self.folder / "checkpoints"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise disk_error("write", folder, error) from error
        return folder

    def write_json(self, name: str, data: dict[str, Any]) -> None:
        """Write a document of the run ("report") as ``<name>.json``; values as in :func:`plain`.

        Raises:
            SegcoreError: The name is unsafe or the folder cannot be written.
        """
        disk.write_json(self._document(name), data)

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a document that :meth:`write_json` wrote.

        Raises:
            SegcoreError: It is absent or damaged.
        """
        return disk.read_json(self._document(name))

    def _document(self, name: str) -> Path:
        check_run_id(name)
        if name in ("config", "status", "notes"):
            raise SegcoreError(
                f"Expected another name than {name!r}, which a run keeps for itself: "
                "choose another."
            )
        return self.folder / f"{name}.json"

    def clear_temporary(self) -> None:
        """Remove what a killed worker was writing; call it only while no worker lives."""
        for path in self.folder.rglob(".*"):
            if is_temporary(path.name) and path.is_file():
                path.unlink(missing_ok=True)

    def write_probabilities(
        self,
        split: str,
        sample_id: str,
        probabilities: FloatArray,
        size: tuple[int, int],
        bits: int = BITS,
        top: bool = False,
    ) -> None:
        """Store the probabilities of one sample compactly.

        Args:
            split: Name of the split.
            sample_id: Id of the sample; "/" makes folders.
            probabilities: (h, w, C) float32 in 0..1, at the network's own resolution.
            size: (H, W) of the sample itself.
            bits: Precision (see :func:`segcore.runs.folder.probabilities.encode`).
            top: Whether to keep only each pixel's most probable classes and the sum of the rest.

        Raises:
            SegcoreError: The values or names are refused, or the folder cannot be written.
        """
        disk.write_bytes(
            self._sample("probabilities", split, sample_id, ".prob"),
            encode(probabilities, size, bits, TOP_CLASSES if top else 0),
        )

    def write_probability_strips(
        self,
        split: str,
        sample_id: str,
        strips: Iterable[FloatArray],
        shape: tuple[int, int, int],
        size: tuple[int, int],
        top: bool = False,
    ) -> None:
        """Store the probabilities of one sample strip by strip; one strip is in memory at a time.

        Args:
            split: Name of the split.
            sample_id: Id of the sample.
            strips: (rows, w, C) float32 each, from top to bottom.
            shape: (h, w, C) of all of them together.
            size: (H, W) of the sample itself.
            top: As in :meth:`write_probabilities`.

        Raises:
            SegcoreError: The values or names are refused, or the folder cannot be written.
        """
        path = self._sample("probabilities", split, sample_id, ".prob")
        with replacing(path) as temporary, open(temporary, "wb") as file:
            for part in encode_strips(strips, shape, size, BITS, TOP_CLASSES if top else 0):
                file.write(part)

    def read_probabilities(
        self, split: str, sample_id: str, approximate: bool = False
    ) -> tuple[FloatArray, tuple[int, int]]:
        """Return the stored probabilities, (h, w, C) float32, and the sample's own (H, W).

        They sum to 1 in each pixel.

        Args:
            split: Name of the split.
            sample_id: Id of the sample.
            approximate: Whether a file of the most probable classes will do; the other classes then
                share what is left equally.

        Raises:
            SegcoreError: There are none, they are damaged, or only the most probable classes were
                kept and that will not do.
        """
        data = self._read_probabilities(split, sample_id)
        if is_top(data) and not approximate:
            raise SegcoreError(
                f"Expected whole probabilities of {self.id!r} for {sample_id}, received its top "
                f"{TOP_CLASSES} classes only: predict that split again with --probabilities whole."
            )
        return decode(data)

    def read_probability_strips(self, split: str, sample_id: str) -> Iterator[FloatArray]:
        """Yield the stored probabilities as strips (rows, w, C) float32, from top to bottom.

        Files of the most probable classes are read approximately.

        Raises:
            SegcoreError: There are none, or they are damaged.
        """
        yield from decode_strips(self._read_probabilities(split, sample_id))

    def _read_probabilities(self, split: str, sample_id: str) -> bytes:
        path = self._sample("probabilities", split, sample_id, ".prob")
        if not path.is_file() and self.has_mask(split, "prediction", sample_id):
            raise SegcoreError(
                f"Expected probabilities of {self.id!r} for {sample_id}, received a run that kept "
                "masks and counts only: predict that split again with --probabilities whole."
            )
        return _read_result(path, self.id, sample_id)

    def probabilities_kept(self, split: str, sample_id: str) -> str:
        """Return what is stored of a sample's probabilities, a name in ``PROBABILITY_STORAGE``.

        Raises:
            SegcoreError: The file cannot be read.
        """
        path = self._sample("probabilities", split, sample_id, ".prob")
        try:
            with open(path, "rb") as file:
                return "top" if is_top(file.read(4)) else "whole"
        except FileNotFoundError:
            return "none"
        except OSError as error:
            raise disk_error("read", path, error) from error

    def drop_probabilities(self, split: str, sample_id: str) -> int:
        """Remove a sample's probabilities, of which the mask is kept; return the bytes freed.

        Raises:
            SegcoreError: The file cannot be removed.
        """
        path = self._sample("probabilities", split, sample_id, ".prob")
        try:
            freed = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise disk_error("remove", path, error) from error
        return freed

    def has_probabilities(self, split: str, sample_id: str) -> bool:
        """Whether probabilities of that sample are stored."""
        return self._sample("probabilities", split, sample_id, ".prob").is_file()

    def ids_with_probabilities(self, split: str) -> frozenset[str]:
        """Return the sample ids of a split whose probabilities are stored; no file is opened."""
        return _list_ids(self.folder / "probabilities" / check_stage(split), ".prob")

    def ids_with_mask(self, split: str, stage: str) -> frozenset[str]:
        """Return the sample ids of a split whose mask of a stage is stored; no file is opened."""
        folder = self.folder / "masks" / check_stage(split) / check_stage(stage)
        return _list_ids(folder, ".mask")

    def write_mask(
        self, split: str, stage: str, sample_id: str, mask: npt.NDArray[np.integer]
    ) -> None:
        """Store the predicted mask (H, W) of a stage ("crf"), uint8 or uint16 indices.

        Raises:
            SegcoreError: The mask or a name is refused, or the folder cannot be written.
        """
        disk.write_bytes(
            self._sample(f"masks/{check_stage(split)}", stage, sample_id, ".mask"),
            encode_mask(mask),
        )

    def read_mask(self, split: str, stage: str, sample_id: str) -> npt.NDArray[np.integer]:
        """Return the predicted mask (H, W) of a stage, uint8 or uint16.

        Raises:
            SegcoreError: There is none, or it is damaged.
        """
        path = self._sample(f"masks/{check_stage(split)}", stage, sample_id, ".mask")
        return decode_mask(_read_result(path, self.id, sample_id))

    def has_mask(self, split: str, stage: str, sample_id: str) -> bool:
        """Whether the predicted mask of a stage is stored for that sample."""
        return self._sample(f"masks/{check_stage(split)}", stage, sample_id, ".mask").is_file()

    def write_counts(
        self,
        split: str,
        stage: str,
        sample_ids: Sequence[str],
        counts: SampleCounts | npt.NDArray[np.int64],
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

    def read_counts(self, split: str, stage: str) -> tuple[list[str], SampleCounts]:
        """Return the N sample ids and their counts (N, C, C), [sample, true, predicted].

        Raises:
            SegcoreError: There are none, or they are damaged.
        """
        path = self._sample("counts", split, stage, ".npz")
        return decode_counts(_read_result(path, self.id, f"{split}, stage {stage}"))

    def read_counted_ids(self, split: str, stage: str) -> list[str]:
        """Return the sample ids of some counts, in their order, without unpacking the counts.

        Raises:
            SegcoreError: There are none, or they are damaged.
        """
        path = self._sample("counts", split, stage, ".npz")
        return decode_ids(_read_result(path, self.id, f"{split}, stage {stage}"))

    def write_arrays(self, split: str, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Store named arrays that follow from a split's results; ``name`` says from what.

        Raises:
            SegcoreError: A name is refused, or the folder cannot be written.
        """
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, **arrays)
        disk.write_bytes(self._sample("measures", split, name, ".npz"), packed.getvalue())

    def read_arrays(self, split: str, name: str) -> dict[str, npt.NDArray[Any]] | None:
        """Return what :meth:`write_arrays` stored; None where it is absent or damaged."""
        path = self._sample("measures", split, name, ".npz")
        if not path.is_file():
            return None
        try:
            with np.load(io.BytesIO(disk.read_bytes(path)), allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (ValueError, OSError, EOFError, BadZipFile, KeyError):
            return None

    def arrays_stamp(self, split: str, name: str) -> tuple[int, int]:
        """Return what changes when :meth:`write_arrays` stores anew; zeros where nothing is."""
        return _stamp(self._sample("measures", split, name, ".npz"))

    def counts_stamp(self, split: str, stage: str) -> tuple[int, int]:
        """Return what changes when :meth:`write_counts` stores anew; zeros where nothing is."""
        return _stamp(self._sample("counts", split, stage, ".npz"))

    def stages(self, split: str) -> list[str]:
        """Names of the stages that have counts for a split, sorted."""
        return sorted(
            path.stem
            for path in (self.folder / "counts" / check_stage(split)).glob("*.npz")
            if not is_temporary(path.name)
        )

    def _sample(self, kind: str, split: str, sample_id: str, suffix: str) -> Path:
        parts = sample_parts(sample_id)
        return self.folder.joinpath(kind, check_stage(split), *parts[:-1], parts[-1] + suffix)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns
