"""Encoders: how each name is built, what its pixels must look like, and where it is tapped."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import applications

from segcore.errors import unknown
from segcore.models.blocks import MOMENTUM, conv
from segcore.models.features import STRIDES, Features
from segcore.models.layers import ImageScaling
from segcore.models.tiny import build_tiny
from segcore.models.weights import fetch_imagenet

Scaling = tuple[tuple[float, float, float], tuple[float, float, float], bool]
"""Mean, divisor (pixel units 0..255) and whether channels turn to BGR; see :class:`ImageScaling`."""

PLUS_MINUS_ONE: Scaling = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5), False)
CAFFE: Scaling = ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), True)
TORCH: Scaling = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), False)
AS_IS: Scaling = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False)


@dataclass(frozen=True)
class Recipe:
    """How one encoder is built.

    Attributes:
        build: From the scaled image (B, H, W, 3) to a model; Keras' own builders also take
            ``weights`` and are marked by ``keras``.
        scaling: What the pixels must look like.
        taps: Stride to the name of the layer whose output is taken, the last one at that stride.
        keras: Whether ``build`` is a function of keras.applications.
    """

    build: Callable[..., keras.Model]
    scaling: Scaling
    taps: dict[int, str]
    keras: bool = True


def _resnet(blocks: tuple[int, int, int]) -> dict[int, str]:
    return {
        2: "conv1_relu",
        4: f"conv2_block{blocks[0]}_out",
        8: f"conv3_block{blocks[1]}_out",
        16: f"conv4_block{blocks[2]}_out",
        32: "conv5_block3_out",
    }


RECIPES: dict[str, Recipe] = {
    "resnet50": Recipe(applications.ResNet50, CAFFE, _resnet((3, 4, 6))),
    "tiny": Recipe(build_tiny, PLUS_MINUS_ONE, {s: f"tiny_{s}b_relu" for s in (1, *STRIDES)}, keras=False),
}


def build_encoder(name: str, image: Any, imagenet: bool = False) -> tuple[keras.Model, Features]:
    """Build an encoder on an input, preprocessing included.

    Decoders may rely on strides 2, 4, 8, 16 and 32. Where an encoder has no features at one of them: a gap
    at 2 or 4 is filled by two 3x3 convolutions over the image (the first strided; 32 filters), a gap at 32 by
    one strided 3x3 convolution over stride 16 (as wide as that is, 512 at most).

    Args:
        name: A name in ``catalog.ENCODERS``.
        image: Symbolic input, (B, H, W, 3) float32 RGB 0..255.
        imagenet: Whether Keras loads its ImageNet weights.

    Returns:
        The encoder as a model from ``image`` to its deepest features, and its features.

    Raises:
        SegcoreError: The name is unknown, or the weights cannot be had.
    """
    if name not in RECIPES:
        raise unknown("encoder", name, RECIPES)
    recipe = RECIPES[name]
    mean, std, bgr = recipe.scaling
    scaled = ImageScaling(mean, std, bgr, name="image_scaling")(image)
    if not recipe.keras:
        encoder = recipe.build(scaled)
    elif imagenet:
        encoder = fetch_imagenet(name, lambda: recipe.build(include_top=False, weights="imagenet", input_tensor=scaled))
    else:
        encoder = recipe.build(include_top=False, weights=None, input_tensor=scaled)
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM
    taps = {stride: encoder.get_layer(tap).output for stride, tap in recipe.taps.items()}
    return encoder, Features(scaled, _fill_gaps(scaled, taps))


def _fill_gaps(scaled: Any, taps: dict[int, Any]) -> dict[int, Any]:
    if 2 not in taps:
        taps[2] = conv(conv(scaled, 32, "fill_2a", strides=2), 32, "fill_2b")
    if 32 not in taps:
        taps[32] = conv(taps[16], min(512, taps[16].shape[-1]), "fill_32", strides=2)
    return dict(sorted(taps.items()))
