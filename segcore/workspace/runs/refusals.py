"""What is refused before a run is queued, because it could only fail there: each with its mend."""

from collections.abc import Sequence
from pathlib import Path

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.machine.devices import Device
from segcore.workspace.costs import training_bytes

GIB = 1 << 30
DOUBT = 1.25
"""How many times a device's memory an estimate must be before it is believed: it may be a fifth too high."""


def refuse(config: TrainConfig, num_classes: int, devices: Sequence[Device]) -> None:
    """Refuse a run that cannot be trained as it is.

    Args:
        config: What is about to be queued; it is valid in itself.
        num_classes: Classes that it would learn, after its label map.
        devices: What the machine has; a run for a cluster or for several machines is not held
            against it.

    Raises:
        SegcoreError: There is one class only, the weights file is not there, or the batch does not
            fit into the device's memory.
    """
    if num_classes < 2:
        raise SegcoreError(
            f"Expected two classes or more to tell apart, received {num_classes}: choose a "
            "label map that keeps more, or none; "
            "of a single class every loss is at its least before the first step."
        )
    if config.hosts or config.device.partition(":")[0] == "cluster":
        return
    weights = config.model.weights
    if weights not in ("none", "imagenet") and not Path(weights).expanduser().is_file():
        raise SegcoreError(
            "Expected weights 'none', 'imagenet' or the path of a file, received "
            f"{weights!r}, which is no file here: check the path."
        )
    known = {device.id: device for device in devices}
    first = next((device.id for device in devices if device.id != "cpu"), "cpu")
    names = (
        [first] if config.device == "auto" else [part.strip() for part in config.device.split(",")]
    )
    used = [known[name] for name in names if name in known]
    if not used:
        return
    smallest = min(used, key=lambda device: device.memory)

    def bytes_of(batch: int) -> float:
        recipe = config.recipe
        return training_bytes(
            config.model, config.size, batch, num_classes, recipe.optimizer, recipe.precision
        ) / len(used)

    batch = config.recipe.batch_size
    if bytes_of(batch) <= DOUBT * smallest.memory:
        return
    fits = next(
        (half for half in _halves(batch, len(used)) if bytes_of(half) <= smallest.memory), 0
    )
    mend = (
        f"take a batch of {fits}"
        if fits
        else f"choose a smaller size than {config.size[0]} x {config.size[1]}, or a lighter network"
    )
    raise SegcoreError(
        f"Expected a batch that fits into the {smallest.memory / GIB:.1f} GiB of "
        f"{smallest.id}, received {batch} images, which need about "
        f"{bytes_of(batch) / GIB:.1f}: {mend}."
    )


def _halves(batch: int, parts: int) -> list[int]:
    """Smaller batches that divide among the devices, the largest first."""
    found = []
    while batch > parts:
        batch = batch // 2 // parts * parts or parts
        found.append(batch)
    return found
