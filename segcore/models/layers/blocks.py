"""The building blocks of every decoder; every layer has a name.

All of them take and return symbolic tensors (B, h, w, D), channels last.
"""

from typing import Any

from keras import layers

from segcore.models.layers.features import Features
from segcore.models.layers.fused import FusedBatchNorm
from segcore.models.layers.layers import ResizeLike

MOMENTUM = 0.9
"""Momentum of every batch normalisation, encoder and decoder alike.

A running mean forgets its start as ``momentum ** steps``. Keras' 0.99 (and MobileNetV2's 0.999) is
made for tens of thousands of steps; one epoch over a few hundred images is about fifty, after which
.99 still carries 60 % of the initial values and evaluation is at chance. At 0.9 half a percent is
left.
"""


def batch_norm(x: Any, name: str) -> Any:
    """Batch normalisation with Segscope's momentum and ResNet's epsilon."""
    return FusedBatchNorm(momentum=MOMENTUM, epsilon=1e-5, name=name)(x)


def conv(
    x: Any,
    filters: int,
    name: str,
    kernel: int = 3,
    strides: int = 1,
    dilation: int = 1,
    relu: bool = True,
) -> Any:
    """Convolution (SAME, no bias), batch normalisation, and ReLU unless ``relu`` is false."""
    x = layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        dilation_rate=dilation,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = batch_norm(x, f"{name}_bn")
    return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x


def separable_conv(x: Any, filters: int, name: str, strides: int = 1, dilation: int = 1) -> Any:
    """Depthwise 3x3 and pointwise 1x1 convolution, each with batch normalisation and ReLU."""
    x = layers.DepthwiseConv2D(
        3,
        strides=strides,
        dilation_rate=dilation,
        padding="same",
        use_bias=False,
        name=f"{name}_depthwise",
    )(x)
    x = batch_norm(x, f"{name}_depthwise_bn")
    x = layers.Activation("relu", name=f"{name}_depthwise_relu")(x)
    return conv(x, filters, f"{name}_pointwise", kernel=1)


def transpose_conv(x: Any, filters: int, name: str) -> Any:
    """Double a map by a 2x2 transpose convolution (no overlap, no checkerboard), BN and ReLU."""
    x = layers.Conv2DTranspose(
        filters,
        2,
        strides=2,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_transpose",
    )(x)
    x = batch_norm(x, f"{name}_transpose_bn")
    return layers.Activation("relu", name=f"{name}_transpose_relu")(x)


def resize_like(x: Any, reference: Any, name: str, interpolation: str = "bilinear") -> Any:
    """Resize ``x`` to the height and width of ``reference``; ``x`` itself where they agree."""
    if x.shape[1:3] == reference.shape[1:3] and None not in x.shape[1:3]:
        return x
    return ResizeLike(interpolation, dtype=x.dtype, name=name)(
        [x, reference]
    )  # float32 logits stay float32


def logits(x: Any, num_classes: int, name: str = "logits", kernel: int = 1) -> Any:
    """Score each class at each position, (B, h, w, C) float32 under any precision."""
    return layers.Conv2D(num_classes, kernel, padding="same", dtype="float32", name=name)(x)


def pooled(x: Any, filters: int, name: str, activation: str) -> Any:
    """Average over the whole map, then a 1x1 convolution and an activation: (B, 1, 1, filters).

    No batch normalisation: one value per image and channel is too little to take statistics of.
    """
    x = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_average")(x)
    return layers.Conv2D(filters, 1, activation=activation, name=f"{name}_conv")(x)


def channel_gate(x: Any, name: str) -> Any:
    """Weigh each channel by a sigmoid of the map's average (B, h, w, D)."""
    return layers.Multiply(name=f"{name}_multiply")([x, pooled(x, x.shape[-1], name, "sigmoid")])


def concat(xs: list[Any], name: str) -> Any:
    """Concatenate along channels."""
    return layers.Concatenate(name=name)(xs) if len(xs) > 1 else xs[0]


def joined(features: Features, finest: int, filters: int, name: str = "decoder_join") -> Any:
    """Fuse the features of strides ``finest`` to 32: (B, H/finest, W/finest, filters).

    Stands for an encoder whose last stages are dilated instead of strided, at a fraction of the
    cost and for any
    encoder: Wu et al., "FastFCN: rethinking dilated convolution", 2019 (there with dilated
        convolutions after it).
    """
    strides = [s for s in (2, 4, 8, 16, 32) if s >= finest]
    maps = [conv(features[s], filters, f"{name}_{s}", kernel=1) for s in strides]
    maps = [resize_like(m, maps[0], f"{name}_{s}_up") for m, s in zip(maps, strides, strict=True)]
    return conv(concat(maps, f"{name}_concat"), filters, f"{name}_out")
