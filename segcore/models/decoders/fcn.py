"""Fully convolutional networks: scores at the coarse scales, added up on the way back."""

from typing import Any

from keras import layers

from segcore.models.layers.blocks import conv, logits, resize_like
from segcore.models.layers.features import Features


def _fcn(features: Features, num_classes: int, finest: int) -> Any:
    width = features.at_most(512)
    x = conv(features[32], width, "decoder_fc6")
    x = layers.Dropout(0.5, name="decoder_drop6")(x)
    x = conv(x, width, "decoder_fc7", kernel=1)
    x = layers.Dropout(0.5, name="decoder_drop7")(x)
    scores = logits(x, num_classes, "logits_32")
    for stride in (16, 8):
        if stride < finest:
            break
        scores = resize_like(scores, features[stride], f"logits_{stride}_up")
        scores = layers.Add(name=f"logits_{stride}_add", dtype="float32")(
            [scores, logits(features[stride], num_classes, f"logits_{stride}")]
        )
    return scores


def build_fcn_32s(features: Features, num_classes: int) -> Any:
    """Build FCN-32s: ``score(e_32)``, enlarged 32 times.

    Long, Shelhamer, Darrell, "Fully convolutional networks", CVPR 2015. Departures: 512 (3x3)
    instead of 4096 (7x7) filters after the encoder, bilinear enlargement (the paper's transpose
    convolutions start as such), batch normalisation.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/32, W/32, C) float32.
    """
    return _fcn(features, num_classes, 32)


def build_fcn_16s(features: Features, num_classes: int) -> Any:
    """Build FCN-16s: ``up2(score(e_32)) + score(e_16)``; see :func:`build_fcn_32s`."""
    return _fcn(features, num_classes, 16)


def build_fcn_8s(features: Features, num_classes: int) -> Any:
    """Build FCN-8s: ``up2(up2(score(e_32)) + score(e_16)) + score(e_8)``, as ``build_fcn_32s``."""
    return _fcn(features, num_classes, 8)
