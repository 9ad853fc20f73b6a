"""Builds and loads every network: from a config to a Keras model."""

import importlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from segcore.catalog import ARCHITECTURES
from segcore.catalog.hub import is_class, is_hub
from segcore.config import ModelConfig
from segcore.data.bands.learned import LearnedBands
from segcore.errors import SegcoreError, unknown
from segcore.models.encoders.encoders import build_encoder, recipe_of
from segcore.models.encoders.stem import transfer
from segcore.models.engines.engine import primitives
from segcore.models.layers.blocks import resize_like
from segcore.models.layers.features import Features
from segcore.models.layers.layers import BandNormalising, ImageStandardising
from segcore.models.weights.keras_archive import open_keras
from segcore.models.weights.weights import WeightReport, load_weights, variables_of

NORMALISING = "band_normalising"
"""Name of the layer that a network over bands begins with."""

Decoder = Callable[[Features, int], Any]
"""Turns features and a number of classes into logits at any stride."""


def decoder_of(architecture: str) -> Decoder:
    """Return the function that the catalogue names for an architecture.

    Raises:
        SegcoreError: The catalogue has no such architecture.
    """
    if architecture not in ARCHITECTURES:
        raise unknown("architecture", architecture, ARCHITECTURES)
    module, _, function = ARCHITECTURES[architecture].builder.partition(":")
    decoder: Decoder = getattr(
        importlib.import_module(f"segcore.models.decoders.{module}"), function
    )
    return decoder


def build_model(
    config: ModelConfig,
    num_classes: int,
    size: tuple[int, int],
    bands: LearnedBands | None = None,
) -> keras.Model:
    """Build a network and give it its first weights.

    Args:
        config: Architecture, encoder and weights.
        num_classes: C, at least 1.
        size: (height, width) of the input, multiples of ``config.stride``.
        bands: The channels of the images, where they keep their values; None for pictures.

    Returns:
        A functional model. Input "image": (B, H, W, 3) float32 RGB 0..255, or (B, H, W, N) float32
        in the rasters' units; normalising and the encoder's own preprocessing are inside. Output:
        logits (B, H, W, C), float32 also under a mixed-precision policy.

    Raises:
        SegcoreError: A name is unknown, the size does not divide, or the weights cannot be had or
            do not fit.
    """
    return build_and_report(config, num_classes, size, bands)[0]


def build_and_report(
    config: ModelConfig,
    num_classes: int,
    size: tuple[int, int],
    bands: LearnedBands | None = None,
) -> tuple[keras.Model, WeightReport]:
    """Build a network as :func:`build_model` does and report which variables its weights filled."""
    if bands is None or config.weights == "none":
        return _build(config, num_classes, size, bands)
    if Path(config.weights).expanduser().is_file():
        with suppress(SegcoreError):  # weights of three channels do not fit
            return _build(config, num_classes, size, bands)
    source, report = _build(config, num_classes, size, None)
    # a class of KerasHub has its shape in its preset folder
    bare = config if is_class(config.encoder) else replace(config, weights="none")
    model, _ = _build(bare, num_classes, size, bands)
    bgr = not is_hub(config.encoder) and recipe_of(config.encoder).scaling[2]
    filled, inflated = transfer(source, model, report.filled, bands.bands.rgb, bgr)
    return model, WeightReport(
        report.source,
        tuple(filled),
        tuple(name for name in variables_of(model) if name not in set(filled)),
        report.unused,
        tuple(inflated),
    )


def _build(
    config: ModelConfig, num_classes: int, size: tuple[int, int], bands: LearnedBands | None
) -> tuple[keras.Model, WeightReport]:
    """Build a network whose weights, if any, are of as many channels as its images."""
    decoder = decoder_of(config.architecture)
    height, width = size
    if (
        height % config.stride
        or width % config.stride
        or min(size) < config.stride
        or num_classes < 1
    ):
        raise SegcoreError(
            f"Expected a size in multiples of {config.stride} and at least one class, "
            f"received {height} x {width} and {num_classes}: "
            "choose another size."
        )
    channels = 3 if bands is None else len(bands.bands.channels)
    image = keras.Input((height, width, channels), name="image", dtype="float32")
    prepared: Any = image
    if bands is not None:
        channel_names = bands.bands.channels
        prepared = BandNormalising(channel_names, bands.mean, bands.std, name=NORMALISING)(prepared)
    if config.preprocessing == "standardise":
        prepared = ImageStandardising(name="image_standardising")(prepared)
    imagenet = config.weights == "imagenet"
    with primitives.first_weights():
        encoder, features = build_encoder(
            config.encoder, prepared, imagenet, config.weights, bands is not None
        )
        scores = resize_like(decoder(features, num_classes), image, "logits_resize")
    model = keras.Model(
        image, scores, name=f"{config.architecture}_{config.encoder}".replace(":", "_")
    )
    pretrained = (
        config.weights in ("imagenet", "preset") or Path(config.weights).expanduser().is_dir()
    )
    if config.weights != "none" and not pretrained:
        return model, load_weights(model, encoder, config.weights)
    filled = set(variables_of(encoder)) if pretrained else set()
    names = variables_of(model)
    return model, WeightReport(
        config.weights,
        tuple(n for n in names if n in filled),
        tuple(n for n in names if n not in filled),
    )


def load_network(path: str | Path) -> keras.Model:
    """Read a network that was saved as ``.keras``, layers of this package included.

    Raises:
        SegcoreError: There is none, it is damaged, or it declares more values than it holds.
    """
    path = Path(path)
    if not path.is_file():
        raise SegcoreError(
            f"Expected a trained network in {path}, which does not exist: wait for the run's "
            "first epoch or choose another run."
        )
    return open_keras(path, "train it again")


def normalising_of(model: keras.Model) -> BandNormalising | None:
    """Return the layer by which a network normalises bands; None where it takes pictures."""
    return next((layer for layer in model.layers if isinstance(layer, BandNormalising)), None)


def input_dtype(model: keras.Model) -> str:
    """Return the dtype of the images that a network is fed: "uint8", or "float32" for bands."""
    return "uint8" if normalising_of(model) is None else "float32"


_HALF = ("bfloat16", "float16", "mixed_bfloat16", "mixed_float16")


def half_precision(model: keras.Model) -> str:
    """Return "bfloat16" or "float16" where a network's convolutions compute in it, else ""."""
    types = {
        layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D)
    } - {"float32"}
    return sorted(types)[0] if types else ""


def in_float32(model: keras.Model) -> keras.Model:
    """Return a network that computes in float32 throughout; one that already does is not copied.

    Under a mixed policy the weights are float32 all along, so nothing is lost: the answers are
    those of the same weights without the rounding on the way.
    """
    if not half_precision(model):
        return model
    plain: keras.Model = keras.saving.deserialize_keras_object(
        _without_half(keras.saving.serialize_keras_object(model))
    )
    plain.set_weights(model.get_weights())
    return plain


def _without_half(part: Any) -> Any:
    """Copy a serialised network with every policy of half precision replaced."""
    if isinstance(part, dict):
        return {key: _without_half(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return type(part)(map(_without_half, part))
    return "float32" if isinstance(part, str) and part in _HALF else part


def is_encoder_layer(layer: keras.layers.Layer) -> bool:
    """Return whether a layer is the encoder's: its name starts with neither decoder nor logits."""
    return not layer.name.startswith(("decoder", "logits"))
