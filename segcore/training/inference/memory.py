"""How many images fit into memory at once, from the sizes of a network's activations."""

import ctypes
import gc
import math
import resource
import sys
from collections import Counter
from typing import Any

import keras
import numpy as np
import psutil

from segcore.training.engines.engine import devices

SHARE = 0.5
"""Share of the free memory that activations may take."""

WORKSPACE = 3.0
"""Factor for what libraries need besides activations: packed inputs and outputs, loose arenas."""

MOST = {"cpu": 4, "gpu": 32}
"""More images a step gain nothing: a CPU is full with a few."""


def peak_activations(model: keras.Model) -> int:
    """Return the peak bytes of one image's activations when each is freed after its last use.

    The layers are walked in the order in which the network computes them; a layer's output lives
    from there to the last layer that reads it. Two layers that a runtime fuses need less, scratch
    memory is not counted.

    Args:
        model: A functional model.
    """
    users: Counter[int] = Counter()
    nodes = [
        node for operation in model.operations for node in getattr(operation, "_inbound_nodes", [])
    ]
    for node in nodes:
        users.update(id(tensor) for tensor in node.input_tensors)
    for output in model.outputs:
        users[id(output)] += 1
    living: dict[int, int] = {}
    peak = 0
    for node in nodes:
        for tensor in node.outputs:
            living[id(tensor)] = _bytes(tensor)
        inside = peak_activations(node.operation) if isinstance(node.operation, keras.Model) else 0
        peak = max(peak, sum(living.values()) + inside)
        for tensor in node.input_tensors:
            users[id(tensor)] -= 1
            if users[id(tensor)] <= 0:
                living.pop(id(tensor), None)
    return peak


def _bytes(tensor: Any) -> int:
    return math.prod(int(n) for n in tensor.shape[1:] if n) * np.dtype("float32").itemsize


def give_back() -> None:
    """Return freed memory to the system, where the C library can (it keeps old graphs' weights)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def find_batch_size(model: keras.Model) -> int:
    """Return the largest power of two of images that fits into memory, at most :data:`MOST`."""
    kind = "gpu" if devices.on_gpu() else "cpu"
    each = max(1.0, WORKSPACE * peak_activations(model))
    fits = max(1.0, SHARE * _free_bytes(kind) / each)
    return int(min(MOST[kind], 2 ** int(math.log2(fits))))


def _free_bytes(kind: str) -> int:
    free = devices.free_bytes() if kind == "gpu" else None
    return int(psutil.virtual_memory().available if free is None else free)


def peak_bytes() -> int:
    """Return the peak bytes in use so far: of the busiest GPU, or without one of this process."""
    peak = devices.peak_bytes()
    if peak is not None:
        return int(peak)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
