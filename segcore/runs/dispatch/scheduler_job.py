"""The guardian of a run inside a job of Slurm or Kubernetes.

    python -m segcore.runs.dispatch.scheduler_job slurm|kubernetes RUN_FOLDER TOKEN


It does what ``guardian.py`` does, but the scheduler speaks by SIGTERM: the time limit is near, the
job was cancelled, or its machine is wanted. The run then saves. Near its time limit a job of Slurm
asks to be requeued and continues; in all other cases the scheduler decides, and the dispatcher asks
it. The log and ``exit.json`` (how the attempt ended) lie in the run's folder, so that neither needs
the scheduler.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from segcore.config.requests import KUBERNETES, SLURM
from segcore.errors import SegcoreError
from segcore.runs.dispatch import slurm
from segcore.runs.dispatch.guardian import LOST, NOT_SEEN, Attempt, stops_asked
from segcore.runs.dispatch.worker_entry import CALLED_OFF
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import ACTIVE, QUEUED_OR_ACTIVE
from segcore.runs.machine.devices import list_devices
from segcore.runs.machine.disk import read_json, write_json
from segcore.runs.queue.stopping import STOPPED

TAKEN_BACK = "The scheduler took its machine back; it saved and waits to continue"
TIME_ENDED = "Its time on the cluster ended; it saved and waits to continue"


def write_exit(folder: Path, token: str, code: int) -> None:
    """Write how an attempt ended, for the dispatcher.

    Raises:
        SegcoreError: The folder cannot be written.
    """
    write_json(folder / "exit.json", {"format": 1, "token": token, "code": code})


def read_exit(folder: Path, token: str) -> int | None:
    """Return the exit code that an attempt wrote, as :func:`guardian.main` has it; None for none."""
    try:
        record = read_json(folder / "exit.json")
        return int(record["code"]) if record.get("token") == token else None
    except (SegcoreError, KeyError, TypeError, ValueError):
        return None


class Job(Attempt):
    """One attempt inside a job; a job that was requeued begins it again.

    Args:
        scheduler: Which one it is.
        folder: The run's folder.
        token: Of the attempt.
    """

    grace = 150.0  # the templates ask for 180 s between SIGTERM and SIGKILL

    def __init__(self, scheduler: str, folder: Path, token: str) -> None:
        number = os.environ.get("SLURM_RESTART_COUNT", "0")
        pod = os.environ.get("SEGSCOPE_POD", "")  # see kubernetes.py
        begun = f"{token}.{number if scheduler == SLURM else pod}"
        super().__init__(folder, token, _gpus(), begun)
        self._scheduler = scheduler
        self._terminated = False
        signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, number: int, frame: object) -> None:
        self._terminated = True

    def is_lost(self) -> bool:
        """Whether the scheduler has asked for its machine."""
        return self._terminated

    def work(self) -> int:
        """Work on the run until it ends, write how, and return the exit code."""
        code = super().work()
        if code == CALLED_OFF and self.lost and not stops_asked(self.run.folder, self.token):
            code = self.when_lost(code)
        if code not in (LOST, CALLED_OFF):
            write_exit(self.run.folder, self.token, code)
        return code

    def when_lost(self, code: int) -> int:
        """Let a run that saved because its machine is wanted wait, unless it was stopped too."""
        if stops_asked(self.run.folder, self.token) or self.run.status().state in (
            "finished",
            "failed",
        ):
            return code
        is_time = self._scheduler == SLURM and slurm.is_running(os.environ["SLURM_JOB_ID"])
        self.run.write_status(
            only_if=(*QUEUED_OR_ACTIVE, "interrupted"),
            state="queued",
            cause="",
            finished=None,
            pid=None,
            birth="",
            seconds_left=None,
            message=TIME_ENDED if is_time else TAKEN_BACK,
        )
        if is_time:
            self._requeue()
        return LOST

    def _requeue(self) -> None:
        try:
            slurm.requeue(os.environ["SLURM_JOB_ID"])
        except SegcoreError as error:
            cause = (
                "Its time on the cluster ended before the run did, and the job could not be "
                f"requeued ({error}): resume it to continue from its last checkpoint."
            )
            self.run.write_status(
                only_if=("queued",), state="interrupted", cause=cause, finished=time.time()
            )
            write_exit(self.run.folder, self.token, LOST)


def _gpus() -> str:
    """Return the numbers of the GPUs that the job got, with commas between them."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return ",".join(part.strip() for part in shown.split(",") if part.strip().isdigit())
    return ",".join(device.id[4:] for device in list_devices() if device.id.startswith("gpu:"))


def main(arguments: Sequence[str]) -> int:
    """Work on a run until it ends; return an exit code as :func:`guardian.main` does."""
    scheduler, folder, token = arguments[0], Path(arguments[1]), arguments[2]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not (folder / "config.json").is_file():
        print(f"Expected the run folder {folder} on this machine, found none.", file=sys.stderr)
        return NOT_SEEN
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if scheduler == KUBERNETES:  # Slurm writes the log itself
        log = os.open(RunFolder(folder).log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.dup2(log, 1)
        os.dup2(log, 2)
    code = Job(scheduler, folder, token).work()
    if code == CALLED_OFF:
        RunFolder(folder).write_status(only_if=ACTIVE, state="interrupted", cause=STOPPED)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SegcoreError as error:
        sys.exit(f"{error}")
