"""The shelf of what waits: the order of the queue, priorities, and what is held back."""

from dataclasses import dataclass
from pathlib import Path

from segcore.runs import jobs, order


@dataclass(frozen=True)
class Waiting:
    """A run in the queue.

    Attributes:
        run: Its id.
        kind: What it does.
        works: Whether a process was started for it; else it waits.
        priority: Higher goes first.
        held: Whether it is held back.
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


class QueueShelf:
    """The queue of a workspace."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def rows(self) -> list[Waiting]:
        """Return what works and what waits, in the order in which it goes.

        Raises:
            SegcoreError: The queue cannot be read.
        """
        if not (self._workspace / "queue.sqlite").exists():
            return []
        held = order.held(self._workspace)
        return [
            Waiting(job.run, job.kind, job.state != "waiting", job.priority, job.run in held, job.after, job.request)
            for job in jobs.waiting(self._workspace)
        ]

    @property
    def is_paused(self) -> bool:
        """Whether nothing that waits is started."""
        return (self._workspace / "queue.sqlite").exists() and jobs.is_paused(self._workspace)

    def pause(self, paused: bool = True) -> None:
        """Start nothing that waits, or let it go on; what works is not touched.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        jobs.pause(self._workspace, paused)

    def hold(self, run: str, held: bool = True) -> None:
        """Hold back one waiting run, or let it go.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        order.hold(self._workspace, run, held)

    def move(self, run: str, by: int) -> None:
        """Let a waiting run go some places earlier (negative) or later.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        order.move(self._workspace, run, by)

    def set_priority(self, run: str, priority: int) -> None:
        """Change the priority of a waiting run; higher goes first.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        order.set_priority(self._workspace, run, priority)
