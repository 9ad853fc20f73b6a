"""Runs on many machines: a run becomes one task of a Dask cluster, which starts the worker there.

The cluster only chooses the machine and reports the end; the queue stays with the dispatcher, and
stops, progress and results go through the run's folder (``guardian.py``), which all machines must
see under the same path. A worker of the cluster announces its GPUs as the resource ``GPU`` (``dask
worker ADDRESS --resources GPU=2``); a run asks for as many as it trains on.
"""

import importlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.runs.dispatch.guardian import LOST, LOST_CAUSE, NOT_SEEN
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import processes
from segcore.runs.machine.devices import list_devices
from segcore.runs.queue.queue import Job

CONNECT_SECONDS = 5.0
LOOK_SECONDS = 1.0
SURE_LOOKS = 3
TASK_FAILED = 80
"""Exit code for a task that failed before it started the run."""
RESUBMITS = 3
"""How often a task that was taken off the cluster is handed over again."""
_PREFIX = "segscope-"
_lent: set[str] = set()
_lending = threading.Lock()


def gpus_asked(request: str) -> int | None:
    """How many GPUs a request names; None for "cluster", which takes one where the cluster has any.

    Raises:
        SegcoreError: It is written in another form.
    """
    found = re.fullmatch(r"cluster(?::(cpu|\d{1,2}))?", request)
    if not found:
        raise SegcoreError(
            "Expected a cluster as 'cluster', 'cluster:2' or 'cluster:cpu', received "
            f"{request!r}: write it in that form."
        )
    return None if found[1] is None else 0 if found[1] == "cpu" else int(found[1])


def carry_out(folder: str, token: str, gpus: int) -> int:
    """Run the guardian of a run on this machine of the cluster, with GPUs that no other run has.

    Args:
        folder: The run's folder.
        token: Of this attempt.
        gpus: How many GPUs the run gets of those that this machine's worker announced.

    Returns:
        The guardian's exit code.
    """
    if not Path(folder, "config.json").is_file():
        return NOT_SEEN
    with _lend(gpus) as numbers:
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": ",".join(numbers) or "-1",
        }
        arguments = ["-m", "segcore.runs.dispatch.guardian", folder, token, ",".join(numbers)]
        return processes.start_detached(
            arguments, RunFolder(folder).log_path, environment, tethered=True
        ).wait()


@contextmanager
def _lend(gpus: int) -> Iterator[list[str]]:
    """Lend numbers of GPUs of this machine that its other runs do not have."""
    with _lending:
        free = (
            [
                device.id[4:]
                for device in list_devices()
                if device.id.startswith("gpu:") and device.id[4:] not in _lent
            ]
            if gpus
            else []
        )
        numbers = free[:gpus]
        _lent.update(numbers)
    try:
        yield numbers
    finally:
        with _lending:
            _lent.difference_update(numbers)


class Cluster:
    """A dispatcher's connection to a Dask scheduler.

    Runs that were handed over outlive it: the next dispatcher asks for the same tasks.

    Args:
        address: Of the scheduler, such as "tcp://10.0.0.5:8786".

    Raises:
        SegcoreError: In the constructor and every method: the package is absent, or the scheduler
            does not answer.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self._dask = importlib.import_module("distributed")
        except ImportError as error:
            raise SegcoreError(
                "Expected the package distributed for a cluster, found none: "
                f"{extra_command('cluster')}."
            ) from error
        with self._sentences():
            self._client = self._dask.Client(
                address, timeout=CONNECT_SECONDS, set_as_default=False, name="segscope"
            )
        self._futures: dict[str, Any] = {}
        self._places: dict[str, str] = {}
        self._absent: dict[str, int] = {}
        self._looked = 0.0

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except SegcoreError:
            raise
        except Exception as error:  # Dask hands on whatever its network layer met
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise SegcoreError(
                f"Could not reach the cluster at {self.address} ({reason}): start it, or "
                "correct the address."
            ) from error

    @property
    def answers(self) -> bool:
        """Whether the scheduler is there; a connection that was lost is not taken up again."""
        return bool(self._client.status == "running")

    def workers(self) -> list[dict[str, Any]]:
        """Return name, host, threads, GPUs and processors of each worker of the cluster.

        The keys are ``name``, ``host``, ``threads``, ``gpus`` and ``cpus`` (None if not announced).
        """
        with self._sentences():
            found = self._client.scheduler_info(n_workers=-1)["workers"].values()
        return [
            {
                "name": str(worker.get("name", "")),
                "host": str(worker.get("host", "")),
                "threads": int(worker.get("nthreads", 1)),
                "gpus": int(worker.get("resources", {}).get("GPU", 0)),
                "cpus": int(worker["resources"]["CPU"])
                if "CPU" in worker.get("resources", {})
                else None,
            }
            for worker in found
        ]

    def fits(self, request: str, others: list[str]) -> bool:
        """Whether the cluster has room for a run besides those that were handed over.

        Args:
            request: What it asks for.
            others: What the runs that were handed over ask for.
        """
        workers = self.workers()
        counts = [self._gpus(asked, workers) for asked in others]
        gpus = self._gpus(request, workers)
        if gpus:
            return max((w["gpus"] for w in workers), default=0) >= gpus and sum(
                w["gpus"] for w in workers
            ) >= gpus + sum(counts)
        room = sum(w["cpus"] or 0 for w in workers) if _announces_cpus(workers) else len(workers)
        return room > counts.count(0)

    @staticmethod
    def _gpus(request: str, workers: list[dict[str, Any]]) -> int:
        asked = gpus_asked(request)
        return int(any(w["gpus"] for w in workers)) if asked is None else asked

    def executor(self, folder: Path | str) -> tuple[Executor, int]:
        """Return an executor over free threads of machines that see a folder, and their number.

        Dask repeats elsewhere what was in progress on a machine that is lost.
        """
        with self._sentences():
            seeing = self._client.run(os.path.isdir, str(folder), on_error="ignore")
            runs = {
                address: sum(str(key).startswith(_PREFIX) for key in keys)
                for address, keys in self._client.processing().items()
            }
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
            free = free_threads(
                {address: int(worker["nthreads"]) for address, worker in workers.items()},
                runs,
                seeing,
            )
            return _TaskExecutor(self._client, list(free)), sum(free.values())

    def start(self, folder: Path, token: str, request: str) -> None:
        """Hand a run over; the scheduler keeps the task whatever becomes of this process."""
        workers = self.workers()
        gpus = self._gpus(request, workers)
        resources = {"GPU": gpus} if gpus else {"CPU": 1} if _announces_cpus(workers) else None
        with self._sentences():
            future = self._client.submit(
                carry_out,
                str(folder),
                token,
                gpus,
                key=f"{_PREFIX}{folder.name}-{token}",
                resources=resources,
                retries=0,
                pure=False,
            )
            self._client.publish_dataset(future, name=_PREFIX + token)
        self._futures[token] = future

    def ending(self, job: Job) -> tuple[int, str] | None:
        """How a run that was handed over ended; None while it waits or works there.

        Returns:
            Its exit code and "", LOST where its machine was lost; where the task itself failed,
            ``TASK_FAILED`` and the reason.
        """
        token = job.token or ""
        with self._sentences():
            if token not in self._futures:
                self._futures[token] = self._client.get_dataset(_PREFIX + token, default=None)
            future = self._futures[token]
            if future is None:
                return LOST, ""
            if not future.done():
                return (LOST, "") if self._has_moved(token, future.key) else None
            if future.status == "error":
                return _task_failure(future.exception(timeout=CONNECT_SECONDS))
            if future.status != "finished":
                return LOST, ""
            code = int(future.result(timeout=CONNECT_SECONDS))
        return code if code <= 128 else 128 - code, ""

    def _has_moved(self, token: str, key: str) -> bool:
        """Whether the machine that had a task is gone, and the run with it."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            now = {
                task: worker
                for worker, tasks in self._client.processing().items()
                for task in tasks
            }
            for other, future in self._futures.items():
                if future is None:
                    continue
                place = now.get(future.key)
                self._absent[other] = (
                    self._absent.get(other, 0) + 1 if other in self._places and place is None else 0
                )
                if place is not None and self._places.setdefault(other, place) != place:
                    self._absent[other] = SURE_LOOKS
        return (
            self._absent.get(token, 0) >= SURE_LOOKS
        )  # a task that has just ended is also nowhere for a moment

    def forget(self, token: str) -> None:
        """Take a task off the scheduler's list."""
        future = self._futures.pop(token, None)
        self._places.pop(token, None)
        self._absent.pop(token, None)
        with self._sentences():
            self._client.unpublish_dataset(_PREFIX + token)
            if future is not None:
                future.cancel()

    def close(self) -> None:
        """Leave; what was handed over continues."""
        with self._sentences():
            self._client.close(timeout=CONNECT_SECONDS)


class _TaskExecutor(Executor):
    """Tasks of a cluster as futures of the standard library.

    Dask computes again what was on a machine that died, so a future that was finished may become
    pending once more. Its own executor hands out an error then; here the result is waited for.
    """

    def __init__(self, client: Any, workers: list[str]) -> None:
        self._client = client
        self._workers = workers
        self._open: set[Future[Any]] = set()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        target: Future[Any] = Future()
        self._open.add(target)
        target.add_done_callback(self._open.discard)
        self._send(target, RESUBMITS, function, arguments, named)
        return target

    def _send(
        self,
        target: Future[Any],
        tries: int,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        named: dict[str, Any],
    ) -> None:
        task = self._client.submit(
            function,
            *arguments,
            **named,
            workers=self._workers,
            allow_other_workers=True,
            pure=False,
        )

        def deliver(done: Any) -> None:
            if target.cancelled():
                return
            try:
                result = done.result()
            except CancelledError as error:
                if tries and self._client.status == "running":
                    self._send(target, tries - 1, function, arguments, named)
                else:
                    _set(target, error=error)
            except BaseException as error:
                _set(target, error=error)
            else:
                _set(target, result)

        def cancel(future: Future[Any]) -> None:
            if future.cancelled():
                task.cancel()

        target.add_done_callback(cancel)
        task.add_done_callback(deliver)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures or not wait:
            for future in [*self._open]:
                future.cancel()
        elif self._open:
            wait_for([*self._open])


def _set(target: Future[Any], result: Any = None, error: BaseException | None = None) -> None:
    if not target.set_running_or_notify_cancel():
        return
    if error is not None:
        target.set_exception(error)
    else:
        target.set_result(result)


def _task_failure(error: BaseException | None) -> tuple[int, str]:
    """Return ``TASK_FAILED`` and a sentence for a task that never started the run."""
    if isinstance(error, ModuleNotFoundError):
        return TASK_FAILED, (
            f"Expected Segscope on every machine of the cluster, found a worker without the module "
            f"{error.name!r}: install the same version there (in its checkout: pip install '.[cluster]'), restart "
            "that worker, then resume the run."
        )
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return TASK_FAILED, (
        f"The cluster could not start the run ({type(error).__name__}: {reason}): fix that on its "
        "machines, then resume the run."
    )


def ending_said(code: int) -> tuple[str, str] | None:
    """State and cause for an exit code of the task that is not the worker's own; else None."""
    if code == LOST:
        return "interrupted", LOST_CAUSE
    if code == NOT_SEEN:
        return (
            "failed",
            (
                "The machine that got it does not see the workspace: give all machines of the "
                "cluster that folder under the same path."
            ),
        )
    return None


def free_threads(
    threads: Mapping[str, int], runs: Mapping[str, int], seeing: Mapping[str, bool]
) -> dict[str, int]:
    """Return how many threads no run holds, of the workers that see the workspace."""
    free = {
        address: count - runs.get(address, 0)
        for address, count in threads.items()
        if seeing.get(address)
    }
    return {address: count for address, count in free.items() if count > 0}


def _announces_cpus(workers: list[dict[str, Any]]) -> bool:
    return any(worker["cpus"] is not None for worker in workers)
