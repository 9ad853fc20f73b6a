"""How a process that works on a run notices that it must stop, and reports that it failed."""

import signal
import sys
import time

from segcore.runs.folder.run_folder import RunFolder

STOPPED = "Stopped on request: resume it to continue."


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


def fail(run: RunFolder, cause: str) -> int:
    """Write a cause into the log and leave the run as failed; return the exit code, 1."""
    print(cause, file=sys.stderr, flush=True)
    run.beat(state="failed", cause=cause, seconds_left=None, finished=time.time())
    return 1
