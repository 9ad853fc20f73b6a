"""What a run can work on: the processor and NVIDIA GPUs, with memory, load and temperature."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

try:
    import pynvml
except (
    ImportError
):  # optional: nvidia-ml-py; without it the program nvidia-smi is asked, where there is one
    pynvml = None

_QUERY = (
    "index",
    "uuid",
    "name",
    "memory.total",
    "memory.used",
    "utilization.gpu",
    "temperature.gpu",
)
_MIB = 1 << 20


@dataclass(frozen=True)
class Device:
    """Something that a run can work on.

    Attributes:
        id: "cpu", or "gpu:<number>" as nvidia-smi counts.
        name: As its maker calls it.
        cores: Processor cores that this process may use; 0 for a GPU.
        memory: Bytes in all; for "cpu" what this process may use.
        memory_used: Bytes in use.
        load: Share of it that is busy, 0 to 1; None where unknown.
        temperature: Degrees Celsius; None where unknown.
    """

    id: str
    name: str
    cores: int
    memory: int
    memory_used: int
    load: float | None
    temperature: float | None


def list_devices() -> list[Device]:
    """List the processor, then the GPUs that ``CUDA_VISIBLE_DEVICES`` leaves visible."""
    gpus = _ask_library()
    if gpus is None:
        gpus = _ask_program()
    return [_processor(), *_visible(gpus, os.environ)]


def _processor() -> Device:
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    memory = psutil.virtual_memory()
    total, used = memory.total, memory.total - memory.available
    limit = _read_number("/sys/fs/cgroup/memory.max")
    if limit is not None and limit < total:
        total, used = limit, min(limit, _read_number("/sys/fs/cgroup/memory.current") or used)
    load = min(1.0, os.getloadavg()[0] / max(1, psutil.cpu_count() or 1))
    return Device("cpu", _processor_name(), cores, total, used, load, _processor_temperature())


def _read_number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "Processor"


def _processor_temperature() -> float | None:
    found = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    for name in ("coretemp", "k10temp", "cpu_thermal"):
        if found.get(name):
            return max(sensor.current for sensor in found[name])
    return None


def _ask_library() -> list[tuple[str, Device]] | None:
    """(uuid, device) of every GPU by NVML, or None where it cannot be asked."""
    if pynvml is None:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return [_ask_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def _ask_gpu(index: int) -> tuple[str, Device]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    load: float | None = None
    temperature: float | None = None
    try:
        load = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
        temperature = float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
    except pynvml.NVMLError:  # some cards and shares of cards do not say
        pass
    uuid, name = _text(pynvml.nvmlDeviceGetUUID(handle)), _text(pynvml.nvmlDeviceGetName(handle))
    return uuid, Device(
        f"gpu:{index}", name, 0, int(memory.total), int(memory.used), load, temperature
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _ask_program() -> list[tuple[str, Device]]:
    """(uuid, device) of every GPU by nvidia-smi; empty if there is none or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            stdin=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_nvidia_smi(answer)


def parse_nvidia_smi(answer: str) -> list[tuple[str, Device]]:
    """Read nvidia-smi's CSV, one line a GPU.

    Columns: index, uuid, name, memory total and used (MiB), load (%), temperature.
    """
    found = []
    for line in answer.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != len(_QUERY) or not parts[0].isdigit():
            continue
        total, used, load, temperature = (_number(part) for part in parts[3:])
        share = None if load is None else load / 100
        device = Device(
            f"gpu:{parts[0]}",
            parts[2],
            0,
            int((total or 0) * _MIB),
            int((used or 0) * _MIB),
            share,
            temperature,
        )
        found.append((parts[1], device))
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # "[N/A]"
        return None


def _visible(gpus: list[tuple[str, Device]], environment: Mapping[str, str]) -> list[Device]:
    chosen = environment.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [device for _, device in gpus]
    wanted = [part.strip() for part in chosen.split(",") if part.strip()]
    return [
        device
        for uuid, device in gpus
        if any(part == device.id[4:] or uuid.startswith(part) for part in wanted)
    ]
