"""The throughput probe: a few real training steps, outside the queue, to see how fast a config is.

    paces/<key>/
        config.json  status.json  log.txt    as of a run, but in no list and without weights
        pace.json      the result, see ``segcore/training/throughput_probe.py``
        beside.json    runs that were working when it began, which slow it down

Where runs work on another machine, or on several, nothing can be measured from here.
"""

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from segcore.config import TrainConfig
from segcore.config.requests import place_of
from segcore.errors import SegcoreError, disk_error
from segcore.runs.dispatch.worker_entry import worker_command
from segcore.runs.folder import hosts
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import QUEUED_OR_ACTIVE, Status
from segcore.runs.machine import processes
from segcore.runs.machine.devices import list_devices
from segcore.runs.machine.engines import settle_engine
from segcore.runs.queue.crash_recovery import DIED, run_is_alive
from segcore.runs.queue.jobs import NO_WORK_VARIABLE, waiting
from segcore.runs.queue.queue import Job

KEPT = 40
"""Measures of a workspace; older ones make room."""
BIRTH_SECONDS = 10.0


def probes_folder(workspace: Path | str) -> Path:
    """The folder of all measures of a workspace."""
    return Path(workspace) / "paces"


def start(workspace: Path | str, key: str, config: TrainConfig) -> Status:
    """Start a probe in the background, in place of an earlier one of that key.

    One that is running continues; one of another key ends.

    Args:
        workspace: Folder of the workspace.
        key: Name of the measure, another one for another config, dataset or machine.
        config: What is measured.

    Raises:
        SegcoreError: Runs of this config or workspace do not work on this machine, its GPUs are at
            work, or the folder cannot be written.
    """
    if place_of(config.device) or config.hosts:
        raise SegcoreError(
            "Expected a device of this machine to measure on, received other machines: "
            "choose auto, cpu or a GPU."
        )
    if os.environ.get(NO_WORK_VARIABLE):
        raise SegcoreError(
            "Expected to measure where runs work, on another machine: measure there, by "
            "`segscope train ... --measure`."
        )
    root = probes_folder(workspace)
    for path in root.glob("*") if root.is_dir() else ():
        found = look(workspace, path.name)
        if found is not None and not found.has_ended:
            if path.name == key:
                return found
            stop(workspace, path.name, "Another measure began.")
    at_work = (
        [job for job in waiting(workspace) if job.state != "waiting"]
        if (Path(workspace) / "queue.sqlite").exists()
        else []
    )
    config, _ = settle_engine(config, Path(workspace))
    gpus = _free_gpus(config.device, at_work)
    _make_room(root, key)
    run = RunFolder.create(root, key, config)
    run.write_json("beside", {"runs": [job.run for job in at_work if job.devices]})
    status = run.write_status(
        state="starting",
        started=time.time(),
        host=hosts.this_host(),
        device=",".join(gpus) or "cpu",
    )
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": ",".join(gpu.removeprefix("gpu:") for gpu in gpus) or "-1",
    }
    arguments = [*worker_command(config.kind, run.folder)[2:], "--probe"]
    process = processes.start_detached(arguments, run.log_path, environment)
    pid, birth = processes.identity(process.pid)
    processes.forget(process)
    return run.write_status(pid=pid, birth=birth) if status.state == "starting" else status


def look(workspace: Path | str, key: str) -> Status | None:
    """How a measure goes; None where there is none. One whose process died is marked as failed."""
    run = RunFolder(probes_folder(workspace) / key)
    if not (run.folder / "config.json").exists():
        return None
    status = run.status()
    born = (
        status.pid is not None
        or time.time() - (status.started or status.created or 0.0) > BIRTH_SECONDS
    )
    if status.has_ended or not born or run_is_alive(run, status):
        return status
    return run.write_status(
        only_if=QUEUED_OR_ACTIVE,
        state="failed",
        cause=DIED,
        finished=time.time(),
    )


def read_throughput(workspace: Path | str, key: str) -> dict[str, Any] | None:
    """Return the result, with ``beside``, the runs that were working; None if there is none."""
    run = RunFolder(probes_folder(workspace) / key)
    try:
        return {**run.read_json("pace"), "beside": run.read_json("beside").get("runs", [])}
    except SegcoreError:
        return None


def stop(workspace: Path | str, key: str, cause: str = "Stopped on request.") -> None:
    """Stop a probe that is running; nothing of it is kept."""
    status = look(workspace, key)
    if status is not None and not status.has_ended and hosts.is_here(status.host):
        processes.send_signal(status.pid, status.birth, signal.SIGKILL, group=True)
        RunFolder(probes_folder(workspace) / key).write_status(
            state="interrupted", cause=cause, finished=time.time()
        )


def _free_gpus(request: str, at_work: list[Job]) -> list[str]:
    gpus = [device.id for device in list_devices() if device.id.startswith("gpu:")]
    taken = {device for job in at_work for device in job.devices}
    if request == "cpu" or (request == "auto" and not gpus):
        return []
    wanted = (
        [gpu for gpu in gpus if gpu not in taken][:1]
        if request == "auto"
        else [part.strip() for part in request.split(",")]
    )
    absent = [gpu for gpu in wanted if gpu not in gpus]
    if absent:
        raise SegcoreError(
            f"Expected the device {', '.join(absent)}, found "
            f"{', '.join(gpus) or 'no GPU'}: choose another, or auto."
        )
    if not wanted or taken.intersection(wanted):
        raise SegcoreError(
            "Expected a free GPU to measure on, found a run there: wait until it "
            "ends, or choose another."
        )
    return wanted


def _make_room(root: Path, key: str) -> None:
    try:
        shutil.rmtree(root / key, ignore_errors=False)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise disk_error("write", root / key, error) from error
    known = sorted(
        (path for path in root.glob("*") if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for path in known[: max(0, len(known) - KEPT + 1)]:
        shutil.rmtree(path, ignore_errors=True)
