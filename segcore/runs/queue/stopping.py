"""How a process that works on a run notices that it must stop, and reports that it failed."""

import io
import signal
import sys
import time
from contextlib import suppress
from typing import Any, TextIO

from segcore.errors import SegcoreError, is_disk_full
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import processes

DISK_FULL = 78
"""Exit code of a worker that could not write how its run ended, for want of space."""
END_SECONDS = 60.0
STOPPED = "Stopped on request: resume it to continue."
CANCELLED = "Cancelled before it started: resume it to queue it again."


class Stopped(Exception):
    """The run was asked to stop; what it needs to continue is on disk."""


class StopSignal:
    """Whether the process was asked to end; becomes true on SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True


def begin(run: RunFolder) -> None:
    """Write that this process works on a run; a resumed run keeps its first start.

    Raises:
        SegcoreError: The run was deleted, or its folder cannot be written.
    """
    pid, birth = processes.identity()
    run.beat(
        state="running",
        pid=pid,
        birth=birth,
        started=run.status().started or time.time(),
        finished=None,
        cause="",
        message="Starting",
    )


def fail(run: RunFolder, cause: str) -> int:
    """Write a cause into the log and leave the run as failed; return the exit code."""
    print(cause, file=sys.stderr, flush=True)
    return end(run, "failed", cause)


def end(run: RunFolder, state: str, cause: str, **fields: Any) -> int:
    """Write how a run ended; return 0, 1 for failed, ``DISK_FULL`` where it was not written."""
    try:
        run.beat(
            state=state,
            cause=cause,
            finished=time.time(),
            lock_seconds=END_SECONDS,
            **{"seconds_left": None, **fields},
        )
    except SegcoreError as error:
        print(error, file=sys.stderr, flush=True)
        return DISK_FULL if is_disk_full(error) else 1
    return 1 if state == "failed" else 0


def log_what_fits() -> None:
    """Let this process run on when its log cannot be written, as on a full disk."""
    sys.stdout, sys.stderr = _Lossy(sys.stdout), _Lossy(sys.stderr)


class _Lossy(io.TextIOBase):
    """A text stream that drops what cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()
