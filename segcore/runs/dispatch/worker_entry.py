"""What a worker's process does first: take the run's lock, confirm its attempt, become the worker.

    python -m segcore.runs.dispatch.worker_entry WORKSPACE RUN TOKEN


It shows the token of its attempt to the queue and writes down who it is, then becomes the worker
(exec keeps the process id and the time of birth). So the worker itself knows nothing of the queue,
and a process whose attempt was called off meanwhile ends here.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.runs.folder import work_lock
from segcore.runs.folder.hosts import this_host
from segcore.runs.folder.listing import read_config
from segcore.runs.folder.status import change_status
from segcore.runs.machine import processes
from segcore.runs.queue.queue import Queue

WORKERS = {
    "train": "segcore.worker",
    "predict": "segcore.worker",
    "evaluate": "segcore.light_worker",
    "robustness": "segcore.worker",
}
WORKERS |= dict.fromkeys(("subsets", "crf_search"), "segcore.light_worker") | {
    "tune": "segcore.tuning"
}
WORKER_VARIABLE = "SEGCORE_WORKER"
CALLED_OFF = 75
WORKED_ON = 79
"""Exit code of an attempt that found another process active on the run."""


def worker_command(kind: str, folder: Path) -> list[str]:
    """Return the worker's command line; ``$SEGCORE_WORKER``, a module or script, replaces all."""
    chosen = os.environ.get(WORKER_VARIABLE)
    if chosen and chosen.endswith(".py"):
        start = [chosen]
    elif chosen:
        start = ["-m", chosen]
    else:
        start = ["-m", "segcore.runs.dispatch.quiet_start", WORKERS[kind]]
    return [sys.executable, "-P", *start, str(folder)]


def tasks_here(hosts: Sequence[str]) -> list[int]:
    """Return which tasks of a network that several machines train start here besides the first.

    They stay in the process group of the first, whose end ends them.
    """
    addresses = [host.rpartition(":")[0] for host in hosts]
    return [task for task, address in enumerate(addresses) if task and address == addresses[0]]


def main(arguments: list[str]) -> None:
    """Confirm the attempt and become the worker; end where the attempt was called off."""
    workspace, run_id, token = arguments
    folder = Path(workspace) / "runs" / run_id
    try:
        lock = work_lock.take(folder, token)
    except work_lock.Working as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(WORKED_ON)
    pid, birth = processes.identity()
    with Queue(workspace) as queue:
        if not queue.confirm(run_id, token, pid, birth, this_host()):
            sys.exit(CALLED_OFF)
        job = queue.job(run_id)
    now = time.time()
    device = ",".join(job.devices) if job else ""
    change_status(
        folder / "status.json",
        {
            "state": "starting",
            "pid": pid,
            "birth": birth,
            "host": this_host(),
            "device": device,
            "started": now,
            "heartbeat": now,
        },
    )
    config = read_config(folder)
    command = worker_command(str(config["kind"]), folder)
    sys.stdout.flush()
    for task in tasks_here(config.get("hosts") or []):
        subprocess.Popen([*command, "--task", str(task)], stdin=subprocess.DEVNULL)
    os.environ.update(work_lock.hand_over(lock))
    os.execv(command[0], command)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SegcoreError as error:
        sys.exit(f"{error}")
