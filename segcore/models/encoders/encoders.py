"""Encoders: how each name is built, the pixel scaling it expects, and where it is tapped."""

import importlib
import re
from collections import Counter
from typing import Any

import keras

from segcore.catalog import ENCODERS
from segcore.catalog.hub import is_hub
from segcore.errors import unknown
from segcore.models.encoders.hub import build_hub
from segcore.models.encoders.recipe import PLUS_MINUS_ONE, Recipe
from segcore.models.encoders.simple_pyramid import simple_pyramid
from segcore.models.encoders.stem import widen
from segcore.models.layers.blocks import MOMENTUM, conv
from segcore.models.layers.features import Features
from segcore.models.layers.fused import fuse
from segcore.models.layers.layers import ImageScaling
from segcore.models.weights.weights import fetch_imagenet

AUTOMATIC_NAMES = {
    "conv2d",
    "batch_normalization",
    "activation",
    "max_pooling2d",
    "average_pooling2d",
    "add",
}
"""Names that Keras numbers through a whole process ("conv2d_57") where a network gives none."""


def recipe_of(name: str) -> Recipe:
    """Return how an encoder is built, from the table of the module that the catalogue names.

    Raises:
        SegcoreError: The catalogue has no such encoder.
    """
    if name not in ENCODERS:
        raise unknown("encoder", name, ENCODERS)
    module = importlib.import_module(f"segcore.models.encoders.{ENCODERS[name].recipe}")
    recipe: Recipe = module.RECIPES[name]
    return recipe


def build_encoder(
    name: str, image: Any, imagenet: bool = False, weights: str = "none", bands: bool = False
) -> tuple[keras.Model, Features]:
    """Build an encoder on an input, preprocessing included.

    Every batch normalisation gets :data:`~segcore.models.layers.blocks.MOMENTUM` and computes in
    one operation. Decoders may rely on strides 2, 4, 8, 16 and 32. Where an encoder has no features
    at one of them, a gap at 2 is filled by two 3x3 convolutions over the image (the first strided;
    32 filters), a gap at 32 by one strided 3x3 convolution over stride 16 (as wide as that is, 512
    at most). Of a plain transformer, which has stride 16 alone, a simple pyramid makes the others.

    Args:
        name: A name in ``catalog.ENCODERS``, or one of KerasHub ("hub:...").
        image: Symbolic input, (B, H, W, 3) float32 RGB 0..255, or N bands brought to that range.
        imagenet: Whether Keras loads its ImageNet weights; of three channels only.
        weights: Of an encoder of KerasHub: "preset", a preset folder, or "none".
        bands: Whether the channels are bands of a raster: their scaling is the same for all.

    Returns:
        The encoder as a model from ``image`` to its deepest features, and its features.

    Raises:
        SegcoreError: The name is unknown, or the weights cannot be had.
    """
    if is_hub(name):
        encoder, taps = build_hub(name, image, weights, bands)
    else:
        encoder, taps = _build_own(name, image, imagenet, bands)
    for layer in encoder._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM
        fuse(layer)
    scaling = widen(PLUS_MINUS_ONE, image.shape[-1]) if bands else PLUS_MINUS_ONE
    decoder_image = ImageScaling(*scaling, name="decoder_image")(image)
    return encoder, Features(decoder_image, _fill_gaps(decoder_image, taps))


def _build_own(
    name: str, image: Any, imagenet: bool, bands: bool
) -> tuple[keras.Model, dict[int, Any]]:
    """Build an encoder of the catalogue; return it with its features by stride."""
    recipe = recipe_of(name)
    if recipe.same_padding:
        free = keras.Input((None, None, image.shape[-1]), name="image")
        source = _build_on(recipe, name, free, imagenet, bands)
        encoder = _with_same_padding(source, image)
        if imagenet:
            encoder.set_weights(source.get_weights())
    else:
        encoder = _build_on(recipe, name, image, imagenet, bands)
    return encoder, {stride: _tap(encoder, tap) for stride, tap in recipe.taps.items()}


def _build_on(recipe: Recipe, name: str, image: Any, imagenet: bool, bands: bool) -> keras.Model:
    scaling, more = recipe.scaling, {}
    if bands:
        scaling = widen(recipe.own_scaling or recipe.scaling, image.shape[-1])
        more = {"include_preprocessing": False} if recipe.own_scaling else {}
    scaled = ImageScaling(*scaling, name="image_scaling")(image)
    if not recipe.from_keras:
        return recipe.build(scaled)
    if imagenet:
        return fetch_imagenet(
            name, lambda: recipe.build(include_top=False, weights="imagenet", input_tensor=scaled)
        )
    return recipe.build(include_top=False, weights=None, input_tensor=scaled, **more)


def _tap(encoder: keras.Model, tap: str) -> Any:
    if not tap:
        return encoder.output
    return (
        encoder.get_layer(tap[1:]).input if tap.startswith("<") else encoder.get_layer(tap).output
    )


def _with_same_padding(encoder: keras.Model, image: Any) -> keras.Model:
    """Rebuild an encoder on another input, with SAME padding and layer numbers restarted."""
    counts: Counter[str] = Counter()

    def rebuild(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if config.get("padding") == "valid":
            config["padding"] = "same"
        stem = re.sub(r"_\d+$", "", layer.name)
        if stem in AUTOMATIC_NAMES:
            config["name"] = f"{stem}_{counts[stem]}" if counts[stem] else stem
            counts[stem] += 1
        return type(layer).from_config(config)

    return keras.models.clone_model(encoder, input_tensors=[image], clone_function=rebuild)


def _fill_gaps(image: Any, taps: dict[int, Any]) -> dict[int, Any]:
    if set(taps) == {16}:
        taps = simple_pyramid(taps[16])
    if 2 not in taps:
        taps[2] = conv(conv(image, 32, "decoder_fill_2a", strides=2), 32, "decoder_fill_2b")
    if 32 not in taps:
        taps[32] = conv(taps[16], min(512, taps[16].shape[-1]), "decoder_fill_32", strides=2)
    return dict(sorted(taps.items()))
