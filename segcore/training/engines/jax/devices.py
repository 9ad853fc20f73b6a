"""JAX's devices: one of them, or several that share every batch."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import keras
import numpy as np

TITLE = "JAX"

LOST: tuple[type[BaseException], ...] = ()
"""No training of several machines runs on JAX here."""

MOMENTS_BY_REPLICA = False
"""Whether each device normalises by the moments of its part of a batch, unless told otherwise."""


@dataclass(frozen=True)
class Strategy:
    """Devices among which every batch is divided; the network is on each of them.

    Attributes:
        devices: One, or several of one kind.
    """

    devices: tuple[Any, ...]

    @property
    def num_replicas_in_sync(self) -> int:
        """How many devices there are; a batch divides by it."""
        return len(self.devices)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Build a network on all of them; Keras remembers it for the variables made later."""
        if len(self.devices) > 1:
            names = [f"{device.platform}:{device.id}" for device in self.devices]
            keras.distribution.set_distribution(keras.distribution.DataParallel(devices=names))
        yield


def _gpus() -> list[Any]:
    try:
        return list(jax.devices("gpu"))
    except RuntimeError:  # there is no such platform
        return []


def count_gpus() -> int:
    """Return how many GPUs this process sees."""
    return len(_gpus())


def use(chosen: Sequence[int], deterministic: bool) -> None:
    """Let this process compute on these GPUs, or on the CPU if there is none among them.

    A CPU repeats bit for bit; for a GPU the worker sets XLA's flag before JAX is imported.
    """
    jax.config.update("jax_default_device", _devices(chosen)[0])


def _devices(chosen: Sequence[int]) -> tuple[Any, ...]:
    if not chosen:
        return (jax.devices("cpu")[0],)
    gpus = _gpus()
    return tuple(gpus[index] for index in chosen)


def spread(chosen: Sequence[int], hosts: Sequence[str] = (), task: int = 0) -> Strategy:
    """Return the strategy for these GPUs, or for the CPU."""
    return Strategy(_devices(chosen))


def describe(strategy: Strategy) -> str:
    """Name what a strategy runs on: "CPU", "NVIDIA H100", "2 x NVIDIA H100"."""
    first = strategy.devices[0]
    name = "CPU" if first.platform == "cpu" else str(first.device_kind)
    count = strategy.num_replicas_in_sync
    return f"{count} x {name}" if count > 1 else name


def seed(number: int) -> None:
    """Seed Python and numpy, from which Keras draws the seeds of its layers and initializers.

    Keras' own function would import TensorFlow where it is installed.
    """
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002


def on_gpu() -> bool:
    """Whether this process computes on a GPU."""
    device = jax.config.jax_default_device or jax.devices()[0]
    return bool(device.platform != "cpu")


def rewrite_graphs(wanted: bool) -> None:
    """XLA always does."""


def free_bytes() -> int | None:
    """Return the bytes that the smallest GPU has left; None without one."""
    stats = [stats for gpu in _gpus() if (stats := gpu.memory_stats())]
    return min((int(s["bytes_limit"] - s["bytes_in_use"]) for s in stats), default=None)


def peak_bytes() -> int | None:
    """Return the most bytes that were in use on the busiest GPU; None without one."""
    stats = [stats for gpu in _gpus() if (stats := gpu.memory_stats())]
    return max((int(s["peak_bytes_in_use"]) for s in stats), default=None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
