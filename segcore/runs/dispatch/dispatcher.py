"""The dispatcher: starts one run a device, in order, and ends with the last one.

    python -m segcore.runs.dispatch.dispatcher WORKSPACE


Of all that are started on a machine one holds the machine's lock and works; the kernel frees the lock
when it dies. It may be killed at any moment: the next one continues from the queue, and workers do not
notice. Dispatchers of several machines share a queue: each looks after the runs that it took, and
takes over those of a machine whose lease has ended (``segcore/runs/queue/leases.py``).
"""

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from segcore.config.requests import CLUSTER, place_of
from segcore.errors import SegcoreError, disk_error
from segcore.runs.dispatch.machines import Machines, Places
from segcore.runs.dispatch.remote_runs import RemoteRuns
from segcore.runs.dispatch.scheduled_runs import SCHEDULERS, ScheduledRuns
from segcore.runs.dispatch.worker_entry import WORKED_ON
from segcore.runs.folder import hosts, work_lock
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import processes
from segcore.runs.machine.devices import list_devices
from segcore.runs.queue.crash_recovery import (
    close_job,
    job_is_alive,
    recover,
    runs_folder,
)
from segcore.runs.queue.jobs import (
    ASIDE,
    LIGHT,
    STARTING,
    has_work,
    pass_on_stop,
)
from segcore.runs.queue.leases import give_back, living
from segcore.runs.queue.queue import Job, Queue
from segcore.runs.queue.stopping import log_what_fits

TICK_SECONDS = 0.2
TROUBLE_SECONDS = 2.0
LOCK_SECONDS = 15.0


class Dispatcher:
    """Advances the queue of one workspace.

    Args:
        workspace: Folder of the workspace.
        devices: Ids of what runs may be given ("cpu", "gpu:0"); by default what this machine has.
        tell: Is given a line of text when a run starts or ends.

    Attributes:
        workspace: The folder.
        devices: Ids of what it gives out.
        host: The machine that it works for.
    """

    def __init__(
        self,
        workspace: Path | str,
        devices: Sequence[str] | None = None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.workspace = Path(workspace).resolve()
        self.devices = (
            [device.id for device in list_devices()] if devices is None else list(devices)
        )
        self.host = hosts.this_host()
        self._children: dict[str, subprocess.Popen] = {}
        self._elsewhere: Places = {CLUSTER: RemoteRuns(self.workspace, tell)}
        for name, scheduler in SCHEDULERS.items():
            self._elsewhere[name] = ScheduledRuns(self.workspace, scheduler(self.workspace), tell)
        self._machines = Machines(self.workspace, self.host, self.devices, self._elsewhere, tell)
        self._tell = tell
        self._ended = threading.Event()
        self._complaint = ""

    def end(self) -> None:
        """Let :meth:`work` return soon; runs continue. Safe to call from a signal handler."""
        self._ended.set()

    def work(self, forever: bool = False) -> bool:
        """Start runs until the queue is empty, or with ``forever`` until :meth:`end`.

        Returns:
            False where another dispatcher works.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        with ExitStack() as locks, Queue(self.workspace) as queue:
            # Earlier versions, of which one worked for all machines, held the first alone.
            shared = locks.enter_context(_opened(self.workspace / "queue.lock"))
            own = locks.enter_context(_opened(self.workspace / lock_name(self.host)))
            for handle, kind in ((shared, fcntl.LOCK_SH), (own, fcntl.LOCK_EX)):
                if not self._lock(handle, kind, queue):
                    return False
            try:
                self._take_over(queue)
                while self._tick(queue, forever):
                    pass
                return True
            finally:
                for runs in self._elsewhere.values():
                    runs.close()

    def _lock(self, handle: int, kind: int, queue: Queue) -> bool:
        """Wait for a lock while its holder is one that has just signed off or died."""
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                queue.set_setting(STARTING, None)  # before the look: see jobs.ensure_dispatcher
                works = any(lease.host == self.host for lease in living(queue))
                if works or time.monotonic() > end:
                    return False
                time.sleep(0.05)

    def _take_over(self, queue: Queue) -> None:
        """Sign on, and strike out the attempts of a dead predecessor that never showed up."""
        self._machines.renew(queue)
        queue.set_setting(STARTING, None)
        for job in queue.jobs():
            if job.state != "waiting" and job.owner == "":  # taken by an earlier version
                queue.adopt(job.run, job.token or "", "", self.host)
            if job.state == "claimed" and job.owner in ("", self.host):
                self._machines.call_off(queue, job)

    def _tick(self, queue: Queue, forever: bool) -> bool:
        """Close what ended, start what can start; False after signing off with nothing left."""
        try:
            self._machines.renew(queue)
            self._machines.look(queue, self._complain)
            for runs in self._elsewhere.values():
                runs.advance(queue)
            self._close_ended(queue)
            self._pass_on_stops(queue)
            if queue.setting("paused") is None and not self._ended.is_set():
                self._start(queue)
            with queue.writing():  # a run handed in after this sees no dispatcher and starts one
                if self._ended.is_set() or (not forever and not has_work(queue)):
                    give_back(queue, self.host)
                    return False
            self._ended.wait(TICK_SECONDS)
        except SegcoreError as error:
            self._complain(error)
            self._ended.wait(TROUBLE_SECONDS)
            if self._ended.is_set():
                return False
        return True

    def _close_ended(self, queue: Queue) -> None:
        """Close the rows of runs whose process is gone; what hinders one hinders no other."""
        for job in queue.jobs():
            if job.state == "waiting" or job.owner not in ("", self.host):
                continue
            try:
                self._close_if_ended(queue, job)
            except SegcoreError as error:
                self._complain(error)
        for token in [token for token, child in self._children.items() if child.poll() is not None]:
            if not any(job.token == token for job in queue.jobs()):
                del self._children[token]

    def _close_if_ended(self, queue: Queue, job: Job) -> None:
        if (runs := self._elsewhere.get(job.host)) is not None:
            if (ended := runs.ending(job)) is not None:
                recover(queue, self.workspace, job, *ended)
                runs.forget(job)
                self._say_end(job)
            return
        child = self._children.get(job.token or "")
        code = child.poll() if child else None
        if child and code is None:
            return
        if code == WORKED_ON:
            self._leave_to_worker(queue, job)
        # A claimed job whose child ended never showed its token; one without a child came from
        # a dead predecessor.
        elif child or (job.state == "started" and not job_is_alive(self.workspace, job)):
            recover(queue, self.workspace, job, code)
            self._say_end(job)
        if child:
            del self._children[job.token or ""]

    def _leave_to_worker(self, queue: Queue, job: Job) -> None:
        """Drop an attempt because another process works on the run, whose row is set right."""
        run = RunFolder(runs_folder(self.workspace) / job.run)
        worker = work_lock.holder(run.folder)
        if worker is None or not queue.confirm(job.run, job.token or "", *worker):
            queue.put_back(job.run, job.token or "")
            return
        pid, birth, host = worker
        run.write_status(
            only_if=("queued",), state="running", cause="", pid=pid, birth=birth, host=host
        )

    def _complain(self, error: SegcoreError) -> None:
        """Write an error into the log once; a log on a full disk must not end the dispatcher."""
        if str(error) != self._complaint:
            self._complaint = str(error)
            print(error, file=sys.stderr, flush=True)

    def _say_end(self, job: Job) -> None:
        status = RunFolder(runs_folder(self.workspace) / job.run).status()
        self._tell(f"{job.run}: {status.state}" + (f" ({status.cause})" if status.cause else ""))

    def _pass_on_stops(self, queue: Queue) -> None:
        """Pass on requests to stop that came from another machine."""
        for job in queue.jobs():
            if job.state != "started" or job.stops <= job.delivered:
                continue
            if (runs := self._elsewhere.get(job.host)) is not None:
                if job.owner != self.host:
                    continue
                runs.stop(job)
                queue.mark_delivered(job.run, job.token or "", job.stops)
            else:
                pass_on_stop(queue, job, job.stops)

    def _start(self, queue: Queue) -> None:
        jobs = queue.jobs()
        taken, held = (
            {
                device
                for job in jobs
                if job.state != "waiting" and job.owner == self.host
                for device in job.devices
            },
            queue.held(),
        )
        here = {job.run for job in jobs}
        for job in jobs:
            if job.state != "waiting" or job.run in held or not here.isdisjoint(job.after):
                continue
            if not self._may_go(queue, job):
                continue
            if job.request == ASIDE:
                self._launch(queue, job, [])
                continue
            try:
                if place := place_of(job.request):
                    self._elsewhere[place].start(queue, job)
                    continue
                devices, reserved = self._choose(job.request, taken)
            except SegcoreError as error:
                self._give_up(queue, job, "failed", str(error))
                continue
            taken.update(devices or reserved)
            if devices:
                self._launch(queue, job, devices)

    def _may_go(self, queue: Queue, job: Job) -> bool:
        """Whether all that a run waits for has finished; if one failed, the run ends with it."""
        for other in job.after:
            run = RunFolder(runs_folder(self.workspace) / other)
            status = run.status()
            if status.state == "finished":
                continue
            if status.state == "queued" or status.is_active:
                return False
            if queue.job(other) is None:
                verb = "failed" if status.state == "failed" else "was interrupted"
                cause = (
                    f"It waited for {other!r}, which {verb}: resume that run and this one goes "
                    "again after it."
                )
                self._give_up(queue, job, status.state, cause)
            return False
        return True

    def _give_up(self, queue: Queue, job: Job, state: str, cause: str) -> None:
        close_job(queue, self.workspace, job, state, cause)

    def _choose(self, request: str, taken: Iterable[str]) -> tuple[list[str], list[str]]:
        """Return (devices to start on, devices to reserve); the first is empty while it waits."""
        taken = set(taken)
        gpus = [device for device in self.devices if device.startswith("gpu:")]
        elsewhere = self._machines.devices_of_others()
        if request == LIGHT:
            wanted = [LIGHT]
        elif request == "auto":
            if not gpus:
                if any(device.startswith("gpu:") for names in elsewhere for device in names):
                    return [], []  # a machine with GPUs takes it
                wanted = ["cpu"]
            else:
                free = [gpu for gpu in gpus if gpu not in taken]
                return free[:1], []
        else:
            wanted = [part.strip() for part in request.split(",")]
            missing = [device for device in wanted if device != "cpu" and device not in gpus]
            if missing:
                if any(set(wanted) <= {"cpu", *names} for names in elsewhere):
                    return [], []
                found = ", ".join(["cpu", *gpus])
                raise SegcoreError(
                    f"Expected a device among {found}, received {', '.join(missing)}: "
                    "choose one of these, or 'auto'."
                )
        return ([], wanted) if taken.intersection(wanted) else (wanted, [])

    def _launch(self, queue: Queue, job: Job, devices: list[str]) -> None:
        run = RunFolder(runs_folder(self.workspace) / job.run)
        if not run.folder.is_dir():
            queue.remove(job.run, None)
            return
        token = queue.claim(job.run, devices, self.host)
        if token is None:
            return
        if run.status().has_ended:  # its end was written, but its row not removed
            queue.remove(job.run, token)
            return
        try:
            run.clear_temporary()
            gpus = [device.removeprefix("gpu:") for device in devices if device.startswith("gpu:")]
            environment = {
                "TF_CPP_MIN_LOG_LEVEL": "2",
                "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
                "CUDA_VISIBLE_DEVICES": ",".join(gpus) or "-1",
            }
            arguments = [
                "-m",
                "segcore.runs.dispatch.worker_entry",
                str(self.workspace),
                job.run,
                token,
            ]
            self._children[token] = processes.start_detached(arguments, run.log_path, environment)
            self._tell(f"{job.run}: started" + (f" on {', '.join(devices)}" if devices else ""))
        except BaseException:
            queue.put_back(job.run, token)
            raise


def holder(workspace: Path | str) -> str:
    """Say who works on the queue, "process 4711 of gpubox and process 9 of attic"; "" for nobody."""
    with Queue(workspace) as queue:
        return " and ".join(f"process {lease.pid} of {lease.host}" for lease in living(queue))


def lock_name(host: str) -> str:
    """Return the name of the file that a machine's dispatcher holds locked."""
    return f"queue.{re.sub(r'[^A-Za-z0-9._-]', '_', host)}.lock"


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise disk_error("write", path, error) from error
    try:
        yield handle
    finally:
        os.close(handle)


def main(arguments: Sequence[str]) -> int:
    """Run the dispatcher of one workspace until its queue is empty."""
    log_what_fits()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Dispatcher(arguments[0]).work()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SegcoreError as error:
        sys.exit(f"{error}")
