"""The queue of a workspace: its order, priorities, held runs, and the cluster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segcore.runs.dispatch.dask import Cluster
from segcore.runs.dispatch.dispatcher import Dispatcher, holder
from segcore.runs.machine.settings import cluster_address, set_cluster
from segcore.runs.queue import jobs
from segcore.runs.queue.queue import Queue
from segcore.workspace.rights import writes


@dataclass(frozen=True)
class Waiting:
    """A run in the queue.

    Attributes:
        run: Its id.
        kind: What it does.
        works: Whether a process was started for it; else it waits.
        priority: Higher goes first.
        held: Whether it is on hold.
        after: Ids of the runs that must finish first.
        request: The device that it asks for.
    """

    run: str
    kind: str
    works: bool
    priority: int
    held: bool
    after: tuple[str, ...]
    request: str


@dataclass(frozen=True)
class ClusterWorker:
    """One worker of a cluster.

    Attributes:
        name: Its name.
        host: Its machine.
        threads: Its threads.
        gpus: GPUs that it offers.
        cpus: CPUs that it offers; None where it does not say.
    """

    name: str
    host: str
    threads: int
    gpus: int
    cpus: int | None

    def to_json(self) -> dict[str, object]:
        """Return it as ``segscope cluster --json`` prints it."""
        return {
            "name": self.name,
            "host": self.host,
            "threads": self.threads,
            "gpus": self.gpus,
            "cpus": self.cpus,
        }


class QueuedRuns:
    """The queue of a workspace."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def rows(self) -> list[Waiting]:
        """Return the runs that are working or waiting, in the order in which they start.

        Raises:
            SegcoreError: The queue cannot be read.
        """
        if not (self._workspace / "queue.sqlite").exists():
            return []
        held = jobs.held(self._workspace)
        return [
            Waiting(
                job.run,
                job.kind,
                job.state != "waiting",
                job.priority,
                job.run in held,
                job.after,
                job.request,
            )
            for job in jobs.waiting(self._workspace)
        ]

    @property
    def is_paused(self) -> bool:
        """Whether nothing that waits is started."""
        return (self._workspace / "queue.sqlite").exists() and jobs.is_paused(self._workspace)

    @writes("pause the queue", "Changed the pause of the queue: {paused}")
    def pause(self, paused: bool = True) -> None:
        """Pause or resume the queue; runs that are working continue.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        jobs.pause(self._workspace, paused)

    @writes("start what is queued")
    def dispatcher(self, tell: Callable[[str], None] = lambda line: None) -> Dispatcher:
        """Return the dispatcher of this machine; ``tell`` gets a line when a run starts or ends."""
        return Dispatcher(self._workspace, tell=tell)

    def worker(self) -> str:
        """Return which process starts the runs, "process 4711 of gpubox"; "" for none.

        Raises:
            SegcoreError: The queue cannot be read.
        """
        return holder(self._workspace) if (self._workspace / "queue.sqlite").exists() else ""

    @writes("change how the queue is kept", "Prepared the queue for other machines")
    def share(self) -> None:
        """Prepare the queue for machines that see the workspace over the network.

        Raises:
            SegcoreError: It is in use at this moment, or cannot be written.
        """
        with Queue(self._workspace) as queue:
            queue.share()

    @property
    def cluster(self) -> str:
        """The address of the cluster that runs may be submitted to; "" for none.

        Raises:
            SegcoreError: The settings are damaged or newer.
        """
        return cluster_address(self._workspace)

    @writes("change the cluster", "Set the cluster to {address}")
    def set_cluster(self, address: str) -> None:
        """Set the address of the cluster that runs may be submitted to; "" removes it.

        Raises:
            SegcoreError: It is no address, or the workspace cannot be written.
        """
        set_cluster(self._workspace, address)

    def cluster_workers(self) -> list[ClusterWorker]:
        """Return the workers of the cluster.

        Raises:
            SegcoreError: The package for it is absent, or it does not answer.
        """
        cluster = Cluster(self.cluster)
        try:
            return [ClusterWorker(**worker) for worker in cluster.workers()]
        finally:
            cluster.close()

    @writes("change the queue", "Changed the hold of the run {run}: {held}")
    def hold(self, run: str, held: bool = True) -> None:
        """Hold one waiting run, or release it.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        jobs.hold(self._workspace, run, held)

    @writes("change the queue", "Moved the run {run} in the queue")
    def move(self, run: str, by: int) -> None:
        """Move a waiting run some places earlier (negative) or later.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        jobs.move(self._workspace, run, by)

    @writes("change the queue", "Changed the order of the queue")
    def reorder(self, runs: Sequence[str]) -> None:
        """Put waiting runs into the given order, in the places that they have between them.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        jobs.reorder(self._workspace, runs)

    @writes("change the queue", "Set the priority of the run {run} to {priority}")
    def set_priority(self, run: str, priority: int) -> None:
        """Change the priority of a waiting run; higher goes first.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        jobs.set_priority(self._workspace, run, priority)
