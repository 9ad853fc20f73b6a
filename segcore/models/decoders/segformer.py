"""Decoders that only project and join all scales: SegFormer's, and HRNet's."""

from typing import Any

from keras import layers

from segcore.models.layers.blocks import concat, conv, logits, resize_like
from segcore.models.layers.features import Features


def build_segformer(features: Features, num_classes: int) -> Any:
    """Build SegFormer's decoder: ``score(conv([up(W_s e_s) for s in 4, 8, 16, 32]))``, all 1x1.

    Xie et al., "SegFormer", NeurIPS 2021; the encoders mit_b0 .. mit_b2 make it the paper's
    network.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/4, W/4, C) float32.
    """
    width = features.at_most(256)
    maps = [
        resize_like(
            layers.Conv2D(width, 1, name=f"decoder_{s}")(features[s]),
            features[4],
            f"decoder_{s}_up",
        )
        for s in (32, 16, 8, 4)
    ]
    x = conv(concat(maps, "decoder_concat"), width, "decoder_fuse", kernel=1)
    return logits(layers.Dropout(0.1, name="decoder_drop")(x), num_classes)


def build_hrnet_head(features: Features, num_classes: int) -> Any:
    """Build HRNet's second head: all scales joined at stride 4, one 1x1 convolution, score.

    Sun et al., "High-resolution representations for labeling pixels and regions", 2019. Departure:
    over any encoder, whose scales are at most 256 wide here (wider ones are projected first, or the
    join would be thousands of channels wide).

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/4, W/4, C) float32.
    """
    maps = []
    for stride in (4, 8, 16, 32):
        x = features[stride]
        if x.shape[-1] > 256:
            x = conv(x, 256, f"decoder_{stride}_project", kernel=1)
        maps.append(resize_like(x, features[4], f"decoder_{stride}_up"))
    x = concat(maps, "decoder_concat")
    return logits(conv(x, min(x.shape[-1], 512), "decoder_fuse", kernel=1), num_classes)
