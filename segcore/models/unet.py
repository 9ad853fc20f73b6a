"""U-Net: a decoder that climbs back scale by scale and takes the encoder's features of each scale with it."""

from typing import Any

from keras import layers

from segcore.models.blocks import conv, logits, resize_like, transpose_conv
from segcore.models.features import Features

WIDTHS = {16: 256, 8: 128, 4: 64, 2: 32, 1: 16}
"""Filters of the decoder at each stride; never more than the encoder has there, so that a small encoder gets a small decoder."""


def build_unet(features: Features, num_classes: int) -> Any:
    """Build the ResNet50-UNet decoder (over any encoder): transpose convolutions, 3x3 SAME convolutions, batch normalisation.

    ``d_s = conv(conv([T(d_2s), e_s]))`` for s = 16, 8, 4, 2, 1, with T a transpose convolution, e_s the encoder's
    features, and d_32 = e_32. Source: Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015. Departures: SAME instead
    of valid convolutions (the output has the input's size), batch normalisation, and no skip at stride 1
    unless the encoder works there.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H, W, C) float32.
    """
    x = features[32]
    for stride, widest in WIDTHS.items():
        name = f"decoder_{stride}"
        skip = features.get(stride)
        filters = widest if skip is None else min(widest, skip.shape[-1])
        x = transpose_conv(x, filters, name)
        if skip is not None:
            x = resize_like(x, skip, f"{name}_fit")
            x = layers.Concatenate(name=f"{name}_concat")([x, skip])
        x = conv(x, filters, f"{name}a")
        x = conv(x, filters, f"{name}b")
    return logits(x, num_classes)
