"""Waiting for runs: what each of them does meanwhile, and what the queued ones wait for."""

import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.formatting import duration, percent, plural
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import Status
from segcore.runs.queue import jobs
from segcore.runs.queue.idle import is_on_hold, why_idle

Progress = Callable[[int, int, str], None]
POLL_SECONDS, POLL_SECONDS_A_RUN = 0.3, 0.005
"""How often a wait looks at its runs, and how much more seldom for each that has not ended."""
REFRESH_SECONDS = 2.0
IDLE_SECONDS = 30.0
"""How long nothing may work on runs that someone waits for: dispatchers need time to start."""


class Watcher(ABC):
    """A progress that is also shown each run that someone waits for."""

    @abstractmethod
    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show ``done`` of ``total``."""

    @abstractmethod
    def watch(self, states: Mapping[str, Status], ahead: str) -> None:
        """Show how the runs are going.

        Args:
            states: Status of each run, what it needs before it.
            ahead: What the runs wait for, "a is queued behind b (68 %)"; "" while one of them works.
        """


class WaitStopped(KeyboardInterrupt):
    """Somebody stopped waiting for runs, which continue.

    Attributes:
        runs: Ids of the runs that have not ended, those asked for first.
        works: Whether one of them works; else all are queued.
    """

    def __init__(self, runs: Sequence[str], works: bool) -> None:
        super().__init__()
        self.runs = tuple(runs)
        self.works = works


def wait_for(workspace: Path, runs: Sequence[str], progress: Progress | Watcher | None) -> None:
    """Return when every run has ended.

    Args:
        workspace: Folder of the workspace.
        runs: Ids of the runs.
        progress: Is called with percent, 100 and a message; None for none.

    Raises:
        SegcoreError: One of them failed or was interrupted; the sentence carries its cause. Or
            nothing has worked on them for :data:`IDLE_SECONDS` and nothing will.
        WaitStopped: Ctrl-C was pressed meanwhile.
    """
    wait = _Wait(workspace, runs)
    try:
        while True:
            ended = wait.look()
            if progress:
                wait.show(progress)
            if ended:
                break
            time.sleep(max(POLL_SECONDS, len(wait.left) * POLL_SECONDS_A_RUN))
    except KeyboardInterrupt as stop:
        needed = [run for run, status in wait.states.items() if not status.has_ended]
        asked = [run for run in runs if run in needed]
        if not asked:
            raise
        works = any(status.is_active for status in wait.states.values())
        raise WaitStopped([*asked, *(r for r in needed if r not in asked)], works) from stop
    for run in runs:
        status = wait.states[run]
        if status.state != "finished":
            raise SegcoreError(
                f"The run {run} ended as {status.state}: "
                f"{status.cause or f'read its log (segscope runs show {run}).'}"
            )


class _Wait:
    """The runs that someone waits for, and the unfinished ones that these need.

    Attributes:
        states: Status by run, what a run needs before it.
        left: The runs asked for that have not ended.
    """

    def __init__(self, workspace: Path, runs: Sequence[str]) -> None:
        self._workspace, self._runs = workspace, runs
        self.states: dict[str, Status] = {}
        self.left = list(runs)
        self._ahead = ""
        self._refreshed, self._worked = -math.inf, time.monotonic()

    def look(self) -> bool:
        """Read the states; return whether all runs asked for have ended.

        Raises:
            SegcoreError: Nothing works on them, and nothing will.
        """
        if time.monotonic() - self._refreshed > REFRESH_SECONDS:
            self._refreshed = time.monotonic()
            self._refresh()
        for run, status in self.states.items():
            if status.state != "finished":
                self.states[run] = self._status(run)
        return all(self.states[run].has_ended for run in self._runs)

    def show(self, progress: Progress | Watcher) -> None:
        """Tell a progress how far the runs are."""
        works = any(status.is_active for status in self.states.values())
        ahead = "" if works else self._ahead
        if isinstance(progress, Watcher):
            progress.watch(self.states, ahead)
            return
        done = sum(
            1.0 if s.has_ended else s.progress if s.is_active else 0.0 for s in self.states.values()
        )
        message = next((s.message for s in self.states.values() if s.is_active), ahead)
        progress(int(100 * done / max(len(self.states), 1)), 100, message)

    def _status(self, run: str) -> Status:
        return RunFolder(self._workspace / "runs" / run).status()

    def _refresh(self) -> None:
        jobs.refresh(self._workspace)
        for run in self._runs:
            self._follow(run)
        self.left = [run for run in self._runs if not self.states[run].has_ended]
        reason = why_idle(self._workspace, self.left) if self.left else ""
        if not reason:
            self._worked = time.monotonic()
        elif time.monotonic() - self._worked >= IDLE_SECONDS:
            raise SegcoreError(reason)
        self._ahead = self._what_is_ahead() if self.left else ""

    def _follow(self, run: str) -> None:
        """Note a run, and before it what it needs and what has not ended yet."""
        status = self.states[run] = self._status(run)
        for other in () if status.has_ended else status.after:
            if other not in self.states and not self._status(other).has_ended:
                self._follow(other)
        self.states[run] = self.states.pop(run)  # behind what it needs

    def _what_is_ahead(self) -> str:
        """Say what the runs wait for; "" where that is only for their process to start."""
        asked = self.left[0]
        if is_on_hold(self._workspace, self.left):
            return f"{asked} is on hold"
        queued = [run for run, status in self.states.items() if status.state == "queued"]
        if not queued or not os.access(self._workspace, os.W_OK):
            return ""
        order = jobs.waiting(self._workspace)
        place = next((i for i, job in enumerate(order) if job.run == queued[0]), -1)
        job = order[place] if place >= 0 else None
        if job is None or job.state != "waiting" or job.request in (jobs.LIGHT, jobs.ASIDE):
            return ""
        works = [
            job.run
            for job in order
            if job.state != "waiting"
            and job.request not in (jobs.LIGHT, jobs.ASIDE)
            and not {job.run, *job.after} & set(self.states)
        ]
        before = [
            job.run
            for job in order[:place]
            if job.state == "waiting" and not {job.run, *job.after} & set(self.states)
        ]
        if not (works or before):
            return ""
        first, others = [*works, *before][0], len(works) + len(before) - 1
        status = self._status(first)
        left = f", {duration(status.seconds_left)} left" if status.seconds_left else ""
        share = f" ({percent(status.progress, 0)}{left})" if status.is_active else ""
        more = f" and {plural(others, 'other run')}" if others else ""
        return f"{asked} is queued behind {first}{share}{more}"
