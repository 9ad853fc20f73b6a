"""The doctor: what this machine can train on, checked rather than assumed, each finding with a fix.

A driver that lists a GPU does not mean that an engine can use it, so each engine computes on each
of its devices in a process of its own (:mod:`segcore.training.engine_check`), with a time limit.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from segcore.errors import SegcoreError
from segcore.formatting import GIB, gib
from segcore.places import front
from segcore.runs.machine.devices import Device, list_devices
from segcore.runs.machine.disk import is_network_drive, read_json, try_lock, write_json
from segcore.runs.machine.processes import python_environment

OK, WARNING, FAILS = "ok", "warning", "fails"
STATES = (OK, WARNING, FAILS)
"""From the best to the worst; the position is the exit code of ``segscope doctor``."""

ENGINES = {
    "tensorflow": "make app, or pip install 'tensorflow>=2.21,<2.22'",
    "jax": "pip install 'segscope[jax]', or 'segscope[jax-cuda]' for GPUs",
    "torch": "pip install 'segscope[torch]'",
}
"""What can compute, and how it is installed."""

GPU_FIX = {
    "tensorflow": "make app GPU=1, or pip install 'segscope[cuda]'",
    "jax": "pip install 'segscope[jax-cuda]'",
    "torch": "pip install torch, as a build for CUDA",
}

SECONDS = 180.0
"""How long an engine may take to import and to compute; a hanging driver ends here."""

FILE = "doctor.json"
LITTLE, TOO_LITTLE = 10 << 30, 1 << 30
"""Free bytes on disk below which a warning is given, and below which runs will fail."""


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: What, in a word or two: "TensorFlow on gpu:0".
        state: "ok", "warning" or "fails".
        reason: What was seen, as a sentence.
        fix: A command or a step that helps; "" where nothing is to be done.
    """

    name: str
    state: str
    reason: str
    fix: str = ""

    def to_json(self) -> dict[str, str]:
        """Return ``{"name", "state", "reason", "fix"}``."""
        return {"name": self.name, "state": self.state, "reason": self.reason, "fix": self.fix}


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was checked on a machine.

    Attributes:
        checks: In the order in which they are shown.
        engines: What each installed engine answered, as ``engine_check`` prints it.
        key: Versions of the driver and of the packages; another key asks for another diagnosis.
    """

    checks: tuple[Check, ...]
    engines: Mapping[str, Mapping[str, Any]]
    key: Mapping[str, str]

    @property
    def state(self) -> str:
        """The worst state of all checks."""
        return max((check.state for check in self.checks), key=STATES.index, default=OK)

    def failure(self, engine: str, device: str, precision: str = "float32") -> str:
        """Say why an engine cannot use a device; "" where it can, or where that is not known.

        Args:
            engine: A key of :data:`ENGINES`.
            device: "cpu" or "gpu:0".
            precision: A Keras policy: "float32", "mixed_bfloat16", "mixed_float16".
        """
        answer = self.engines.get(engine)
        if answer is None:
            return ""
        if answer["error"]:
            return f"{engine} cannot be imported ({answer['error']}): {ENGINES[engine]}"
        if device not in answer["devices"]:
            return f"{engine} does not see {device}, only the driver does: {GPU_FIX[engine]}"
        kind = precision.removeprefix("mixed_")
        wrong = [
            f"{engine} on {device} in {result['precision']}: {result['error']}"
            for result in answer["results"]
            if result["device"] == device and result["precision"] in ("float32", kind)
            if result["error"]
        ]
        return wrong[0] if wrong else ""

    def to_json(self) -> dict[str, Any]:
        """Return ``{"state", "checks", "engines", "key"}``."""
        checks = [check.to_json() for check in self.checks]
        return {
            "state": self.state,
            "checks": checks,
            "engines": dict(self.engines),
            "key": dict(self.key),
        }


def examine(workspace: Path) -> Diagnosis:
    """Check everything and keep the answer in the workspace.

    Args:
        workspace: The workspace's folder; it need not be writable.
    """
    devices = list_devices()
    gpus = [device for device in devices if device.id != "cpu"]
    driver = read_driver()
    engines = {name: ask_engine(name) for name in ENGINES if importlib.util.find_spec(name)}
    checks = [
        _python(),
        _packages(),
        _crf(),
        *_workspace(workspace),
        _driver(driver, gpus),
        *_free_memory(gpus),
        *_engines(engines, gpus),
    ]
    diagnosis = Diagnosis(tuple(checks), engines, _key(driver))
    with suppress(SegcoreError, OSError):  # a workspace that cannot be written is one of the checks
        write_json(workspace / FILE, diagnosis.to_json())
    return diagnosis


def last_diagnosis(workspace: Path) -> Diagnosis | None:
    """Return what :func:`examine` kept, where driver and packages are still the same; else None."""
    try:
        kept = read_json(workspace / FILE)
        if kept["key"] != _key(read_driver()):
            return None
        checks = tuple(Check(**check) for check in kept["checks"])
        for answer in kept["engines"].values():
            answer["error"], answer["devices"], answer["results"]
        return Diagnosis(checks, kept["engines"], kept["key"])
    except (SegcoreError, OSError, KeyError, TypeError, AttributeError):
        return None


def ask_engine(engine: str, seconds: float = SECONDS) -> dict[str, Any]:
    """Let an engine compute in a process of its own; see ``engine_check.check`` for the answer."""
    command = [sys.executable, "-m", "segcore.training.engine_check", engine]
    environment = python_environment({"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": engine})
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        reason = f"it did not answer within {seconds:.0f} s"
    except (OSError, ValueError, IndexError):
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no message"]
        reason = f"its process ended with code {done.returncode}: {last[0][:300]}"
    return {"engine": engine, "version": "", "devices": [], "results": [], "error": reason}


def read_driver() -> str:
    """Return the version of the NVIDIA driver, "" where none is loaded."""
    program = shutil.which("nvidia-smi")
    if program:
        command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
            )
            lines = done.stdout.split()
            if done.returncode == 0 and lines:
                return lines[0]
        except (OSError, subprocess.SubprocessError):
            pass
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return ""
    number = re.search(r"\b\d+\.\d+(\.\d+)?\b", text)
    return number[0] if number else "unknown"


def _key(driver: str) -> dict[str, str]:
    names = [*ENGINES, "keras", "nvidia-cudnn-cu12", "nvidia-cuda-runtime-cu12", "jaxlib"]
    return {"driver": driver, "python": sys.version.split()[0]} | {
        name: version for name in names if (version := _version(name))
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _python() -> Check:
    version = "{}.{}.{}".format(*sys.version_info[:3])
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        fix = "make a new environment with Python 3.12: make clean, then make app PYTHON=python3.12"
        return Check("Python", FAILS, f"{version}, expected 3.11 to 3.13", fix)
    return Check("Python", OK, version)


def _packages() -> Check:
    lines = _requirements()
    wrong = []
    for line in lines:
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue
        if needed.name.startswith("pydensecrf") or (
            needed.marker and not needed.marker.evaluate({"extra": ""})
        ):
            continue
        version = _version(needed.name)
        if not version:
            wrong.append(f"{needed.name} is missing")
        elif not needed.specifier.contains(version, prereleases=True):
            wrong.append(f"{needed.name} is {version}, expected {needed.specifier}")
    if wrong:
        engineless = [item for item in wrong if not item.startswith(("tensorflow ", "h5py "))]
        state = FAILS if engineless else WARNING
        return Check("Packages", state, "; ".join(wrong), "make app, or pip install -U segscope")
    return Check("Packages", OK, f"{len(lines)} packages within the tested ranges")


def _requirements() -> list[str]:
    file = front() / "requirements.txt"
    if file.is_file():
        lines = file.read_text().splitlines()
        return [line for line in lines if line.strip() and not line.startswith(("#", "-"))]
    try:
        return [r for r in importlib.metadata.requires("segscope") or [] if "extra ==" not in r]
    except importlib.metadata.PackageNotFoundError:
        return []


def _crf() -> Check:
    if importlib.util.find_spec("pydensecrf"):
        return Check("Dense CRF", OK, "pydensecrf is installed")
    if sys.version_info[:2] >= (3, 13):
        reason = "pydensecrf does not build on Python 3.13"
        return Check("Dense CRF", WARNING, reason, "use Python 3.12 where you need the CRF")
    compiler = shutil.which("g++") or shutil.which("c++")
    reason = "pydensecrf is not installed" + ("" if compiler else ", and there is no C++ compiler")
    install = "pip install 'segscope[crf]'"
    fix = install if compiler else f"apt-get install g++ python3-dev, then make app or {install}"
    return Check("Dense CRF", WARNING, reason, fix)


def _workspace(folder: Path) -> list[Check]:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            pass
        writable = Check("Workspace", OK, f"{folder} can be written")
    except OSError as error:
        reason = f"{folder} cannot be written ({error.strerror})"
        return [Check("Workspace", FAILS, reason, "choose another with --workspace")]
    free = shutil.disk_usage(folder).free
    state = FAILS if free < TOO_LITTLE else WARNING if free < LITTLE else OK
    fix = "" if state == OK else "free some space, or choose a workspace on another disk"
    return [writable, Check("Disk", state, f"{gib(free, 0)} free", fix), _locks(folder)]


def _locks(folder: Path) -> Check:
    """Whether a second taker of a lock is kept out: some network drives grant it to everyone."""
    name = f".doctor-{os.getpid()}.lock"
    first = second = None
    try:
        first, second = try_lock(folder / name), try_lock(folder / name)
        if first is not None and second is None:
            return Check("File locks", OK, "a lock keeps others out")
        reason = "a lock does not keep others out here"
    except (SegcoreError, OSError) as error:
        reason = f"files cannot be locked here ({error})"
    finally:
        for handle in (first, second):
            if handle is not None:
                os.close(handle)
        (folder / name).unlink(missing_ok=True)
    where = "a network drive" if is_network_drive(folder) else "a drive without locks"
    fix = f"put the workspace on a local disk, or on NFS 4: it is on {where}"
    return Check("File locks", FAILS, reason, fix)


def _driver(driver: str, gpus: Sequence[Device]) -> Check:
    if not driver:
        return Check("NVIDIA driver", OK, "none is loaded: runs use the CPU")
    if not gpus:
        reason = f"driver {driver} is loaded, but lists no GPU"
        fix = "check nvidia-smi, and CUDA_VISIBLE_DEVICES"
        return Check("NVIDIA driver", WARNING, reason, fix)
    names = ", ".join(f"{gpu.id} {gpu.name}" for gpu in gpus)
    return Check("NVIDIA driver", OK, f"{driver}: {names}")


def _free_memory(gpus: Sequence[Device]) -> list[Check]:
    checks = []
    for gpu in gpus:
        free = gpu.memory - gpu.memory_used
        reason = f"{free / GIB:.1f} of {gib(gpu.memory)} free"
        holders = _holders(gpu.id)
        held = free < gpu.memory / 2
        if held and holders:
            reason += f"; used by {', '.join(holders)}"
        fix = "stop the other programs, or choose another GPU" if held else ""
        checks.append(Check(f"Memory of {gpu.id}", WARNING if held else OK, reason, fix))
    return checks


def _holders(gpu: str) -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--id", gpu[4:], "--query-compute-apps=pid,used_memory"]
    try:
        done = subprocess.run(
            [*command, "--format=csv,noheader"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.split(",") for line in done.stdout.splitlines() if line.count(",") == 1]
    return [f"process {pid.strip()} ({memory.strip()})" for pid, memory in rows]


def _engines(engines: Mapping[str, Mapping[str, Any]], gpus: Sequence[Device]) -> list[Check]:
    if not engines:
        fix = ENGINES["tensorflow"]
        return [Check("Engine", FAILS, "none of TensorFlow, JAX and PyTorch is installed", fix)]
    checks = []
    for name, answer in engines.items():
        if answer["error"]:
            reason = f"cannot be used: {answer['error']}"
            checks.append(Check(name, FAILS, reason, ENGINES[name]))
            continue
        checks.append(Check(name, OK, f"{answer['version']}, sees {', '.join(answer['devices'])}"))
        checks += [_engine_on(name, answer, device) for device in answer["devices"]]
        for gpu in gpus:
            if gpu.id not in answer["devices"]:
                reason = f"the driver sees it, {name} does not: runs would use the CPU"
                checks.append(Check(f"{name} on {gpu.id}", FAILS, reason, GPU_FIX[name]))
    return checks


def _engine_on(engine: str, answer: Mapping[str, Any], device: str) -> Check:
    results = [result for result in answer["results"] if result["device"] == device]
    wrong = [f"{r['precision']}: {r['error']}" for r in results if r["error"]]
    right = [r["precision"] for r in results if not r["error"]]
    if not wrong:
        reason = f"convolution, gradient and step are right in {', '.join(right)}"
        return Check(f"{engine} on {device}", OK, reason)
    state = WARNING if "float32" in right else FAILS
    fix = f"use {', '.join(right)}" if state == WARNING else "choose another device or engine"
    return Check(f"{engine} on {device}", state, "; ".join(wrong), fix)
