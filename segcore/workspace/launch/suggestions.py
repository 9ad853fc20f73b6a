"""A plan to begin with, each choice with its reason: a pure function of what the dataset holds and what the machine has.

The rules are those of practice, written out; none of them is learned, and each reason names the
number that it rests on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcore.catalog import ARCHITECTURES, AUGMENTATIONS, CLASS_WEIGHTS, ENCODERS, LOSSES
from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.runs.machine.devices import Device
from segcore.workspace.costs import training_bytes

GIB = 1 << 30
MILD, SEVERE = 3.0, 30.0
"""Mean imbalance ratios (pixels) from which the loss, and from which the class weights, change."""
FEW, MANY = 200, 2000
"""Training images below which augmentation is strong, and above which it need not be."""
SEEN = 8000
"""Images that a run should see in all."""
SHARE = 0.6
"""Share of a device's memory that the estimate may fill."""


@dataclass(frozen=True)
class Suggestion:
    """A plan.

    Attributes:
        config: What to train.
        reasons: For each choice, in the order of weight: (what, chosen, why).
    """

    config: TrainConfig
    reasons: tuple[tuple[str, str, str], ...]


def suggest_config(
    dataset: str,
    summary: Mapping[str, Any],
    size: tuple[int, int],
    devices: Sequence[Device],
    plans: Sequence[str] = (),
) -> Suggestion:
    """Suggest what to train.

    Args:
        dataset: Name of the dataset.
        summary: ``ClassStatistics.summary`` of the training split.
        size: (height, width) of its images, pixels; of most of them where they differ.
        devices: What the machine has, as :func:`segcore.runs.machine.devices.list_devices` says.
        plans: Names of the balance plans that are saved with the dataset.
    """
    reasons: list[tuple[str, str, str]] = []
    device = _device(devices)
    on_gpu = device.id != "cpu"
    images = int(summary["num_samples"])
    imbalance = summary["imbalance"]["pixel"]["mean_ir"] or 1.0
    model = ModelConfig("unet", "resnet50" if on_gpu else "mobilenet_v2", "imagenet")
    where = (
        f"{device.name}, {device.memory / GIB:.0f} GiB"
        if on_gpu
        else f"No GPU here, {device.cores} processor cores"
    )
    reasons.append(
        (
            "Network",
            (
                f"{ARCHITECTURES[model.architecture].title} with "
                f"{ENCODERS[model.encoder].title}, ImageNet weights"
            ),
            f"Skips at every scale keep outlines sharp. {where}: "
            + (
                "room for the reference encoder"
                if on_gpu
                else "an encoder of 2 million parameters trains in reasonable time"
            )
            + (
                f"; {images} images are {'few' if images < MANY else 'enough'}, and weights "
                "that have seen others help."
            ),
        )
    )
    shape = fit_size(size, 512 if on_gpu else 256, model.stride)
    reasons.append(("Size", f"{shape[0]} x {shape[1]}", _size_reason(size, shape, on_gpu)))
    batch = fit_batch(model, shape, len(summary["classes"]), images, device)
    reasons.append(
        (
            "Batch",
            f"{batch} images",
            "The estimate for it, "
            f"{training_bytes(model, shape, batch, len(summary['classes'])) / GIB:.1f} "
            "GiB, stays below "
            f"{100 * SHARE:.0f} % of the {device.memory / GIB:.0f} GiB there, and an epoch "
            "has at least four steps.",
        )
    )
    loss, weights, why = _loss(summary, imbalance)
    reasons.append(
        (
            "Loss",
            LOSSES[loss].title
            + (
                f", classes weighted by {CLASS_WEIGHTS[weights].title.lower()}"
                if weights != "none"
                else ""
            ),
            why,
        )
    )
    plan, advice = _balance(summary, plans)
    reasons.append(("Balance", plan or "As it is", advice))
    augmentation = "strong" if images < FEW else "light"
    reasons.append(
        (
            "Augmentation",
            AUGMENTATIONS[augmentation].title,
            f"{images} images are "
            f"{'few: each should look different every time' if images < FEW else 'enough for small changes'}. "
            ""
            ""
            "For views from above choose “Aerial”, for street views “Road”.",
        )
    )
    epochs = max(20, min(100, math.ceil(SEEN / max(images, 1))))
    patience = max(10, epochs // 3)
    reasons.append(
        (
            "Epochs",
            f"{epochs}, patience {patience}",
            (
                f"{epochs} passes show the network {epochs * images:,} images; it stops where "
                f"{patience} epochs bring nothing."
            ),
        )
    )
    recipe = RecipeConfig(
        loss=loss,
        class_weights=weights,
        augmentation=augmentation,
        epochs=epochs,
        patience=patience,
        batch_size=batch,
        schedule="cosine",
        warmup_epochs=1.0,
        clip_norm=1.0,
    )
    reasons.append(
        (
            "Learning rate",
            "1e-3, cosine, one epoch of warm-up",
            "Adam's usual rate; the warm-up spares the trained weights.",
        )
    )
    return Suggestion(TrainConfig(dataset, model, recipe, shape, balance_plan=plan), tuple(reasons))


def _device(devices: Sequence[Device]) -> Device:
    """Return the GPU with most memory; where there is none, the processor."""
    gpus = [device for device in devices if device.id.startswith("gpu:")]
    return max(gpus, key=lambda d: d.memory) if gpus else devices[0]


def fit_size(size: tuple[int, int], most: int, stride: int) -> tuple[int, int]:
    """Return a size of the images' proportions whose shorter side is at most ``most``, in multiples of the stride, never enlarged."""
    scale = min(1.0, most / min(size))
    height, width = (max(stride, int(side * scale / stride + 0.5) * stride) for side in size)
    return height, width


def _size_reason(size: tuple[int, int], shape: tuple[int, int], on_gpu: bool) -> str:
    if shape[0] * shape[1] >= 0.9 * size[0] * size[1]:
        return f"The images' own size, {size[0]} x {size[1]}, in multiples that the network takes."
    share = 100 * shape[0] * shape[1] / (size[0] * size[1])
    limit = "a GPU" if on_gpu else "a processor"
    return (
        f"{share:.0f} % of the pixels of {size[0]} x {size[1]}: what {limit} learns from "
        "in reasonable time. "
        "Choose more where small things matter."
    )


def fit_batch(
    model: ModelConfig, shape: tuple[int, int], num_classes: int, images: int, device: Device
) -> int:
    """Return the largest of 16, 8, 4, 2, 1 whose estimate fits the device and that gives an epoch of four steps."""
    for batch in (16, 8, 4, 2):
        if (
            batch <= max(1, images // 4)
            and training_bytes(model, shape, batch, num_classes) <= SHARE * device.memory
        ):
            return batch
    return 1


def _loss(summary: Mapping[str, Any], imbalance: float) -> tuple[str, str, str]:
    rarest = min(
        (c for c in summary["classes"] if c["pixels"]), key=lambda c: c["pixel_share"], default=None
    )
    told = (
        f"the rarest class, {rarest['name']}, has {100 * rarest['pixel_share']:.2g} % of the pixels"
        if rarest
        else "nothing is labelled"
    )
    number = f"Classes are {imbalance:.1f} times rarer than the largest, on average ({told})"
    if imbalance < MILD:
        return "cross_entropy", "none", f"{number}: balanced enough for the steadiest loss."
    if imbalance < SEVERE:
        return (
            "dice_focal",
            "none",
            f"{number}: overlap lets rare classes count fully, focal looks at hard pixels.",
        )
    return (
        "dice_focal",
        "inverse_root",
        f"{number}: beside the overlap loss, mild weights keep the rarest from vanishing.",
    )


def _balance(summary: Mapping[str, Any], plans: Sequence[str]) -> tuple[str, str]:
    rare = [
        c["name"] for c in summary["classes"] if 0 < c["images"] < 0.05 * summary["num_samples"]
    ]
    if not rare:
        return "", "Every class stands in at least one image of twenty: nothing has to repeat."
    names = ", ".join(rare[:3]) + (" and others" if len(rare) > 3 else "")
    if plans:
        return plans[
            0
        ], f"{names}: in fewer than one image of twenty; the saved plan repeats such images."
    return (
        "",
        (
            f"{names}: in fewer than one image of twenty. A plan on the balance page repeats "
            "such images; none is saved yet."
        ),
    )
