"""U-Net++: a U-Net whose skips are themselves small decoders."""

from typing import Any

from segcore.models.decoders.unet import WIDTHS
from segcore.models.layers.blocks import concat, conv, logits, resize_like
from segcore.models.layers.features import STRIDES, Features


def build_unet_plus_plus(features: Features, num_classes: int) -> Any:
    """Build U-Net++.

    ``x[i, j] = conv(conv([x[i, 0], ..., x[i, j-1], up(x[i+1, j-1])]))`` with x[i, 0] the encoder's
    features at stride 2^(i+1). Zhou et al., "UNet++", DLMIA 2018. Departures: no deep supervision
    (the last column alone is scored); the scale at stride 1 has only the upsampled map and the
    encoder's where there is one.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H, W, C) float32.
    """
    rows = [[features[s]] for s in STRIDES]
    for column in range(1, len(rows)):
        for row in range(len(rows) - column):
            stride = STRIDES[row]
            name = f"decoder_{stride}_{column}"
            up = resize_like(rows[row + 1][column - 1], rows[row][0], f"{name}_up")
            filters = min(WIDTHS[stride], rows[row][0].shape[-1])
            x = concat([*rows[row], up], f"{name}_concat")
            rows[row].append(conv(conv(x, filters, f"{name}a"), filters, f"{name}b"))
    x = resize_like(rows[0][-1], features.image, "decoder_1_up")
    skip = features.get(1)
    if skip is not None:
        x = concat([x, skip], "decoder_1_concat")
    x = conv(conv(x, WIDTHS[1], "decoder_1a"), WIDTHS[1], "decoder_1b")
    return logits(x, num_classes)
