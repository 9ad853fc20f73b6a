"""Optional packages, imported by one function that says what to install."""

import importlib
import sys
from types import ModuleType

from segcore.errors import SegcoreError

INSTALL: dict[str, str] = {
    "tensorflow": "pip install 'tensorflow>=2.21,<2.22'",
    "openvino": "pip install openvino",
    "tf2onnx": "pip install tf2onnx onnx onnxruntime",
    "onnx": "pip install tf2onnx onnx onnxruntime",
    "onnxruntime": "pip install tf2onnx onnx onnxruntime",
}
"""How each package is installed."""


def require(name: str) -> ModuleType:
    """Import an optional package.

    OpenVINO reports its own import to its maker's server unless the package that does so is
    missing; here it always is.

    Args:
        name: A key of :data:`INSTALL`.

    Raises:
        SegcoreError: It is not installed, or does not load on this machine.
    """
    if name == "openvino":
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise SegcoreError(
            f"Expected the package {name}, which cannot be imported ({error}): {INSTALL[name]}, or "
            "choose another backend or form."
        ) from error


def is_installed(name: str) -> bool:
    """Whether :func:`require` would succeed."""
    try:
        require(name)
    except SegcoreError:
        return False
    return True
