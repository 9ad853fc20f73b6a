"""Published DINOv2 and DINOv3 files fill every variable: names and shapes as their authors have them."""

import json

import keras
import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.models.encoders.encoders import build_encoder
from segcore.models.encoders.vision_transformer import SHAPES, Transformer
from segcore.models.weights.vision_names import TABLES, from_published
from segcore.models.weights.weights import load_weights, variables_of

pytestmark = pytest.mark.tensorflow

PUBLISHED = {
    "dinov2_small": 22_056_576,
    "dinov2_base": 86_580_480,
    "dinov3_small": 21_596_544,
    "dinov3_base": 85_660_416,
}
"""Parameters that the model cards state (22.1, 86.6, 21.6, 85.7 million): the mask token included."""


def state_shapes(encoder: str) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a published file, written out from the two model classes."""
    shape: Transformer = SHAPES[encoder]
    wide, hidden, patch = shape.width, 4 * shape.width, shape.patch
    second = encoder.startswith("dinov2")
    first = "embeddings.patch_embeddings" + (".projection" if second else "")
    block = "encoder.layer" if second else "layer"
    attention = (
        ("attention.attention.query", "attention.attention.key", "attention.attention.value")
        if second
        else ("attention.q_proj", "attention.k_proj", "attention.v_proj")
    )
    out = "attention.output.dense" if second else "attention.o_proj"
    up, down = ("mlp.fc1", "mlp.fc2") if second else ("mlp.up_proj", "mlp.down_proj")
    last = "layernorm" if second else "norm"
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, wide),
        "embeddings.mask_token": (1, wide) if second else (1, 1, wide),
        f"{first}.weight": (wide, 3, patch, patch),
        f"{first}.bias": (wide,),
        f"{last}.weight": (wide,),
        f"{last}.bias": (wide,),
    }
    if second:
        shapes["embeddings.position_embeddings"] = (1, 1370, wide)
    else:
        shapes["embeddings.register_tokens"] = (1, 4, wide)
    for number in range(shape.depth):
        for name in ("norm1", "norm2"):
            shapes[f"{block}.{number}.{name}.weight"] = (wide,)
            shapes[f"{block}.{number}.{name}.bias"] = (wide,)
        for name in ("layer_scale1", "layer_scale2"):
            shapes[f"{block}.{number}.{name}.lambda1"] = (wide,)
        for name in (*attention, out):
            shapes[f"{block}.{number}.{name}.weight"] = (wide, wide)
            if name != "attention.k_proj":
                shapes[f"{block}.{number}.{name}.bias"] = (wide,)
        for name, (outputs, inputs) in {up: (hidden, wide), down: (wide, hidden)}.items():
            shapes[f"{block}.{number}.{name}.weight"] = (outputs, inputs)
            shapes[f"{block}.{number}.{name}.bias"] = (outputs,)
    return shapes


def write_safetensors(path, arrays) -> None:
    """A .safetensors file of float32 arrays: eight bytes of length, a JSON header, the values."""
    header, position = {}, 0
    for name, array in arrays.items():
        span = [position, position + array.nbytes]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": span}
        position = span[1]
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(array.tobytes())


@pytest.mark.parametrize("encoder", PUBLISHED)
def test_the_written_shapes_are_the_published_number_of_parameters(encoder):
    assert (
        sum(int(np.prod(shape)) for shape in state_shapes(encoder).values()) == PUBLISHED[encoder]
    )


@pytest.mark.parametrize("encoder", ["dinov2_small", "dinov3_small"])
def test_a_published_file_fills_every_variable_with_its_own_array(encoder, tmp_path):
    rng = np.random.default_rng(0)
    state = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in state_shapes(encoder).items()
    }
    write_safetensors(tmp_path / "model.safetensors", state)
    model, _ = build_encoder(encoder, keras.Input((32, 64, 3), name="image"))
    report = load_weights(model, model, tmp_path / "model.safetensors")
    assert not report.unfilled and not report.unused
    ours = {name: np.asarray(v) for name, v in variables_of(model).items()}
    block = "encoder.layer.7" if encoder == "dinov2_small" else "layer.7"
    query = "attention.attention.query" if encoder == "dinov2_small" else "attention.q_proj"
    np.testing.assert_array_equal(ours["block7_query/kernel"], state[f"{block}.{query}.weight"].T)
    np.testing.assert_array_equal(
        ours["block7_scale2/gamma"], state[f"{block}.layer_scale2.lambda1"]
    )
    kernel = next(a for name, a in state.items() if "patch_embeddings" in name and a.ndim == 4)
    np.testing.assert_array_equal(ours["embeddings_patch/kernel"][2, 5, 1], kernel[:, 1, 2, 5])


@pytest.mark.parametrize("encoder", ["dinov2_base", "dinov2_large", "dinov3_base", "dinov3_large"])
def test_the_table_covers_the_larger_sizes(encoder):
    """Every published name has a place, and no two share one; no value is needed for that."""
    state = {name: np.empty((0,)) for name in state_shapes(encoder)}
    renamed = from_published(state, encoder)
    assert len(renamed) == len(state) - 1, "all but the mask token"
    assert all(name.startswith(("embeddings_", "block", "norm/")) for name in renamed)
    assert {name.split("_")[0] for name in renamed if name.startswith("block")} == {
        f"block{number}" for number in range(SHAPES[encoder].depth)
    }


def test_a_prefix_is_dropped_and_a_strange_name_is_named(tmp_path):
    encoder = "dinov3_small"
    state = {
        f"model.{name}": np.zeros(shape, np.float32)
        for name, shape in state_shapes(encoder).items()
    }
    write_safetensors(tmp_path / "right.safetensors", state)
    model, _ = build_encoder(encoder, keras.Input((32, 32, 3), name="image"))
    assert not load_weights(model, model, tmp_path / "right.safetensors").unfilled
    write_safetensors(
        tmp_path / "odd.safetensors", state | {"decoder.weight": np.zeros((2, 2), np.float32)}
    )
    with pytest.raises(SegcoreError, match=r"no place in it \(decoder.weight\)"):
        load_weights(model, model, tmp_path / "odd.safetensors")
    del state["model.layer.3.mlp.up_proj.bias"]
    write_safetensors(tmp_path / "less.safetensors", state)
    with pytest.raises(SegcoreError, match=r"lacks variables of it \(block3_fc1/bias\)"):
        load_weights(model, model, tmp_path / "less.safetensors")


def test_no_table_names_a_variable_twice():
    for table in TABLES.values():
        ours = [name for name, _ in table.values()]
        assert len(set(ours)) == len(ours)
