"""Processes of the house: known by id and birth, started detached, told apart from strangers with the same id."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from segcore.errors import disk_error

_SAME_BIRTH = 5.0  # seconds; the system derives it from the wall clock, which may be set meanwhile
_ROOT = Path(__file__).resolve().parents[3]


def identity(pid: int | None = None) -> tuple[int, float]:
    """Return (process id, creation time in seconds since 1970) of a process, by default this one."""
    process = psutil.Process(os.getpid() if pid is None else pid)
    return process.pid, process.create_time()


def is_alive(pid: int | None, created: float | None) -> bool:
    """Whether the process with this id, born at this time, still works; a zombie does not."""
    if pid is None or created is None:
        return False
    try:
        process = psutil.Process(pid)
        return (
            process.status() != psutil.STATUS_ZOMBIE
            and abs(process.create_time() - created) < _SAME_BIRTH
        )
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


def parent(pid: int | None) -> int | None:
    """The process id of a process's parent; None where it has ended."""
    try:
        return psutil.Process(pid).ppid() if pid is not None else None
    except psutil.Error:
        return None


def send_signal(pid: int | None, created: float | None, number: int, group: bool = False) -> bool:
    """Signal a process (with ``group``, its whole process group), unless it ended or its id belongs to a stranger by now."""
    if pid is None or not is_alive(pid, created):
        return False
    try:
        if group and os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_group(pid: int | None) -> None:
    """Kill what a dead session leader left behind (the pool of a killed worker).

    While a process of that group lives the kernel gives its number to no one else; where the number
    belongs to a living process by now, nothing was left.
    """
    if pid is None:
        return
    try:
        if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            return
    except psutil.NoSuchProcess:
        pass
    except psutil.Error:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def python_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child that must find this package, wherever it is started."""
    paths = [str(_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }


def start_detached(
    arguments: Sequence[str],
    log: Path,
    extra: Mapping[str, str] | None = None,
    *,
    tethered: bool = False,
) -> subprocess.Popen:
    """Start ``python <arguments>`` in a session of its own: closing the app or the shell does not end it.

    Args:
        arguments: What follows the interpreter ("-m", "segcore.worker", ...).
        log: File that its output is appended to.
        extra: Environment variables besides this process's own.
        tethered: Whether its standard input is a pipe, which the system closes when this process
            dies.

    Raises:
        SegcoreError: The log cannot be written or no process can be started.
    """
    try:
        with open(log, "ab") as output:
            return subprocess.Popen(
                [sys.executable, "-P", *arguments],
                stdin=subprocess.PIPE if tethered else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                close_fds=True,
                env=python_environment(extra),
            )
    except OSError as error:
        raise disk_error("start a process that writes to", log, error) from error


def forget(process: subprocess.Popen) -> None:
    """Let a detached child go on; a thread collects its end, so that no zombie stays while this process lives."""
    threading.Thread(target=process.wait, daemon=True).start()
