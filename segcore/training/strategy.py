"""Devices: which are used, at which precision, and how a network is spread over several."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from segcore.config.requests import check_gpus, place_of
from segcore.errors import SegcoreError
from segcore.training.engines.engine import devices


def configure(
    device: str,
    precision: str = "float32",
    deterministic: bool = False,
    hosts: Sequence[str] = (),
    task: int = 0,
) -> Any:
    """Choose devices and precision for this process; call it before anything is built.

    Args:
        device: "auto" (the first GPU, else the CPU), "cpu", or "gpu:0"; several as "gpu:0,gpu:1";
            "cluster", "slurm" and the like: all that it sees. Numbers are the machine's, also where
            ``CUDA_VISIBLE_DEVICES`` shows this process only some of its GPUs.
        precision: A name in ``catalog.PRECISIONS``; set for every layer made afterwards.
        deterministic: Whether operations must repeat bit for bit.
        hosts: Machines that train one network together, as "address:port"; empty for this one
            alone.
        task: Which of them this process is.

    Returns:
        The engine's strategy: of TensorFlow its default for one device, a ``MirroredStrategy`` for
        several, a ``MultiWorkerMirroredStrategy`` for several machines (it waits until all of them
        have come).

    Raises:
        SegcoreError: There is no such device, it is too late to choose, or the precision does not
            suit it.
    """
    chosen = _choose(device, _numbers(devices.count_gpus()))
    if precision == "mixed_float16" and not chosen:
        raise SegcoreError(
            "Expected a GPU for the precision mixed_float16, received a machine "
            "without one: choose float32 or mixed_bfloat16."
        )
    try:
        devices.use(chosen, deterministic)
    except (RuntimeError, ValueError) as error:
        raise SegcoreError(
            f"Expected to choose the device {device!r} before the first network, received "
            "the choice after one was built: start a new process."
        ) from error
    keras.config.set_dtype_policy(precision)
    return devices.spread(chosen, hosts, task)


def joining(folder: Path) -> str:
    """Return the command that joins a run from another machine that sees its folder."""
    return f"python -m segcore.worker {folder} --task N"


@contextmanager
def together(hosts: Sequence[str]) -> Iterator[None]:
    """Say in a sentence that another machine was lost while the block ran.

    Raises:
        SegcoreError: One was.
    """
    try:
        yield
    except devices.LOST as error:
        if not hosts:
            raise
        raise SegcoreError(
            "Expected all machines to stay connected, lost one: check that each can be reached, "
            "then resume the run."
        ) from error


def _numbers(count: int) -> list[str]:
    """The machine's numbers of the GPUs that this process sees, in its own order."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (
        [str(i) for i in range(count)]
        if shown is None
        else [part.strip() for part in shown.split(",")][:count]
    )


def _choose(device: str, numbers: list[str]) -> list[int]:
    if device == "cpu" or (device == "auto" and not numbers):
        return []
    if device == "auto":
        return [0]
    if place_of(device):  # this process sees the GPUs that it was given there, and no other
        return list(range(len(numbers)))
    present = [f"gpu:{number}" for number in numbers]
    return [present.index(name) for name in check_gpus(device, present)]


def explain(device: str) -> str:
    """Say why this process computes where it does; call it after :func:`configure`.

    Args:
        device: What the run asked for.

    Returns:
        A sentence; "" where the run got exactly what it named.
    """
    given = _given()
    seen = devices.on_gpu()
    if given and not seen and device != "cpu":
        return (
            f"the driver lists {', '.join(given)}, but {devices.TITLE} sees no GPU, so the run uses "
            "the CPU: segscope doctor says what is missing"
        )
    if device != "auto":
        return ""
    return "auto: the first free GPU" if seen else "auto: no GPU on this machine, so the CPU"


def _given() -> list[str]:
    """GPUs that the dispatcher gave this process, by the driver's list."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return [f"gpu:{part.strip()}" for part in shown.split(",") if part.strip() not in ("", "-1")]
