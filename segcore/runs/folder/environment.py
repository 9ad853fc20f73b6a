"""What each start of a run was made with: machine, packages, code and data."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from segcore.errors import SegcoreError
from segcore.runs.machine import disk
from segcore.runs.machine.devices import list_devices
from segcore.runs.machine.engines import EngineChoice

KEPT_STARTS = 20
PACKAGES = (
    "tensorflow",
    "jax",
    "torch",
    "keras",
    "numpy",
    "scipy",
    "pandas",
    "opencv-python-headless",
    "Pillow",
    "h5py",
    "pydensecrf2",
    "streamlit",
)
_ROOT = Path(__file__).resolve().parents[3]


def collect_environment(fingerprint: str = "") -> dict[str, Any]:
    """Return what a run is made with at this moment, ready for JSON.

    Keys: ``time``, ``fingerprint`` (of the dataset), ``command``, ``python``, ``platform``,
        ``host``, ``cores``, ``memory`` (bytes),
    ``devices`` (id, name, memory), ``packages`` {name: version}, ``git`` (commit, branch, changed
    files; None where the code is in no checkout), ``variables`` (those that change what an engine
    computes or where).

    Args:
        fingerprint: Of the dataset that the run works on.
    """
    seen = (
        "CUDA_VISIBLE_DEVICES",
        "KERAS_BACKEND",
        "TF_DETERMINISTIC_OPS",
        "TF_ENABLE_ONEDNN_OPTS",
        "OMP_NUM_THREADS",
        "XLA_FLAGS",
        "TF_XLA_FLAGS",
    )
    return {
        "time": time.time(),
        "fingerprint": fingerprint,
        "command": [Path(sys.executable).name, *sys.argv],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "cores": os.cpu_count() or 1,
        "memory": psutil.virtual_memory().total,
        "devices": [{"id": d.id, "name": d.name, "memory": d.memory} for d in list_devices()],
        "packages": package_versions(PACKAGES),
        "git": git_state(_ROOT),
        "variables": {name: os.environ[name] for name in seen if name in os.environ},
    }


def package_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those packages that are installed; none of them is imported."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return ``{"commit", "branch", "changed"}`` of a checkout; None where the folder is none.

    ``changed`` lists files that differ from the commit, at most fifty.
    """
    if not (folder / ".git").exists():
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = (_git(folder, "status", "--porcelain", "--untracked-files=no") or "").splitlines()
    return {
        "commit": commit.strip(),
        "branch": (_git(folder, "rev-parse", "--abbrev-ref", "HEAD") or "").strip(),
        "changed": [line[3:] for line in changed[:50]],
    }


def _git(folder: Path, *arguments: str) -> str | None:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def note_environment(run_folder: Path, fingerprint: str = "") -> None:
    """Add what a run is made with to its ``environment.json``, as its latest start.

    Raises:
        SegcoreError: The folder cannot be written.
    """
    path = run_folder / "environment.json"
    starts = [*_read_starts(run_folder), collect_environment(fingerprint)]
    disk.write_json(path, {"format": 1, "starts": starts[-KEPT_STARTS:]})


def note_device(run_folder: Path, used: str, reason: str) -> None:
    """Add to a run's latest start what it computes on and why: ``device``, ``device_reason``.

    Raises:
        SegcoreError: The folder cannot be written.
    """
    starts = _read_starts(run_folder) or [{}]
    starts[-1] = starts[-1] | {"device": used, "device_reason": reason}
    disk.write_json(run_folder / "environment.json", {"format": 1, "starts": starts})


@dataclass(frozen=True)
class Checkout:
    """The state of the code.

    Attributes:
        commit: Full hash of the commit.
        branch: Name of the branch.
        changed: Files that differ from the commit, at most fifty.
    """

    commit: str
    branch: str
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Start:
    """What one start of a run was made with; "" or None for what was not noted.

    Attributes:
        time: Seconds since 1970.
        fingerprint: Of the dataset.
        python: Version of Python.
        platform: Operating system and machine.
        host: Name of the machine.
        cores: Number of its cores.
        memory: Its memory, bytes.
        devices: Names of its devices by id.
        packages: Versions of packages by name.
        git: State of the code; None where it is in no checkout.
        variables: Environment variables that change what an engine computes or where.
        device: What the run computed on.
        device_reason: Why on that.
    """

    time: float | None
    fingerprint: str
    python: str
    platform: str
    host: str
    cores: int | None
    memory: int | None
    devices: dict[str, str]
    packages: dict[str, str]
    git: Checkout | None
    variables: dict[str, str]
    device: str
    device_reason: str


def note_engine(run_folder: Path, choice: EngineChoice) -> None:
    """Write into a run why it got its engine, where its config left that open.

    Raises:
        SegcoreError: The folder cannot be written.
    """
    if choice.reason:
        disk.write_json(
            run_folder / "engine.json", {"engine": choice.name, "reason": choice.reason}
        )


def engine_reason(run_folder: Path) -> str:
    """Return what :func:`note_engine` wrote; "" where it wrote nothing."""
    path = run_folder / "engine.json"
    return str(disk.read_json(path).get("reason", "")) if path.is_file() else ""


def read_environment(run_folder: Path) -> list[Start]:
    """Return what each start of a run was made with, in order; empty if nothing was noted."""
    return [_start(data) for data in _read_starts(run_folder)]


def _start(data: dict[str, Any]) -> Start:
    git = data.get("git")
    texts = ("fingerprint", "python", "platform", "host", "device", "device_reason")
    return Start(
        time=data.get("time"),
        **{key: str(data.get(key) or "") for key in texts},
        cores=data.get("cores"),
        memory=data.get("memory"),
        devices={device["id"]: device["name"] for device in data.get("devices") or ()},
        packages=data.get("packages") or {},
        git=Checkout(git["commit"], git["branch"], tuple(git["changed"])) if git else None,
        variables=data.get("variables") or {},
    )


def _read_starts(run_folder: Path) -> list[dict[str, Any]]:
    try:
        starts = disk.read_json(run_folder / "environment.json").get("starts")
    except SegcoreError:
        return []
    return (
        [start for start in starts if isinstance(start, dict)] if isinstance(starts, list) else []
    )
