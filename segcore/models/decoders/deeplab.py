"""DeepLab v3 and v3+: dilated convolutions of several rates side by side (ASPP)."""

from typing import Any

from keras import layers

from segcore.models.layers.blocks import (
    concat,
    conv,
    joined,
    logits,
    pooled,
    resize_like,
    separable_conv,
)
from segcore.models.layers.features import Features

RATES = (6, 12, 18)
"""Dilations at output stride 16, as in the paper."""


def aspp(x: Any, filters: int, name: str, separable: bool = False) -> Any:
    """Apply atrous spatial pyramid pooling: 1x1, three dilated 3x3 and the mean, joined."""
    maps = [conv(x, filters, f"{name}_1x1", kernel=1)]
    for rate in RATES:
        if separable:
            maps.append(separable_conv(x, filters, f"{name}_rate{rate}", dilation=rate))
        else:
            maps.append(conv(x, filters, f"{name}_rate{rate}", dilation=rate))
    maps.append(resize_like(pooled(x, filters, f"{name}_global", "relu"), x, f"{name}_global_up"))
    return layers.Dropout(0.1, name=f"{name}_drop")(
        conv(concat(maps, f"{name}_concat"), filters, f"{name}_out", kernel=1)
    )


def build_deeplab_v3(features: Features, num_classes: int) -> Any:
    """Build DeepLab v3: ``score(conv(aspp(x)))`` at stride 16.

    Chen et al., "Rethinking atrous convolution", 2017. Departures: x joins strides 16 and 32
    instead of coming from a dilated encoder (:func:`segcore.models.layers.blocks.joined`); no batch
    normalisation after the global average.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/16, W/16, C) float32.
    """
    width = features.at_most(256)
    x = aspp(joined(features, 16, features.at_most(512)), width, "decoder_aspp")
    return logits(conv(x, width, "decoder_out"), num_classes)


def build_deeplab_v3_plus(features: Features, num_classes: int) -> Any:
    """Build DeepLab v3+: ``score(conv(conv([up4(aspp(x)), conv_48(e_4)])))``, separable, stride 4.

    Chen et al., "Encoder-decoder with atrous separable convolution", ECCV 2018. Departures as in
    :func:`build_deeplab_v3`.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/4, W/4, C) float32.
    """
    width = features.at_most(256)
    x = aspp(joined(features, 16, features.at_most(512)), width, "decoder_aspp", separable=True)
    low = conv(features[4], features.at_most(48), "decoder_low", kernel=1)
    x = concat([resize_like(x, low, "decoder_up"), low], "decoder_concat")
    x = separable_conv(separable_conv(x, width, "decoder_a"), width, "decoder_b")
    return logits(x, num_classes)
