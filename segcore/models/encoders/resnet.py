"""ResNets in the form of PyTorch's model zoo, so that its state dicts fit name by name."""

from typing import Any

import keras
from keras import layers

from segcore.models.encoders.recipe import TORCH, Recipe, at


def _conv(x: Any, filters: int, kernel: int, strides: int, name: str) -> Any:
    if (
        kernel > 1
    ):  # pads both sides alike; SAME would pad only the far side of a strided convolution
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(
        filters, kernel, strides=strides, use_bias=False, kernel_initializer="he_normal", name=name
    )(x)


def _norm(x: Any, name: str, relu: bool = True) -> Any:
    x = layers.BatchNormalization(epsilon=1e-5, name=name)(x)
    return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x


def _block(x: Any, filters: int, strides: int, bottleneck: bool, name: str) -> Any:
    shortcut = x
    width = 4 * filters if bottleneck else filters
    if strides > 1 or x.shape[-1] != width:
        shortcut = _norm(
            _conv(x, width, 1, strides, f"{name}_downsample_0"), f"{name}_downsample_1", relu=False
        )
    if bottleneck:
        x = _norm(_conv(x, filters, 1, 1, f"{name}_conv1"), f"{name}_bn1")
        x = _norm(_conv(x, filters, 3, strides, f"{name}_conv2"), f"{name}_bn2")
        x = _norm(_conv(x, width, 1, 1, f"{name}_conv3"), f"{name}_bn3", relu=False)
    else:
        x = _norm(_conv(x, filters, 3, strides, f"{name}_conv1"), f"{name}_bn1")
        x = _norm(_conv(x, filters, 3, 1, f"{name}_conv2"), f"{name}_bn2", relu=False)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _build(
    image: Any, repeats: tuple[int, int, int, int], bottleneck: bool, name: str
) -> keras.Model:
    x = _norm(_conv(image, 64, 7, 2, "conv1"), "bn1")
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="maxpool")(x)
    for stage, count in enumerate(repeats, 1):
        for i in range(count):
            strides = 2 if stage > 1 and i == 0 else 1
            x = _block(x, 64 * 2 ** (stage - 1), strides, bottleneck, f"layer{stage}_{i}")
    return keras.Model(keras.utils.get_source_inputs(image), x, name=name)


def build_resnet18(image: Any) -> keras.Model:
    """Build ResNet18 from a scaled image (B, H, W, 3): basic blocks 2, 2, 2, 2.

    He, Zhang, Ren, Sun, "Deep residual learning", CVPR 2016. Layer names are PyTorch's with "_" for
    ".".
    """
    return _build(image, (2, 2, 2, 2), False, "resnet18")


def build_resnet34(image: Any) -> keras.Model:
    """Build ResNet34 from a scaled image (B, H, W, 3): basic blocks 3, 4, 6, 3."""
    return _build(image, (3, 4, 6, 3), False, "resnet34")


def build_resnet50_v1_5(image: Any) -> keras.Model:
    """Build ResNet50 "version 1.5": a stage strides in its 3x3 convolution, not in its first 1x1.

    Keras' ``resnet50`` strides in the first 1x1; weights of one form give wrong features in the
    other, and their layer names differ so that they cannot be mixed up.
    """
    return _build(image, (3, 4, 6, 3), True, "resnet50_v1_5")


_TORCH_RESNET_34 = at("bn1_relu", "layer1_2_out", "layer2_3_out", "layer3_5_out", "layer4_2_out")
RECIPES: dict[str, Recipe] = {
    "resnet18": Recipe(
        build_resnet18, TORCH, at("bn1_relu", *(f"layer{i}_1_out" for i in range(1, 5))), False
    ),
    "resnet34": Recipe(build_resnet34, TORCH, _TORCH_RESNET_34, False),
    "resnet50_v1_5": Recipe(build_resnet50_v1_5, TORCH, _TORCH_RESNET_34, False),
}
