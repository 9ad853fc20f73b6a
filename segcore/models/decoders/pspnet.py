"""PSPNet: context from averages over grids of several sizes."""

from typing import Any

from segcore.models.layers.blocks import concat, conv, joined, logits, resize_like
from segcore.models.layers.features import Features
from segcore.models.layers.layers import AdaptivePooling

BINS = (1, 2, 3, 6)


def pyramid_pooling(x: Any, filters: int, name: str) -> Any:
    """Join a map with its means over 1, 2 x 2, 3 x 3 and 6 x 6 windows; 3x3 conv to ``filters``."""
    maps = [x]
    for bins in BINS:
        level = AdaptivePooling(bins, name=f"{name}_pool{bins}")(x)
        level = conv(level, max(8, x.shape[-1] // len(BINS)), f"{name}_{bins}", kernel=1)
        maps.append(resize_like(level, x, f"{name}_up{bins}"))
    return conv(concat(maps, f"{name}_concat"), filters, f"{name}_out")


def build_pspnet(features: Features, num_classes: int) -> Any:
    """Build PSPNet: ``score(conv([x, up(pool_k x) for k in 1, 2, 3, 6]))`` at stride 8.

    Zhao et al., "Pyramid scene parsing network", CVPR 2017. Departures: x joins strides 8, 16 and
    32 instead of coming from a dilated encoder (:func:`segcore.models.layers.blocks.joined`); no
    auxiliary loss.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/8, W/8, C) float32.
    """
    width = features.at_most(512)
    x = pyramid_pooling(joined(features, 8, width), features.at_most(256), "decoder_pyramid")
    return logits(x, num_classes)
