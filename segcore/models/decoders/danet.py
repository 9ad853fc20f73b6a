"""DANet and OCRNet: every position attends to all others, or to the regions of the classes."""

from typing import Any

from keras import layers

from segcore.models.layers.attention import (
    AttendRegions,
    ChannelAttention,
    GatherRegions,
    PositionAttention,
)
from segcore.models.layers.blocks import concat, conv, joined, logits
from segcore.models.layers.features import Features


def build_danet(features: Features, num_classes: int) -> Any:
    """Build DANet: ``score(conv(position(x)) + conv(channel(x)))`` at stride 16.

    Fu et al., "Dual attention network", CVPR 2019. Departures: x joins strides 16 and 32 instead of
    coming from an encoder dilated to stride 8 (attention costs 16 times less so); no auxiliary
    losses.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/16, W/16, C) float32.
    """
    width = features.at_most(256)
    x = joined(features, 16, width)
    narrow = max(8, width // 8)
    query = layers.Conv2D(narrow, 1, name="decoder_query")(x)
    key = layers.Conv2D(narrow, 1, name="decoder_key")(x)
    value = layers.Conv2D(width, 1, name="decoder_value")(x)
    positions = conv(
        PositionAttention(name="decoder_position")([x, query, key, value]),
        width,
        "decoder_position_out",
    )
    channels = conv(
        ChannelAttention(name="decoder_channel")(conv(x, width, "decoder_channel_in")),
        width,
        "decoder_channel_out",
    )
    x = layers.Add(name="decoder_add")([positions, channels])
    return logits(layers.SpatialDropout2D(0.1, name="decoder_drop")(x), num_classes)


def build_ocrnet(features: Features, num_classes: int) -> Any:
    """Build OCRNet: each position reads the vectors of the classes' coarse regions, at stride 8.

    Yuan, Chen, Wang, "Object-contextual representations", ECCV 2020. Departures: x joins strides 8,
    16 and 32; the coarse guess is trained through the final score, without a loss of its own.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/8, W/8, C) float32.
    """
    width = features.at_most(256)
    x = joined(features, 8, width)
    regions = GatherRegions(name="decoder_regions")([x, logits(x, num_classes, "logits_coarse")])
    query = conv(x, width // 2, "decoder_query", kernel=1)
    key = layers.Conv2D(width // 2, 1, name="decoder_key")(regions)
    value = layers.Conv2D(width // 2, 1, name="decoder_value")(regions)
    context = conv(
        AttendRegions(name="decoder_attend")([query, key, value]),
        width,
        "decoder_context",
        kernel=1,
    )
    return logits(
        conv(concat([x, context], "decoder_concat"), width, "decoder_out", kernel=1), num_classes
    )
