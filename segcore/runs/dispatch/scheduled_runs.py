"""Runs that are jobs of a scheduler, for the dispatcher: submit them, ask how they are, stop them.

The run's folder comes first: ``exit.json`` says how an attempt ended, ``work.lock`` whether its worker
lives, ``attempt.json`` stops it. Only what the folder leaves open is asked of the scheduler, in a
thread of its own: one that hangs holds up no other run.

    scheduler.json   the job of an attempt: scheduler, id, token
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.config.requests import KUBERNETES, SLURM
from segcore.errors import SegcoreError
from segcore.runs.dispatch.clients import NoAnswer
from segcore.runs.dispatch.guardian import GRACE_SECONDS, write_attempt
from segcore.runs.dispatch.kubernetes import Kubernetes
from segcore.runs.dispatch.scheduler_job import read_exit
from segcore.runs.dispatch.schedulers import JobState, Refused, Scheduler
from segcore.runs.dispatch.slurm import Slurm
from segcore.runs.folder import work_lock
from segcore.runs.folder.hosts import this_host
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import QUEUED_OR_ACTIVE, Status
from segcore.runs.machine.disk import read_json, write_json
from segcore.runs.queue.crash_recovery import close_job, runs_folder
from segcore.runs.queue.queue import Job, Queue

LOOK_SECONDS = 5.0
FOLDER_SECONDS = 0.5
RETRY_SECONDS = 15.0
SURE_LOOKS = 2
"""How often a scheduler must say that a job has ended before a missing message is believed."""

SCHEDULERS: dict[str, Callable[[Path], Scheduler]] = {SLURM: Slurm, KUBERNETES: Kubernetes}
"""Of each device that is a scheduler: what speaks with it, for a workspace."""


@dataclass(frozen=True)
class _Submission:
    """A run that is being handed over."""

    job: Job
    token: str
    answer: "Future[str]"


class ScheduledRuns:
    """The runs that the dispatcher handed to one scheduler.

    Args:
        workspace: Folder of the workspace.
        scheduler: Who takes them.
        tell: Is given a line of text when a run is handed over.
    """

    def __init__(self, workspace: Path, scheduler: Scheduler, tell: Callable[[str], None]) -> None:
        self._workspace, self._scheduler, self._tell = workspace, scheduler, tell
        self._pool: ThreadPoolExecutor | None = None
        self._submissions: list[_Submission] = []
        self._look: Future[dict[str, JobState]] | None = None
        self._asked: tuple[str, ...] = ()
        self._looked = 0.0
        self._ids: dict[str, str] = {}
        self._states: dict[str, JobState] = {}
        self._gone: dict[str, int] = {}
        self._lost: dict[str, float] = {}
        self._checked: dict[str, float] = {}
        self._stopped: set[str] = set()
        self._answered = time.time()
        self._trouble = ""
        self._retry = 0.0

    def can_ask(self) -> bool:
        """Whether this machine has the scheduler's client."""
        return self._scheduler.is_here()

    def start(self, queue: Queue, job: Job) -> bool:
        """Begin to hand a waiting run over; False while the scheduler does not answer.

        Raises:
            SegcoreError: The run asks for it in a form that is not known; it can never start.
        """
        self._scheduler.check(job.request)
        folder = runs_folder(self._workspace) / job.run
        if not self.can_ask():
            self._say(
                folder,
                f"{self._scheduler.title} has no client on {this_host()}: run segscope work on a "
                "machine that has one",
            )
            return False
        if self._trouble and time.monotonic() < self._retry:
            self._say(folder, self._silence())
            return False
        if (token := queue.claim(job.run, [], this_host())) is None:
            return False
        try:
            write_attempt(folder, token)
        except SegcoreError:
            queue.put_back(job.run, token)
            raise
        submit = self._scheduler.submit
        self._submissions.append(
            _Submission(job, token, self._in_background(submit, folder, token, job.request))
        )
        return True

    def advance(self, queue: Queue) -> None:
        """Write down which runs were handed over, and ask how the others are."""
        for one in [one for one in self._submissions if one.answer.done()]:
            self._submissions.remove(one)
            self._note_submission(queue, one)
        if self._look is not None and self._look.done():
            look, self._look = self._look, None
            self._note_look(look)
        if self._ids and self._look is None and time.monotonic() >= self._looked + LOOK_SECONDS:
            self._looked = time.monotonic()
            self._asked = tuple(self._ids.values())
            self._look = self._in_background(self._scheduler.look, self._asked)

    def _note_submission(self, queue: Queue, one: _Submission) -> None:
        job, token, folder = one.job, one.token, runs_folder(self._workspace) / one.job.run
        try:
            id = one.answer.result()
        except SegcoreError as error:
            with suppress(SegcoreError):
                write_attempt(folder, "")  # a job that came to be all the same ends at once
            now = queue.job(job.run)
            if isinstance(error, Refused) and now is not None and now.token == token:
                self._hear()
                close_job(queue, self._workspace, now, "failed", str(error))
                self._tell(f"{job.run}: failed ({error})")
                return
            queue.put_back(job.run, token)
            self._fall_silent(error)
            self._say(folder, self._silence())
            return
        self._hear()
        with suppress(SegcoreError):  # a full disk: the job is known while this process lives
            write_json(
                folder / "scheduler.json",
                {"format": 1, "scheduler": self._scheduler.name, "job": id, "token": token},
            )
        self._ids[token] = id
        if not queue.confirm(job.run, token, None, "", self._scheduler.name):
            self._cancel(id)  # it was stopped meanwhile
            self.forget(job, token)
            return
        self._say(folder, f"Handed to {self._scheduler.title} (job {id})")
        self._tell(f"{job.run}: handed to {self._scheduler.title} (job {id})")

    def _note_look(self, look: "Future[dict[str, JobState]]") -> None:
        try:
            states = look.result()
        except SegcoreError as error:
            self._fall_silent(error)
            return
        self._hear()
        for token, id in self._ids.items():
            if id not in self._asked:
                continue
            state = states.get(id)
            gone = state is None or state.phase == "ended"
            self._gone[token] = self._gone.get(token, 0) + 1 if gone else 0
            self._states[token] = state or JobState(
                "ended", f"{self._scheduler.title} does not know its job {id} any more"
            )

    def ending(self, job: Job) -> tuple[int | None, tuple[str, str] | None] | None:
        """How a run that was handed over ended; None while it has not, or where that is unknown.

        The form is what :func:`segcore.runs.queue.crash_recovery.recover` takes.
        """
        folder, token = runs_folder(self._workspace) / job.run, job.token or ""
        if token in self._stopped:
            return None, None
        if time.monotonic() < self._checked.get(token, 0.0) + FOLDER_SECONDS:
            return None
        self._checked[token] = time.monotonic()
        code = read_exit(folder, token)
        if code is not None:
            return (code if code <= 128 else 128 - code), None
        if token not in self._ids:
            self._ids[token] = _read_id(folder, token)
        state, works = self._states.get(token), work_lock.is_held(folder)
        if not works and self._trouble:
            self._say(folder, self._silence())
        elif not works and state is not None and state.phase != "ended":
            self._show(folder, state)
        if job.stops and state is not None and state.phase == "waiting" and not works:
            self.stop(job)
        if self._gone.get(token, 0) < SURE_LOOKS or state is None:
            return None
        since = self._lost.setdefault(token, time.monotonic())
        if works and time.monotonic() - since < 2 * GRACE_SECONDS:
            return None
        if state.log:
            with suppress(OSError), RunFolder(folder).log_path.open("a") as log:
                log.write(f"{state.log}\n")
        return None, (
            "interrupted",
            f"{state.words}. Resume the run to continue from its last checkpoint.",
        )

    def _show(self, folder: Path, state: JobState) -> None:
        """Let a run say what its job does while no worker of it lives."""
        run = RunFolder(folder)
        status = run.status()
        if status.state == "queued":
            self._say(folder, state.words)
        elif state.phase == "waiting" and status.state in ("starting", "running"):
            # Its node was lost, and the scheduler begins the job again.
            run.write_status(
                only_if=("starting", "running"),
                state="queued",
                pid=None,
                birth="",
                seconds_left=None,
                message=f"Its node was lost. {state.words}",
            )

    def stop(self, job: Job) -> None:
        """Pass on a stop through the run's folder; a job without a worker is cancelled."""
        folder, token = runs_folder(self._workspace) / job.run, job.token or ""
        write_attempt(folder, token, job.stops)
        if (works := work_lock.is_held(folder)) and job.stops < 2:
            return
        id = self._ids.get(token) or _read_id(folder, token)
        if id:
            self._cancel(id)
        if not works:
            self._stopped.add(token)

    def call_off(self, job: Job) -> None:
        """Let no process of an attempt continue that was not written down as started."""
        folder = runs_folder(self._workspace) / job.run
        if folder.is_dir():
            write_attempt(folder, "")
            if id := _read_id(folder, job.token or ""):
                self._cancel(id)

    def forget(self, job: Job, token: str = "") -> None:
        """Ask no more how a run is."""
        token = token or job.token or ""
        self._ids.pop(token, None)
        self._states.pop(token, None)
        self._gone.pop(token, None)
        self._lost.pop(token, None)
        self._checked.pop(token, None)
        self._stopped.discard(token)

    def close(self) -> None:
        """Let what was begun end; jobs that were submitted continue."""
        for one in self._submissions:
            one.answer.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    def _in_background(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, f"ask-{self._scheduler.name}")

        def ask() -> Any:
            try:
                return function(*arguments)
            except SegcoreError:
                raise
            except Exception as error:  # an answer in a form that nobody foresaw ends no dispatcher
                raise NoAnswer(
                    f"{self._scheduler.title} answered something unknown ({error!r})."
                ) from error

        return self._pool.submit(ask)

    def _cancel(self, id: str) -> None:
        def cancel() -> None:
            with suppress(SegcoreError):  # a job that starts all the same ends by itself
                self._scheduler.cancel(id)

        self._in_background(cancel)
        self._looked = 0.0

    def _hear(self) -> None:
        self._answered, self._trouble = time.time(), ""

    def _fall_silent(self, error: SegcoreError) -> None:
        if str(error) != self._trouble:
            print(error, file=sys.stderr, flush=True)
        self._trouble = str(error)
        self._retry = time.monotonic() + RETRY_SECONDS

    def _silence(self) -> str:
        since = time.strftime("%H:%M", time.localtime(self._answered))
        return f"{self._scheduler.title} has not answered since {since}: {self._trouble}"

    @staticmethod
    def _say(folder: Path, message: str) -> None:
        run = RunFolder(folder)
        status: Status = run.status()
        if status.message != message and status.state in QUEUED_OR_ACTIVE:
            run.write_status(only_if=QUEUED_OR_ACTIVE, message=message)


def _read_id(folder: Path, token: str) -> str:
    """Return the id of an attempt's job from the run's folder; "" for none."""
    try:
        record = read_json(folder / "scheduler.json")
    except SegcoreError:
        return ""
    return str(record.get("job") or "") if record.get("token") == token else ""
