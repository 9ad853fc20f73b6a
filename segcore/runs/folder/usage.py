"""How busy a run keeps its devices: ``usage.jsonl``, ever more rarely, so that it stays small."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from segcore.errors import SegcoreError
from segcore.runs.folder.history import append_record, read_records
from segcore.runs.machine.devices import Device, list_devices


def pause_after(elapsed: float) -> float:
    """Return the seconds between two records: 2 for ten minutes, 15 for four hours, then 60.

    So a day takes some 2500 lines, a quarter of a megabyte.
    """
    if elapsed < 600:
        return 2.0
    return 15.0 if elapsed < 14_400 else 60.0


class UsageRecorder:
    """Looks at this process and its devices, and appends a line where one is due.

    Args:
        run_folder: Folder of the run.
        devices: Ids of the GPUs that the run was given ("gpu:0"); others are not noted.
        look: Lists the devices of the machine.
    """

    def __init__(
        self,
        run_folder: Path,
        devices: Sequence[str] = (),
        look: Callable[[], list[Device]] = list_devices,
    ) -> None:
        self._path = run_folder / "usage.jsonl"
        self._devices = [device for device in devices if device.startswith("gpu:")]
        self._look = look
        self._process = psutil.Process(os.getpid())
        # from here on each call says what was used since the one before
        self._process.cpu_percent()
        self._primed = False
        self._began: float | None = None
        self._due = 0.0

    def tick(self, now: float | None = None) -> bool:
        """Append a line if one is due, and return whether it was; never raises.

        Args:
            now: Seconds since 1970; None takes the clock.
        """
        now = time.time() if now is None else now
        if self._began is None:
            self._began, self._due = now, now
        if now < self._due:
            return False
        self._due = now + pause_after(now - self._began)
        with suppress(SegcoreError, psutil.Error, OSError):
            append_record(self._path, self._record(now))
            return True
        return False

    def _record(self, now: float) -> dict[str, Any]:
        machine = psutil.virtual_memory()
        record: dict[str, Any] = {
            "time": round(now, 1),
            "process_load": round(self._process.cpu_percent() / 100 / (os.cpu_count() or 1), 4),
            "process_memory": self._process.memory_info().rss,
            "machine_load": self._machine_load(),
            "machine_memory": machine.total - machine.available,
        }
        if self._devices:
            record["gpus"] = [
                {"id": d.id, "load": d.load, "memory": d.memory_used, "temperature": d.temperature}
                for d in self._look()
                if d.id in self._devices
            ]
        return record

    def _machine_load(self) -> float | None:
        """Share of all cores that were busy since the last call; None at the first."""
        share = psutil.cpu_percent() / 100
        primed, self._primed = self._primed, True
        return round(share, 4) if primed else None


@dataclass(frozen=True)
class GPUUsage:
    """How busy a GPU was; None for what its driver does not say.

    Attributes:
        id: Its id ("gpu:0").
        load: 0 to 1.
        memory: Memory in use, bytes.
        temperature: °C.
    """

    id: str
    load: float | None
    memory: int | None
    temperature: float | None


@dataclass(frozen=True)
class Usage:
    """One line of ``usage.jsonl``; None for what was not noted.

    Attributes:
        time: Seconds since 1970.
        process_load: Share of all cores that the run used, 0 to 1.
        process_memory: Memory of the run, bytes.
        machine_load: Share of all cores that were busy, 0 to 1.
        machine_memory: Memory of the machine in use, bytes.
        gpus: The GPUs of the run.
    """

    time: float
    process_load: float | None
    process_memory: int | None
    machine_load: float | None
    machine_memory: int | None
    gpus: tuple[GPUUsage, ...] = ()


def read_usage(run_folder: Path) -> list[Usage]:
    """Return the lines of a run, in order; empty where there are none."""
    return [
        Usage(
            line["time"],
            line.get("process_load"),
            line.get("process_memory"),
            line.get("machine_load"),
            line.get("machine_memory"),
            tuple(
                GPUUsage(gpu["id"], gpu.get("load"), gpu.get("memory"), gpu.get("temperature"))
                for gpu in line.get("gpus") or ()
            ),
        )
        for line in read_records(run_folder / "usage.jsonl")
        if isinstance(line.get("time"), (int, float))
    ]
