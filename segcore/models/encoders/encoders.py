"""Encoders: how each name is built, the pixel scaling it expects, and where it is tapped."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import applications as keras_apps

from segcore.errors import unknown
from segcore.models.encoders.efficientnet_lite import build_efficientnet_lite0
from segcore.models.encoders.mix_transformer import build_mit_b0, build_mit_b1, build_mit_b2
from segcore.models.encoders.plain import build_plain, build_plain_mini
from segcore.models.encoders.resnet import build_resnet18, build_resnet34, build_resnet50_v1_5
from segcore.models.encoders.squeezenet import build_squeezenet
from segcore.models.encoders.tiny import build_tiny
from segcore.models.layers.batch_norm import fuse
from segcore.models.layers.blocks import MOMENTUM, conv
from segcore.models.layers.features import STRIDES, Features
from segcore.models.layers.layers import ImageScaling
from segcore.models.weights.weights import fetch_imagenet

Scaling = tuple[tuple[float, float, float], tuple[float, float, float], bool]
"""Mean, divisor (units 0..255), whether channels become BGR; see :class:`ImageScaling`."""

PLUS_MINUS_ONE: Scaling = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5), False)
LITE: Scaling = ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0), False)
CAFFE: Scaling = ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), True)
TORCH: Scaling = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), False)
AS_IS: Scaling = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False)
"""The network scales 0..255 itself."""


@dataclass(frozen=True)
class Recipe:
    """How one encoder is built.

    Attributes:
        build: A function of keras.applications (``from_keras``), or one of this package,
            from the scaled image (B, H, W, 3) to a model.
        scaling: The pixel scaling that it expects.
        taps: Features for the decoder, one layer name for each stride: the layer's output; with "<"
            in front its input; "" is the network's own output.
        from_keras: Whether ``build`` takes Keras' arguments and can have ImageNet weights.
        same_padding: Whether valid padding is turned into SAME (Inception, Xception), so that every
            scale halves exactly; weights are not touched by it.
    """

    build: Callable[..., keras.Model]
    scaling: Scaling
    taps: dict[int, str]
    from_keras: bool = True
    same_padding: bool = False


AUTOMATIC_NAMES = {
    "conv2d",
    "batch_normalization",
    "activation",
    "max_pooling2d",
    "average_pooling2d",
    "add",
}
"""Names that Keras numbers through a whole process ("conv2d_57") where a network gives none."""


def _at(*names: str, first: int = 2) -> dict[int, str]:
    return {first * 2**i: name for i, name in enumerate(names)}


def _resnet(blocks3: int, blocks4: int) -> dict[int, str]:
    return _at(
        "conv1_relu",
        "conv2_block3_out",
        f"conv3_block{blocks3}_out",
        f"conv4_block{blocks4}_out",
        "conv5_block3_out",
    )


def _resnet_v2(blocks3: int, blocks4: int) -> dict[int, str]:
    last = (f"conv{s}_block{n}_preact_relu" for s, n in ((2, 3), (3, blocks3), (4, blocks4)))
    return _at("conv1_conv", *last, "post_relu")


def _efficientnet_v2(end1: str, end2: str) -> dict[int, str]:
    return _at(
        end1, end2, "block4a_expand_activation", "block6a_expand_activation", "top_activation"
    )


def _convnext(name: str) -> dict[int, str]:
    return _at(*(f"<{name}_downsampling_block_{i}" for i in range(3)), "", first=4)


_EFFICIENTNET = _at(
    "block2a_expand_activation",
    "block3a_expand_activation",
    "block4a_expand_activation",
    "block6a_expand_activation",
    "top_activation",
)
_MOBILENET = _at(
    "conv_pw_1_relu", "conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"
)
_DENSENET = _at("conv1_relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu")
_TORCH_RESNET_34 = _at("bn1_relu", "layer1_2_out", "layer2_3_out", "layer3_5_out", "layer4_2_out")
_PLAIN = _at(*(f"plain_{2**i}b_relu" for i in range(5)), first=1)
_MIT = _at("norm1", "norm2", "norm3", "norm4", first=4)

RECIPES: dict[str, Recipe] = {
    "resnet50": Recipe(keras_apps.ResNet50, CAFFE, _resnet(4, 6)),
    "resnet101": Recipe(keras_apps.ResNet101, CAFFE, _resnet(4, 23)),
    "resnet152": Recipe(keras_apps.ResNet152, CAFFE, _resnet(8, 36)),
    "resnet50_v2": Recipe(keras_apps.ResNet50V2, PLUS_MINUS_ONE, _resnet_v2(4, 6)),
    "resnet101_v2": Recipe(keras_apps.ResNet101V2, PLUS_MINUS_ONE, _resnet_v2(4, 23)),
    "resnet152_v2": Recipe(keras_apps.ResNet152V2, PLUS_MINUS_ONE, _resnet_v2(8, 36)),
    "resnet18": Recipe(
        build_resnet18, TORCH, _at("bn1_relu", *(f"layer{i}_1_out" for i in range(1, 5))), False
    ),
    "resnet34": Recipe(build_resnet34, TORCH, _TORCH_RESNET_34, False),
    "resnet50_v1_5": Recipe(build_resnet50_v1_5, TORCH, _TORCH_RESNET_34, False),
    "vgg16": Recipe(
        keras_apps.VGG16,
        CAFFE,
        _at(
            *(f"block{i}_conv{n}" for i, n in enumerate((2, 2, 3, 3, 3), 1)), "block5_pool", first=1
        ),
    ),
    "vgg19": Recipe(
        keras_apps.VGG19,
        CAFFE,
        _at(
            *(f"block{i}_conv{n}" for i, n in enumerate((2, 2, 4, 4, 4), 1)), "block5_pool", first=1
        ),
    ),
    "mobilenet_v1": Recipe(keras_apps.MobileNet, PLUS_MINUS_ONE, _MOBILENET),
    "mobilenet_025": Recipe(partial(keras_apps.MobileNet, alpha=0.25), PLUS_MINUS_ONE, _MOBILENET),
    "mobilenet_v2": Recipe(
        keras_apps.MobileNetV2,
        PLUS_MINUS_ONE,
        _at(*(f"block_{i}_expand_relu" for i in (1, 3, 6, 13)), "out_relu"),
    ),
    "mobilenet_v3_small": Recipe(
        keras_apps.MobileNetV3Small,
        AS_IS,
        _at(*(f"<expanded_conv{i}_depthwise_pad" for i in ("", "_1", "_3", "_8")), ""),
    ),
    "mobilenet_v3_large": Recipe(
        keras_apps.MobileNetV3Large,
        AS_IS,
        _at(*(f"<expanded_conv{i}_depthwise_pad" for i in ("_1", "_3", "_6", "_12")), ""),
    ),
    "efficientnet_lite0": Recipe(build_efficientnet_lite0, LITE, _EFFICIENTNET, False),
    "efficientnet_b0": Recipe(keras_apps.EfficientNetB0, AS_IS, _EFFICIENTNET),
    "efficientnet_b1": Recipe(keras_apps.EfficientNetB1, AS_IS, _EFFICIENTNET),
    "efficientnet_b2": Recipe(keras_apps.EfficientNetB2, AS_IS, _EFFICIENTNET),
    "efficientnet_b3": Recipe(keras_apps.EfficientNetB3, AS_IS, _EFFICIENTNET),
    "efficientnet_b4": Recipe(keras_apps.EfficientNetB4, AS_IS, _EFFICIENTNET),
    "efficientnet_b5": Recipe(keras_apps.EfficientNetB5, AS_IS, _EFFICIENTNET),
    "efficientnet_b6": Recipe(keras_apps.EfficientNetB6, AS_IS, _EFFICIENTNET),
    "efficientnet_b7": Recipe(keras_apps.EfficientNetB7, AS_IS, _EFFICIENTNET),
    "efficientnet_v2_b0": Recipe(
        keras_apps.EfficientNetV2B0,
        AS_IS,
        _efficientnet_v2("block1a_project_activation", "block2b_add"),
    ),
    "efficientnet_v2_b1": Recipe(
        keras_apps.EfficientNetV2B1, AS_IS, _efficientnet_v2("block1b_add", "block2c_add")
    ),
    "efficientnet_v2_b2": Recipe(
        keras_apps.EfficientNetV2B2, AS_IS, _efficientnet_v2("block1b_add", "block2c_add")
    ),
    "efficientnet_v2_b3": Recipe(
        keras_apps.EfficientNetV2B3, AS_IS, _efficientnet_v2("block1b_add", "block2c_add")
    ),
    "efficientnet_v2_s": Recipe(
        keras_apps.EfficientNetV2S, AS_IS, _efficientnet_v2("block1b_add", "block2d_add")
    ),
    "efficientnet_v2_m": Recipe(
        keras_apps.EfficientNetV2M, AS_IS, _efficientnet_v2("block1c_add", "block2e_add")
    ),
    "efficientnet_v2_l": Recipe(
        keras_apps.EfficientNetV2L, AS_IS, _efficientnet_v2("block1d_add", "block2g_add")
    ),
    "densenet121": Recipe(keras_apps.DenseNet121, TORCH, _DENSENET),
    "densenet169": Recipe(keras_apps.DenseNet169, TORCH, _DENSENET),
    "densenet201": Recipe(keras_apps.DenseNet201, TORCH, _DENSENET),
    "xception": Recipe(
        keras_apps.Xception,
        PLUS_MINUS_ONE,
        _at(*(f"block{i}_sepconv2_bn" for i in (2, 3, 4, 13)), "block14_sepconv2_act"),
        same_padding=True,
    ),
    "inception_v3": Recipe(
        keras_apps.InceptionV3,
        PLUS_MINUS_ONE,
        _at("activation_2", "activation_4", "mixed2", "mixed7", "mixed10"),
        same_padding=True,
    ),
    "inception_resnet_v2": Recipe(
        keras_apps.InceptionResNetV2,
        PLUS_MINUS_ONE,
        _at("activation_2", "activation_4", "block35_10_ac", "block17_20_ac", "conv_7b_ac"),
        same_padding=True,
    ),
    "convnext_tiny": Recipe(keras_apps.ConvNeXtTiny, AS_IS, _convnext("convnext_tiny")),
    "convnext_small": Recipe(keras_apps.ConvNeXtSmall, AS_IS, _convnext("convnext_small")),
    "convnext_base": Recipe(keras_apps.ConvNeXtBase, AS_IS, _convnext("convnext_base")),
    "mit_b0": Recipe(build_mit_b0, TORCH, _MIT, False),
    "mit_b1": Recipe(build_mit_b1, TORCH, _MIT, False),
    "mit_b2": Recipe(build_mit_b2, TORCH, _MIT, False),
    "squeezenet": Recipe(
        build_squeezenet, CAFFE, _at("conv1", "fire3_concat", "fire5_concat", "fire9_concat"), False
    ),
    "plain": Recipe(build_plain, PLUS_MINUS_ONE, _PLAIN, False),
    "plain_mini": Recipe(build_plain_mini, PLUS_MINUS_ONE, _PLAIN, False),
    "tiny": Recipe(
        build_tiny, PLUS_MINUS_ONE, _at(*(f"tiny_{s}b_relu" for s in (1, *STRIDES)), first=1), False
    ),
}


def build_encoder(name: str, image: Any, imagenet: bool = False) -> tuple[keras.Model, Features]:
    """Build an encoder on an input, preprocessing included.

    Every batch normalisation gets :data:`~segcore.models.layers.blocks.MOMENTUM` and computes in
    one operation. Decoders may rely on strides 2, 4, 8, 16 and 32. Where an encoder has no features
    at one of them, a gap at 2 is filled by two 3x3 convolutions over the image (the first strided;
    32 filters), a gap at 32 by one strided 3x3 convolution over stride 16 (as wide as that is, 512
    at most).

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
    if recipe.same_padding:
        source = _build_on(recipe, name, keras.Input((None, None, 3), name="image"), imagenet)
        encoder = _with_same_padding(source, image)
        if imagenet:
            encoder.set_weights(source.get_weights())
    else:
        encoder = _build_on(recipe, name, image, imagenet)
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM
            fuse(layer)
    decoder_image = ImageScaling(*PLUS_MINUS_ONE, name="decoder_image")(image)
    taps = {stride: _tap(encoder, tap) for stride, tap in recipe.taps.items()}
    return encoder, Features(decoder_image, _fill_gaps(decoder_image, taps))


def _build_on(recipe: Recipe, name: str, image: Any, imagenet: bool) -> keras.Model:
    scaled = ImageScaling(*recipe.scaling, name="image_scaling")(image)
    if not recipe.from_keras:
        return recipe.build(scaled)
    if imagenet:
        return fetch_imagenet(
            name, lambda: recipe.build(include_top=False, weights="imagenet", input_tensor=scaled)
        )
    return recipe.build(include_top=False, weights=None, input_tensor=scaled)


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
    if 2 not in taps:
        taps[2] = conv(conv(image, 32, "decoder_fill_2a", strides=2), 32, "decoder_fill_2b")
    if 32 not in taps:
        taps[32] = conv(taps[16], min(512, taps[16].shape[-1]), "decoder_fill_32", strides=2)
    return dict(sorted(taps.items()))
