"""Slurm by its own clients: a run is one job of ``sbatch``, from a template in the workspace.

The template is a plain batch script. Its ``#SBATCH`` lines are what every job asks for; the fields of
a run go before them, on the command line of ``sbatch``. Its last line, ``exec "$@"``, becomes the run:
what that is comes as arguments, which no shell reads.
"""

import math
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segcore.config.requests import SLURM, job_fields
from segcore.errors import SegcoreError
from segcore.runs.dispatch.clients import NoAnswer, ask, is_installed, one_line
from segcore.runs.dispatch.schedulers import JobState, Partition, Refused
from segcore.runs.machine import processes
from segcore.runs.machine.disk import write_bytes

TEMPLATE = """\
#!/bin/bash
# How Segscope submits runs with the device "slurm". Written once: edit it as you like.
# Fields of a run (slurm:gpus=2,time=8:00:00) replace the values below.
##SBATCH --partition=NAME
{gpus}#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
##SBATCH --mem=32G
#SBATCH --time=24:00:00

# So long before its time ends a run is asked to save; its job is then requeued and continues.
#SBATCH --signal=B:TERM@180
#SBATCH --requeue

# Load modules here, where your cluster has them.

# This becomes the run. Keep exec: the signal above goes to this script alone.
exec "$@"
"""
CONFIGURED_SECONDS = 60.0
_UNREACHABLE = re.compile(
    r"unable to contact|connect|timed out|standby|zero bytes|temporarily|try again|"
    r"could not establish|communication",
    re.IGNORECASE,
)
_OPTIONS = {
    "partition": "--partition",
    "cpus": "--cpus-per-task",
    "memory": "--mem",
    "time": "--time",
    "account": "--account",
    "qos": "--qos",
}
_WAITING = {
    "Resources": "for free nodes",
    "Priority": "behind jobs of higher priority",
    "Dependency": "for another job",
    "JobHeldUser": "on hold (scontrol release lets it go)",
    "JobHeldAdmin": "on hold by an administrator",
    "BeginTime": "for its time to begin",
    "PartitionTimeLimit": "in vain: it asks for more time than its partition allows",
    "PartitionNodeLimit": "in vain: it asks for more than its partition has",
    "PartitionDown": "for its partition, which is down",
    "ReqNodeNotAvail": "for nodes that are down or reserved",
    "PartitionConfig": "in vain: no node of its partition has what it asks for",
    "BadConstraints": "in vain: no node has what it asks for",
    "QOSMaxJobsPerUserLimit": "for your other jobs to end",
    "AssocMaxJobsLimit": "for your other jobs to end",
}
_ENDED = {
    "TIMEOUT": "reached its time limit before the run had saved: give it more time, or more "
    "between signal and end (--signal in slurm.sh)",
    "NODE_FAIL": "lost its node",
    "BOOT_FAIL": "lost its node",
    "OUT_OF_MEMORY": "needed more memory than it was given: ask for more (memory=...)",
    "CANCELLED": "was cancelled in Slurm",
    "PREEMPTED": "had to leave its node to another job",
    "DEADLINE": "could not end before its deadline",
    "REVOKED": "was taken back by Slurm",
}
_ACTIVE = ("RUNNING", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SIGNALING", "STOPPED", "RESIZING")
_QUEUED = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "SUSPENDED")


@dataclass(frozen=True)
class _Row:
    """What Slurm says of a job: its state, node and reason or exit code."""

    state: str
    node: str
    reason: str


class Slurm:
    """Slurm as :class:`segcore.runs.dispatch.schedulers.Scheduler`.

    Args:
        workspace: Folder of the workspace, which holds the template.
    """

    name, title, part = SLURM, "Slurm", "partition"

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def is_here(self) -> bool:
        """Whether its client is installed on this machine and has a configuration."""
        return is_installed("sbatch") and _is_configured()

    @property
    def template(self) -> Path:
        """The batch script that every job is submitted with."""
        return self._workspace / "slurm.sh"

    def write_template(self) -> Path:
        """Write the template where there is none, and return its path.

        Raises:
            SegcoreError: The workspace cannot be written, or Slurm does not answer.
        """
        if not self.template.exists():
            has_gpus = any("gpu" in partition.gpus for partition in self.partitions())
            text = TEMPLATE.format(gpus="" if has_gpus else "#")
            write_bytes(self.template, text.encode())
        return self.template

    def check(self, request: str) -> None:
        """Refuse a request in a form that is not known.

        Raises:
            SegcoreError: It is.
        """
        job_fields(request)

    def submit(self, folder: Path, token: str, request: str) -> str:
        """Submit a run and return the number of its job.

        Raises:
            Refused: Slurm does not take it; the message is Slurm's.
            NoAnswer: It did not answer; the job may be there all the same.
            SegcoreError: The template cannot be written.
        """
        answer = ask(
            self.command(folder, token, request),
            environment=processes.python_environment(),
            folder=folder,
        )
        number = re.match(r"\d{1,18}\b", answer.output.strip(), re.ASCII)
        if answer.code == 0 and number:
            return number[0]
        words = _words(answer.message or answer.output)
        if _UNREACHABLE.search(words):
            raise NoAnswer(f"Slurm could not be reached ({words}).")
        raise Refused(
            f"Slurm refused the job ({words}): correct the fields of the device or "
            f"{self.template.name} in the workspace, then resume the run."
        )

    def command(self, folder: Path, token: str, request: str) -> list[str]:
        """Return the command line of ``sbatch`` for a run."""
        fields = job_fields(request)
        options = [f"{_OPTIONS[name]}={fields[name]}" for name in _OPTIONS if name in fields]
        if "gpus" in fields:
            options.append(f"--gres=gpu:{fields['gpus']}")
        return [
            "sbatch",
            "--parsable",
            f"--job-name={folder.name}",
            f"--comment=segscope {token}",
            f"--chdir={folder}",
            f"--output={output_pattern(folder / 'log.txt')}",
            "--open-mode=append",
            *options,
            str(self.write_template()),
            sys.executable,
            "-P",
            "-m",
            "segcore.runs.dispatch.scheduler_job",
            SLURM,
            str(folder),
            token,
        ]

    def look(self, ids: Sequence[str]) -> dict[str, JobState]:
        """Return how jobs are; those that Slurm does not know any more are left out.

        Raises:
            NoAnswer: It does not answer.
        """
        if not ids:
            return {}
        known = ",".join(ids)
        command = ["squeue", "--noheader", "--states=all", f"--jobs={known}"]
        answer = ask([*command, "--format=%i|%T|%N|%r"])
        if answer.code != 0 and "invalid job id" not in answer.message.lower():
            raise NoAnswer(f"Slurm could not be reached ({_words(answer.message)}).")
        rows = _read_rows(answer.output)
        gone = [id for id in ids if id not in rows]
        if gone:
            rows |= self._accounted(gone)
        return {id: _job_state(id, rows[id]) for id in ids if id in rows}

    @staticmethod
    def _accounted(ids: Sequence[str]) -> dict[str, _Row]:
        """Return what the accounting knows of jobs that have left the queue, where there is one."""
        if not is_installed("sacct"):
            return {}
        command = ["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={','.join(ids)}"]
        try:
            answer = ask([*command, "--format=JobIDRaw,State,NodeList,ExitCode"])
        except NoAnswer:
            return {}
        return _read_rows(answer.output) if answer.code == 0 else {}

    def cancel(self, id: str) -> None:
        """Cancel a job; one that has ended is left alone.

        Raises:
            NoAnswer: Slurm does not answer.
        """
        answer = ask(["scancel", id])
        if answer.code != 0 and _UNREACHABLE.search(answer.message):
            raise NoAnswer(f"Slurm could not be reached ({_words(answer.message)}).")

    def version(self) -> str:
        """Return the version of the clients here.

        Raises:
            NoAnswer: They cannot be run.
        """
        answer = ask(["sbatch", "--version"])
        if answer.code != 0:
            raise NoAnswer(f"Slurm cannot be used here ({_words(answer.message)}).")
        return one_line(answer.output).removeprefix("slurm-wlm ").removeprefix("slurm ")

    def partitions(self) -> list[Partition]:
        """Return the partitions, as ``sinfo`` lists them.

        Raises:
            NoAnswer: Slurm does not answer.
        """
        answer = ask(["sinfo", "--noheader", "--format=%P|%a|%l|%D|%G"])
        if answer.code != 0:
            raise NoAnswer(f"Slurm could not be reached ({_words(answer.message)}).")
        found = []
        for line in answer.output.splitlines():
            words = [one_line(word) for word in line.split("|")]
            if len(words) == 5 and words[3].isdigit():
                gpus = "" if words[4] == "(null)" else words[4]
                name = words[0].rstrip("*")
                found.append(Partition(name, words[1] == "up", words[2], int(words[3]), gpus))
        return found


_configured: dict[str, tuple[bool, float]] = {}
"""By ``$PATH`` and ``$SLURM_CONF``: whether the clients found a configuration, and when."""


def _is_configured() -> bool:
    """Whether the clients find a configuration, which needs no controller; known for a minute."""
    place = f"{os.environ.get('PATH')} {os.environ.get('SLURM_CONF')}"
    found, since = _configured.get(place, (False, -math.inf))
    if time.monotonic() - since > CONFIGURED_SECONDS:
        try:
            found = ask(["sbatch", "--version"], seconds=5.0).code == 0
        except NoAnswer:
            found = True  # it is slow: others will say so
        _configured[place] = found, time.monotonic()
    return found


def output_pattern(path: Path) -> str:
    r"""Return a path so that ``sbatch`` reads it as it is: "%j" and the like have a meaning there.

    Where it holds a backslash, no sign has (sbatch(1), "filename pattern").
    """
    text = str(path)
    return text.replace("\\", "\\\\") if "\\" in text else text.replace("%", "%%")


def is_running(id: str) -> bool:
    """Whether a job has its node and was not cancelled; False where Slurm does not answer."""
    try:
        answer = ask(["scontrol", "show", "job", "--oneliner", id])
    except NoAnswer:
        return False
    return bool(re.search(r"\bJobState=RUNNING\b", answer.output))


def requeue(id: str) -> None:
    """Put a running job back into Slurm's queue.

    Raises:
        SegcoreError: Slurm does not do it, with its words.
    """
    answer = ask(["scontrol", "requeue", id])
    if answer.code != 0:
        raise SegcoreError(_words(answer.message))


def _words(message: str) -> str:
    """Return what Slurm said without the names of its programs."""
    return re.sub(r"\b(?:sbatch|squeue|scancel|sinfo|scontrol): (?:error|fatal): ", "", message)


def _read_rows(output: str) -> dict[str, _Row]:
    rows = {}
    for line in output.splitlines():
        words = line.split("|", 3)
        if len(words) == 4 and re.fullmatch(r"\d{1,18}", words[0].strip(), re.ASCII):
            state = words[1].split()[:1] or [""]  # "CANCELLED by 1000"
            rows[words[0].strip()] = _Row(state[0], one_line(words[2]), one_line(words[3]))
    return rows


def _job_state(id: str, row: _Row) -> JobState:
    if row.state in _QUEUED:
        first = row.reason.partition(",")[0].strip("()")
        why = _WAITING.get(first, f"({row.reason})" if row.reason not in ("", "None") else "")
        return JobState("waiting", f"Waits in Slurm {why} (job {id})".replace("  ", " "))
    if row.state in _ACTIVE:
        return JobState("active", f"Starting on {row.node} (job {id} of Slurm)")
    words = _ENDED.get(row.state)
    if words is None:
        words = (
            f"ended before it could say why (Slurm: {row.state}, {row.reason}): see its log, and "
            "see to it that the node has the workspace and this Python under the same paths"
        )
    return JobState("ended", f"Its job {id} {words}")
