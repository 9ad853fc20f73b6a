"""Schedulers of clusters that runs may be handed to: Slurm and Kubernetes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.config.requests import JOB_FIELDS
from segcore.errors import SegcoreError, unknown
from segcore.runs.dispatch.scheduled_runs import SCHEDULERS
from segcore.runs.dispatch.schedulers import Partition, Scheduler
from segcore.runs.machine.disk import read_bytes, write_bytes
from segcore.workspace.rights import writes


@dataclass(frozen=True)
class SchedulerReport:
    """What a scheduler answered.

    Attributes:
        name: The device that stands for it.
        title: Its name.
        version: Its version.
        template: The file that every job is submitted with.
        fields: What a device may say, each with an example.
        partitions: Its partitions, or queues.
    """

    name: str
    title: str
    version: str
    template: Path
    fields: dict[str, str]
    partitions: tuple[Partition, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as ``segscope slurm --json`` prints it."""
        return {
            "device": self.name,
            "title": self.title,
            "version": self.version,
            "template": str(self.template),
            "fields": self.fields,
            "partitions": [vars(partition) for partition in self.partitions],
        }


class Schedulers:
    """The schedulers that runs of a workspace may be handed to."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def installed(self) -> dict[str, str]:
        """Return the titles of those whose client is on this machine, by the device's name."""
        made = [make(self._workspace) for make in SCHEDULERS.values()]
        return {one.name: one.title for one in made if one.is_here()}

    def report(self, name: str) -> SchedulerReport:
        """Ask a scheduler for its version and partitions.

        Raises:
            SegcoreError: There is no such scheduler, or it does not answer.
        """
        scheduler = self._scheduler(name)
        version, partitions = scheduler.version(), tuple(scheduler.partitions())
        examples = {field: example for field, (_, example) in JOB_FIELDS[name].items()}
        return SchedulerReport(
            name, scheduler.title, version, scheduler.template, examples, partitions
        )

    @writes("write a job template", "Wrote the job template of {name}")
    def write_template(self, name: str) -> None:
        """Write the text that every job is submitted with, where there is none.

        Raises:
            SegcoreError: There is no such scheduler, it does not answer, or the workspace cannot
                be written.
        """
        self._scheduler(name).write_template()

    def template(self, name: str) -> str:
        """Return the text that every job is submitted with; "" before the first.

        Raises:
            SegcoreError: There is no such scheduler, or the file cannot be read.
        """
        path = self._scheduler(name).template
        return read_bytes(path).decode(errors="replace") if path.exists() else ""

    @writes("change a job template", "Changed the job template of {name}")
    def set_template(self, name: str, text: str) -> None:
        """Replace the text that every job is submitted with.

        Raises:
            SegcoreError: There is no such scheduler, the text is empty, or the workspace cannot be
                written.
        """
        if not text.strip():
            raise SegcoreError(
                "Expected a job template, received nothing: restore the text, or remove the file "
                "to get a new one."
            )
        write_bytes(
            self._scheduler(name).template, (text.replace("\r\n", "\n").rstrip() + "\n").encode()
        )

    def _scheduler(self, name: str) -> Scheduler:
        if name not in SCHEDULERS:
            raise unknown("scheduler", name, SCHEDULERS)
        return SCHEDULERS[name](self._workspace)
