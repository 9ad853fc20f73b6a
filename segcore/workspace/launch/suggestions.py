"""A recommended config with a reason for each value, from what the dataset and the machine have.

The rules are those of practice, written out; none of them is learned, and each reason names the
number that it rests on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.data.statistics.statistics import StatisticsSummary
from segcore.formatting import gib
from segcore.runs.machine.devices import Device
from segcore.workspace.costs import training_bytes

MILD, SEVERE = 3.0, 30.0
"""Mean imbalance ratios (pixels) from which the loss, and from which the class weights, change."""
UNPROVED = (
    "A rule by the imbalance, not a measured gain: some teams saw none (docs/deck-ablation.md). "
    "The Ablation page compares losses on your images."
)
"""What is known of the loss that is recommended for imbalanced classes."""
FEW, MANY = 200, 2000
"""Training images below which augmentation is strong, and from which it need not be."""
SEEN = 8000
"""Images that a run should see in all."""
SHARE = 0.6
"""Fraction of a device's memory that the estimate may fill."""


@dataclass(frozen=True)
class Suggestion:
    """A recommended config.

    Attributes:
        config: What to train.
        reasons: Why, by name of a field; fields that keep their defaults have none.
    """

    config: TrainConfig
    reasons: Mapping[str, str]


def suggest_config(
    dataset: str,
    summary: StatisticsSummary,
    size: tuple[int, int],
    devices: Sequence[Device],
    plans: Sequence[str] = (),
) -> Suggestion:
    """Recommend what to train.

    Args:
        dataset: Name of the dataset.
        summary: The figures of the training split.
        size: (height, width) of its images, pixels; of most of them where they differ.
        devices: What the machine has, as :func:`segcore.runs.machine.devices.list_devices` says.
        plans: Names of the balance plans that are saved with the dataset.
    """
    device, images = _device(devices), summary.num_samples
    on_gpu, classes = device.id != "cpu", len(summary.classes)
    model, reasons = _model(device, images)
    shape = fit_size(size, 512 if on_gpu else 256, model.stride)
    reasons["size"] = _size_reason(size, shape, on_gpu)
    batch = fit_batch(model, shape, classes, images, device)
    needed = training_bytes(model, shape, batch, classes)
    reasons["batch_size"] = (
        f"An estimated {gib(needed)} stays below {100 * SHARE:.0f} % of the "
        f"{gib(device.memory, 0)} there, and an epoch has at least four steps."
    )
    loss, weights, why = _loss(summary, summary.imbalance["pixel"].mean_ir or 1.0)
    reasons |= {"loss": why, "class_weights": why}
    plan, reasons["balance_plan"] = _balance(summary, plans)
    augmentation = "strong" if images < FEW else "light"
    amount = "few: each should look different every time" if images < FEW else "enough"
    reasons["augmentation"] = (
        f"{images} images are {amount}. Choose Aerial for views from above, Road for street views."
    )
    epochs = max(20, min(100, math.ceil(SEEN / max(images, 1))))
    patience = max(10, epochs // 3)
    reasons["epochs"] = f"{epochs} epochs show the model {epochs * images:,} images."
    reasons["patience"] = f"Stops when {patience} epochs bring no improvement."
    reasons["learning_rate"] = "Adam's usual rate."
    reasons["schedule"] = "Ends at a learning rate of 0, so that the weights converge."
    reasons["warmup_epochs"] = "One epoch of warm-up protects the pretrained weights."
    reasons["clip_norm"] = "Clips rare large gradients."
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
    return Suggestion(TrainConfig(dataset, model, recipe, shape, balance_plan=plan), reasons)


def _model(device: Device, images: int) -> tuple[ModelConfig, dict[str, str]]:
    """Return the model for a device, and the reasons by field."""
    if device.id == "cpu":
        encoder = "mobilenet_v2"
        why = f"Without a GPU ({device.cores} CPU cores), 2 million parameters are feasible."
    else:
        encoder = "resnet50"
        why = f"{device.name} with {gib(device.memory, 0)} has room for the reference encoder."
    amount = "few" if images < MANY else "enough"
    return ModelConfig("unet", encoder, "imagenet"), {
        "architecture": "Skip connections at every scale keep boundaries sharp.",
        "encoder": why,
        "weights": f"{images} images are {amount}; pretrained weights help.",
    }


def _device(devices: Sequence[Device]) -> Device:
    """Return the GPU with most memory, else the CPU."""
    gpus = [device for device in devices if device.id.startswith("gpu:")]
    return max(gpus, key=lambda d: d.memory) if gpus else devices[0]


def fit_size(size: tuple[int, int], most: int, stride: int) -> tuple[int, int]:
    """Return a size of the images' proportions, at most ``most`` on its shorter side.

    It is in multiples of the stride and never enlarges the images.
    """
    scale = min(1.0, most / min(size))
    height, width = (max(stride, int(side * scale / stride + 0.5) * stride) for side in size)
    return height, width


def _size_reason(size: tuple[int, int], shape: tuple[int, int], on_gpu: bool) -> str:
    if shape[0] * shape[1] >= 0.9 * size[0] * size[1]:
        return f"The images' own size ({size[0]} x {size[1]}), rounded to the model's stride."
    share = 100 * shape[0] * shape[1] / (size[0] * size[1])
    return (
        f"{share:.0f} % of the pixels of {size[0]} x {size[1]}: feasible on a "
        f"{'GPU' if on_gpu else 'CPU'}. Choose more where small objects matter."
    )


def fit_batch(
    model: ModelConfig, shape: tuple[int, int], num_classes: int, images: int, device: Device
) -> int:
    """Return the largest batch up to 16 that fits the device and leaves four steps an epoch."""
    for batch in (16, 8, 4, 2):
        if (
            batch <= max(1, images // 4)
            and training_bytes(model, shape, batch, num_classes) <= SHARE * device.memory
        ):
            return batch
    return 1


def _loss(summary: StatisticsSummary, imbalance: float) -> tuple[str, str, str]:
    """Return loss, class weights and the reason for them."""
    rarest = min(
        (c for c in summary.classes if c.pixels), key=lambda c: c.pixel_share, default=None
    )
    example = (
        f"the rarest, {rarest.name}, has {100 * rarest.pixel_share:.2g} % of the pixels"
        if rarest
        else "nothing is labelled"
    )
    number = f"Classes are {imbalance:.1f} times rarer than the largest on average ({example})"
    if imbalance < MILD:
        return "cross_entropy", "none", f"{number}: balanced enough for the steadiest loss."
    if imbalance < SEVERE:
        why = f"{number}: Dice counts rare classes fully, focal targets hard pixels. {UNPROVED}"
        return "dice_focal", "none", why
    why = f"{number}: besides an overlap loss, mild weights keep the rarest from vanishing. {UNPROVED}"
    return "dice_focal", "inverse_root", why


def _balance(summary: StatisticsSummary, plans: Sequence[str]) -> tuple[str, str]:
    """Return a saved plan, or "", and the reason."""
    rare = [c.name for c in summary.classes if 0 < c.images < 0.05 * summary.num_samples]
    if not rare:
        return "", "Every class is in at least 5 % of the images: no oversampling needed."
    names = ", ".join(rare[:3]) + (" and others" if len(rare) > 3 else "")
    if plans:
        return plans[0], f"{names}: in fewer than 5 % of the images, which the plan oversamples."
    return "", (
        f"{names}: in fewer than 5 % of the images. Plan oversampling on the Balance page; no plan "
        "is saved yet."
    )
