"""What is said of a run whose process is gone, where its worker could not say it itself."""

import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from segcore.runs.folder import hosts
from segcore.runs.folder.listing import RunSummary
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import QUEUED_OR_ACTIVE, SILENT_SECONDS, Status
from segcore.runs.machine import processes
from segcore.runs.queue.queue import Job, Queue
from segcore.runs.queue.stopping import STOPPED

DIED = (
    "Its process ended without a message (killed or out of memory): resume it to continue from "
    "its last checkpoint."
)
ORPHAN_SECONDS = 60.0


def runs_folder(workspace: Path | str) -> Path:
    """The folder of all runs of a workspace."""
    return Path(workspace) / "runs"


def job_is_alive(workspace: Path | str, job: Job) -> bool:
    """Whether the process of a run that was started still works, as far as can be told from here."""
    if hosts.is_here(job.host):
        return hosts.is_alive(job.host, job.pid, job.process_created, None)
    return status_is_alive(RunFolder(runs_folder(workspace) / job.run).status(), job.host)


def status_is_alive(status: Status, host: str | None = None) -> bool:
    """Whether the process that a status names still works, as far as can be told from here."""
    heard = max(status.heartbeat or 0.0, status.started or 0.0) or None
    return hosts.is_alive(
        status.host if host is None else host, status.pid, status.process_created, heard
    )


def recover(
    queue: Queue,
    workspace: Path | str,
    job: Job,
    exit_code: int | None = None,
    ending: tuple[str, str] | None = None,
) -> None:
    """Close the row of a run whose process is gone, and say in its folder how it ended where its worker could not.

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
    run = RunFolder(runs_folder(workspace) / job.run)
    with queue.writing():
        now = queue.job(job.run)
        if now is None or now.token != job.token:
            return
        if hosts.is_here(now.host):
            processes.end_group(now.pid)
        if run.folder.is_dir():
            state, cause = ending if ending and not now.stops else _ending(now, exit_code)
            run.write_status(
                only_if=QUEUED_OR_ACTIVE,
                state=state,
                cause=cause,
                finished=time.time(),
                seconds_left=None,
            )
        queue.remove(job.run, job.token)


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


def recover_orphans(summaries: Iterable[RunSummary], jobs: Mapping[str, Job]) -> bool:
    """Mark runs that say they wait or work but are in no queue, and of whom nothing was heard for a while; whether there were any."""
    found = False
    for summary in summaries:
        status = summary.status
        if (
            status.has_ended
            or summary.id in jobs
            or time.time() - (summary.changed or 0.0) < ORPHAN_SECONDS
        ):
            continue
        if status.is_active and status_is_alive(status):
            continue
        cause = (
            DIED
            if status.is_active
            else "It was made but never reached the queue: resume it to start it."
        )
        RunFolder(summary.folder).write_status(
            only_if=(status.state,), state="interrupted", cause=cause, finished=time.time()
        )
        found = True
    return found
