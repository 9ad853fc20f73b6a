"""Which waiting run goes next: by place, by priority, or held back."""

from pathlib import Path

from segcore.runs.jobs import ensure_dispatcher
from segcore.runs.queue import Queue


def move(workspace: Path | str, run_id: str, by: int) -> None:
    """Let a waiting run go some places earlier (negative) or later."""
    with Queue(workspace) as queue:
        queue.move(run_id, by)


def set_priority(workspace: Path | str, run_id: str, priority: int) -> None:
    """Change the priority of a run in the queue; higher goes first, before every place."""
    with Queue(workspace) as queue:
        queue.set_priority(run_id, priority)


def hold(workspace: Path | str, run_id: str, held: bool = True) -> None:
    """Hold back one waiting run, or let it go; runs that work are not touched."""
    with Queue(workspace) as queue:
        queue.hold(run_id, held)
    ensure_dispatcher(workspace)


def held(workspace: Path | str) -> set[str]:
    """Ids of the waiting runs that are held back one by one."""
    with Queue(workspace) as queue:
        return queue.held()
