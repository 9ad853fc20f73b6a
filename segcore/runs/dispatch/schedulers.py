"""What a scheduler is to the dispatcher: somebody who takes a run and is asked how its job is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segcore.errors import SegcoreError


class Refused(SegcoreError):
    """A scheduler does not take a job as it is."""


@dataclass(frozen=True)
class JobState:
    """How a job is.

    Attributes:
        phase: "waiting", "active" or "ended".
        words: Why it waits or how it ended: a sentence without its full stop.
        log: What it said outside the run's log, such as why its container did not start.
    """

    phase: str
    words: str
    log: str = ""


@dataclass(frozen=True)
class Partition:
    """Part of a cluster that jobs go to: a partition of Slurm, a queue of Kueue.

    Attributes:
        name: Its name.
        is_up: Whether it takes jobs.
        time: The longest that a job may take; "" where not known.
        nodes: Its machines; 0 where not known.
        gpus: The GPUs of a machine, in the scheduler's words; "" for none.
    """

    name: str
    is_up: bool
    time: str
    nodes: int
    gpus: str


class Scheduler(Protocol):
    """What :class:`segcore.runs.dispatch.scheduled_runs.ScheduledRuns` asks of a scheduler."""

    name: str
    title: str
    part: str

    def is_here(self) -> bool:
        """Whether its client is installed on this machine."""

    @property
    def template(self) -> Path:
        """What every job is submitted with: a file of the workspace for people to edit."""

    def write_template(self) -> Path:
        """Write the template where there is none, and return its path."""

    def version(self) -> str:
        """Return its version; raises where it does not answer."""

    def partitions(self) -> list[Partition]:
        """Return the parts of the cluster that jobs may name."""

    def check(self, request: str) -> None:
        """Refuse a request in a form that is not known."""

    def submit(self, folder: Path, token: str, request: str) -> str:
        """Submit a run and return the id of its job; a refusal raises :class:`Refused`."""

    def look(self, ids: Sequence[str]) -> dict[str, JobState]:
        """Return how jobs are; those that it does not know any more are left out."""

    def cancel(self, id: str) -> None:
        """Cancel a job; one that has ended is left alone."""
