"""What an engine computes on each device: ``python -m segcore.training.engine_check ENGINE``.

A convolution, its gradient and one compiled step of gradient descent, in every precision, are held
against numpy in float64. A driver that lists a card says nothing about the libraries between; this
does. It prints one JSON document and ends; whoever starts it sets the time limit.

An engine is imported by its name, so that one that is missing or broken is an answer, not a crash.
"""

import atexit
import gc
import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = tuple[Floats, Floats, Floats]
"""The convolution's result, the gradient by its kernel, the kernel after one step."""

SIZE, CHANNELS, FILTERS, RATE = 16, 3, 4, 0.1
TOLERANCES = {"float32": 5e-3, "bfloat16": 1e-1, "float16": 3e-2}
"""Largest error over the largest value. Cards of 2020 and later round float32 to 10 bits (TF32)."""


def inputs() -> tuple[Floats, Floats]:
    """Return an image (1, 16, 16, 3) and a kernel (3, 3, 3, 4), both float64 in -1..1."""
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (1, SIZE, SIZE, CHANNELS))
    return image, rng.uniform(-1, 1, (3, 3, CHANNELS, FILTERS)) / 5


def reference() -> Numbers:
    """Compute in numpy what every engine must give, for the loss mean(conv(image, kernel)^2)."""
    image, kernel = inputs()
    windows = np.lib.stride_tricks.sliding_window_view(image[0], (3, 3), (0, 1))  # (H, W, C, 3, 3)
    result = np.einsum("hwcij,ijcf->hwf", windows, kernel)
    gradient = np.einsum("hwcij,hwf->ijcf", windows, 2 * result / result.size)
    return result, gradient, kernel - RATE * gradient


def _tensorflow(device: str, precision: str) -> Numbers:
    tf = importlib.import_module("tensorflow")
    place = "/CPU:0" if device == "cpu" else f"/GPU:{device[4:]}"
    with tf.device(place):
        image, kernel = (tf.cast(tf.constant(a), precision) for a in inputs())

        @tf.function
        def step(weights: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(weights)
                result = tf.nn.conv2d(image, weights, 1, "VALID")
                loss = tf.reduce_mean(tf.cast(result, "float32") ** 2)
            gradient = tape.gradient(loss, weights)
            return result[0], gradient, weights - tf.cast(RATE, precision) * gradient

        values = step(kernel)
    first, second, third = (np.asarray(tf.cast(value, "float64")) for value in values)
    return first, second, third


def _jax(device: str, precision: str) -> Numbers:
    jax = importlib.import_module("jax")
    place = jax.devices("cpu")[0] if device == "cpu" else jax.devices("gpu")[int(device[4:])]
    image, kernel = (
        jax.device_put(a.astype(np.float32), place).astype(precision) for a in inputs()
    )

    def loss(weights: Any) -> Any:
        result = jax.lax.conv_general_dilated(
            image, weights, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return (result.astype("float32") ** 2).mean(), result[0]

    @jax.jit
    def step(weights: Any) -> Any:
        (_, result), gradient = jax.value_and_grad(loss, has_aux=True)(weights)
        return result, gradient, weights - (RATE * gradient).astype(precision)

    first, second, third = (np.asarray(value, np.float64) for value in step(kernel))
    return first, second, third


def _torch(device: str, precision: str) -> Numbers:
    torch = importlib.import_module("torch")
    place = "cpu" if device == "cpu" else f"cuda:{device[4:]}"
    if device.startswith("mps"):
        place = "mps"
    kind = getattr(torch, precision)
    image, kernel = (torch.tensor(a, dtype=torch.float32).to(place, kind) for a in inputs())
    weights = kernel.permute(3, 2, 0, 1).clone().requires_grad_()
    result = torch.nn.functional.conv2d(image.permute(0, 3, 1, 2), weights)
    (result.float() ** 2).mean().backward()
    stepped = weights.detach() - RATE * weights.grad
    back = [
        result[0].detach().permute(1, 2, 0),
        weights.grad.permute(2, 3, 1, 0),
        stepped.permute(2, 3, 1, 0),
    ]
    first, second, third = (value.float().cpu().numpy().astype(np.float64) for value in back)
    return first, second, third


def _tensorflow_devices() -> list[str]:
    tf = importlib.import_module("tensorflow")
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return ["cpu", *(f"gpu:{i}" for i in range(len(gpus)))]


def _jax_devices() -> list[str]:
    jax = importlib.import_module("jax")
    try:
        gpus = jax.devices("gpu")
    except RuntimeError:
        gpus = []
    return ["cpu", *(f"gpu:{i}" for i in range(len(gpus)))]


def _torch_devices() -> list[str]:
    torch = importlib.import_module("torch")
    gpus = [f"gpu:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]


ENGINES: dict[str, tuple[Callable[[], list[str]], Callable[[str, str], Numbers]]] = {
    "tensorflow": (_tensorflow_devices, _tensorflow),
    "jax": (_jax_devices, _jax),
    "torch": (_torch_devices, _torch),
}
"""Engine -> what lists its devices, and what computes on one of them in a precision."""


def worst_error(values: Numbers, expected: Numbers) -> float:
    """Return the largest error of three arrays, each over its largest expected value.

    NaN counts as infinite; arrays of another shape too.
    """
    errors = []
    for value, right in zip(values, expected, strict=True):
        if value.shape != right.shape or not np.isfinite(value).all():
            return float("inf")
        errors.append(float(np.abs(value - right).max() / np.abs(right).max()))
    return max(errors)


def check(engine: str) -> dict[str, Any]:
    """Check one engine on every device that it sees.

    Args:
        engine: A key of :data:`ENGINES`.

    Returns:
        ``{"engine", "version", "devices", "results", "error"}``; each result is ``{"device",
        "precision", "error"}``, where an empty error means that the numbers were right.
    """
    devices_of, compute = ENGINES[engine]
    document: dict[str, Any] = {"engine": engine, "version": "", "devices": [], "results": []}
    try:
        document["version"] = str(importlib.import_module(engine).__version__)
        document["devices"] = devices_of()
    except Exception as error:  # whatever a broken installation raises
        return document | {"error": _first_line(error)}
    expected = reference()
    for device in document["devices"]:
        for precision, most in TOLERANCES.items():
            try:
                off = worst_error(compute(device, precision), expected)
                reason = "" if off <= most else f"wrong numbers: off by {off:.2g} of the largest"
            except Exception as failure:  # whatever a driver or a kernel raises
                reason = _first_line(failure)
            result = {"device": device, "precision": precision, "error": reason}
            document["results"].append(result)
    return document | {"error": ""}


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return f"{type(error).__name__}: {text.splitlines()[0][:300]}"


if __name__ == "__main__":
    atexit.register(gc.freeze)  # the process ends with its answer: garbage need not be found
    print(json.dumps(check(sys.argv[1])), flush=True)
