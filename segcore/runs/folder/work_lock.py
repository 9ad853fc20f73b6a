"""The lock that every worker holds for its life, so that no run is worked on by two at a time.

``work.lock`` in the run's folder is locked as long as the worker lives, whatever the queue or the
status says; the kernel frees it when the worker dies. It holds two lines: the token of the attempt
that began last, and the process id, birth and machine of the worker.
"""

import fcntl
import os
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.runs.folder.hosts import this_host
from segcore.runs.machine import disk, processes

VARIABLE = "SEGSCOPE_WORK_LOCK"
"""Number of an open file that holds the lock already: the process before the worker took it."""
LEAVING_SECONDS = 10.0
"""How long a worker waits for the one before it, which may be about to end."""
LOST_LOCK = 74
"""Exit code of a worker whose run another process took over."""
_NAME = "work.lock"
_taken: dict[str, str] = {}
"""By folder: how this process wrote itself into the lock."""


class Working(SegcoreError):
    """Another process works on the run."""


def take(folder: Path, token: str = "", seconds: float = LEAVING_SECONDS) -> int:
    """Lock a run for the life of this process and return the open file.

    Where the process that started this one handed the lock over, that one is kept.

    Raises:
        Working: Another process holds it.
        SegcoreError: The folder cannot be written.
    """
    handle, token = _inherited(folder), token or last_token(folder)
    if handle is None:
        handle = disk.try_lock(folder / _NAME, seconds)
    if handle is None:
        raise Working(
            f"Expected the run {folder.name!r} to be free, found another process working on it: "
            "stop that one first."
        )
    number, birth = processes.identity()
    holder_line = f"{number} {birth} {this_host()}"
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{token}\n{holder_line}\n".encode(), 0)
    _taken[str(folder)] = holder_line
    return handle


def is_lost(folder: Path) -> bool:
    """Whether this process took the lock of a run and another process has taken it since.

    So it is after a network drive was out of reach for longer than its server keeps locks.
    """
    mine = _taken.get(str(folder))
    if mine is None:
        return False
    try:
        lines = (folder / _NAME).read_text(errors="replace").splitlines()
    except OSError:
        return False
    return len(lines) > 1 and lines[1] != mine


def hand_over(handle: int) -> dict[str, str]:
    """Let the program that this process becomes, or starts, keep the lock; return its variable."""
    os.set_inheritable(handle, True)
    return {VARIABLE: str(handle)}


def last_token(folder: Path) -> str:
    """Return the token of the attempt that began last; "" for none."""
    try:
        return (folder / _NAME).read_text(errors="replace").partition("\n")[0]
    except OSError:
        return ""


def is_held(folder: Path) -> bool:
    """Whether a worker of the run lives, on any machine that shares the folder."""
    try:
        handle = os.open(folder / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:  # shared, so that two who ask at once do not take each other for a worker
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a drive without locks
    finally:
        os.close(handle)
    return False


def holder(folder: Path) -> tuple[int, str, str] | None:
    """Return process id, birth and machine of the living worker; None where there is none."""
    if not is_held(folder):
        return None
    try:
        words = (folder / _NAME).read_text(errors="replace").splitlines()[1].split(" ")
        return int(words[0]), words[1], words[2]
    except (OSError, IndexError, ValueError):
        return None


def _inherited(folder: Path) -> int | None:
    number = os.environ.pop(VARIABLE, "")
    if not number.isdigit():
        return None
    try:
        opened, wanted = os.fstat(int(number)), (folder / _NAME).stat()
    except OSError:
        return None
    if (opened.st_dev, opened.st_ino) != (wanted.st_dev, wanted.st_ino):
        return None
    os.set_inheritable(int(number), False)
    return int(number)
