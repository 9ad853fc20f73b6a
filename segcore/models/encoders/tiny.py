"""Segscope's own small encoder, for tests, first tries and the demo."""

from typing import Any

import keras

from segcore.models.encoders.recipe import PLUS_MINUS_ONE, Recipe, at
from segcore.models.layers.blocks import conv
from segcore.models.layers.features import STRIDES

WIDTHS = {1: 16, 2: 24, 4: 32, 8: 48, 16: 64, 32: 96}


def build_tiny(image: Any) -> keras.Model:
    """Build an encoder of eleven plain 3x3 convolutions: one strided and one not per scale.

    Args:
        image: Scaled image, (B, H, W, 3).

    Returns:
        A model whose layers ``tiny_<stride>b_relu`` are the taps, strides 1 to 32.
    """
    x = conv(image, WIDTHS[1], "tiny_1b")
    for stride in (2, 4, 8, 16, 32):
        x = conv(x, WIDTHS[stride], f"tiny_{stride}a", strides=2)
        x = conv(x, WIDTHS[stride], f"tiny_{stride}b")
    return keras.Model(keras.utils.get_source_inputs(image), x, name="tiny")


RECIPES: dict[str, Recipe] = {
    "tiny": Recipe(
        build_tiny, PLUS_MINUS_ONE, at(*(f"tiny_{s}b_relu" for s in (1, *STRIDES)), first=1), False
    ),
}
