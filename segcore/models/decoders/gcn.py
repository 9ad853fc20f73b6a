"""Global convolutional network: scores from large separable kernels, sharpened at borders."""

from typing import Any

from keras import layers

from segcore.models.layers.blocks import conv, logits, resize_like
from segcore.models.layers.features import Features

KERNEL = 7


def _large_kernel(x: Any, filters: int, name: str) -> Any:
    """A k x k kernel as (k x 1)(1 x k) + (1 x k)(k x 1)."""
    k = KERNEL
    left = layers.Conv2D(filters, (k, 1), padding="same", name=f"{name}_k1_a")(x)
    left = layers.Conv2D(filters, (1, k), padding="same", name=f"{name}_1k_a")(left)
    right = layers.Conv2D(filters, (1, k), padding="same", name=f"{name}_1k_b")(x)
    right = layers.Conv2D(filters, (k, 1), padding="same", name=f"{name}_k1_b")(right)
    return layers.Add(name=f"{name}_add")([left, right])


def _refine(x: Any, name: str) -> Any:
    """Boundary refinement: ``x + conv(relu(conv(x)))``."""
    y = layers.Conv2D(x.shape[-1], 3, padding="same", name=f"{name}_b")(
        conv(x, x.shape[-1], f"{name}_a")
    )
    return layers.Add(name=f"{name}_add")([x, y])


def build_gcn(features: Features, num_classes: int) -> Any:
    """Build GCN: ``d_s = refine(up(d_2s) + refine(large(e_s)))``, s = 32 to 2; refined at stride 1.

    Peng et al., "Large kernel matters", CVPR 2017. Departures: kernel 7 instead of 15 and bilinear
    instead of transpose upsampling; maps are as wide as there are classes, but at least 21 (the
    paper's number), and are scored at the end.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H, W, C) float32.
    """
    width = max(21, num_classes)
    x = _refine(_large_kernel(features[32], width, "decoder_32"), "decoder_32_refine")
    for stride in (16, 8, 4, 2):
        name = f"decoder_{stride}"
        own = _refine(_large_kernel(features[stride], width, name), f"{name}_refine")
        x = layers.Add(name=f"{name}_sum")([resize_like(x, own, f"{name}_up"), own])
        x = _refine(x, f"{name}_after")
    x = _refine(resize_like(x, features.image, "decoder_1_up"), "decoder_1_after")
    return logits(x, num_classes)
