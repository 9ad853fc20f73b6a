"""The other machines of a workspace, for the dispatcher of one: leases, and runs that were lost."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from segcore.config.requests import place_of
from segcore.errors import SegcoreError
from segcore.runs.dispatch.remote_runs import RemoteRuns
from segcore.runs.dispatch.scheduled_runs import ScheduledRuns
from segcore.runs.folder import work_lock
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.runs.queue import leases
from segcore.runs.queue.crash_recovery import CLOSE_SECONDS, recover, runs_folder
from segcore.runs.queue.leases import Lease, Watch
from segcore.runs.queue.queue import Job, Queue

Places = dict[str, RemoteRuns | ScheduledRuns]
"""Who takes runs whose machine others choose, by the name of the device."""

LOOK_SECONDS = 1.0


class Machines:
    """This machine's lease, and what became of the others.

    A machine is lost when its counter has not moved for ``LEASE_SECONDS`` of this machine's clock,
    or when it has held no lease for so long. Its runs are taken over unless their workers live: the
    lock of a run says so on any machine.

    Args:
        workspace: Folder of the workspace.
        host: This machine.
        devices: What its dispatcher gives out.
        places: Who takes runs whose machine others choose.
        tell: Is given a line of text when a run is taken over.
    """

    def __init__(
        self,
        workspace: Path,
        host: str,
        devices: Sequence[str],
        places: Places,
        tell: Callable[[str], None],
    ) -> None:
        self._workspace, self._host, self._devices = workspace, host, devices
        self._places, self._tell = places, tell
        self._renewed = self._looked = -math.inf
        self._count = 0
        self._watch = Watch()
        self._live: dict[str, Lease] = {}

    def renew(self, queue: Queue) -> None:
        """Renew this machine's lease every few seconds."""
        if time.monotonic() - self._renewed > leases.RENEW_SECONDS:
            self._renewed = time.monotonic()
            self._count += 1
            leases.renew(queue, self._host, self._devices, self._count)

    def devices_of_others(self) -> list[tuple[str, ...]]:
        """Return what each other machine gives out, of those that hold a lease."""
        return [lease.devices for lease in self._live.values()]

    def look(self, queue: Queue, complain: Callable[[SegcoreError], None]) -> None:
        """See which machines hold a lease, and take over what lost ones leave, once a second.

        Args:
            queue: The queue.
            complain: Is given what hindered a run; the others are seen to all the same.
        """
        if time.monotonic() - self._looked <= LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        known = {lease.host: lease for lease in leases.leases(queue) if lease.host != self._host}
        self._live = {
            host: lease for host, lease in known.items() if leases.is_live(lease, self._watch)
        }
        jobs = [job for job in queue.jobs() if job.state != "waiting"]
        foreign = [job for job in jobs if job.owner not in ("", self._host)]
        for job in foreign:
            status = RunFolder(runs_folder(self._workspace) / job.run).status()
            beat = (job.token, status.heartbeat, status.state)
            silent = self._watch.unchanged(f"run {job.run}", beat)
            absent = self._watch.unchanged(f"machine {job.owner}", job.owner in known)
            is_lost = job.owner in known or absent >= leases.LEASE_SECONDS
            if job.owner in self._live or not is_lost:
                continue
            try:
                self._take_over(queue, job, silent)
            except SegcoreError as error:
                complain(error)
        for host in known.keys() - self._live.keys() - {job.owner for job in foreign}:
            leases.give_back(queue, host)

    def _take_over(self, queue: Queue, job: Job, silent: float) -> None:
        """Take over a run of a machine that was lost; of several that see it, one does."""
        run = RunFolder(runs_folder(self._workspace) / job.run)
        if job.state == "claimed":
            self.call_off(queue, job)
        elif job.host in self._places:
            if self._places[job.host].can_ask():
                queue.adopt(job.run, job.token or "", job.owner, self._host)
        elif work_lock.is_held(run.folder):
            return  # only the dispatcher is gone
        elif run.status().has_ended or not run.folder.is_dir():
            queue.remove(job.run, job.token)
        elif silent < leases.LEASE_SECONDS:
            return  # somebody writes all the same: a drive without locks
        elif job.stops:
            recover(queue, self._workspace, job)
        else:
            self._let_wait(queue, run, job)

    def _let_wait(self, queue: Queue, run: RunFolder, job: Job) -> None:
        with run.status_lock(CLOSE_SECONDS):
            if not queue.release(job.run, job.token or ""):
                return
            run.update_status(
                only_if=QUEUED_OR_ACTIVE,
                state="queued",
                pid=None,
                birth="",
                host="",
                device="",
                heartbeat=None,
                seconds_left=None,
                message=f"The machine {job.owner} was lost: another one continues the run",
            )
        self._tell(f"{job.run}: taken over, for {job.owner} was lost")

    def call_off(self, queue: Queue, job: Job) -> None:
        """Let a run wait again whose process never showed up; one that has ended is removed."""
        if place := place_of(job.request):
            self._places[place].call_off(job)
        if RunFolder(runs_folder(self._workspace) / job.run).status().has_ended:
            queue.remove(job.run, job.token)  # killed between writing its end and this
        else:
            queue.put_back(job.run, job.token or "")
