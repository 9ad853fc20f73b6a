"""RefineNet: residual refinement of each scale, fusion with the coarser one, chained pooling."""

from typing import Any

from keras import layers
from keras.initializers import VarianceScaling

from segcore.models.layers.blocks import logits, resize_like
from segcore.models.layers.features import Features


def _conv(x: Any, filters: int, name: str) -> Any:
    """Convolve without normalisation; a fifth of He's variance keeps the many sums bounded."""
    start = VarianceScaling(0.4, "fan_in")
    return layers.Conv2D(filters, 3, padding="same", kernel_initializer=start, name=name)(x)


def _residual(x: Any, name: str) -> Any:
    """``x + conv(relu(conv(relu(x))))``."""
    y = _conv(layers.Activation("relu", name=f"{name}_relu_a")(x), x.shape[-1], f"{name}_conv_a")
    y = _conv(layers.Activation("relu", name=f"{name}_relu_b")(y), x.shape[-1], f"{name}_conv_b")
    return layers.Add(name=f"{name}_add")([x, y])


def _chained_pooling(x: Any, name: str) -> Any:
    """``x' = relu(x); x' + p_1 + p_2`` with ``p_i = conv(pool5(p_(i-1)))``."""
    x = layers.Activation("relu", name=f"{name}_relu")(x)
    path, total = x, x
    for step in (1, 2):
        path = layers.MaxPooling2D(5, 1, padding="same", name=f"{name}_pool{step}")(path)
        path = _conv(path, x.shape[-1], f"{name}_conv{step}")
        total = layers.Add(name=f"{name}_add{step}")([total, path])
    return total


def build_refinenet(features: Features, num_classes: int) -> Any:
    """Build RefineNet over strides 32, 16, 8 and 4, four residual units to a cascade.

    ``r_s = unit(chain(conv(units(W e_s)) + up(conv(r_2s))))``. Lin, Milan, Shen, Reid, "RefineNet",
    CVPR 2017. Departures: one width (256) at all scales, the paper has 512 at stride 32; like the
    paper, no batch normalisation in the decoder.

    Args:
        features: What the encoder saw.
        num_classes: C.

    Returns:
        Logits (B, H/4, W/4, C) float32.
    """
    width = features.at_most(256)
    refined = None
    for stride in (32, 16, 8, 4):
        name = f"decoder_{stride}"
        x = _conv(features[stride], width, f"{name}_in")
        x = _residual(_residual(x, f"{name}_unit1"), f"{name}_unit2")
        if refined is not None:
            x = _conv(x, width, f"{name}_own")
            up = resize_like(_conv(refined, width, f"{name}_coarser"), x, f"{name}_up")
            x = layers.Add(name=f"{name}_fuse")([x, up])
        refined = _residual(_chained_pooling(x, f"{name}_chain"), f"{name}_unit3")
    return logits(refined, num_classes)
