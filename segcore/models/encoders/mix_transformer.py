"""Mix transformer (MiT), SegFormer's hierarchical encoder."""

from typing import Any

import keras
from keras import layers

from segcore.models.encoders.recipe import TORCH, Recipe, at

HEADS = (1, 2, 5, 8)
REDUCTIONS = (8, 4, 2, 1)
"""Per stage: keys and values are shrunk this much in height and width before attention."""


def _attention(x: Any, stage: int, name: str) -> Any:
    """Attend over all positions, keys and values from a strided convolution of x (B, h, w, D)."""
    height, width, channels = x.shape[1:]
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    source = x
    reduction = min(REDUCTIONS[stage], height, width)
    if reduction > 1:
        source = layers.Conv2D(channels, reduction, strides=reduction, name=f"{name}_reduce")(
            source
        )
        source = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_reduce_norm")(source)
    tokens = layers.Reshape((height * width, channels), name=f"{name}_tokens")(x)
    source = layers.Reshape((-1, channels), name=f"{name}_source")(source)
    heads = HEADS[stage]
    out = layers.MultiHeadAttention(heads, channels // heads, name=f"{name}_attention")(
        tokens, source
    )
    return layers.Reshape((height, width, channels), name=f"{name}_map")(out)


def _mix_ffn(x: Any, name: str) -> Any:
    """Apply two dense layers, four times wider between, around a depthwise 3x3 convolution."""
    channels = x.shape[-1]
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    x = layers.Dense(4 * channels, name=f"{name}_fc1")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_dwconv")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    return layers.Dense(channels, name=f"{name}_fc2")(x)


def _build(
    image: Any, widths: tuple[int, int, int, int], depths: tuple[int, int, int, int], name: str
) -> keras.Model:
    x = image
    for stage, (channels, depth) in enumerate(zip(widths, depths, strict=True)):
        kernel, strides = (7, 4) if stage == 0 else (3, 2)
        x = layers.Conv2D(
            channels, kernel, strides=strides, padding="same", name=f"patch_embed{stage + 1}"
        )(x)
        x = layers.LayerNormalization(epsilon=1e-6, name=f"patch_embed{stage + 1}_norm")(x)
        for i in range(depth):
            block = f"block{stage + 1}_{i}"
            x = layers.Add(name=f"{block}_add1")([x, _attention(x, stage, block)])
            x = layers.Add(name=f"{block}_add2")([x, _mix_ffn(x, block)])
        x = layers.LayerNormalization(epsilon=1e-6, name=f"norm{stage + 1}")(x)
    return keras.Model(keras.utils.get_source_inputs(image), x, name=name)


def build_mit_b0(image: Any) -> keras.Model:
    """Build MiT-B0 from a scaled image (B, H, W, 3); taps ``norm1`` to ``norm4``, strides 4 to 32.

    Xie et al., "SegFormer", NeurIPS 2021. Departures: no stochastic depth; the key reduction is
    capped by the map's size, so that small images work.
    """
    return _build(image, (32, 64, 160, 256), (2, 2, 2, 2), "mit_b0")


def build_mit_b1(image: Any) -> keras.Model:
    """Build MiT-B1: twice the width of B0."""
    return _build(image, (64, 128, 320, 512), (2, 2, 2, 2), "mit_b1")


def build_mit_b2(image: Any) -> keras.Model:
    """Build MiT-B2: the width of B1, deeper (3, 4, 6, 3 blocks)."""
    return _build(image, (64, 128, 320, 512), (3, 4, 6, 3), "mit_b2")


_MIT = at("norm1", "norm2", "norm3", "norm4", first=4)
RECIPES: dict[str, Recipe] = {
    "mit_b0": Recipe(build_mit_b0, TORCH, _MIT, False),
    "mit_b1": Recipe(build_mit_b1, TORCH, _MIT, False),
    "mit_b2": Recipe(build_mit_b2, TORCH, _MIT, False),
}
