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
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from segcore.errors import SegcoreError
from segcore.formatting import GIB, gib
from segcore.installing import extra_command, install_command, made_by_make
from segcore.places import front
from segcore.runs.machine.devices import Device, list_devices
from segcore.runs.machine.diagnosis import (
    ENGINES,
    FAILS,
    OK,
    OTHER_PACKAGES,
    WARNING,
    Check,
    Diagnosis,
    engine_command,
    gpu_command,
)
from segcore.runs.machine.disk import is_network_drive, read_json, try_lock, write_json
from segcore.runs.machine.processes import fast_convolutions, python_environment

SECONDS = 180.0
"""How long an engine may take to import and to compute; a hanging driver ends here."""

FILE = "doctor.json"
LITTLE, TOO_LITTLE = 10 << 30, 1 << 30
"""Free bytes on disk below which a warning is given, and below which runs will fail."""

Tell = Callable[[int, int, str], None]
"""Is called with the parts that are done, how many there are, and which one begins."""


def examine(
    workspace: Path,
    tell: Tell = lambda done, total, what: None,
    more: Callable[[Path], Sequence[Check]] = lambda workspace: (),
) -> Diagnosis:
    """Check everything and keep the answer in the workspace.

    Args:
        workspace: The workspace's folder; it need not be writable.
        tell: Is called before each part.
        more: Returns further checks.
    """
    installed = [name for name in ENGINES if importlib.util.find_spec(name)]
    gpus = [device for device in list_devices() if device.id != "cpu"]
    timed = installed if len(installed) > 1 and not gpus else []  # where "auto" has a choice
    parts, engines = len(installed) + len(timed) + 1, {}
    for done, name in enumerate(installed):
        tell(done, parts, f"{ENGINES[name]} computes on each device")
        engines[name] = ask_engine(name)
    for done, name in enumerate(timed, len(installed)):
        tell(done, parts, f"{ENGINES[name]} trains for a few steps")
        engines[name] = {**engines[name], "images_per_second": measure_engine(name)}
    tell(parts - 1, parts, "packages, disk and driver")
    driver = read_driver()
    checks = [
        _python(),
        _packages(),
        _crf(),
        *_workspace(workspace),
        _driver(driver, gpus),
        *_free_memory(gpus),
        *_engines(engines, gpus),
        *more(workspace),
    ]
    diagnosis = Diagnosis(tuple(checks), engines, _key(driver), time.time())
    with suppress(SegcoreError, OSError):  # a workspace that cannot be written is one of the checks
        write_json(workspace / FILE, diagnosis.to_json())
    return diagnosis


def kept_diagnosis(workspace: Path) -> Diagnosis | None:
    """Return what :func:`examine` kept, whatever has changed since; None where there is nothing."""
    try:
        kept = read_json(workspace / FILE)
        checks = tuple(Check(**check) for check in kept["checks"])
        for answer in kept["engines"].values():
            answer["error"], answer["devices"], answer["results"]
        return Diagnosis(checks, kept["engines"], dict(kept["key"]), float(kept["checked"]))
    except (SegcoreError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def last_diagnosis(workspace: Path) -> Diagnosis | None:
    """Return what :func:`examine` kept, where driver and packages are still the same; else None."""
    kept = kept_diagnosis(workspace)
    return kept if kept is not None and kept.key == _key(read_driver()) else None


def ask_engine(engine: str, seconds: float = SECONDS) -> dict[str, Any]:
    """Let an engine compute in a process of its own; see ``engine_check.check`` for the answer."""
    answer = _answer("engine_check", engine, seconds)
    if isinstance(answer, str):
        return {"engine": engine, "version": "", "devices": [], "results": [], "error": answer}
    return answer


def measure_engine(engine: str, seconds: float = SECONDS) -> dict[str, float]:
    """Return how many images a second an engine trains on here, by precision; {} where it fails.

    See :mod:`segcore.training.engine_speed`, which runs in a process of its own.
    """
    answer = _answer("engine_speed", engine, seconds)
    return {} if isinstance(answer, str) else answer


def _answer(module: str, engine: str, seconds: float) -> dict[str, Any] | str:
    """Return the document that a module of ``training`` prints, or why there is none."""
    arguments = [engine] if module == "engine_check" else []
    command = [sys.executable, "-m", f"segcore.training.{module}", *arguments]
    environment = python_environment(
        {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": engine, **fast_convolutions()}
    )
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
        return _last_document(done.stdout)
    except subprocess.TimeoutExpired as late:
        with suppress(ValueError, IndexError):  # what it had printed until then
            return _last_document((late.stdout or b"").decode())
        return f"it did not answer within {seconds:.0f} s"
    except (OSError, ValueError, IndexError):
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no message"]
        return f"its process ended with code {done.returncode}: {last[0][:300]}"


def _last_document(printed: str) -> dict[str, Any]:
    """Return the last whole line as JSON; an engine's messages may stand before it."""
    document: dict[str, Any] = json.loads(printed[: printed.rindex("\n")].splitlines()[-1])
    return document


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
        fix = "make a new environment with Python 3.12"
        command = "make clean app PYTHON=python3.12" if made_by_make() else ""
        return Check("Python", FAILS, f"{version}, expected 3.11 to 3.13", fix, command)
    return Check("Python", OK, version)


def _packages() -> Check:
    lines = [*_requirements(), *(OTHER_PACKAGES[name] for name in OTHER_PACKAGES if _version(name))]
    right, wrong, wanted = 0, [], []
    another = any(map(_version, ENGINES))
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
        if version and needed.specifier.contains(version, prereleases=True):
            right += 1
            continue
        if not version and another and needed.name in ENGINES:
            continue  # the engine that is here trains without it
        wanted.append(f"{needed.name}{needed.specifier}")
        if not version:
            wrong.append(f"{needed.name} is missing")
        else:
            wrong.append(f"{needed.name} is {version}, expected {needed.specifier}")
    if wrong:
        engine = ("tensorflow ", "h5py ", *(f"{name} " for name in OTHER_PACKAGES))
        engineless = [item for item in wrong if not item.startswith(engine)]
        state = FAILS if engineless else WARNING
        by_make = made_by_make() and not any(Requirement(w).name in OTHER_PACKAGES for w in wanted)
        command = "make app" if by_make else install_command(*wanted)
        return Check("Packages", state, "; ".join(wrong), "install them in these versions", command)
    return Check("Packages", OK, f"{right} packages within the tested ranges")


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
    again = "make app" if made_by_make() else extra_command("crf")
    if shutil.which("g++") or shutil.which("c++"):
        return Check("Dense CRF", WARNING, "pydensecrf is not installed", "install it", again)
    reason = "pydensecrf is not installed, and there is no C++ compiler"
    command = f"sudo apt-get install g++ python3-dev && {again}"
    return Check("Dense CRF", WARNING, reason, "install g++ and Python's headers first", command)


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
        fix = "see what the driver lists, and what CUDA_VISIBLE_DEVICES hides"
        return Check("NVIDIA driver", WARNING, reason, fix, "nvidia-smi")
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
        reason = "none of TensorFlow, JAX and PyTorch is installed"
        return [Check("Engine", FAILS, reason, "install one", engine_command("tensorflow"))]
    checks = []
    for name, answer in engines.items():
        title = ENGINES[name]
        if answer["error"]:
            reason = f"cannot be used: {answer['error']}"
            checks.append(Check(title, FAILS, reason, "install it again", engine_command(name)))
            continue
        reason = f"{answer['version']}, sees {', '.join(answer['devices'])}{_speeds(answer)}"
        checks.append(Check(title, OK, reason))
        alone = len(engines) == 1
        checks += [_engine_on(name, answer, device, alone) for device in answer["devices"]]
        for gpu in gpus:
            if gpu.id not in answer["devices"]:
                reason = f"only the driver sees it, {title} does not: runs would use the CPU"
                fix = "install CUDA's libraries"
                command = gpu_command(name)
                checks.append(Check(f"{title} on {gpu.id}", FAILS, reason, fix, command))
    return checks


def _speeds(answer: Mapping[str, Any]) -> str:
    """Say how fast an engine trained; "" where it was not timed, as it is the only one."""
    speeds = answer.get("images_per_second")
    if speeds is None:
        return ""
    shown = ", ".join(f"{speed:.1f} in {precision}" for precision, speed in speeds.items())
    return f"; images a second: {shown}" if shown else "; not timed"


def _engine_on(engine: str, answer: Mapping[str, Any], device: str, alone: bool) -> Check:
    """Say what an engine computed on a device; ``alone``: no other engine is installed."""
    name = f"{ENGINES[engine]} on {device}"
    results = [result for result in answer["results"] if result["device"] == device]
    wrong: dict[str, list[str]] = {}
    for result in results:
        if result["error"]:
            wrong.setdefault(result["error"].rstrip("."), []).append(result["precision"])
    right = [r["precision"] for r in results if not r["error"]]
    if not wrong:
        reason = f"convolution, gradient and step are right in {', '.join(right)}"
        return Check(name, OK, reason)
    state = WARNING if "float32" in right else FAILS
    fix = f"train in {' or '.join(right)}" if state == WARNING else "choose another device"
    command = ""
    if state == FAILS and device != "cpu":  # as TensorFlow on cards that it has no build for
        fix += ", or an engine whose makers have a build for this card"
        command = engine_command("jax" if engine == "torch" else "torch") if alone else ""
    reasons = (f"{', '.join(precisions)}: {error}" for error, precisions in wrong.items())
    return Check(name, state, "; ".join(reasons), fix, command)
