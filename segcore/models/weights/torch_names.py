"""PyTorch's names and layouts turned into Keras'."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.models.weights.vision_names import from_published, table_of

Arrays = dict[str, npt.NDArray[Any]]

TORCH_MEAN = (123.675, 116.28, 103.53)
TORCH_STD = (58.395, 57.12, 57.375)
CAFFE_MEAN = (123.68, 116.779, 103.939)
"""Means that the Keras VGG's scaling subtracts; all three in RGB order, pixel units."""

VGG_BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
TORCH_FORM = {"resnet18", "resnet34", "resnet50_v1_5"}
"""Encoders whose layer names are PyTorch's, "_" for "."."""

PREFIXES = ("encoder.", "backbone.", "resnet.")


def _vgg_layers(encoder: str) -> dict[str, str]:
    """Map "features.<n>" (convolution, ReLU, ..., pool) to Keras' block and convolution names."""
    names, position = {}, 0
    for block, count in enumerate(VGG_BLOCKS[encoder], 1):
        for i in range(1, count + 1):
            names[f"features.{position}"] = f"block{block}_conv{i}"
            position += 2
        position += 1
    return names


def _from_spacenet4(state: Arrays) -> Arrays:
    """Bring the names of the SpaceNet-4 VGG16-UNet to torchvision's and to our decoder's.

    Its encoder's convolutions occur twice, as "encoder.<n>" and again as "conv<block>.<n>": the
    second set is left out.
    """
    renamed: Arrays = {}
    for name, array in state.items():
        head, _, rest = name.partition(".")
        layer, _, kind = rest.rpartition(".")
        if head == "encoder":
            renamed[f"features.{rest}"] = array
        elif head == "final":
            renamed[f"logits.{kind}"] = array
        elif head == "dec1":
            renamed[f"decoder_dec1.{kind}"] = array
        elif layer in ("block.1.conv", "block.2.conv"):
            renamed[f"decoder_{head}_{'a' if '.1.' in layer else 'b'}.{kind}"] = array
        elif not re.fullmatch(r"conv[1-5]", head):
            renamed[name] = array
    return renamed


def _fold_scaling(arrays: Arrays) -> None:
    """Rewrite VGG's first convolution for BGR pixels minus CAFFE_MEAN instead of scaled RGB.

    ``k'[c] = k[c] / std[c]`` and ``b' = b + sum k'[c] (caffe[c] - torch[c])``, then channels
    reversed: the same output for every pixel but those at the border, where zero padding means
    another colour (by less than one level).
    """
    kernel = arrays["block1_conv1/kernel"].astype(np.float64) / np.array(TORCH_STD)[:, None]
    shift = np.array(CAFFE_MEAN) - np.array(TORCH_MEAN)
    bias = arrays["block1_conv1/bias"] + np.einsum("hwio,i->o", kernel, shift)
    arrays["block1_conv1/kernel"] = np.ascontiguousarray(kernel[:, :, ::-1]).astype(np.float32)
    arrays["block1_conv1/bias"] = bias.astype(np.float32)


def from_state_dict(state: Arrays, encoder: str) -> Arrays:
    """Turn a PyTorch state dict into "layer/variable" arrays of Keras' layout.

    Convolutions (out, in, h, w) become (h, w, in, out), dense matrices are transposed, ``weight``
    of a normalisation becomes gamma, ``running_mean`` moving_mean, and so on; counters of batches
    are dropped.

    Args:
        state: PyTorch's names to arrays, as torchvision's ResNet and VGG, or the SpaceNet-4
            VGG16-UNet, have them; one leading "encoder.", "backbone." or "resnet." is dropped when
            every name but the top's has it.
        encoder: Name of the encoder: resnet18, resnet34, resnet50_v1_5, vgg16, vgg19, or one of
            DINOv2 and DINOv3, whose names :mod:`segcore.models.weights.vision_names` has.

    Returns:
        Arrays for :func:`segcore.models.weights.weights.load_weights`.

    Raises:
        SegcoreError: There is no table for this encoder.
    """
    if table_of(encoder) is not None:
        return from_published(state, encoder)
    known = [*sorted(TORCH_FORM | set(VGG_BLOCKS)), "dinov2_...", "dinov3_..."]
    if encoder not in known:
        raise SegcoreError(
            f"Expected an encoder of PyTorch's form ({', '.join(known)}) for a PyTorch "
            f"file, received {encoder!r}: choose one of these, "
            "since a network that strides elsewhere would compute other features from the "
            "same weights."
        )
    if "center.block.1.conv.weight" in state:
        state = _from_spacenet4(state)
    for prefix in PREFIXES:
        if any(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): array for name, array in state.items()}
    vgg = _vgg_layers(encoder) if encoder in VGG_BLOCKS else {}
    arrays: Arrays = {}
    for name, array in state.items():
        layer, _, kind = name.rpartition(".")
        if kind == "num_batches_tracked":
            continue
        normalises = f"{layer}.running_mean" in state
        variable = {
            "weight": "gamma" if normalises else "kernel",
            "bias": "beta" if normalises else "bias",
            "running_mean": "moving_mean",
            "running_var": "moving_variance",
        }.get(kind, kind)
        if variable == "kernel" and array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        elif variable == "kernel" and array.ndim == 2:
            array = array.T
        target = vgg.get(
            layer,
            layer.split(".")[0] if layer.startswith("classifier") else layer.replace(".", "_"),
        )
        arrays[f"{target}/{variable}"] = array
    if vgg and {"block1_conv1/kernel", "block1_conv1/bias"} <= set(arrays):
        _fold_scaling(arrays)
    return arrays
