"""SegNet: the decoder gets from the encoder only where its maxima were."""

from typing import Any

from segcore.models.decoders.unet import WIDTHS
from segcore.models.layers.blocks import conv, logits
from segcore.models.layers.features import Features
from segcore.models.layers.layers import MaxUnpool


def build_segnet(features: Features, num_classes: int) -> Any:
    """Build SegNet: ``d_s = conv(conv(unpool(W d_2s, argmax e_s)))`` from stride 16 to the finest.

    Badrinarayanan, Kendall, Cipolla, "SegNet", TPAMI 2017. Departures: positions of maxima are read
    from the 2x2 windows of the encoder's features, whether or not it pools there; the 1x1
    convolution W brings channels to the encoder's.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/2, W/2, C), or (B, H, W, C), float32.
    """
    x = features[32]
    for stride, widest in WIDTHS.items():
        skip = features.get(stride)
        if skip is None:
            break
        name, width = f"decoder_{stride}", min(widest, skip.shape[-1])
        x = conv(x, skip.shape[-1], f"{name}_in", kernel=1)
        x = MaxUnpool(name=f"{name}_unpool")([x, skip])
        x = conv(conv(x, width, f"{name}a"), width, f"{name}b")
    return logits(x, num_classes)
