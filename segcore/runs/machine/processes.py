"""Background processes: how they are started, identified and signalled."""

import os
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

from segcore.errors import disk_error

_CREATED = "created:"
_SAME_BIRTH = 5.0
"""Seconds by which a birth on the wall clock may seem to move: that clock may be set meanwhile."""
_ROOT = Path(__file__).resolve().parents[3]


def identity(pid: int | None = None) -> tuple[int, str]:
    """Return the id and the birth of a process, by default of this one.

    A birth tells a process from a later one with the same id. It is "<boot id>/<ticks>", the clock
    ticks from the start of the machine to that of the process (proc(5), ``stat`` field 22), which
    no
    step of the wall clock changes; where there is no ``/proc``, "created:<seconds since 1970>".

    Raises:
        psutil.NoSuchProcess: There is no such process.
    """
    number = os.getpid() if pid is None else pid
    stat = _read_stat(number)
    if stat is not None:
        return number, f"{_boot_id()}/{stat[1]}"
    return number, birth_of_time(psutil.Process(number).create_time())


def birth_of_time(created: float) -> str:
    """Return the birth of a process that is known only by the wall clock, seconds since 1970."""
    return f"{_CREATED}{created}"


def is_alive(pid: int | None, birth: str) -> bool:
    """Whether the process with this id and birth exists; a zombie does not count as alive."""
    if pid is None or not birth:
        return False
    if not birth.startswith(_CREATED):
        stat = _read_stat(pid)
        return stat is not None and stat[0] not in "ZXx" and birth == f"{_boot_id()}/{stat[1]}"
    try:
        process = psutil.Process(pid)
        age = abs(process.create_time() - float(birth.removeprefix(_CREATED)))
        return process.status() != psutil.STATUS_ZOMBIE and age < _SAME_BIRTH
    except psutil.AccessDenied:
        return True
    except (psutil.Error, ValueError):
        return False


def _read_stat(pid: int) -> tuple[str, int] | None:
    """Return state and start (ticks since boot) of a process; None where /proc does not have it."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return fields[0], int(fields[19])


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def parent(pid: int | None) -> int | None:
    """The process id of a process's parent; None where it has ended."""
    try:
        return psutil.Process(pid).ppid() if pid is not None else None
    except psutil.Error:
        return None


def send_signal(pid: int | None, birth: str, number: int, group: bool = False) -> bool:
    """Signal a process, or with ``group`` its process group; False where it no longer exists.

    A later process that has the same id by now is left alone.
    """
    if pid is None or not is_alive(pid, birth):
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
    """Kill what a dead session leader left behind, such as the pool of a killed worker.

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


def fast_convolutions() -> dict[str, str]:
    """Return the variable with which TensorFlow computes on a CPU by oneDNN, if nobody chose it.

    TensorFlow does so by itself only where a processor has instructions for networks (AVX-512 with
    VNNI and later), but oneDNN's convolutions for AVX2 are faster than TensorFlow's own too: 1.3
    to 1.5 times the images a second (docs/benchmarks.md).
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return {}
    return {"TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1")}


def start_detached(
    arguments: Sequence[str],
    log: Path,
    extra: Mapping[str, str] | None = None,
    *,
    tethered: bool = False,
) -> subprocess.Popen:
    """Start ``python <arguments>`` in a session of its own, which outlives the app or the shell.

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
    """Let a detached child run; a thread waits for its end, so that it leaves no zombie."""
    threading.Thread(target=process.wait, daemon=True).start()
