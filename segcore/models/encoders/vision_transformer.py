"""Plain vision transformers, DINOv2 and DINOv3, whose one map a simple pyramid brings to all strides."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import layers

from segcore.models.encoders.recipe import TORCH, Recipe
from segcore.models.layers.tokens import (
    ChannelScale,
    HeadAttention,
    PatchMap,
    PrefixTokens,
    ResizeTo,
)

STRIDE = 16
"""Pixels between the patches of every plain transformer here, whatever its patch size."""


@dataclass(frozen=True)
class Transformer:
    """The shape of a plain vision transformer.

    Attributes:
        width: Channels of a token.
        depth: Blocks.
        heads: Heads of attention; each has width / heads channels.
        patch: Side of a patch, pixels.
        registers: Register tokens.
        positions: Side of the grid of learned positions; 0 for none.
        theta: Base of the rotary positions; 0 for none.
        key_bias: Whether keys have a bias.
        epsilon: Of every layer normalisation.
        ratio: Width of the hidden layer between, over that of a token.
    """

    width: int
    depth: int
    heads: int
    patch: int
    registers: int = 0
    positions: int = 0
    theta: float = 0.0
    key_bias: bool = True
    epsilon: float = 1e-6
    ratio: float = 4.0


def build_vision_transformer(image: Any, shape: Transformer, name: str) -> keras.Model:
    """Build a plain vision transformer from a scaled image (B, H, W, 3) to (B, H/16, W/16, D).

    Oquab et al.: DINOv2, TMLR 2024; Siméoni et al.: DINOv3, 2025. The map is the last block's
    patches after the final normalisation. Departures: a network of 14-pixel patches sees the image
    resized by 14/16, so that every size that other encoders take gives patches at stride 16; no
    mask token and no stochastic depth, which only pretraining needs.

    Args:
        image: Height and width known, multiples of 16.
        shape: The network's shape.
        name: Its name.
    """
    grid = (image.shape[1] // STRIDE, image.shape[2] // STRIDE)
    x = image
    if shape.patch != STRIDE:
        sides = (grid[0] * shape.patch, grid[1] * shape.patch)
        x = ResizeTo(sides, dtype="float32", name="embeddings_resize")(x)
    x = layers.Conv2D(shape.width, shape.patch, strides=shape.patch, name="embeddings_patch")(x)
    x = layers.Reshape((grid[0] * grid[1], shape.width), name="embeddings_flat")(x)
    x = PrefixTokens(grid, shape.registers, shape.positions, name="embeddings_tokens")(x)
    for number in range(shape.depth):
        x = _block(x, shape, grid, f"block{number}")
    x = layers.LayerNormalization(epsilon=shape.epsilon, name="norm")(x)
    x = PatchMap(grid, name="patches")(x)
    return keras.Model(keras.utils.get_source_inputs(image), x, name=name)


def _block(x: Any, shape: Transformer, grid: tuple[int, int], name: str) -> Any:
    """Attention and two dense layers over tokens (B, T, D), each normalised, scaled and added."""
    width = shape.width
    y = layers.LayerNormalization(epsilon=shape.epsilon, name=f"{name}_norm1")(x)
    query = layers.Dense(width, name=f"{name}_query")(y)
    key = layers.Dense(width, use_bias=shape.key_bias, name=f"{name}_key")(y)
    value = layers.Dense(width, name=f"{name}_value")(y)
    y = HeadAttention(shape.heads, grid, shape.theta, name=f"{name}_attention")([query, key, value])
    y = layers.Dense(width, name=f"{name}_proj")(y)
    x = layers.Add(name=f"{name}_add1")([x, ChannelScale(name=f"{name}_scale1")(y)])
    y = layers.LayerNormalization(epsilon=shape.epsilon, name=f"{name}_norm2")(x)
    y = layers.Dense(int(shape.ratio * width), activation="gelu", name=f"{name}_fc1")(y)
    y = layers.Dense(width, name=f"{name}_fc2")(y)
    return layers.Add(name=f"{name}_add2")([x, ChannelScale(name=f"{name}_scale2")(y)])


def _dinov2(width: int, depth: int, heads: int) -> Transformer:
    return Transformer(width, depth, heads, 14, positions=37)


def _dinov3(width: int, depth: int, heads: int) -> Transformer:
    return Transformer(
        width, depth, heads, 16, registers=4, theta=100.0, key_bias=False, epsilon=1e-5
    )


SHAPES: dict[str, Transformer] = {
    "dinov2_small": _dinov2(384, 12, 6),
    "dinov2_base": _dinov2(768, 12, 12),
    "dinov2_large": _dinov2(1024, 24, 16),
    "dinov3_small": _dinov3(384, 12, 6),
    "dinov3_base": _dinov3(768, 12, 12),
    "dinov3_large": _dinov3(1024, 24, 16),
}
"""The published sizes; the others (giant, huge, 7B) are no encoders for one machine."""

RECIPES: dict[str, Recipe] = {
    name: Recipe(
        partial(build_vision_transformer, shape=shape, name=name), TORCH, {STRIDE: ""}, False
    )
    for name, shape in SHAPES.items()
}
