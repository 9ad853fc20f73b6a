"""What the doctor found on a machine: checks with their fixes, and which device an engine can use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segcore.installing import install_command, made_by_make

OK, WARNING, FAILS = "ok", "warning", "fails"
STATES = (OK, WARNING, FAILS)
"""From the best to the worst; the position is the exit code of ``segscope doctor``."""

ENGINES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
"""What can compute: the name of its package, and its own name."""

OTHER_PACKAGES = {"jax": "jax>=0.10,<0.11", "torch": "torch>=2.13,<2.14"}
"""What the engines besides TensorFlow are installed from: the extra of their name."""

_PACKAGES = {"tensorflow": "tensorflow>=2.21,<2.22", **OTHER_PACKAGES}
_GPU_PACKAGES = {
    "tensorflow": ("tensorflow[and-cuda]>=2.21,<2.22", "nvidia-ml-py"),
    "jax": ("jax[cuda12]>=0.10,<0.11",),
    "torch": ("--force-reinstall", _PACKAGES["torch"]),
}


def engine_command(engine: str) -> str:
    """Return the command that installs an engine.

    Args:
        engine: A key of :data:`ENGINES`.
    """
    if engine == "tensorflow" and made_by_make():
        return "make app ENGINE=tensorflow"
    return install_command(_PACKAGES[engine])


def gpu_command(engine: str) -> str:
    """Return the command that installs what an engine needs on an NVIDIA GPU.

    Args:
        engine: A key of :data:`ENGINES`.
    """
    if engine == "tensorflow" and made_by_make():
        return "make app GPU=1"
    return install_command(*_GPU_PACKAGES[engine])


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: What, in a word or two: "TensorFlow on gpu:0".
        state: "ok", "warning" or "fails".
        reason: What was seen, as a sentence.
        fix: What helps, in words; "" where nothing is to be done.
        command: A command that does it; "" where none does.
    """

    name: str
    state: str
    reason: str
    fix: str = ""
    command: str = ""

    def to_json(self) -> dict[str, str]:
        """Return ``{"name", "state", "reason", "fix", "command"}``."""
        return {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "fix": self.fix,
            "command": self.command,
        }


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was checked on a machine.

    Attributes:
        checks: In the order in which they are shown.
        engines: What each installed engine answered, as ``engine_check`` prints it.
        key: Versions of the driver and of the packages; another key asks for another diagnosis.
        checked: When, in seconds since 1970.
    """

    checks: tuple[Check, ...]
    engines: Mapping[str, Mapping[str, Any]]
    key: Mapping[str, str]
    checked: float = 0.0

    @property
    def state(self) -> str:
        """The worst state of all checks."""
        return max((check.state for check in self.checks), key=STATES.index, default=OK)

    def sees(self, engine: str, device: str) -> bool:
        """Return whether an engine sees a device; True where the engine was not asked."""
        answer = self.engines.get(engine)
        return answer is None or device in answer["devices"]

    def failure(self, engine: str, device: str, precision: str = "float32") -> str:
        """Say why an engine cannot use a device; "" where it can, or where that is not known.

        Args:
            engine: A key of :data:`ENGINES`.
            device: "cpu" or "gpu:0".
            precision: A Keras policy: "float32", "mixed_bfloat16", "mixed_float16".
        """
        answer, title = self.engines.get(engine), ENGINES.get(engine, engine)
        if answer is None:
            return ""
        if answer["error"]:
            return (
                f"{title} cannot be imported ({answer['error']}): install it again with "
                f"{engine_command(engine)}"
            )
        if device not in answer["devices"]:
            return (
                f"only the driver sees {device}, {title} does not: install CUDA's libraries with "
                f"{gpu_command(engine)}"
            )
        kind = precision.removeprefix("mixed_")
        wrong = [
            f"{title} on {device} in {result['precision']}: {result['error'].rstrip('.')}"
            for result in answer["results"]
            if result["device"] == device and result["precision"] in ("float32", kind)
            if result["error"]
        ]
        return wrong[0] if wrong else ""

    def speed(self, engine: str, precision: str = "float32") -> float | None:
        """Return the images a second that an engine trained on here, on the CPU.

        None where it was not measured: a machine with a GPU, or with a single engine, or where it
        failed or took longer than the doctor waits.

        Args:
            engine: A key of :data:`ENGINES`.
            precision: A Keras policy.
        """
        speeds = self.engines.get(engine, {}).get("images_per_second") or {}
        speed = speeds.get(precision)
        return float(speed) if isinstance(speed, (int, float)) and speed > 0 else None

    def to_json(self) -> dict[str, Any]:
        """Return ``{"state", "checks", "engines", "key", "checked"}``."""
        checks = [check.to_json() for check in self.checks]
        return {
            "state": self.state,
            "checks": checks,
            "engines": dict(self.engines),
            "key": dict(self.key),
            "checked": self.checked,
        }
