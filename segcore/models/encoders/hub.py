"""Encoders of KerasHub: its convolutional pyramids as they are, its transformers as our own.

Named "hub:<preset>" ("hub:resnet_vd_50_imagenet"), or "hub:<class>" with a preset folder as the
weights. Only this module knows KerasHub; it is imported when such an encoder is built.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from segcore.catalog.hub import PREFIX, is_class
from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.models.encoders.mix_transformer import MixTransformer, build_mix_transformer
from segcore.models.encoders.recipe import AS_IS, Scaling
from segcore.models.encoders.stem import widen
from segcore.models.encoders.vision_transformer import (
    STRIDE,
    Transformer,
    build_vision_transformer,
)
from segcore.models.layers.features import STRIDES
from segcore.models.layers.layers import ImageScaling
from segcore.models.weights.weights import variables_of

NEEDED = (4, 8, 16)
"""Strides that a pyramid must have; the others are filled."""


def build_hub(
    name: str, image: Any, weights: str, bands: bool = False
) -> tuple[keras.Model, dict[int, Any]]:
    """Build an encoder of KerasHub on an input, its own scaling of pixels included.

    Args:
        name: "hub:<preset>" or "hub:<class>".
        image: Symbolic input, (B, H, W, 3) float32 RGB 0..255, height and width known.
        weights: "preset" (KerasHub downloads and keeps them), the path of a preset folder, or
            "none" or a file, for which only the shape is taken from the preset.
        bands: Whether the channels are bands of a raster; no weights are filled in then.

    Returns:
        The encoder as a model from ``image`` to its deepest features, and its features by stride,
        read from the network.

    Raises:
        SegcoreError: KerasHub is not installed, the preset cannot be had, it is no network for
            images with features at the strides 4, 8 and 16, or its scaling is not known.
    """
    library = keras_hub()
    folder = Path(weights).expanduser()
    local = folder.is_dir()
    if is_class(name) and not local:
        raise SegcoreError(
            f"Expected a preset folder as the weights of {name!r}, received {weights!r}: a class "
            "has no shape of its own; give the folder, or name a preset."
        )
    source = str(folder) if local else name.removeprefix(PREFIX)
    filled = local or weights == "preset"
    backbone = _fetch(library, source, filled)
    kind = type(backbone).__name__
    if is_class(name) and kind != name.removeprefix(PREFIX):
        raise SegcoreError(
            f"Expected a preset of {name!r} in {source}, found one of {kind!r}: name that class."
        )
    scaling = _scaling(library, source, filled)
    scaling = widen(scaling, image.shape[-1]) if bands else scaling
    scaled = ImageScaling(*scaling, name="image_scaling")(image)
    if kind in ("DINOV2Backbone", "DINOV3Backbone"):
        return _transformer(backbone, scaled, kind, fill=not bands)
    if kind == "MiTBackbone":
        return _mix_transformer(backbone, scaled, fill=not bands)
    if not isinstance(backbone, library.models.FeaturePyramidBackbone):
        raise SegcoreError(
            f"Expected a feature pyramid of KerasHub, received {kind!r} from {name!r}: choose "
            "another preset; its classification networks without one have no maps to tap."
        )
    return _pyramid(backbone, scaled, name, fill=not bands)


def keras_hub() -> ModuleType:
    """Import KerasHub.

    Raises:
        SegcoreError: It is not installed, or is of another version than its parts.
    """
    try:
        return importlib.import_module("keras_hub")
    except ImportError as error:
        raise SegcoreError(
            f"Expected KerasHub for an encoder named {PREFIX}..., which cannot be imported "
            f"({error}): install it with {extra_command('hub')}, or choose an encoder without {PREFIX}."
        ) from error


def _fetch(library: ModuleType, source: str, filled: bool) -> Any:
    """Return a backbone from a preset or a folder, with its weights or at random."""
    try:
        return library.models.Backbone.from_preset(source, load_weights=filled)
    except Exception as error:  # the network, a licence that was not accepted, a damaged folder
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".:")
        if Path(source).is_dir():
            raise SegcoreError(
                f"Expected a preset folder of KerasHub in {source}, which cannot be read "
                f"({reason}): save it again with save_to_preset."
            ) from error
        raise SegcoreError(
            f"Expected KerasHub to fetch the preset {source!r}, received no answer "
            f"({type(error).__name__}: {reason}): connect this machine once; or save the preset on "
            f"another (keras_hub.models.Backbone.from_preset({source!r}).save_to_preset(FOLDER)) "
            f"and give the folder as the weights; or choose an encoder without {PREFIX}."
        ) from error


def _scaling(library: ModuleType, source: str, filled: bool) -> Scaling:
    """Return the preset's scaling of pixels, ``y = x scale + offset``, in our form.

    A network that starts at random has no scaling of its own; it gets that of our own ones.
    """
    try:
        converter = library.layers.ImageConverter.from_preset(source)
    except Exception as error:  # no such file, or a network that is not there
        if not filled:
            return AS_IS
        raise SegcoreError(
            f"Expected the scaling of pixels (image_converter.json) beside the weights of "
            f"{source!r}, found none: save it there with "
            "keras_hub.layers.ImageConverter.from_preset(PRESET).save_to_preset(FOLDER)."
        ) from error
    scale = np.broadcast_to(1.0 if converter.scale is None else converter.scale, 3)
    offset = np.broadcast_to(0.0 if converter.offset is None else converter.offset, 3)
    mean, divisor = -offset / scale, 1 / scale
    return (_three(mean), _three(divisor), False)


def _three(values: npt.NDArray[Any]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _pyramid(
    backbone: Any, scaled: Any, name: str, fill: bool
) -> tuple[keras.Model, dict[int, Any]]:
    """Lay a backbone's layers on our input and find its maps by their size."""
    size = tuple(scaled.shape[1:])
    config = backbone.get_config()
    if "image_shape" in config and tuple(config["image_shape"]) != size:
        weights = backbone.get_weights()
        backbone = type(backbone).from_config({**config, "image_shape": size})
        if fill:
            backbone.set_weights(weights)
    if backbone.inputs[0].shape[-1] != size[-1]:
        raise SegcoreError(
            f"Expected an encoder that takes {size[-1]} channels, received {name!r}, whose shape "
            "is fixed to three: choose one without hub:, or import the images as pictures."
        )
    outputs = backbone.pyramid_outputs
    inner = keras.Model(backbone.inputs, list(outputs.values()))
    taps: dict[int, Any] = {}
    for tensor in keras.tree.flatten(inner.call([scaled])):  # its layers one by one, on our input
        stride = size[0] / tensor.shape[1]
        if stride in STRIDES and size[1] / tensor.shape[2] == stride:
            taps[int(stride)] = tensor
    missing = [stride for stride in NEEDED if stride not in taps]
    if missing:
        raise SegcoreError(
            f"Expected features of {name!r} at the strides 4, 8 and 16, found "
            f"{', '.join(map(str, sorted(taps))) or 'none'}: choose another preset."
        )
    encoder = keras.Model(keras.utils.get_source_inputs(scaled), taps[max(taps)], name="hub")
    return encoder, dict(sorted(taps.items()))


def _mix_transformer(backbone: Any, scaled: Any, fill: bool) -> tuple[keras.Model, dict[int, Any]]:
    """Build a MiT as our own, with the same weights.

    KerasHub's takes square images only and cannot be saved in a network; ours takes any. One
    difference: GELU is exact here, as it was published, and approximate there.
    """
    shape = MixTransformer(
        backbone.hidden_dims,
        backbone.layerwise_depths,
        backbone.layerwise_num_heads,
        backbone.layerwise_sr_ratios,
        published=True,
    )
    encoder = build_mix_transformer(scaled, shape, "mit_hub")
    taps = {4 * 2**i: encoder.get_layer(f"norm{i + 1}").output for i in range(4)}
    if not fill:
        return encoder, taps
    ours = variables_of(encoder)

    def fill_from(name: str, layer: Any) -> None:
        for variable in layer.weights:
            target = ours[f"{name}/{variable.name}"]
            target.assign(np.asarray(variable).reshape(target.shape))

    for stage, depth in enumerate(shape.depths):
        patches = backbone.get_layer(f"patch_and_embed_{stage}")
        fill_from(f"patch_embed{stage + 1}", patches.proj)
        fill_from(f"patch_embed{stage + 1}_norm", patches.norm)
        last = backbone.get_layer(f"output_level_{stage}").input
        fill_from(f"norm{stage + 1}", last._keras_history.operation)
        for number in range(depth):
            block = backbone.get_layer(f"hierarchical_encoder_{stage}_{number}")
            _fill_block(fill_from, f"block{stage + 1}_{number}", block)
    return encoder, taps


def _fill_block(fill: Callable[[str, Any], None], name: str, block: Any) -> None:
    """Fill one block of ours from one of theirs."""
    attention = block.attn
    parts = {
        "norm1": block.norm1,
        "attention/query": attention.q,
        "attention/key": attention.k,
        "attention/value": attention.v,
        "attention/attention_output": attention.proj,
        "norm2": block.norm2,
        "fc1": block.mlp.fc1,
        "dwconv": block.mlp.dwconv,
        "fc2": block.mlp.fc2,
    }
    if attention.sr_ratio > 1:
        parts |= {"reduce": attention.sr, "reduce_norm": attention.norm}
    for part, layer in parts.items():
        fill(f"{name}_{part}", layer)


def _transformer(
    backbone: Any, scaled: Any, kind: str, fill: bool
) -> tuple[keras.Model, dict[int, Any]]:
    """Build a DINO backbone as our own plain transformer, with the same weights.

    KerasHub's takes square images only; ours takes any, and computes the same.
    """
    second = kind == "DINOV2Backbone"
    if getattr(backbone, "use_swiglu_ffn", False) or getattr(backbone, "use_gated_mlp", False):
        raise SegcoreError(
            f"Expected a {kind} with plain dense layers, received one with gates: choose a "
            "preset of the small, base or large size."
        )
    positions = backbone.position_embedding_shape[0] // backbone.patch_size if second else 0
    shape = Transformer(
        backbone.hidden_dim,
        backbone.num_layers,
        backbone.num_heads,
        backbone.patch_size,
        registers=backbone.num_register_tokens,
        positions=positions,
        theta=0.0 if second else backbone.rope_theta,
        key_bias=second or backbone.use_key_bias,
        epsilon=1e-6 if second else backbone.layer_norm_eps,
        ratio=backbone.intermediate_dim / backbone.hidden_dim,
    )
    family = "dinov2" if second else "dinov3"
    encoder = build_vision_transformer(scaled, shape, f"{family}_hub")
    if not fill:
        return encoder, {STRIDE: encoder.output}
    theirs = {_our_name(weight.path): np.asarray(weight) for weight in backbone.weights}
    for ours, variable in variables_of(encoder).items():
        variable.assign(theirs[ours].reshape(variable.shape))
    return encoder, {STRIDE: encoder.output}


_PARTS = {
    "embeddings/cls_token": "embeddings_tokens/class_token",
    "embeddings/register_tokens": "embeddings_tokens/register_tokens",
    "embeddings/position_embeddings": "embeddings_tokens/positions",
    "embeddings/patch_embeddings/projection": "embeddings_patch",
    "attention/attention/attention_output": "proj",
    "attention/attention/query": "query",
    "attention/attention/key": "key",
    "attention/attention/value": "value",
    "attention/q_proj": "query",
    "attention/k_proj": "key",
    "attention/v_proj": "value",
    "attention/o_proj": "proj",
    "mlp/fc1": "fc1",
    "mlp/fc2": "fc2",
    "mlp/up_proj": "fc1",
    "mlp/down_proj": "fc2",
    "layer_scale1/lambda1": "scale1/gamma",
    "layer_scale2/lambda1": "scale2/gamma",
    "layernorm": "norm",
}
"""Parts of the names of KerasHub's variables, and ours."""


def _our_name(path: str) -> str:
    """Turn "encoder/layers_3/mlp/fc1/kernel" into "block3_fc1/kernel"."""
    _, block, rest = path.rpartition("encoder/layers_")
    number, _, inner = rest.partition("/") if block else ("", "", path)
    for theirs, ours in _PARTS.items():
        at = inner.find(theirs)
        if at >= 0 and inner[at + len(theirs) :][:1] in ("", "/"):
            inner = ours + inner[at + len(theirs) :]
            break
    return f"block{number}_{inner}" if block else inner
