"""Pyramid attention network: a small attention pyramid on top, global attention on each way up."""

from typing import Any

from keras import layers

from segcore.models.layers.blocks import conv, logits, pooled, resize_like
from segcore.models.layers.features import Features


def _pyramid_attention(x: Any, filters: int, name: str) -> Any:
    """Apply feature pyramid attention: ``W x * (c7 + up(c5 + up(c3))) + global``."""
    narrow = max(8, filters // 8)
    middle = conv(x, filters, f"{name}_middle", kernel=1)
    down, levels = x, []
    for kernel in (7, 5, 3):
        down = conv(down, narrow, f"{name}_down{kernel}", kernel=kernel, strides=2)
        levels.append(conv(down, narrow, f"{name}_level{kernel}", kernel=kernel))
    for finer in (1, 0):
        up = resize_like(levels[finer + 1], levels[finer], f"{name}_up{finer}")
        levels[finer] = layers.Add(name=f"{name}_add{finer}")([levels[finer], up])
    weight = conv(resize_like(levels[0], x, f"{name}_up"), filters, f"{name}_weight", kernel=1)
    x = layers.Multiply(name=f"{name}_multiply")([middle, weight])
    return layers.Add(name=f"{name}_out")([x, pooled(middle, filters, f"{name}_global", "relu")])


def _global_attention_up(low: Any, high: Any, name: str) -> Any:
    """Return ``up(high) + conv(low) * sigmoid(W mean(high))``: coarse gates fine channels."""
    filters = high.shape[-1]
    weight = pooled(high, filters, f"{name}_global", "sigmoid")
    low = layers.Multiply(name=f"{name}_multiply")([conv(low, filters, f"{name}_low"), weight])
    return layers.Add(name=f"{name}_add")([resize_like(high, low, f"{name}_up"), low])


def build_pan(features: Features, num_classes: int) -> Any:
    """Build PAN: feature pyramid attention at stride 32, then attention upsampling to 16, 8, 4.

    Li, Xiong, An, Wang, "Pyramid attention network", BMVC 2018. Departures: the encoder is not
    dilated; the channel weight is a sigmoid.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/4, W/4, C) float32.
    """
    x = _pyramid_attention(features[32], features.at_most(128), "decoder_fpa")
    for stride in (16, 8, 4):
        x = _global_attention_up(features[stride], x, f"decoder_gau_{stride}")
    return logits(x, num_classes)
