"""LinkNet: a light decoder that adds the skip instead of concatenating it."""

from typing import Any

from keras import layers

from segcore.models.layers.blocks import conv, logits, resize_like, transpose_conv
from segcore.models.layers.features import Features


def _decode(x: Any, filters: int, name: str) -> Any:
    """1x1 convolution to a quarter, doubling, 1x1 convolution to ``filters``."""
    x = conv(x, max(8, x.shape[-1] // 4), f"{name}_in", kernel=1)
    x = transpose_conv(x, x.shape[-1], name)
    return conv(x, filters, f"{name}_out", kernel=1)


def build_linknet(features: Features, num_classes: int) -> Any:
    """Build LinkNet: ``d_s = e_s + decode(d_2s)`` for s = 16, 8, 4, 2, then one more doubling.

    Chaurasia, Culurciello, "LinkNet", VCIP 2017. Departure: 2x2 transpose convolutions, whose
    windows do not overlap.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H, W, C) float32.
    """
    x = features[32]
    for stride in (16, 8, 4, 2):
        name = f"decoder_{stride}"
        skip = features[stride]
        x = resize_like(_decode(x, skip.shape[-1], name), skip, f"{name}_fit")
        x = layers.Add(name=f"{name}_add")([x, skip])
    x = conv(_decode(x, 32, "decoder_1"), 32, "decoder_1_last")
    return logits(x, num_classes)
