"""Feature pyramid: every scale enriched from above, then all scales together."""

from typing import Any

from keras import layers

from segcore.models.decoders.pspnet import pyramid_pooling
from segcore.models.layers.blocks import concat, conv, logits, resize_like
from segcore.models.layers.features import Features


def top_down(
    features: Features, filters: int, coarsest: Any, name: str = "decoder"
) -> dict[int, Any]:
    """Return ``p_s = W e_s + up(p_2s)``, (B, H/s, W/s, filters) at strides 4 to 32, given p_32."""
    levels = {32: coarsest}
    for stride in (16, 8, 4):
        lateral = conv(features[stride], filters, f"{name}_lateral_{stride}", kernel=1)
        up = resize_like(levels[2 * stride], lateral, f"{name}_up_{stride}")
        levels[stride] = layers.Add(name=f"{name}_add_{stride}")([lateral, up])
    return levels


def build_fpn(features: Features, num_classes: int) -> Any:
    """Build the semantic branch of an FPN: ``score(sum_s up(conv ... conv(p_s)))`` at stride 4.

    Lin et al., "Feature pyramid networks", CVPR 2017; the branch of Kirillov et al., "Panoptic
    feature pyramid networks", CVPR 2019: a level at stride s is doubled log2(s / 4) times, each
    after a 3x3 convolution.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/4, W/4, C) float32.
    """
    width, branch = features.at_most(256), features.at_most(128)
    levels = top_down(features, width, conv(features[32], width, "decoder_lateral_32", kernel=1))
    maps = []
    for stride, level in levels.items():
        x = level
        for step in (s for s in (32, 16, 8) if s <= stride):
            x = conv(x, branch, f"decoder_{stride}_at_{step}")
            x = resize_like(x, levels[step // 2], f"decoder_{stride}_at_{step}_up")
        maps.append(x if stride > 4 else conv(x, branch, "decoder_4_at_4"))
    x = layers.Add(name="decoder_sum")(maps)
    return logits(layers.SpatialDropout2D(0.2, name="decoder_drop")(x), num_classes)


def build_upernet(features: Features, num_classes: int) -> Any:
    """Build UPerNet: a feature pyramid whose top is pyramid pooling, all levels joined at stride 4.

    Xiao et al., "Unified perceptual parsing", ECCV 2018. Departure: 256 instead of 512 filters.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/4, W/4, C) float32.
    """
    width = features.at_most(256)
    levels = top_down(features, width, pyramid_pooling(features[32], width, "decoder_pyramid"))
    maps = [
        resize_like(
            x if stride == 32 else conv(x, width, f"decoder_level_{stride}"),
            features[4],
            f"decoder_level_{stride}_up",
        )
        for stride, x in levels.items()
    ]
    return logits(conv(concat(maps, "decoder_concat"), width, "decoder_out"), num_classes)
