"""Published names of DINOv2's and DINOv3's weights, turned into those of our layers.

The tables are those of the files that their authors publish as ``.safetensors`` for the
Transformers library: a name with ``{}`` for the block's number, our layer, and how the array is
laid out there.
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]

AS_IT_IS, MATRIX, KERNEL = "as it is", "matrix", "kernel"
"""Layouts: ours; (out, in) for our (in, out); (out, in, h, w) for our (h, w, in, out)."""

_EMBEDDINGS = {
    "embeddings.cls_token": ("embeddings_tokens/class_token", AS_IT_IS),
    "embeddings.register_tokens": ("embeddings_tokens/register_tokens", AS_IT_IS),
    "embeddings.position_embeddings": ("embeddings_tokens/positions", AS_IT_IS),
}
_BLOCK = {
    "norm1.weight": ("norm1/gamma", AS_IT_IS),
    "norm1.bias": ("norm1/beta", AS_IT_IS),
    "norm2.weight": ("norm2/gamma", AS_IT_IS),
    "norm2.bias": ("norm2/beta", AS_IT_IS),
    "layer_scale1.lambda1": ("scale1/gamma", AS_IT_IS),
    "layer_scale2.lambda1": ("scale2/gamma", AS_IT_IS),
}


def _dense(theirs: str, ours: str) -> dict[str, tuple[str, str]]:
    return {
        f"{theirs}.weight": (f"{ours}/kernel", MATRIX),
        f"{theirs}.bias": (f"{ours}/bias", AS_IT_IS),
    }


def _in_blocks(prefix: str, table: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    return {
        f"{prefix}.{{}}.{theirs}": (f"block{{}}_{ours}", layout)
        for theirs, (ours, layout) in table.items()
    }


DINOV2 = {
    **_EMBEDDINGS,
    "embeddings.patch_embeddings.projection.weight": ("embeddings_patch/kernel", KERNEL),
    "embeddings.patch_embeddings.projection.bias": ("embeddings_patch/bias", AS_IT_IS),
    "layernorm.weight": ("norm/gamma", AS_IT_IS),
    "layernorm.bias": ("norm/beta", AS_IT_IS),
    **_in_blocks(
        "encoder.layer",
        {
            **_BLOCK,
            **_dense("attention.attention.query", "query"),
            **_dense("attention.attention.key", "key"),
            **_dense("attention.attention.value", "value"),
            **_dense("attention.output.dense", "proj"),
            **_dense("mlp.fc1", "fc1"),
            **_dense("mlp.fc2", "fc2"),
        },
    ),
}
DINOV3 = {
    **_EMBEDDINGS,
    "embeddings.patch_embeddings.weight": ("embeddings_patch/kernel", KERNEL),
    "embeddings.patch_embeddings.bias": ("embeddings_patch/bias", AS_IT_IS),
    "norm.weight": ("norm/gamma", AS_IT_IS),
    "norm.bias": ("norm/beta", AS_IT_IS),
    **_in_blocks(
        "layer",
        {
            **_BLOCK,
            **_dense("attention.q_proj", "query"),
            **_dense("attention.k_proj", "key"),
            **_dense("attention.v_proj", "value"),
            **_dense("attention.o_proj", "proj"),
            **_dense("mlp.up_proj", "fc1"),
            **_dense("mlp.down_proj", "fc2"),
        },
    ),
}
TABLES = {"dinov2": DINOV2, "dinov3": DINOV3}
"""Published name to our variable and layout, by the part of an encoder's name before "_"."""

LEFT_OUT = {"embeddings.mask_token"}
"""What only pretraining needs."""


def table_of(encoder: str) -> dict[str, tuple[str, str]] | None:
    """Return the table of an encoder's published names; None where it has none."""
    return TABLES.get(encoder.partition("_")[0])


def from_published(state: Arrays, encoder: str) -> Arrays:
    """Turn published arrays into "layer/variable" arrays of Keras' layout.

    A leading "model." or the encoder's family ("dinov2.") is dropped. A name that the table lacks
    stays as it is, so that it is reported as one that has no place.

    Args:
        state: Published names to arrays.
        encoder: Name of an encoder that has a table.

    Returns:
        Arrays for :func:`segcore.models.weights.weights.load_weights`.
    """
    table = table_of(encoder) or {}
    family = encoder.partition("_")[0]
    arrays: Arrays = {}
    for name, array in state.items():
        plain = re.sub(rf"^({family}|{family}_vit|model)\.", "", name)
        if plain in LEFT_OUT:
            continue
        number = re.search(r"(?<=layer\.)\d+(?=\.)", plain)
        entry = table.get(re.sub(r"(?<=layer\.)\d+(?=\.)", "{}", plain))
        if entry is None:
            arrays[name] = array
            continue
        ours, layout = entry
        arrays[ours.format(number[0]) if number else ours] = _laid_out(array, layout)
    return arrays


def _laid_out(array: npt.NDArray[Any], layout: str) -> npt.NDArray[Any]:
    """Return an array in our layout; one of another rank as it is, for the check of shapes."""
    if layout == MATRIX and array.ndim == 2:
        return np.ascontiguousarray(array.T)
    if layout == KERNEL and array.ndim == 4:
        return np.ascontiguousarray(array.transpose(2, 3, 1, 0))
    return array
