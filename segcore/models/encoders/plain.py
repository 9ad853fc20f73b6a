"""The contracting path of the first U-Net, as an encoder for any decoder."""

from typing import Any

import keras
from keras import layers

from segcore.models.encoders.recipe import PLUS_MINUS_ONE, Recipe, at
from segcore.models.layers.blocks import conv


def _build(image: Any, first: int, depth: int, name: str) -> keras.Model:
    x = image
    for level in range(depth):
        stride, filters = 2**level, first * 2**level
        if level:
            x = layers.MaxPooling2D(2, name=f"plain_{stride}_pool")(x)
        x = conv(x, filters, f"plain_{stride}a")
        x = conv(x, filters, f"plain_{stride}b")
    return keras.Model(keras.utils.get_source_inputs(image), x, name=name)


def build_plain(image: Any) -> keras.Model:
    """Build two 3x3 convolutions per scale, 64 to 1024 filters, at strides 1 to 16.

    Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015. Departures: SAME padding, batch normalisation.
    """
    return _build(image, 64, 5, "plain")


def build_plain_mini(image: Any) -> keras.Model:
    """Build the same with a quarter of the filters (16 to 256): the "mini" U-Net."""
    return _build(image, 16, 5, "plain_mini")


_PLAIN = at(*(f"plain_{2**i}b_relu" for i in range(5)), first=1)
RECIPES: dict[str, Recipe] = {
    "plain": Recipe(build_plain, PLUS_MINUS_ONE, _PLAIN, False),
    "plain_mini": Recipe(build_plain_mini, PLUS_MINUS_ONE, _PLAIN, False),
}
