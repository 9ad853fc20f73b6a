"""The VGG16-UNet of SpaceNet-4's fifth place, in the form of its published weights."""

from typing import Any

from keras import layers

from segcore.models.layers.blocks import concat, logits, resize_like
from segcore.models.layers.features import Features

WIDTHS = {
    "center": (512, 256),
    "dec5": (512, 256),
    "dec4": (512, 256),
    "dec3": (256, 64),
    "dec2": (128, 32),
}
"""Filters of each block's two convolutions, from stride 32 to stride 2."""


def _conv(x: Any, filters: int, name: str) -> Any:
    return layers.Conv2D(
        filters, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=name
    )(x)


def build_unet_spacenet4(features: Features, num_classes: int) -> Any:
    """Build ``d = conv(conv(up2([d, e_s])))``, s = 32 to 2, then ``conv([d, e_1])``; no batch norm.

    XD_XD's solution of SpaceNet-4 (Weir et al., "SpaceNet MVOI", ICCV 2019); with the encoder vgg16
    it takes the published PyTorch checkpoint name by name. That network had one class and
    standardised satellite bands: its last layer stays random for other numbers of classes, and
    pixels are standardised here with ImageNet's statistics.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H, W, C) float32.
    """
    x = features[32]
    for (name, (middle, filters)), finer in zip(WIDTHS.items(), (16, 8, 4, 2, 1), strict=True):
        skip = features.get(finer)
        x = resize_like(x, features.image if skip is None else skip, f"decoder_{name}_up")
        x = _conv(_conv(x, middle, f"decoder_{name}_a"), filters, f"decoder_{name}_b")
        if skip is not None:
            x = concat([x, skip], f"decoder_{name}_concat")
    return logits(_conv(x, 32, "decoder_dec1"), num_classes)
