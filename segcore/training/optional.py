"""Optional packages, imported by one function that says what to install."""

import importlib
import sys
from types import ModuleType

from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.runs.machine.diagnosis import engine_command

EXTRAS = {"openvino": "fast", "tf2onnx": "export", "onnx": "export", "onnxruntime": "export"}
"""The extra of each package that Segscope can do without."""


def install_hint(name: str) -> str:
    """Return the command that installs an optional package, or TensorFlow."""
    return extra_command(EXTRAS[name]) if name in EXTRAS else engine_command(name)


def require(name: str) -> ModuleType:
    """Import an optional package.

    OpenVINO reports its own import to its maker's server unless the package that does so is
    missing; here it always is.

    Args:
        name: A key of :data:`EXTRAS`, or "tensorflow".

    Raises:
        SegcoreError: It is not installed, or does not load on this machine.
    """
    if name == "openvino":
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise SegcoreError(
            f"Expected the package {name}, which cannot be imported ({error}): "
            f"{install_hint(name)}, or choose another backend or form."
        ) from error


def is_installed(name: str) -> bool:
    """Whether :func:`require` would succeed."""
    try:
        require(name)
    except SegcoreError:
        return False
    return True
