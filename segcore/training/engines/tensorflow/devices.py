"""TensorFlow's devices, and its strategies for several of them and for several machines."""

import json
import os
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.client import device_lib

from segcore.errors import SegcoreError

TITLE = "TensorFlow"

LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)
"""What is raised when another machine is lost."""

MOMENTS_BY_REPLICA = True
"""Whether each device normalises by the moments of its part of a batch, unless told otherwise."""


def count_gpus() -> int:
    """Return how many GPUs this process sees."""
    return len(tf.config.list_physical_devices("GPU"))


def use(chosen: Sequence[int], deterministic: bool) -> None:
    """Let this process compute on these GPUs, or on the CPU if there is none among them.

    Raises:
        RuntimeError: A network was built before.
        ValueError: The same, of virtual devices.
    """
    gpus = tf.config.list_physical_devices("GPU")
    tf.config.set_visible_devices([gpus[i] for i in chosen], "GPU")
    for index in chosen:
        tf.config.experimental.set_memory_growth(gpus[index], True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def spread(chosen: Sequence[int], hosts: Sequence[str] = (), task: int = 0) -> Any:
    """Return TensorFlow's strategy for these GPUs, and machines if there are several.

    Raises:
        SegcoreError: The other machines cannot be met.
    """
    if hosts:
        return _join(hosts, task, bool(chosen))
    if len(chosen) > 1:
        return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(len(chosen))])
    return tf.distribute.get_strategy()


def _join(hosts: Sequence[str], task: int, gpu: bool) -> tf.distribute.Strategy:
    """Meet the other machines; each has as many devices as the others."""
    cluster = {"cluster": {"worker": list(hosts)}, "task": {"type": "worker", "index": task}}
    os.environ["TF_CONFIG"] = json.dumps(cluster)
    implementation = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=implementation.AUTO if gpu else implementation.RING
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except (RuntimeError, ValueError, tf.errors.OpError) as error:
        raise SegcoreError(
            f"Expected to meet {len(hosts)} machines as {hosts[task]}, which failed "
            f"({str(error).splitlines()[0][:150]}): check the "
            "addresses, that their ports are free and open, and that a worker was started on each."
        ) from error


def describe(strategy: tf.distribute.Strategy) -> str:
    """Name what a strategy runs on: "CPU", "NVIDIA H100", "2 x NVIDIA H100"."""
    gpus = tf.config.get_visible_devices("GPU")
    count = strategy.num_replicas_in_sync
    name = (
        str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
        if gpus
        else "CPU"
    )
    return f"{count} x {name}" if count > 1 else name


def seed(number: int) -> None:
    """Seed Python, numpy and TensorFlow."""
    keras.utils.set_random_seed(number)


def on_gpu() -> bool:
    """Whether this process computes on a GPU."""
    return bool(tf.config.get_visible_devices("GPU"))


def rewrite_graphs(wanted: bool) -> None:
    """Say whether TensorFlow rewrites the graphs that are traced from now on.

    Rewriting folds batch normalisation into convolutions, which pays when predicting with fixed
    weights. A training step has little to fold, and on a CPU the rewriting would take longer than
    tracing it did.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not wanted})


def free_bytes() -> int | None:
    """Return the bytes that the smallest GPU lends; None without one."""
    limits = [d.memory_limit for d in device_lib.list_local_devices() if d.device_type == "GPU"]
    return min(limits, default=None)


def peak_bytes() -> int | None:
    """Return the most bytes that were in use on the busiest GPU; None without one."""
    gpus = [
        gpu.name.replace("/physical_device:", "") for gpu in tf.config.get_visible_devices("GPU")
    ]
    return max(
        (int(tf.config.experimental.get_memory_info(gpu)["peak"]) for gpu in gpus), default=None
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    return isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError))
