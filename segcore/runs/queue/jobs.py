"""Work in the background: hand runs to the queue, stop, resume, and see who is still alive.

No server is needed: whoever hands in work starts a dispatcher (``dispatcher.py``) where none lives;
it ends with the last run, and other machines may add theirs. What is known of a run is in its folder;
the queue holds only what waits or works.

Which waiting run goes next: by place, by priority, or on hold.
"""

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import psutil

from segcore.config.requests import ELSEWHERE
from segcore.errors import SegcoreError
from segcore.runs.folder import hosts, work_lock
from segcore.runs.folder.listing import RunSummary, list_runs, read_config
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import QUEUED_OR_ACTIVE, Status
from segcore.runs.machine import processes
from segcore.runs.machine.disk import Locked
from segcore.runs.machine.engines import refuse_without_engine
from segcore.runs.queue.crash_recovery import (
    CLOSE_SECONDS,
    job_is_alive,
    recover,
    recover_orphans,
    run_is_alive,
    runs_folder,
)
from segcore.runs.queue.leases import living
from segcore.runs.queue.queue import Job, Queue
from segcore.runs.queue.stopping import CANCELLED, STOPPED

LIGHT = "light"
LIGHT_KINDS = ("evaluate", "subsets", "crf_search")
"""Kinds of runs that need no network and no device."""
ASIDE = "aside"
"""Request of a run that only submits others and watches them: it takes no device from them."""
ENDING_SECONDS = 10.0
STARTING = "starting"
"""Setting of the queue: id and birth of the dispatcher that was started last, until it shows up."""
LOCKED_AT_ONCE = 200
"""Runs that are queued together, all or none: each holds an open file meanwhile."""
NO_WORK_VARIABLE = "SEGSCOPE_NO_WORK"


def submit(
    workspace: Path | str,
    run_ids: Sequence[str],
    after: Mapping[str, Iterable[str]] | None = None,
    priority: int = 0,
) -> list[str]:
    """Queue existing runs and see to it that a dispatcher works on them.

    Args:
        workspace: Folder of the workspace.
        run_ids: Ids of runs that exist and neither wait nor work; they go in this order.
        after: For a run, the ids of those that must finish first.
        priority: Higher goes first.

    Returns:
        The ids that were queued; a run that waits already is left as it is and not named.

    Raises:
        SegcoreError: A run is absent, works already, or waits for itself, or the workspace cannot
            be written.
    """
    needs = {run: tuple(dict.fromkeys((after or {}).get(run, ()))) for run in run_ids}
    return _submit(workspace, needs, priority)


def _submit(
    workspace: Path | str,
    needs: Mapping[str, Sequence[str]],
    priority: int,
    may_work: bool = False,
) -> list[str]:
    """Queue runs; those that work already are passed over with ``may_work``, else refused."""
    _check_needs(workspace, needs)
    queued: list[str] = []
    with Queue(workspace) as queue:
        _await_ends(queue, workspace, needs)
        order = list(needs)
        for start in range(0, len(order), LOCKED_AT_ONCE):
            part = {run: needs[run] for run in order[start : start + LOCKED_AT_ONCE]}
            queued += _enqueue(queue, workspace, part, priority, may_work)
    ensure_dispatcher(workspace)
    return queued


def _await_ends(queue: Queue, workspace: Path | str, run_ids: Iterable[str]) -> None:
    """Wait for processes that have written how their run ended and are about to leave."""
    end = time.monotonic() + ENDING_SECONDS
    for run_id in run_ids:
        run = RunFolder(runs_folder(workspace) / run_id)
        while run.status().has_ended:
            job = queue.job(run_id)
            if job is None and not work_lock.is_held(run.folder):
                break
            if job is not None and job.state == "waiting":
                break
            if job is None:
                pass
            elif job.state == "started" and not job_is_alive(workspace, job):
                recover(queue, workspace, job)
            elif job.state == "claimed" and not dispatcher_is_alive(queue):
                # A dispatcher was killed between writing how the run ended and removing its row.
                queue.remove(run_id, job.token)
            if time.monotonic() > end:
                raise SegcoreError(
                    f"Expected a run that has ended, received {run_id!r}, whose process is still "
                    "ending: try again in a moment, or stop it."
                )
            time.sleep(0.02)


def _check_needs(workspace: Path | str, needs: Mapping[str, Iterable[str]]) -> None:
    for run, others in needs.items():
        for other in (run, *others):
            RunFolder.open(runs_folder(workspace) / other)
    try:
        TopologicalSorter({run: tuple(others) for run, others in needs.items()}).prepare()
    except CycleError as error:
        raise SegcoreError(
            "Expected runs that can go one after another, received a circle: "
            f"{' -> '.join(error.args[1])}."
        ) from error


def _enqueue(
    queue: Queue,
    workspace: Path | str,
    needs: Mapping[str, Sequence[str]],
    priority: int,
    may_work: bool,
) -> list[str]:
    """Queue some runs, all or none; return those that were not in the queue before.

    The locks of all their statuses are held meanwhile, and no lock is taken inside the transaction.
    """
    runs = {run_id: RunFolder(runs_folder(workspace) / run_id) for run_id in needs}
    with ExitStack() as locks:
        for run_id in sorted(runs):  # in one order everywhere, so that two submits cannot block
            locks.enter_context(runs[run_id].status_lock())
        free = [run_id for run_id in runs if _is_free(queue, runs[run_id], may_work)]
        before = {run_id: runs[run_id].status() for run_id in free}
        try:
            for run_id in free:
                runs[run_id].update_status(
                    state="queued",
                    cause="",
                    after=tuple(needs[run_id]),
                    pid=None,
                    birth="",
                    heartbeat=None,
                    finished=None,
                    progress=0.0,
                    message="",
                    device="",
                    seconds_left=None,
                )
            with queue.writing():
                for run_id in free:
                    kind, request = _request(runs[run_id])
                    queue.add(run_id, kind, request, needs[run_id], priority)
        except BaseException:
            for run_id in free:
                with suppress(SegcoreError):
                    runs[run_id].update_status(**vars(before[run_id]))
            raise
    return free


def _is_free(queue: Queue, run: RunFolder, may_work: bool) -> bool:
    """Whether a run can be queued; False where it waits already.

    Raises:
        SegcoreError: It works, and may not.
    """
    job, status = queue.job(run.id), run.status()
    if job is not None and job.state == "waiting":
        return status.has_ended
    works = run_is_alive(run, status) if status.is_active else work_lock.is_held(run.folder)
    if job is None and not works:
        return True
    if may_work:
        return False
    raise SegcoreError(
        f"Expected a run that is not running, received {run.id!r}, which is {status.state}: stop "
        "it "
        "first."
    )


def _request(run: RunFolder) -> tuple[str, str]:
    """Return the kind of a run and the device that it asks for."""
    config = read_config(run.folder)
    kind = str(config["kind"])
    if kind == "tune":
        return kind, ASIDE
    return kind, LIGHT if kind in LIGHT_KINDS else str(config.get("device", "auto"))


def ensure_dispatcher(workspace: Path | str) -> bool:
    """Start a dispatcher where there is work and none lives; return whether one was started.

    One that is still starting counts as alive: on a busy machine that takes longer than the next
    call. With ``$SEGSCOPE_NO_WORK`` none is started here: the runs wait for another machine's.

    Raises:
        SegcoreError: The queue cannot be read or no process can be started.
    """
    workspace = Path(workspace).resolve()
    if is_left_to_others() or not (workspace / "queue.sqlite").exists():
        return False
    with Queue(workspace) as queue:
        if dispatcher_is_alive(queue) or is_starting(queue) or not has_work(queue):
            return False
        process = processes.start_detached(
            ["-m", "segcore.runs.dispatch.dispatcher", str(workspace)], workspace / "dispatcher.log"
        )
        with suppress(psutil.Error):  # it has ended already
            queue.set_setting(STARTING, "{} {}".format(*processes.identity(process.pid)))
    processes.forget(process)
    return True


def devices(workspace: Path | str) -> list[str]:
    """Ids of the devices on which the dispatchers of all machines start runs now."""
    if not (Path(workspace) / "queue.sqlite").exists() or not os.access(workspace, os.W_OK):
        return []
    with Queue(workspace) as queue:
        return [device for lease in living(queue) for device in lease.devices]


def is_left_to_others() -> bool:
    """Whether this machine starts no runs itself, so that other machines' devices count."""
    return bool(os.environ.get(NO_WORK_VARIABLE))


def is_starting(queue: Queue) -> bool:
    """Whether a dispatcher was started here that has neither signed on nor given up yet.

    To be asked after :func:`dispatcher_is_alive`: a dispatcher signs on before it takes its name
    off here, and looks again for work after it has given up.
    """
    pid, _, birth = (queue.setting(STARTING) or "").partition(" ")
    return pid.isdigit() and processes.is_alive(int(pid), birth)


def has_work(queue: Queue) -> bool:
    """Whether a dispatcher is needed: a run works, or one waits that is not on hold."""
    paused, held = queue.setting("paused") is not None, queue.held()
    return any(job.state != "waiting" or not (paused or job.run in held) for job in queue.jobs())


def dispatcher_is_alive(queue: Queue) -> bool:
    """Whether a dispatcher works, here or on another machine."""
    return bool(living(queue))


def pause(workspace: Path | str, paused: bool = True) -> None:
    """Put the waiting runs on hold, or release them; runs that work are not touched.

    Raises:
        SegcoreError: The workspace cannot be written.
    """
    with Queue(workspace) as queue:
        queue.set_setting("paused", "yes" if paused else None)
    ensure_dispatcher(workspace)


def is_paused(workspace: Path | str) -> bool:
    """Whether the queue holds back the runs that wait."""
    with Queue(workspace) as queue:
        return queue.setting("paused") is not None


def waiting(workspace: Path | str) -> list[Job]:
    """The rows of the queue in the order in which they go, those that work among them."""
    with Queue(workspace) as queue:
        return queue.jobs()


def reorder(workspace: Path | str, run_ids: Sequence[str]) -> None:
    """Let these waiting runs go in the given order."""
    with Queue(workspace) as queue:
        queue.reorder(run_ids)


def stop(workspace: Path | str, run_id: str) -> Status:
    """Stop a run: one that waits at once; one that works saves and ends, the second time is killed.

    The process is signalled before anything else is waited for, so that one that is frozen while it
    holds a lock stops nobody.

    Returns:
        The status after it: "interrupted", "stopping", or unchanged where the run had ended.

    Raises:
        SegcoreError: There is no such run, or the workspace cannot be written.
    """
    run = RunFolder(runs_folder(workspace) / run_id)
    if not run.folder.is_dir():
        RunFolder.open(run.folder)  # which says what is missing
    with Queue(workspace) as queue:
        while True:
            job = queue.job(run_id)
            if job is not None and job.state == "started":
                status = _stop_worker(queue, run, job)
                break
            worker = work_lock.holder(run.folder)
            if job is None and worker and hosts.is_here(worker[2]):  # the queue was deleted
                processes.send_signal(worker[0], worker[1], signal.SIGTERM)
                return run.write_status(only_if=QUEUED_OR_ACTIVE, state="stopping")
            if (stopped := _stop_waiting(queue, run, job)) is not None:
                return stopped
    ensure_dispatcher(workspace)
    return status


def _stop_waiting(queue: Queue, run: RunFolder, job: Job | None) -> Status | None:
    """Take a run out of the queue that has no worker yet; None where its row changed meanwhile.

    A process that was started but has not shown its token yet is turned away by the queue.
    """
    with run.status_lock():
        now = queue.job(run.id)
        if now != job or (job is not None and not queue.remove(run.id, job.token)):
            return None
        return run.update_status(
            only_if=("queued",) if job is None else None,
            state="interrupted",
            cause=STOPPED if run.status().started else CANCELLED,
            finished=time.time(),
        )


def _stop_worker(queue: Queue, run: RunFolder, job: Job) -> Status:
    stops = queue.count_stop(run.id, job.token or "")
    if stops:
        pass_on_stop(queue, job, stops)
        with suppress(Locked), run.status_lock(CLOSE_SECONDS):
            now = queue.job(run.id)
            if now is not None and now.token == job.token:
                return run.update_status(only_if=QUEUED_OR_ACTIVE, state="stopping")
    status = run.status()
    return replace(status, state="stopping") if status.state in QUEUED_OR_ACTIVE else status


def pass_on_stop(queue: Queue, job: Job, stops: int) -> None:
    """Signal a run's process to stop if it is on this machine; else its dispatcher does."""
    if hosts.is_here(job.host):
        processes.send_signal(
            job.pid, job.birth, signal.SIGTERM if stops == 1 else signal.SIGKILL, group=stops > 1
        )
        queue.mark_delivered(job.run, job.token or "", stops)


def resume(workspace: Path | str, run_id: str) -> list[str]:
    """Queue a run again that failed or was interrupted, with those that belong to it.

    Runs that it waits for and that ended early go again before it; runs that ended because they
    waited for it go again after it. A run that waits or works already is left as it is.

    Returns:
        The ids that were queued.

    Raises:
        SegcoreError: The run is absent or finished, the engine of one of them is not installed, or
            the workspace cannot be written.
    """
    summaries = {run.id: run for run in refresh(workspace)}
    RunFolder.open(runs_folder(workspace) / run_id)
    state = summaries[run_id].status.state
    if state == "finished":
        raise SegcoreError(
            f"Expected a run that failed or was interrupted, received {run_id!r}, which is "
            f"{state}: start a new one."
        )
    again: dict[str, None] = {}
    _collect(run_id, summaries, again)
    again.setdefault(run_id, None)  # one that seems to work may have just ended
    for run in again:
        refuse_without_engine(RunFolder(runs_folder(workspace) / run).config, begun=True)
    needs = {run: summaries[run].status.after for run in again}
    return _submit(workspace, needs, 0, may_work=True)


def _collect(run_id: str, summaries: Mapping[str, RunSummary], again: dict[str, None]) -> None:
    status = summaries[run_id].status
    if run_id in again or status.state not in ("failed", "interrupted"):
        return
    for other in status.after:
        if other in summaries:
            _collect(other, summaries, again)
    again[run_id] = None
    for summary in summaries.values():
        if run_id in summary.status.after and summary.status.started is None:
            _collect(summary.id, summaries, again)


def refresh(workspace: Path | str) -> list[RunSummary]:
    """Recover from dead workers and a dead dispatcher, and return all runs, newest first.

    In a workspace that this user may only read, nothing is put right and the runs are returned as
    they stand.

    Raises:
        SegcoreError: Something had to be put right and the workspace cannot be written.
    """
    workspace = Path(workspace)
    if not os.access(workspace, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        return list_runs(runs_folder(workspace))
    if not (workspace / "queue.sqlite").exists():
        return _list_recovered(workspace, None, {})
    with Queue(workspace) as queue:
        jobs = {job.run: job for job in queue.jobs()}
        if jobs and not dispatcher_is_alive(queue):
            for job in jobs.values():
                if (
                    job.state == "started"
                    and job.host not in ELSEWHERE
                    and not job_is_alive(workspace, job)
                ):
                    with suppress(Locked):
                        recover(queue, workspace, job)
        summaries = _list_recovered(workspace, queue, jobs)
    if jobs:
        ensure_dispatcher(workspace)
    return summaries


def _list_recovered(
    workspace: Path, queue: Queue | None, jobs: Mapping[str, Job]
) -> list[RunSummary]:
    summaries = list_runs(runs_folder(workspace))
    if recover_orphans(queue, summaries, jobs):
        summaries = list_runs(runs_folder(workspace))
    return summaries


def move(workspace: Path | str, run_id: str, by: int) -> None:
    """Let a waiting run go some places earlier (negative) or later."""
    with Queue(workspace) as queue:
        queue.move(run_id, by)


def set_priority(workspace: Path | str, run_id: str, priority: int) -> None:
    """Change the priority of a run in the queue; higher goes first, before every place."""
    with Queue(workspace) as queue:
        queue.set_priority(run_id, priority)


def hold(workspace: Path | str, run_id: str, held: bool = True) -> None:
    """Put one waiting run on hold, or release it; runs that work are not touched."""
    with Queue(workspace) as queue:
        queue.hold(run_id, held)
    ensure_dispatcher(workspace)


def held(workspace: Path | str) -> set[str]:
    """Ids of the waiting runs that are on hold individually."""
    with Queue(workspace) as queue:
        return queue.held()
