"""The one door to the networks: from a config to a Keras model."""

from collections.abc import Callable
from typing import Any

import keras

from segcore.config import ModelConfig
from segcore.errors import SegcoreError, unknown
from segcore.models.blocks import resize_like
from segcore.models.encoders import build_encoder
from segcore.models.features import Features
from segcore.models.unet import build_unet

DECODERS: dict[str, Callable[[Features, int], Any]] = {
    "unet": build_unet,
}
"""Architecture name to the function that turns features into logits at any stride; the names are ``catalog.ARCHITECTURES``."""


def build_model(config: ModelConfig, num_classes: int, size: tuple[int, int]) -> keras.Model:
    """Build a network and give it its first weights.

    Args:
        config: Architecture, encoder and weights.
        num_classes: C, at least 1.
        size: (height, width) of the input, multiples of ``config.stride``.

    Returns:
        A functional model. Input "image": (B, H, W, 3) float32 RGB 0..255; the encoder's own preprocessing is
        inside. Output: logits (B, H, W, C), float32 also under a mixed-precision policy.

    Raises:
        SegcoreError: A name is unknown, the size does not divide, or the weights cannot be had.
    """
    if config.architecture not in DECODERS:
        raise unknown("architecture", config.architecture, DECODERS)
    height, width = size
    if height % config.stride or width % config.stride or min(size) < config.stride or num_classes < 1:
        raise SegcoreError(
            f"Expected a size in multiples of {config.stride} and at least one class, received {height} x {width} and {num_classes}: "
            "choose another size."
        )
    if config.weights not in ("none", "imagenet"):
        raise SegcoreError(f"Expected weights 'none' or 'imagenet', received {config.weights!r}: choose one of them.")
    image = keras.Input((height, width, 3), name="image", dtype="float32")
    _, features = build_encoder(config.encoder, image, imagenet=config.weights == "imagenet")
    scores = DECODERS[config.architecture](features, num_classes)
    scores = resize_like(scores, image, "logits_resize")
    return keras.Model(image, scores, name=f"{config.architecture}_{config.encoder}")
