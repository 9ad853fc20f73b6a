"""A U-Net with a conditional random field as its last layer."""

from typing import Any

import keras

from segcore.models.decoders.unet import build_unet
from segcore.models.layers.conv_crf import ConvCRF
from segcore.models.layers.features import Features


def build_unet_crf(features: Features, num_classes: int) -> Any:
    """Build a U-Net whose logits pass through a :class:`ConvCRF` that is trained with it.

    Zheng et al., "CRF as recurrent neural networks", ICCV 2015, with the local kernels of ConvCRF
    instead of a global filter.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H, W, C) float32.
    """
    levels = keras.layers.Rescaling(127.5, dtype="float32", name="decoder_levels")(features.image)
    return ConvCRF(name="logits_crf")([build_unet(features, num_classes), levels])
