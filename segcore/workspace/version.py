"""The format of a workspace: an older one is migrated when opened, a newer one refused.

Every other file has a format of its own; this number counts what holds for the folder as a whole. A
workspace without the file is of format 0, or new.
"""

import os
from collections.abc import Callable
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.runs.folder.hosts import this_host
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine.disk import locked, read_json, write_json
from segcore.runs.queue.crash_recovery import runs_folder
from segcore.runs.queue.queue import Queue

FORMAT = 1


def _name_machine(workspace: Path) -> None:
    """0 to 1: runs note their machine; older ones are of the one that opens the workspace."""
    if (workspace / "queue.sqlite").exists():
        with Queue(workspace) as queue:
            for job in queue.jobs():
                queue.set_host(job.run, this_host())
    for summary in list_runs(runs_folder(workspace)):
        if summary.status.is_active and not summary.status.host:
            RunFolder(summary.folder).write_status(host=this_host())


MIGRATIONS: dict[int, Callable[[Path], None]] = {0: _name_machine}
"""What leads from a format to the next. Each can be cut anywhere and done again."""


def open_version(workspace: Path) -> int:
    """Check a workspace's format, and bring an older one up to date where this user may write it.

    Returns:
        The format that it has now.

    Raises:
        SegcoreError: A newer version wrote it, its file is damaged, or it cannot be brought up to
            date.
    """
    current = _read(workspace)
    if current == FORMAT or not os.access(
        workspace, os.W_OK, effective_ids=os.access in os.supports_effective_ids
    ):
        return current
    with locked(workspace / "workspace.lock"):
        for version in range(_read(workspace), FORMAT):
            MIGRATIONS[version](workspace)
            write_json(workspace / "workspace.json", {"format": version + 1})
    return FORMAT


def _read(workspace: Path) -> int:
    path = workspace / "workspace.json"
    if not path.exists():
        return 0
    version = read_json(path).get("format")
    if not isinstance(version, int) or version < 0:
        raise SegcoreError(
            f'Expected a number as "format" in {path}, found {version!r}: remove that '
            "file, and it is created again."
        )
    if version > FORMAT:
        raise SegcoreError(
            f"Expected a workspace in format {FORMAT} or older, found {version} in "
            f"{workspace}: a newer version wrote it; update."
        )
    return version
