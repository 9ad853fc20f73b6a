"""Runs of a cluster, for the dispatcher: hand them over, ask how they are, pass on stops."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from segcore.config.requests import CLUSTER, no_cluster
from segcore.errors import SegcoreError
from segcore.runs.dispatch.dask import Cluster, ending_said, gpus_asked
from segcore.runs.dispatch.guardian import GRACE_SECONDS, LOST, write_attempt
from segcore.runs.folder import work_lock
from segcore.runs.folder.hosts import this_host
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine.settings import cluster_address
from segcore.runs.queue.crash_recovery import runs_folder
from segcore.runs.queue.queue import Job, Queue

RETRY_SECONDS = 15.0
WAITING = "Waiting for a free worker of the cluster"


class RemoteRuns:
    """The runs that the dispatcher handed to the cluster; it connects for the first of them.

    Args:
        workspace: Folder of the workspace.
        tell: Is given a line of text when a run is handed over.
    """

    def __init__(self, workspace: Path, tell: Callable[[str], None]) -> None:
        self._workspace, self._tell = workspace, tell
        self._cluster: Cluster | None = None
        self._retry = 0.0
        self._trouble = ""
        self._lost: dict[str, float] = {}

    def can_ask(self) -> bool:
        """Whether this machine can speak with the cluster: its address is all that it takes."""
        return True

    def start(self, queue: Queue, job: Job) -> bool:
        """Hand a waiting run over where the cluster has room; whether it did.

        Raises:
            SegcoreError: No cluster is set up, or the run asks for it in a form that is not known;
                it can never start.
        """
        gpus_asked(job.request)
        if not cluster_address(self._workspace):
            raise no_cluster()
        folder = runs_folder(self._workspace) / job.run
        cluster = self._connect()
        if cluster is None:
            self._say(folder, self._trouble)
            return False
        others = [other.request for other in queue.jobs() if other.host == CLUSTER]
        try:
            if not cluster.fits(job.request, others):
                self._say(folder, WAITING)
                return False
            if (token := queue.claim(job.run, [], this_host())) is None:
                return False
            try:
                write_attempt(folder, token)
                cluster.start(folder, token, job.request)
            except BaseException:
                self.call_off(job)
                queue.put_back(job.run, token)
                raise
        except SegcoreError as error:
            self._drop(error)
            return False
        self._say(folder, "Handed to the cluster")
        self._tell(f"{job.run}: handed to the cluster")
        return queue.confirm(job.run, token, None, "", CLUSTER)

    def ending(self, job: Job) -> tuple[int | None, tuple[str, str] | None] | None:
        """How a run of another machine ended; None while it has not, or where that is unknown.

        The form is what :func:`segcore.runs.queue.crash_recovery.recover` takes.
        """
        cluster = self._connect()
        if cluster is None:
            return None
        try:
            ending = cluster.ending(job)
        except SegcoreError as error:
            self._drop(error)
            return None
        if ending is None:
            return None
        code, cause = ending
        folder, token = runs_folder(self._workspace) / job.run, job.token or ""
        if code == LOST:  # its process saves and ends, for it has noticed too
            write_attempt(folder, "")
            since = self._lost.setdefault(token, time.monotonic())
            if work_lock.is_held(folder) and time.monotonic() - since < 2 * GRACE_SECONDS:
                return None
            self._lost.pop(token, None)
        if cause:  # nothing ran that could have written a log
            with suppress(OSError), RunFolder(folder).log_path.open("a") as log:
                log.write(f"{cause}\n")
            return code, ("failed", cause)
        return code, ending_said(code)

    def stop(self, job: Job) -> None:
        """Pass on a stop through the run's folder; a run that has not begun is taken back."""
        folder = runs_folder(self._workspace) / job.run
        write_attempt(folder, job.token or "", job.stops)
        if not work_lock.is_held(folder):
            self.forget(job)

    def call_off(self, job: Job) -> None:
        """Let no process of an attempt continue that was not written down as started."""
        folder = runs_folder(self._workspace) / job.run
        if folder.is_dir():
            write_attempt(folder, "")

    def advance(self, queue: Queue) -> None:
        """Nothing goes on between two calls: Dask answers at once."""

    def forget(self, job: Job) -> None:
        """Take a run off the cluster's list."""
        if self._cluster is not None:
            with suppress(SegcoreError):
                self._cluster.forget(job.token or "")

    def close(self) -> None:
        """Leave the cluster; what works there continues."""
        if self._cluster is not None:
            with suppress(SegcoreError):
                self._cluster.close()
            self._cluster = None

    def _connect(self) -> Cluster | None:
        if self._cluster is not None and not self._cluster.answers:
            self._drop(
                SegcoreError(
                    f"The cluster at {self._cluster.address} went away: start its scheduler."
                )
            )
        if self._cluster is None and time.monotonic() >= self._retry:
            try:
                self._cluster = Cluster(cluster_address(self._workspace))
                self._trouble = ""
            except SegcoreError as error:
                self._drop(error)
        return self._cluster

    def _drop(self, error: SegcoreError) -> None:
        if str(error) != self._trouble:
            print(error, file=sys.stderr, flush=True)
        self._trouble = str(error)
        self._retry = time.monotonic() + RETRY_SECONDS
        self.close()

    @staticmethod
    def _say(folder: Path, message: str) -> None:
        run = RunFolder(folder)
        if run.status().message != message:
            run.write_status(only_if=("queued",), message=message)
