"""Where deleted runs lie until they are given up: ``<workspace>/trash/<deletion>/``.

    trash/<deletion>/
        deleted.json          when, and which runs went together
        <run>/ ...            their folders, as they were

A deletion is renames within one disk, so it costs nothing and is undone at once; the space comes
back when the trash is emptied.
"""

import os
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segcore import acting
from segcore.errors import SegcoreError, disk_error, unknown
from segcore.runs.folder.names import check_run_id, is_run_id
from segcore.runs.machine import disk

FORMAT = 1
KEPT_DAYS = 30.0
_DAY = 86_400.0


@dataclass(frozen=True)
class Deletion:
    """Runs that were deleted together.

    Attributes:
        id: Name of the deletion.
        runs: Ids of the runs, the one that was asked for first.
        deleted: When, seconds since 1970.
        by: Who deleted them; "" where not noted.
    """

    id: str
    runs: tuple[str, ...]
    deleted: float
    by: str = ""


def trash_folder(workspace: Path | str) -> Path:
    """The folder of all deletions of a workspace; it need not exist."""
    return Path(workspace) / "trash"


def move_to_trash(workspace: Path | str, runs: Sequence[str], now: float | None = None) -> Deletion:
    """Move run folders out of the way, all or none.

    Args:
        workspace: Folder of the workspace.
        runs: Ids of runs that exist and do not work.
        now: Seconds since 1970; None takes the clock.

    Raises:
        SegcoreError: A folder cannot be moved; those moved before it are put back.
    """
    root = Path(workspace) / "runs"
    when = time.time() if now is None else now
    deletion = Deletion(
        f"{int(when)}-{secrets.token_hex(3)}",
        tuple(check_run_id(run) for run in runs),
        when,
        acting.person().name,
    )
    folder = trash_folder(workspace) / deletion.id
    disk.write_json(
        folder / "deleted.json",
        {
            "format": FORMAT,
            "runs": list(deletion.runs),
            "deleted": when,
            "by": deletion.by,
        },
    )
    moved: list[str] = []
    try:
        for run in deletion.runs:
            (root / run).rename(folder / run)
            moved.append(run)
    except OSError as error:
        for run in moved:
            (folder / run).rename(root / run)
        shutil.rmtree(folder, ignore_errors=True)
        raise disk_error("delete", root / deletion.runs[len(moved)], error) from error
    return deletion


def list_trash(workspace: Path | str) -> list[Deletion]:
    """List what can be restored, the latest first; a damaged note is completed from the folders."""
    try:
        folders = [path for path in trash_folder(workspace).iterdir() if path.is_dir()]
    except OSError:
        return []
    return sorted(
        (found for path in folders if (found := _read(path)).runs), key=lambda d: (-d.deleted, d.id)
    )


def _read(folder: Path) -> Deletion:
    present = sorted(
        path.name for path in folder.iterdir() if path.is_dir() and is_run_id(path.name)
    )
    try:
        data = disk.read_json(folder / "deleted.json")
        order = [run for run in data["runs"] if run in present]
        return Deletion(
            folder.name,
            (*order, *(run for run in present if run not in order)),
            float(data["deleted"]),
            str(data.get("by", "")),
        )
    except (SegcoreError, KeyError, TypeError, ValueError):
        return Deletion(folder.name, tuple(present), folder.stat().st_mtime)


def restore(workspace: Path | str, deletion: str) -> list[str]:
    """Put the runs of a deletion back where they were and return their ids.

    Raises:
        SegcoreError: There is no such deletion, a run of that id exists by now, or the folders
            cannot be moved.
    """
    known = {found.id: found for found in list_trash(workspace)}
    if deletion not in known:
        raise unknown("deletion", deletion, known)
    root, folder = Path(workspace) / "runs", trash_folder(workspace) / deletion
    for run in known[deletion].runs:
        if (root / run).exists():
            raise SegcoreError(
                f"Expected no run {run!r} to restore it, found one that was made since: "
                "delete that one first."
            )
    try:
        for run in known[deletion].runs:
            (folder / run).rename(root / run)
    except OSError as error:
        raise disk_error("restore", folder, error) from error
    shutil.rmtree(folder, ignore_errors=True)
    return list(known[deletion].runs)


def empty_trash(
    workspace: Path | str, older_than_days: float = 0.0, now: float | None = None
) -> int:
    """Remove what was deleted longer ago than some days; return how many deletions that were.

    Raises:
        SegcoreError: A folder cannot be removed.
    """
    limit = (time.time() if now is None else now) - older_than_days * _DAY
    given_up = 0
    for deletion in list_trash(workspace):
        if deletion.deleted <= limit:
            try:
                shutil.rmtree(trash_folder(workspace) / deletion.id)
            except OSError as error:
                raise disk_error("remove", trash_folder(workspace) / deletion.id, error) from error
            given_up += 1
    return given_up


def folder_bytes(folder: Path | str) -> int:
    """Bytes of all files below a folder, without following links; 0 for an absent one."""
    total, pending = 0, [os.fspath(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
