"""The guardian of a run on a machine that a cluster chose.

    python -m segcore.runs.dispatch.guardian RUN_FOLDER TOKEN [GPUS]


A job of a scheduler has one of its own (``scheduler_job.py``). The guardian shares the run's folder
with the dispatcher, not its queue. What it must know is in two files of that folder:

    attempt.json   by the dispatcher: the token of the attempt that counts, and the stops requested
    work.lock      locked while a worker lives, on any machine, for it inherits the lock; holds the
                   token of the attempt that began last

So of two attempts one works, an attempt begins once, and a stop needs nothing but the folder. Its
standard input is a pipe from the cluster's worker: when that dies, the system closes the pipe, and
the run is asked to save and end.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.runs.dispatch.worker_entry import CALLED_OFF, worker_command
from segcore.runs.folder import work_lock
from segcore.runs.folder.hosts import this_host
from segcore.runs.folder.listing import read_config
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import ACTIVE, QUEUED_OR_ACTIVE
from segcore.runs.machine import processes
from segcore.runs.machine.disk import read_json, write_json
from segcore.runs.queue.stopping import STOPPED

LOST = 76
NOT_SEEN = 77
POLL_SECONDS = 0.2
GRACE_SECONDS = 60.0
LOST_CAUSE = (
    "The cluster's worker that had it was lost: resume it to continue elsewhere from its last "
    "checkpoint."
)


def write_attempt(folder: Path, token: str, stops: int = 0) -> None:
    """Say which attempt of a run counts ("" for none), and how often it was asked to stop.

    Raises:
        SegcoreError: The folder cannot be written.
    """
    write_json(folder / "attempt.json", {"format": 1, "token": token, "stops": stops})


def stops_asked(folder: Path, token: str) -> int:
    """How often an attempt was asked to stop; one that does not count any more is asked once."""
    try:
        attempt = read_json(folder / "attempt.json")
    except SegcoreError:
        return 0
    return int(attempt.get("stops") or 0) if attempt.get("token") == token else 1


class Attempt:
    """One attempt, from the lock to the end of the worker.

    Args:
        folder: The run's folder.
        token: Of this attempt.
        gpus: Numbers of the GPUs that it got, with commas between them.
        begun: What tells one beginning of this attempt from another; by default its token, so that
            it begins once.
    """

    grace = GRACE_SECONDS
    """Seconds that a worker gets to save before it is killed, where nobody waits for it."""

    def __init__(self, folder: Path, token: str, gpus: str, begun: str = "") -> None:
        self.run = RunFolder(folder)
        self.token = token
        self._folder, self._gpus, self._begun = folder, gpus, begun or token
        self.lost = False

    def work(self) -> int:
        """Work on the run until it ends; return an exit code as :func:`main` does."""
        if work_lock.last_token(self._folder) == self._begun:
            return LOST  # the cluster tried again by itself
        while (lock := self._take()) is None:
            if self._stops():
                return CALLED_OFF
            time.sleep(POLL_SECONDS)
        if self._stops():
            return CALLED_OFF
        code = self._watch(self._start(lock))
        code = code if code >= 0 else 128 - code
        return self.when_lost(code) if self.lost else code

    def is_lost(self) -> bool:
        """Whether the cluster's worker has died: the system closed the pipe."""
        readable, _, _ = select.select([0], [], [], 0)
        return bool(readable and not os.read(0, 1))

    def when_lost(self, code: int) -> int:
        """Write how a run ended that the cluster lost; return the exit code."""
        self.run.write_status(
            only_if=(*QUEUED_OR_ACTIVE, "interrupted"), state="interrupted", cause=LOST_CAUSE
        )
        return LOST

    def _take(self) -> int | None:
        try:
            return work_lock.take(self._folder, self._begun, seconds=0.0)
        except work_lock.Working:
            return None

    def _stops(self) -> int:
        """How often it was asked to stop; the loss of the cluster's worker is one request."""
        self.lost = self.lost or self.is_lost()
        return max(int(self.lost), stops_asked(self._folder, self.token))

    def _start(self, lock: int) -> subprocess.Popen:
        self.run.clear_temporary()
        now = time.time()
        device = ",".join(f"gpu:{number}" for number in self._gpus.split(",") if number) or "cpu"
        self.run.write_status(
            state="starting",
            pid=None,
            birth="",
            host=this_host(),
            device=device,
            message="",
            started=now,
            heartbeat=now,
        )
        command = worker_command(str(read_config(self._folder)["kind"]), self._folder)
        worker = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            pass_fds=(lock,),
            start_new_session=True,
            env={**os.environ, **work_lock.hand_over(lock)},
        )
        pid, birth = processes.identity(worker.pid)
        self.run.write_status(pid=pid, birth=birth)
        return worker

    def _watch(self, worker: subprocess.Popen) -> int:
        passed_on, since = 0, 0.0
        while (code := worker.poll()) is None:
            stops = self._stops()
            if (
                stops == 1
                and passed_on
                and self._must_end()
                and time.monotonic() - since > self.grace
            ):
                stops = 2
            if stops > passed_on:
                passed_on, since = stops, time.monotonic()
                if stops == 1:
                    os.kill(worker.pid, signal.SIGTERM)
                else:
                    os.killpg(worker.pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        processes.end_group(worker.pid)
        return code

    def _must_end(self) -> bool:
        """Whether nobody waits for this attempt any more."""
        try:
            return self.lost or read_json(self._folder / "attempt.json").get("token") != self.token
        except SegcoreError:
            return self.lost


def main(arguments: Sequence[str]) -> int:
    """Work on a run until it ends; return an exit code.

    It is the worker's, 128 and more for a signal, or LOST, CALLED_OFF, NOT_SEEN.
    """
    folder = Path(arguments[0])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not (folder / "config.json").is_file():
        return NOT_SEEN
    code = Attempt(folder, arguments[1], arguments[2] if len(arguments) > 2 else "").work()
    if code == CALLED_OFF:
        RunFolder(folder).write_status(only_if=ACTIVE, state="interrupted", cause=STOPPED)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SegcoreError as error:
        sys.exit(f"{error}")
