"""Crash recovery: how a run is closed whose process is gone without a message."""

import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from segcore.runs.folder import hosts, work_lock
from segcore.runs.folder.listing import RunSummary
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import QUEUED_OR_ACTIVE, SILENT_SECONDS, Status
from segcore.runs.machine import processes
from segcore.runs.machine.disk import Locked
from segcore.runs.queue.queue import Job, Queue
from segcore.runs.queue.stopping import DISK_FULL, STOPPED

DIED = (
    "Its process ended without a message (killed or out of memory): resume it to continue from "
    "its last checkpoint."
)
ORPHAN_SECONDS = 60.0
CLOSE_SECONDS = 2.0
"""How long the end of a run waits for the lock of its status: the queue must not stand still."""


def runs_folder(workspace: Path | str) -> Path:
    """The folder of all runs of a workspace."""
    return Path(workspace) / "runs"


def job_is_alive(workspace: Path | str, job: Job) -> bool:
    """Whether the process of a run that was started exists, as far as this machine can see."""
    run = RunFolder(runs_folder(workspace) / job.run)
    here = hosts.is_here(job.host)
    return (
        (here and hosts.is_alive(job.host, job.pid, job.birth, None))
        or (not here and _is_heard_of(run.status(), job.host))
        or work_lock.is_held(run.folder)
    )


def run_is_alive(run: RunFolder, status: Status) -> bool:
    """Whether the process that a run's status names exists, or any other works on the run."""
    return _is_heard_of(status, status.host) or work_lock.is_held(run.folder)


def _is_heard_of(status: Status, host: str) -> bool:
    heard = max(status.heartbeat or 0.0, status.started or 0.0) or None
    return hosts.is_alive(host, status.pid, status.birth, heard)


def recover(
    queue: Queue,
    workspace: Path | str,
    job: Job,
    exit_code: int | None = None,
    ending: tuple[str, str] | None = None,
) -> None:
    """Close the row of a run whose process is gone, with a cause where the worker left none.

    Args:
        queue: The queue.
        workspace: Folder of the workspace.
        job: The row as it was read.
        exit_code: The worker's exit code, negative for a signal, where it is known.
        ending: State and cause, where the caller knows better than an exit code; a stop on request
            goes before it.

    Raises:
        SegcoreError: The run's folder or the queue cannot be written; the row stays.
    """
    now = queue.job(job.run)
    if now is None or now.token != job.token:
        return
    if hosts.is_here(now.host):
        processes.end_group(now.pid)
    state, cause = ending if ending and not now.stops else _ending(now, exit_code)
    close_job(queue, workspace, now, state, cause)


def close_job(queue: Queue, workspace: Path | str, job: Job, state: str, cause: str) -> bool:
    """Write how a run ended and remove its row; False where the row is another attempt's by now.

    The lock of the status is held over both, so that nobody queues the run again in between. Where
    this process is killed in between, the row stays next to an ended status, and whoever meets it
    removes it.

    Raises:
        SegcoreError: The run's folder or the queue cannot be written, or another process holds the
            lock; the row stays.
    """
    run = RunFolder(runs_folder(workspace) / job.run)
    if not run.folder.is_dir():
        return queue.remove(job.run, job.token)
    with run.status_lock(CLOSE_SECONDS):
        now = queue.job(job.run)
        if now is None or now.token != job.token:
            return False
        run.update_status(
            only_if=QUEUED_OR_ACTIVE,
            state=state,
            cause=cause,
            finished=time.time(),
            seconds_left=None,
        )
        return queue.remove(job.run, job.token)


def _ending(job: Job, exit_code: int | None) -> tuple[str, str]:
    if job.stops:
        return "interrupted", STOPPED
    if not hosts.is_here(job.host) and exit_code is None:
        minutes = SILENT_SECONDS / 60
        return (
            "interrupted",
            (
                f"Nothing was heard from {job.host} for {minutes:.0f} minutes: see to that "
                "machine, then resume the run."
            ),
        )
    if exit_code == DISK_FULL:
        return (
            "interrupted",
            "The disk was full: free some space, then resume the run to continue from its last "
            "checkpoint.",
        )
    if exit_code is not None and exit_code > 0:
        return (
            "failed",
            f"Its process ended with exit code {exit_code} before it could say why: see its log.",
        )
    if exit_code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL):
        return (
            "failed",
            (
                f"Its process crashed ({signal.Signals(-exit_code).name}): see its log, then "
                "resume it."
            ),
        )
    return "interrupted", DIED


def recover_orphans(
    queue: Queue | None, summaries: Iterable[RunSummary], jobs: Mapping[str, Job]
) -> bool:
    """Mark runs as interrupted that claim to wait or work, are in no queue and have no process.

    Returns:
        Whether there were any. One of whom something was heard within a minute is left alone.
    """
    any_marked = False
    for summary in summaries:
        status = summary.status
        if (
            status.has_ended
            or summary.id in jobs
            or abs(time.time() - (summary.changed or 0.0)) < ORPHAN_SECONDS
        ):
            continue
        run = RunFolder(summary.folder)
        if run_is_alive(run, status):
            continue
        cause = (
            DIED
            if status.is_active
            else "It was made but never reached the queue: resume it to start it."
        )
        with suppress(Locked), run.status_lock(CLOSE_SECONDS):
            if queue is None or queue.job(summary.id) is None:
                run.update_status(
                    only_if=(status.state,), state="interrupted", cause=cause, finished=time.time()
                )
                any_marked = True
    return any_marked
