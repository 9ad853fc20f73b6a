"""Every run of a workspace at a glance: ids, configs and statuses, and nothing else."""

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from segcore.errors import SegcoreError
from segcore.runs.folder.annotations import Annotations, read_annotations
from segcore.runs.folder.names import is_run_id
from segcore.runs.folder.status import FORMAT, Status, read_status
from segcore.runs.machine.disk import read_json

_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class RunSummary:
    """One line of the runs table.

    Attributes:
        id: Name of the run.
        folder: Its folder.
        kind: What it does, such as "train", "predict" or "evaluate"; "" where its config cannot be
            read.
        dataset: Name of its dataset; "" where its config cannot be read.
        config: The mapping of its ``config.json``; empty where that cannot be read. Do not change
            it.
        status: How it is going.
        changed: When its status was last written, seconds since 1970.
        annotations: What people say about it.
    """

    id: str
    folder: Path
    kind: str
    dataset: str
    status: Status
    changed: float = 0.0
    config: dict[str, Any] = field(repr=False, compare=False, default_factory=dict)
    annotations: Annotations = field(default_factory=Annotations)


def read_config(folder: Path) -> dict[str, Any]:
    """Read the mapping of a run's config, as :func:`segcore.config.to_json` made it.

    Raises:
        SegcoreError: There is no run, its config is damaged, or a newer version wrote it.
    """
    if not (folder / "config.json").is_file():
        if folder.is_dir():
            raise SegcoreError(
                f"Expected config.json in the run {folder.name!r}, found none: restore that file, "
                "or "
                "delete the run."
            )
        raise SegcoreError(
            f"Expected the run {folder.name!r}, found none in {folder.parent}: see the "
            "list of runs for its name."
        )
    data = read_json(folder / "config.json")
    version, config = data.get("format"), data.get("config")
    if isinstance(version, int) and version > FORMAT:
        raise SegcoreError(
            f"Expected the run {folder.name!r} in format {FORMAT} or older, found "
            f"{version}: a newer version wrote it; update to open it."
        )
    if not isinstance(version, int) or not isinstance(config, dict):
        raise SegcoreError(
            f"Expected a run's config in {folder / 'config.json'}, found something else: the file "
            "is "
            "damaged; restore it, or delete the run."
        )
    return config


def list_runs(root: Path | str) -> list[RunSummary]:
    """List the runs of a workspace, newest first.

    Reads configs, statuses and annotations, each once until it changes, and nothing else.


    A run whose files are damaged or newer is listed as failed, with a cause that says what to do.

    Args:
        root: Folder of all runs of a workspace; it need not exist.
    """
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if is_run_id(entry.name)]
    except OSError:
        return []
    folder = str(root)
    runs = []
    for name in names:
        config, status = (
            _stamp(f"{folder}/{name}/config.json"),
            _stamp(f"{folder}/{name}/status.json"),
        )
        if config is not None or status is not None:
            runs.append(
                _summary(folder, name, config, status, _stamp(f"{folder}/{name}/notes.json"))
            )
    return sorted(runs, key=lambda run: (-(run.status.created or 0.0), run.id))


def summarise(folder: Path | str) -> RunSummary:
    """Return the summary of one run, as :func:`list_runs` does."""
    path = Path(folder)
    stamps = [_stamp(str(path / f"{name}.json")) for name in ("config", "status", "notes")]
    return _summary(str(path.parent), path.name, *stamps)


def _stamp(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - twice a run; Path() would double the cost of a long list
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=16384)
def _summary(
    root: str,
    name: str,
    config_stamp: _Stamp | None,
    status_stamp: _Stamp | None,
    notes_stamp: _Stamp | None,
) -> RunSummary:
    """Read one run; the stamps of its three files are the key under which the answer is kept."""
    folder = Path(root) / name
    status = read_status(folder / "status.json")
    changed = status_stamp[1] / 1e9 if status_stamp else 0.0
    notes = read_annotations(folder / "notes.json") if notes_stamp else Annotations()
    try:
        config = read_config(folder)
    except SegcoreError as error:
        return RunSummary(
            name,
            folder,
            "",
            "",
            Status(state="failed", cause=str(error), created=status.created),
            changed,
            annotations=notes,
        )
    return RunSummary(
        name,
        folder,
        str(config.get("kind", "")),
        str(config.get("dataset", "")),
        status,
        changed,
        config,
        notes,
    )
