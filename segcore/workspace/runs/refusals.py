"""Reasons to refuse a run before it is queued or read, each with its fix."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from segcore.catalog.hub import is_hub
from segcore.config import TrainConfig
from segcore.config.requests import (
    CLUSTER,
    check_batch,
    check_gpus,
    count_devices,
    no_cluster,
    place_of,
)
from segcore.data.balance.plans import BalancePlan, Mismatch
from segcore.data.dataset.dataset import Dataset
from segcore.data.splits.folds import parent_of
from segcore.errors import SegcoreError
from segcore.formatting import GIB, gib
from segcore.labels import LabelMap, LabelSet
from segcore.models.weights.headers import check_header
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import Status
from segcore.runs.machine.devices import Device
from segcore.runs.machine.diagnosis import Diagnosis
from segcore.workspace.costs import training_bytes

DOUBT = 1.25
"""Factor by which an estimate must exceed the memory; it may be a fifth too high."""


def refuse(config: TrainConfig, num_classes: int, devices: Sequence[Device]) -> None:
    """Refuse a run that cannot be trained as it is.

    Args:
        config: What is about to be queued; it is valid in itself.
        num_classes: Classes that it would learn, after its label map.
        devices: What the machine has; a run for a cluster or for several machines is not held
            against it.

    Raises:
        SegcoreError: There is one class only, the weights file is not there or of another encoder,
            or the batch does not fit into the device's memory or divide among the devices.
    """
    if num_classes < 2:
        raise SegcoreError(
            f"Expected two classes or more, received {num_classes}: choose a "
            "label map that keeps more, or none; "
            "of a single class every loss is at its least before the first step."
        )
    if not config.hosts:
        check_batch(config.recipe.batch_size, count_devices(config.device))
    if config.hosts or place_of(config.device):
        return
    _refuse_weights(config)
    _refuse_batch(config, num_classes, devices)


def _refuse_weights(config: TrainConfig) -> None:
    """Refuse a file of weights that is not there, or whose header shows another encoder."""
    weights = config.model.weights
    file = Path(weights).expanduser()
    there = file.exists() if is_hub(config.model.encoder) else file.is_file()
    if weights not in ("none", "imagenet", "preset") and not there:
        raise SegcoreError(
            "Expected weights 'none', 'imagenet' or the path of a file, received "
            f"{weights!r}, which is no file here: check the path."
        )
    if weights not in ("none", "imagenet", "preset") and not is_hub(config.model.encoder):
        check_header(file, config.model.encoder)


def _refuse_batch(config: TrainConfig, num_classes: int, devices: Sequence[Device]) -> None:
    """Refuse a batch that does not fit into the memory of the devices that would train."""
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
    fix = (
        f"take a batch of {fits}"
        if fits
        else f"choose a smaller size than {config.size[0]} x {config.size[1]}, or a lighter network"
    )
    raise SegcoreError(
        f"Expected a batch that fits into the {gib(smallest.memory)} of "
        f"{smallest.id}, received {batch} images, which need about "
        f"{bytes_of(batch) / GIB:.1f}: {fix}."
    )


def refuse_bands(config: TrainConfig, dataset: Dataset) -> None:
    """Refuse a recipe that means nothing for images whose bands keep their values.

    Raises:
        SegcoreError: It evens the lightness of pictures, which they are not.
    """
    if dataset.bands is not None and config.model.preprocessing == "clahe":
        raise SegcoreError(
            "Expected the preprocessing none or standardise for bands that keep their values "
            f"({dataset.name!r}), received clahe, which evens the lightness of pictures: choose one "
            "of these."
        )


def plan_mismatch(config: TrainConfig, dataset: Dataset) -> Mismatch | None:
    """Return how a config's balance plan differs from the images it trains on; None if it fits.

    A fold has the plan of its parent dataset, whose images it shares out anew: it is not refused.

    Raises:
        SegcoreError: There is no such split or plan, or the plan is damaged.
    """
    if not config.balance_plan:
        return None
    plan = BalancePlan.from_json(dataset.load_plan(config.balance_plan))
    ids = [s.id for s in dataset.select(config.train_split) if s.mask is not None]
    mismatch = plan.mismatch(config.balance_plan, config.train_split, ids)
    if mismatch and parent_of(dataset) and plan.split in ("", config.train_split):
        return replace(mismatch, refuses=False)
    return mismatch


def refuse_plan(config: TrainConfig, dataset: Dataset) -> None:
    """Refuse a balance plan that was made for another split, or for other images of it.

    Raises:
        SegcoreError: As :func:`plan_mismatch`, or the plan does not fit.
    """
    mismatch = plan_mismatch(config, dataset)
    if mismatch and mismatch.refuses:
        raise SegcoreError(mismatch.message)


def refuse_changed_classes(run: RunFolder, dataset: Dataset) -> None:
    """Refuse a run whose class indices mean other classes than its dataset's do now.

    Classes are known by their ids, so that new names and colours are no change. A run that noted
    no classes (it has not begun, or an older version imported it) passes.

    Raises:
        SegcoreError: Classes were set to ignored, scored again, or brought into another order.
    """
    noted = _noted_classes(run)
    if noted is None:
        return
    (known, label_map), now = noted, dataset.label_set
    if label_map is None:
        fits = known.class_ids == now.class_ids
    else:  # a merged set has no ids of the dataset: its names show another order
        fits = label_map.num_classes == now.num_classes
        if fits:
            names = label_map.merge_label_set(now).class_names
            fits = names == known.class_names or sorted(names) != sorted(known.class_names)
    if not fits:
        raise changed_classes(dataset, run.id, known.class_names)


def _noted_classes(run: RunFolder) -> tuple[LabelSet, LabelMap | None] | None:
    """Return the classes that a run was made with, and their merge; None if unknown."""
    try:
        changed = (run.folder / "labels.json").stat().st_mtime_ns
    except OSError:
        return None
    return _read_classes(str(run.folder), changed)


@lru_cache(maxsize=1024)
def _read_classes(folder: str, changed: int) -> tuple[LabelSet, LabelMap | None] | None:
    """Read the classes of a run; ``changed`` (nanoseconds since 1970) makes it read them again."""
    try:
        data = RunFolder(folder).read_json("labels")
        merge = data.get("label_map")
        return LabelSet.from_json(data["label_set"]), merge and LabelMap.from_json(merge)
    except (SegcoreError, KeyError, TypeError):
        return None


def changed_classes(dataset: Dataset, run: str, known: Sequence[str]) -> SegcoreError:
    """Return the one sentence for a run that was made with other classes than its dataset has.

    Args:
        dataset: The dataset as it is now.
        run: Id of the run.
        known: Names of the classes that the run was made with; numbers where no name is known.
    """
    return SegcoreError(
        f"The classes of {dataset.name!r} changed after the run {run!r}: it was made with "
        f"{_listed(known)}, the dataset now has {_listed(dataset.label_set.class_names)}. Change "
        "them back (segscope classes), or train again."
    )


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)} ({', '.join(names[:most])}{more})"


def not_finished(run: str, status: Status, what: str = "training run") -> SegcoreError:
    """Return the one sentence for a run that should have finished: its state, why, and what to do.

    Args:
        run: Its id.
        status: How it is going.
        what: What was expected, such as "training run".
    """
    received = f"Expected a finished {what}, received {run!r}, which"
    if not status.has_ended:
        return SegcoreError(f"{received} is {status.state}: wait for it.")
    ended = "failed" if status.state == "failed" else "was interrupted"
    cause = f" ({status.cause.strip().rstrip('.')})" if status.cause.strip() else ""
    return SegcoreError(
        f"{received} {ended}{cause}: resume it (segscope runs resume {run}), or read its log "
        f"(segscope runs show {run})."
    )


def refuse_absent_device(
    config: TrainConfig, devices: Sequence[str], elsewhere: bool, cluster: str
) -> None:
    """Refuse a run on a device that nobody has, with the sentence that its process would end with.

    Args:
        config: What is about to be queued.
        devices: Ids of the devices of the machines that work on the queue, this one among them.
        elsewhere: Whether machines that are not known yet work on the queue.
        cluster: Address of the workspace's cluster; "" for none.

    Raises:
        SegcoreError: The device is not there, or no cluster is named.
    """
    place = place_of(config.device)
    if place == CLUSTER and not cluster:
        raise no_cluster()
    if not (place or elsewhere or config.hosts):
        check_gpus(config.device, [name for name in devices if name != "cpu"])


def refuse_device(config: TrainConfig, diagnosis: Diagnosis | None) -> None:
    """Refuse a run on a device where the doctor saw the engine fail.

    Args:
        config: What is about to be queued.
        diagnosis: The doctor's last answer; None where it was not asked, or driver and packages
            have changed since.

    Raises:
        SegcoreError: The engine cannot use a device that the config names.
    """
    if diagnosis is None or config.hosts or config.engine == "auto":
        return
    if config.device == "auto":  # takes any GPU that is free, but none that the engine cannot see
        answer = diagnosis.engines.get(config.engine, {"devices": ["cpu"]})
        devices = [name for name in answer["devices"] if name != "cpu"] or ["cpu"]
    else:
        devices = [part.strip() for part in config.device.split(",")]
    for device in devices:
        if device == "cpu" or device.startswith("gpu:"):
            failure = diagnosis.failure(config.engine, device, config.recipe.precision)
            if failure:
                raise SegcoreError(
                    f"Expected a device that can train, received {config.device!r}: {failure}. "
                    "Choose another device or precision, or repair it and check again (segscope doctor)."
                )


def _halves(batch: int, parts: int) -> list[int]:
    """Smaller batches that divide among the devices, the largest first."""
    batches = []
    while batch > parts:
        batch = batch // 2 // parts * parts or parts
        batches.append(batch)
    return batches
