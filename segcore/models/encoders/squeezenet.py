"""SqueezeNet 1.1: a small encoder of plain convolutions only, hence quick on a CPU."""

from typing import Any

import keras
from keras import layers

from segcore.models.encoders.recipe import CAFFE, Recipe, at

SQUEEZE = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}
"""Filters of each fire module's squeeze; each of its two expansions has four times as many."""


def _fire(x: Any, number: int) -> Any:
    name, squeeze = f"fire{number}", SQUEEZE[number]
    x = layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze1x1")(x)
    one = layers.Conv2D(4 * squeeze, 1, activation="relu", name=f"{name}_expand1x1")(x)
    three = layers.Conv2D(
        4 * squeeze, 3, padding="same", activation="relu", name=f"{name}_expand3x3"
    )(x)
    return layers.Concatenate(name=f"{name}_concat")([one, three])


def build_squeezenet(image: Any) -> keras.Model:
    """Build SqueezeNet 1.1 without its classification top.

    Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016; version
    1.1 of the authors' repository. Departure: SAME instead of valid padding, so that each scale
    halves exactly.

    Args:
        image: Scaled image (BGR, mean subtracted), (B, H, W, 3).

    Returns:
        A model with taps ``conv1`` (stride 2), ``fire3_concat`` (4), ``fire5_concat`` (8),
        ``fire9_concat`` (16).
    """
    x = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu", name="conv1")(image)
    for number in SQUEEZE:
        if number in (2, 4, 6):
            x = layers.MaxPooling2D(3, 2, padding="same", name=f"pool_before_fire{number}")(x)
        x = _fire(x, number)
    return keras.Model(keras.utils.get_source_inputs(image), x, name="squeezenet")


RECIPES: dict[str, Recipe] = {
    "squeezenet": Recipe(
        build_squeezenet, CAFFE, at("conv1", "fire3_concat", "fire5_concat", "fire9_concat"), False
    ),
}
