"""Mix transformer (MiT), SegFormer's hierarchical encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from segcore.models.encoders.recipe import TORCH, Recipe, at


@dataclass(frozen=True)
class MixTransformer:
    """The shape of a mix transformer, stage by stage.

    Attributes:
        widths: Channels.
        depths: Blocks.
        heads: Heads of attention.
        reductions: Keys and values are shrunk this much in height and width before attention.
        published: Whether patches are padded and normalised as in the published networks, whose
            weights need that: evenly, and with an epsilon of 1e-5 outside the blocks.
    """

    widths: Sequence[int]
    depths: Sequence[int]
    heads: Sequence[int] = (1, 2, 5, 8)
    reductions: Sequence[int] = (8, 4, 2, 1)
    published: bool = False

    @property
    def epsilon(self) -> float:
        """The epsilon of every normalisation outside the blocks."""
        return 1e-5 if self.published else 1e-6


def _attention(x: Any, shape: MixTransformer, stage: int, name: str) -> Any:
    """Attend over all positions, keys and values from a strided convolution of x (B, h, w, D)."""
    height, width, channels = x.shape[1:]
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    source = x
    reduction = min(shape.reductions[stage], height, width)
    if reduction > 1:
        source = layers.Conv2D(channels, reduction, strides=reduction, name=f"{name}_reduce")(
            source
        )
        norm = layers.LayerNormalization(epsilon=shape.epsilon, name=f"{name}_reduce_norm")
        source = norm(source)
    tokens = layers.Reshape((height * width, channels), name=f"{name}_tokens")(x)
    source = layers.Reshape((-1, channels), name=f"{name}_source")(source)
    heads = shape.heads[stage]
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


def build_mix_transformer(image: Any, shape: MixTransformer, name: str) -> keras.Model:
    """Build a mix transformer from a scaled image (B, H, W, 3).

    Args:
        image: Height and width known, multiples of 32.
        shape: The network's shape.
        name: Its name.
    """
    x = image
    for stage, (channels, depth) in enumerate(zip(shape.widths, shape.depths, strict=True)):
        kernel, strides = (7, 4) if stage == 0 else (3, 2)
        patches, padding = f"patch_embed{stage + 1}", "same"
        if shape.published:
            x, padding = layers.ZeroPadding2D(kernel // 2, name=f"{patches}_pad")(x), "valid"
        x = layers.Conv2D(channels, kernel, strides=strides, padding=padding, name=patches)(x)
        x = layers.LayerNormalization(epsilon=shape.epsilon, name=f"{patches}_norm")(x)
        for i in range(depth):
            block = f"block{stage + 1}_{i}"
            x = layers.Add(name=f"{block}_add1")([x, _attention(x, shape, stage, block)])
            x = layers.Add(name=f"{block}_add2")([x, _mix_ffn(x, block)])
        x = layers.LayerNormalization(epsilon=shape.epsilon, name=f"norm{stage + 1}")(x)
    return keras.Model(keras.utils.get_source_inputs(image), x, name=name)


def build_mit_b0(image: Any) -> keras.Model:
    """Build MiT-B0 from a scaled image (B, H, W, 3); taps ``norm1`` to ``norm4``, strides 4 to 32.

    Xie et al., "SegFormer", NeurIPS 2021. Departures: no stochastic depth; the key reduction is
    capped by the map's size, so that small images work.
    """
    return build_mix_transformer(image, MixTransformer((32, 64, 160, 256), (2, 2, 2, 2)), "mit_b0")


def build_mit_b1(image: Any) -> keras.Model:
    """Build MiT-B1: twice the width of B0."""
    return build_mix_transformer(image, MixTransformer((64, 128, 320, 512), (2, 2, 2, 2)), "mit_b1")


def build_mit_b2(image: Any) -> keras.Model:
    """Build MiT-B2: the width of B1, deeper (3, 4, 6, 3 blocks)."""
    return build_mix_transformer(image, MixTransformer((64, 128, 320, 512), (3, 4, 6, 3)), "mit_b2")


_MIT = at("norm1", "norm2", "norm3", "norm4", first=4)
RECIPES: dict[str, Recipe] = {
    "mit_b0": Recipe(build_mit_b0, TORCH, _MIT, False),
    "mit_b1": Recipe(build_mit_b1, TORCH, _MIT, False),
    "mit_b2": Recipe(build_mit_b2, TORCH, _MIT, False),
}
