"""EfficientNet-Lite0: EfficientNetB0 with ReLU6 and without squeeze-and-excitation."""

from typing import Any

import keras
from keras import layers

from segcore.models.encoders.recipe import LITE, Recipe, at

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Of each stage: repeats, kernel, stride of the first block, expansion, channels out."""


def _norm(x: Any, name: str, active: bool = True) -> Any:
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}bn")(x)
    return layers.ReLU(6.0, name=f"{name}activation")(x) if active else x


def _block(x: Any, name: str, kernel: int, strides: int, expansion: int, filters: int) -> Any:
    start, channels = x, x.shape[-1]
    if expansion > 1:
        x = layers.Conv2D(
            channels * expansion, 1, padding="same", use_bias=False, name=f"{name}_expand_conv"
        )(x)
        x = _norm(x, f"{name}_expand_")
    x = layers.DepthwiseConv2D(
        kernel, strides=strides, padding="same", use_bias=False, name=f"{name}_dwconv"
    )(x)
    x = _norm(x, f"{name}_")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project_conv")(x)
    x = _norm(x, f"{name}_project_", active=False)
    return layers.Add(name=f"{name}_add")([x, start]) if strides == 1 and channels == filters else x


def build_efficientnet_lite0(image: Any) -> keras.Model:
    """Build EfficientNet-Lite0 without its classification top.

    Tan and Le, "EfficientNet", ICML 2019; the Lite variants of the authors' repository, 2020.

    Args:
        image: Scaled image, (x - 127) / 128, (B, H, W, 3).

    Returns:
        A model with layer names of EfficientNetB0.
    """
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(image)
    x = _norm(x, "stem_")
    for stage, (repeats, kernel, strides, expansion, filters) in enumerate(STAGES, 1):
        for repeat in range(repeats):
            x = _block(
                x,
                f"block{stage}{'abcd'[repeat]}",
                kernel,
                strides if repeat == 0 else 1,
                expansion,
                filters,
            )
    x = layers.Conv2D(1280, 1, padding="same", use_bias=False, name="top_conv")(x)
    x = _norm(x, "top_")
    return keras.Model(keras.utils.get_source_inputs(image), x, name="efficientnet_lite0")


_EFFICIENTNET = at(
    "block2a_expand_activation",
    "block3a_expand_activation",
    "block4a_expand_activation",
    "block6a_expand_activation",
    "top_activation",
)
RECIPES: dict[str, Recipe] = {
    "efficientnet_lite0": Recipe(build_efficientnet_lite0, LITE, _EFFICIENTNET, False),
}
