"""PyTorch's devices: a GPU, the processor's own graphics on a Mac, or the CPU; one of them."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch

TITLE = "PyTorch"

LOST: tuple[type[BaseException], ...] = ()
"""No training of several machines runs on PyTorch here."""

MOMENTS_BY_REPLICA = False
"""Whether each device normalises by the moments of its part of a batch, unless told otherwise."""

_entered: list[Any] = []
"""Scopes of devices, kept: one that is collected is left."""


@dataclass(frozen=True)
class Strategy:
    """The one device that a network is on.

    Attributes:
        device: "cpu", "cuda:0", "mps".
    """

    device: str
    num_replicas_in_sync: int = 1

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Build a network on it, as everything in this process."""
        yield


def count_gpus() -> int:
    """Return how many GPUs this process sees."""
    return 1 if _has_mps() else torch.cuda.device_count()


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())


def use(chosen: Sequence[int], deterministic: bool) -> None:
    """Let this process compute on this GPU, or on the CPU if there is none."""
    scope = keras.device(_name(chosen))
    scope.__enter__()
    _entered.append(scope)
    torch.use_deterministic_algorithms(deterministic)


def _name(chosen: Sequence[int]) -> str:
    if not chosen:
        return "cpu"
    return "mps" if _has_mps() else f"cuda:{chosen[0]}"


def spread(chosen: Sequence[int], hosts: Sequence[str] = (), task: int = 0) -> Strategy:
    """Return the strategy for this GPU, or for the CPU."""
    return Strategy(_name(chosen))


def current() -> str:
    """Return the name of the device that networks of this process are on."""
    return str(keras.ops.convert_to_tensor(0.0).device)


def describe(strategy: Strategy) -> str:
    """Name what a strategy runs on: "CPU", "NVIDIA H100"."""
    if strategy.device.startswith("cuda"):
        return torch.cuda.get_device_name(strategy.device)
    return "Apple GPU" if strategy.device == "mps" else "CPU"


def seed(number: int) -> None:
    """Seed Python, numpy and PyTorch, from which Keras draws its seeds.

    Keras' own function would import TensorFlow where it is installed.
    """
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002
    torch.manual_seed(number)


def on_gpu() -> bool:
    """Whether this process computes on a GPU."""
    return current() != "cpu"


def rewrite_graphs(wanted: bool) -> None:
    """There is no graph."""


def free_bytes() -> int | None:
    """Return the bytes that the GPU has left; None without one that tells."""
    name = current()
    return int(torch.cuda.mem_get_info(name)[0]) if name.startswith("cuda") else None


def peak_bytes() -> int | None:
    """Return the most bytes that were in use on the GPU; None without one that tells."""
    name = current()
    return int(torch.cuda.max_memory_reserved(name)) if name.startswith("cuda") else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
