"""Why runs that wait do not start by themselves."""

import os
from collections.abc import Iterable
from pathlib import Path

from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue import jobs
from segcore.runs.queue.crash_recovery import run_is_alive, runs_folder
from segcore.runs.queue.queue import Queue


def is_on_hold(workspace: Path | str, run_ids: Iterable[str]) -> bool:
    """Whether all of these runs wait, and someone holds them or the queue back."""
    if not os.access(workspace, os.W_OK):
        return False
    with Queue(workspace) as queue:
        held = queue.held() if queue.setting("paused") is None else set(run_ids)
        waiting = {job.run for job in queue.jobs() if job.state == "waiting"}
    return set(run_ids) <= waiting & held


def why_idle(workspace: Path | str, run_ids: Iterable[str]) -> str:
    """Return why none of some unfinished runs will start unless something is done.

    Args:
        workspace: Folder of the workspace.
        run_ids: Runs that have not ended.

    Returns:
        A sentence with the fix; "" where one works, a dispatcher lives or starts, or they are on
        hold. It may be true for a moment only: a dispatcher that dies is started again.
    """
    workspace = Path(workspace)
    runs = [RunFolder(runs_folder(workspace) / run) for run in run_ids]
    if any(run_is_alive(run, run.status()) for run in runs) or not os.access(workspace, os.W_OK):
        return ""
    with Queue(workspace) as queue:
        queued = {job.run for job in queue.jobs()}
        works = jobs.dispatcher_is_alive(queue) or jobs.is_starting(queue)
        wanted = jobs.has_work(queue)
    left = next((run.id for run in runs if run.id not in queued), "")
    if left:
        return f"Expected the run {left} in the queue, found it in none: resume it."
    if works or not wanted:
        return ""
    if os.environ.get(jobs.NO_WORK_VARIABLE):
        return (
            f"Expected a machine that works on the queue, found none, and ${jobs.NO_WORK_VARIABLE} "
            "keeps this one from it: start `segscope work` on one. The runs keep their places."
        )
    return (
        "Expected a dispatcher that starts the runs, found that it ends at once: the end of "
        f"{workspace / 'dispatcher.log'} says why."
    )
