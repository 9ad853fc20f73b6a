"""Two-path networks for speed: BiSeNet, Fast-SCNN's fusion, and Lite R-ASPP."""

from typing import Any

from keras import layers

from segcore.models.decoders.pspnet import pyramid_pooling
from segcore.models.layers.blocks import (
    channel_gate,
    concat,
    conv,
    logits,
    pooled,
    resize_like,
    separable_conv,
)
from segcore.models.layers.features import Features


def build_bisenet(features: Features, num_classes: int) -> Any:
    """Build BiSeNet: a spatial path of strided convolutions fused with the encoder's at stride 8.

    Context: ``c_16 = gate(conv e_16) + up(gate(conv e_32) + global)``; fusion: ``f = conv([spatial,
        context]); f + f * gate(f)``.
    Yu et al., "BiSeNet", ECCV 2018. Departures: no auxiliary losses.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/8, W/8, C) float32.
    """
    spatial = features.image
    for i, filters in enumerate((64, 64, 64)):
        spatial = conv(
            spatial,
            features.at_most(filters),
            f"decoder_spatial{i}",
            kernel=7 if i == 0 else 3,
            strides=2,
        )
    spatial = conv(spatial, features.at_most(128), "decoder_spatial_out", kernel=1)
    width = features.at_most(128)
    whole = pooled(features[32], width, "decoder_global", "relu")
    deep = layers.Add(name="decoder_deep_add")(
        [channel_gate(conv(features[32], width, "decoder_32"), "decoder_gate_32"), whole]
    )
    context = channel_gate(conv(features[16], width, "decoder_16"), "decoder_gate_16")
    context = layers.Add(name="decoder_context_add")(
        [context, resize_like(deep, context, "decoder_deep_up")]
    )
    context = conv(resize_like(context, spatial, "decoder_context_up"), width, "decoder_context")
    fused = conv(
        concat([spatial, context], "decoder_concat"),
        features.at_most(256),
        "decoder_fuse",
        kernel=1,
    )
    fused = layers.Add(name="decoder_fuse_add")([fused, channel_gate(fused, "decoder_fuse_gate")])
    return logits(conv(fused, width, "decoder_out"), num_classes)


def build_fast_scnn(features: Features, num_classes: int) -> Any:
    """Build Fast-SCNN's decoder: pooled context at stride 32 fused with detail at stride 8.

    ``f = relu(W e_8 + W' depthwise(up(pyramid(e_32))))``. Poudel, Liwicki, Cipolla, "Fast-SCNN",
    BMVC 2019. Departure: the chosen encoder takes the place of the paper's own bottlenecks
    (mobilenet_v2 is nearest to them).

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/8, W/8, C) float32.
    """
    width = features.at_most(128)
    context = pyramid_pooling(
        conv(features[32], width, "decoder_in", kernel=1), width, "decoder_pyramid"
    )
    detail = conv(features[8], width, "decoder_detail", kernel=1, relu=False)
    context = layers.DepthwiseConv2D(3, padding="same", name="decoder_depthwise")(
        resize_like(context, detail, "decoder_up")
    )
    context = conv(context, width, "decoder_context", kernel=1, relu=False)
    x = layers.Activation("relu", name="decoder_relu")(
        layers.Add(name="decoder_add")([detail, context])
    )
    x = separable_conv(separable_conv(x, width, "decoder_a"), width, "decoder_b")
    return logits(layers.Dropout(0.1, name="decoder_drop")(x), num_classes)


def build_lraspp(features: Features, num_classes: int) -> Any:
    """Build Lite R-ASPP: ``score(up(conv(e_16) * sigmoid(W mean(e_16)))) + score(e_8)``, stride 8.

    Howard et al., "Searching for MobileNetV3", ICCV 2019, section 6.4. Departure: the mean is over
    the whole map.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/8, W/8, C) float32.
    """
    width = features.at_most(128)
    x = conv(features[16], width, "decoder_16", kernel=1)
    x = layers.Multiply(name="decoder_multiply")(
        [x, pooled(features[16], width, "decoder_global", "sigmoid")]
    )
    x = resize_like(x, features[8], "decoder_up")
    low = logits(features[8], num_classes, "logits_8")
    return layers.Add(name="logits_add", dtype="float32")(
        [logits(x, num_classes, "logits_16"), low]
    )
