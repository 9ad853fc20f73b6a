"""U-Net: a decoder that climbs scale by scale and joins the encoder's features of each."""

from collections.abc import Callable
from typing import Any

from keras import layers

from segcore.models.layers.blocks import concat, conv, logits, resize_like, transpose_conv
from segcore.models.layers.features import Features

WIDTHS = {16: 256, 8: 128, 4: 64, 2: 32, 1: 16}
"""Filters of the decoder at each stride, capped by the encoder's own width there."""


def _double_conv(x: Any, filters: int, name: str) -> Any:
    return conv(conv(x, filters, f"{name}a"), filters, f"{name}b")


def _residual_conv(x: Any, filters: int, name: str) -> Any:
    shortcut = conv(x, filters, f"{name}_shortcut", kernel=1, relu=False)
    x = conv(conv(x, filters, f"{name}a"), filters, f"{name}b", relu=False)
    return layers.Activation("relu", name=f"{name}_out")(
        layers.Add(name=f"{name}_add")([x, shortcut])
    )


def _transpose_up(x: Any, reference: Any, filters: int, name: str) -> Any:
    return resize_like(transpose_conv(x, filters, name), reference, f"{name}_fit")


def _bilinear_up(x: Any, reference: Any, filters: int, name: str) -> Any:
    return resize_like(conv(x, filters, f"{name}_up", kernel=1), reference, f"{name}_up")


def _attention_gate(skip: Any, gate: Any, name: str) -> Any:
    """``skip * sigmoid(psi(relu(W_x skip + W_g gate)))``: one weight per position (B, h, w, 1)."""
    filters = max(8, gate.shape[-1] // 2)
    x = layers.Add(name=f"{name}_sum")(
        [
            conv(skip, filters, f"{name}_skip", kernel=1, relu=False),
            conv(gate, filters, f"{name}_gate", kernel=1, relu=False),
        ]
    )
    x = layers.Activation("relu", name=f"{name}_relu")(x)
    weight = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_psi")(x)
    return layers.Multiply(name=f"{name}_multiply")([skip, weight])


def _climb(
    features: Features,
    num_classes: int,
    up: Callable[[Any, Any, int, str], Any] = _transpose_up,
    merge: Callable[[Any, int, str], Any] = _double_conv,
    gate: Callable[[Any, Any, str], Any] | None = None,
) -> Any:
    x = features[32]
    for stride, widest in WIDTHS.items():
        name = f"decoder_{stride}"
        skip = features.get(stride)
        filters = widest if skip is None else min(widest, skip.shape[-1])
        x = up(x, features.image if skip is None else skip, filters, name)
        if skip is not None:
            x = concat([x, gate(skip, x, f"{name}_attention") if gate else skip], f"{name}_concat")
        x = merge(x, filters, name)
    return logits(x, num_classes)


def build_unet(features: Features, num_classes: int) -> Any:
    """Build the ResNet50-UNet decoder: transpose convolutions, 3x3 convolutions, batch norm.

    ``d_s = conv(conv([T(d_2s), e_s]))`` for s = 16, 8, 4, 2, 1, with T a transpose convolution, e_s
    the encoder's features, and d_32 = e_32. Source: Ronneberger, Fischer, Brox, "U-Net", MICCAI
    2015. Departures: SAME instead of valid convolutions (the output has the input's size), batch
    normalisation, and no skip at stride 1 unless the encoder works there. The encoder ``plain``
    makes it the paper's network, ``plain_mini`` a small one.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H, W, C) float32.
    """
    return _climb(features, num_classes)


def build_unet_upsample(features: Features, num_classes: int) -> Any:
    """Build the U-Net with bilinear upsampling and a 1x1 convolution for T (``build_unet``)."""
    return _climb(features, num_classes, up=_bilinear_up)


def build_unet_residual(features: Features, num_classes: int) -> Any:
    """Build the residual U-Net: ``d_s = relu(conv(conv(x)) + W x)`` with x = [T(d_2s), e_s].

    Zhang, Liu, Wang, "Road extraction by deep residual U-Net", GRSL 2018. Departure: normalisation
    after the convolutions, as in the encoders, instead of before.
    """
    return _climb(features, num_classes, merge=_residual_conv)


def build_unet_attention(features: Features, num_classes: int) -> Any:
    """Build the attention U-Net: skips times ``sigmoid(psi(relu(W_x e_s + W_g T(d_2s))))``.

    Oktay et al., "Attention U-Net", MIDL 2018. Departure: the gate is taken after upsampling, so
    nothing is resampled twice.
    """
    return _climb(features, num_classes, gate=_attention_gate)
