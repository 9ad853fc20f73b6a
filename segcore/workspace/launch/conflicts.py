"""Conflicts of a config: what will fail or is probably not meant, each with its fix."""

from collections.abc import Sequence
from dataclasses import dataclass

from segcore.catalog import ENCODERS
from segcore.config import TrainConfig
from segcore.config.requests import place_of
from segcore.data.statistics.shrinkage import Shrinkage
from segcore.formatting import GIB, gib
from segcore.labels import list_names
from segcore.runs.machine.devices import Device
from segcore.runs.machine.processor import SLOW_BFLOAT16
from segcore.workspace.costs import Estimate

SHORT = 20
"""Up to so many epochs nobody expects a run to stop early."""


@dataclass(frozen=True)
class Facts:
    """What a config is held against.

    Attributes:
        splits: Samples with a mask by split.
        image_size: (height, width) of the images, the median where they differ.
        devices: What the machine has.
        free_disk: Bytes that are free where the workspace lies.
        absent_classes: Classes that no image of the training split holds.
        plan_notice: How the chosen balance plan differs from the training images; "" if it fits.
        repeated: Images of an epoch with the plan; None without one.
        shrunken: Classes that nearly disappear at the size, seen in some training masks.
        nowhere: Classes that no image of any split holds; each is also in ``absent_classes``.
        bfloat16: Whether the processor multiplies in bfloat16; None if unknown.
        one_size: Whether all images have the same size.
    """

    splits: dict[str, int]
    image_size: tuple[int, int]
    devices: Sequence[Device]
    free_disk: int
    absent_classes: tuple[str, ...] = ()
    plan_notice: str = ""
    repeated: int | None = None
    shrunken: Sequence[Shrinkage] = ()
    nowhere: tuple[str, ...] = ()
    bfloat16: bool | None = None
    one_size: bool = True


def find_conflicts(
    config: TrainConfig, facts: Facts, estimate: Estimate, runs: int = 1
) -> list[str]:
    """Name everything in a config that will fail or that may not be meant; empty where nothing is.

    Args:
        config: What is about to be started; it is valid in itself.
        facts: What it is held against.
        estimate: What it will take.
        runs: How many such runs are started.
    """
    return [
        *_data(config, facts),
        *_machine(config, facts, estimate, runs),
        *_recipe(config, facts),
    ]


def _data(config: TrainConfig, facts: Facts) -> list[str]:
    conflicts = []
    images = facts.repeated or facts.splits.get(config.train_split, 0)
    if config.validation_split == config.train_split:
        conflicts.append(
            "The best epoch is chosen on the training images, which rewards overfitting: choose "
            "another split for validation."
        )
    if not config.validation_split:
        conflicts.append(
            "Without a validation split the best epoch is chosen on the training images, "
            "and early stopping means little."
        )
    if 0 < images < config.recipe.batch_size:
        conflicts.append(
            f"A batch of {config.recipe.batch_size} is larger than the {images} images of "
            "an epoch: images repeat in it."
        )
    elsewhere = [name for name in facts.absent_classes if name not in facts.nowhere]
    if elsewhere:
        conflicts.append(
            f"No training image contains {list_names(elsewhere, 5)}, so the model cannot learn it. "
            "Create other splits, or merge labels."
        )
    if facts.nowhere:  # no other split could hold them
        conflicts.append(
            f"No image contains {list_names(facts.nowhere, 5)}, so the model cannot learn it. Add "
            "images of it, or merge labels."
        )
    if facts.plan_notice:
        conflicts.append(facts.plan_notice)
    return [*conflicts, *_size(config, facts), *_shrunken(config, facts.shrunken)]


def _size(config: TrainConfig, facts: Facts) -> list[str]:
    """Name what the size does to the images."""
    conflicts = []
    height, width = facts.image_size
    size = f"{config.size[0]} x {config.size[1]}"
    ratio = config.size[1] * height / (config.size[0] * width)
    if not 0.75 < ratio < 4 / 3:
        images = "the images are" if facts.one_size else "the median image is"
        conflicts.append(
            f"{size} changes the aspect ratio: {images} {height} x {width}. Choose a size of their "
            "proportions."
        )
    if config.size[0] > 1.3 * height and config.size[1] > 1.3 * width:
        median = "" if facts.one_size else "median "
        conflicts.append(
            f"{size} enlarges the images ({median}{height} x {width}), which costs time and adds "
            "no detail: choose a smaller size."
        )
    return conflicts


def _shrunken(config: TrainConfig, shrunken: Sequence[Shrinkage]) -> list[str]:
    """Name the classes that disappear at the size, and those that nearly do."""
    size = f"{config.size[0]} x {config.size[1]}"
    gone = [one.name for one in shrunken if one.is_gone]
    nearly = [
        f"{one.name} (gone from {one.without} of {one.masks} masks)"
        if 2 * one.without >= one.masks
        else f"{one.name} ({one.pixels:g} pixels in the median mask)"
        for one in shrunken
        if not one.is_gone
    ]
    fix = "Train at a larger size, or merge such a class into another."
    sentences = []
    if gone:
        sentences.append(f"At {size} the training masks lose {list_names(gone, 5)}. {fix}")
    if nearly:
        sentences.append(f"At {size} almost nothing is left of {list_names(nearly, 5)}. {fix}")
    return sentences


def _machine(config: TrainConfig, facts: Facts, estimate: Estimate, runs: int) -> list[str]:
    conflicts = []
    known = {device.id: device for device in facts.devices}
    gpus = [device for device in facts.devices if device.id != "cpu"]
    wanted = (
        [part.strip() for part in config.device.split(",")]
        if config.device != "auto"
        else [(gpus or [known["cpu"]])[0].id]
    )
    elsewhere = place_of(config.device)
    wanted = [] if elsewhere else wanted
    used = [known[name] for name in wanted if name in known]
    share = estimate.memory / max(len(used), 1)
    for device in used:
        if share > device.memory:
            conflicts.append(
                f"About {gib(share)} are needed and {device.id} has "
                f"{device.memory / GIB:.1f}: it will run out of memory. "
                "Choose a smaller batch, size or network."
            )
        elif share > device.memory - device.memory_used:
            left = max(0, device.memory - device.memory_used)
            conflicts.append(
                f"About {gib(share)} are needed and {device.id} has "
                f"{left / GIB:.1f} free at this moment: it may not fit."
            )
    if estimate.disk * runs > facts.free_disk:
        needed, free = estimate.disk * runs / GIB, facts.free_disk / GIB
        conflicts.append(
            f"About {needed:.1f} GiB of disk are needed and {free:.1f} are free: empty the "
            "trash, or start fewer runs."
        )
    on_gpu = elsewhere or any(device.id != "cpu" for device in used)
    if config.recipe.precision == "mixed_float16" and not on_gpu:
        conflicts.append(
            "Mixed float16 is slow on a processor: choose float32, or mixed bfloat16 where "
            "the processor knows it."
        )
    if config.recipe.precision == "mixed_bfloat16" and not on_gpu and facts.bfloat16 is False:
        conflicts.append(SLOW_BFLOAT16)
    return conflicts


def _recipe(config: TrainConfig, facts: Facts) -> list[str]:
    conflicts = []
    recipe = config.recipe
    if recipe.patience and recipe.patience >= recipe.epochs > SHORT:
        conflicts.append(
            f"Early stopping is off: patience ({recipe.patience}) is not below the epochs "
            f"({recipe.epochs}). Choose a smaller one to stop early."
        )
    if config.model.weights == "none" and config.model.encoder not in (
        "tiny",
        "plain",
        "plain_mini",
    ):
        images = facts.splits.get(config.train_split, 0)
        if images < 1000:
            row = ENCODERS.get(config.model.encoder)
            better = "ImageNet's, or a weights file"
            if row and not row.imagenet:
                better = "a weights file, or an encoder that has ImageNet's"
            conflicts.append(
                f"Random weights with {images} images learn slowly and end lower: take {better}."
            )
    if recipe.learning_rate > 0.01 and recipe.optimizer in ("adam", "adamw", "rmsprop"):
        conflicts.append(
            f"A learning rate of {recipe.learning_rate:g} is high for {recipe.optimizer}: "
            "0.001 is usual."
        )
    if recipe.precision == "mixed_float16" and recipe.clip_norm == 0:
        conflicts.append(
            "Mixed float16 without a limit on the gradient's norm meets NaN sooner: set it to 1."
        )
    return conflicts
