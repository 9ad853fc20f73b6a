"""U-Net 3+: every decoder scale sees every scale."""

from typing import Any

from keras import layers

from segcore.models.layers.blocks import concat, conv, logits, resize_like
from segcore.models.layers.features import STRIDES, Features


def build_unet_3_plus(features: Features, num_classes: int) -> Any:
    """Build U-Net 3+.

    ``d_s = conv([conv(pool(e_t)) for t < s, conv(e_s), conv(up(d_t)) for t > s])``: five maps of 64
    filters each, joined to 320. Huang et al., "UNet 3+", ICASSP 2020. Departures: scales 2 to 32 of
    a pretrained encoder instead of 1 to 16 (logits at stride 2 are resized), no deep supervision,
    no classification branch.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/2, W/2, C) float32.
    """
    width = features.at_most(64)
    decoded = {32: features[32]}
    for stride in (16, 8, 4, 2):
        maps = []
        for other in STRIDES:
            name = f"decoder_{stride}_from_{other}"
            if other <= stride:
                x = features[other]
                if other < stride:
                    x = layers.MaxPooling2D(stride // other, padding="same", name=f"{name}_pool")(x)
                maps.append(conv(x, width, name))
            else:
                x = conv(decoded[other], width, name)
                maps.append(resize_like(x, features[stride], f"{name}_up"))
        decoded[stride] = conv(
            concat(maps, f"decoder_{stride}_concat"), width * len(STRIDES), f"decoder_{stride}"
        )
    return logits(decoded[2], num_classes)
