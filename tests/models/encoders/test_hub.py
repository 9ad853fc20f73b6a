"""KerasHub's encoders: a tiny random instance of each family, from a preset folder, kept by a save."""

import sys

import keras
import numpy as np
import pytest

from segcore.catalog import ALL_ENCODERS
from segcore.catalog.hub import FAMILIES, is_class
from segcore.config import ModelConfig
from segcore.data.bands.band_set import BandSet
from segcore.data.bands.learned import LearnedBands
from segcore.errors import SegcoreError
from segcore.models.build import build_and_report, build_model, load_network
from segcore.models.encoders.encoders import build_encoder
from segcore.models.layers.features import STRIDES
from segcore.models.weights.weights import variables_of

pytestmark = pytest.mark.tensorflow

SIZE = (64, 96)
SCALE, OFFSET = (1 / 58.0, 1 / 57.0, 1 / 59.0), (-2.0, -1.9, -1.8)
SEVEN = {
    "stackwise_width_coefficients": [1.0] * 7,
    "stackwise_depth_coefficients": [1.0] * 7,
    "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "stackwise_num_repeats": [1] * 7,
    "stackwise_input_filters": [8, 8, 16, 16, 24, 24, 32],
    "stackwise_output_filters": [8, 16, 16, 24, 24, 32, 40],
    "stackwise_expansion_ratios": [1, 2, 2, 2, 2, 2, 2],
    "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
    "stackwise_squeeze_and_excite_ratios": [0.25] * 7,
    "stackwise_block_types": ["v1"] * 7,
}
RESNET = {
    "stackwise_num_filters": [64, 32, 48, 64],
    "stackwise_num_blocks": [1, 1, 1, 1],
    "stackwise_num_strides": [1, 2, 2, 2],
}
VIT = {"num_layers": 2, "hidden_dim": 32, "num_heads": 2, "intermediate_dim": 64}
TINY = {
    "cspnet": {
        "stem_filters": 8,
        "stem_kernel_size": 3,
        "stem_strides": 1,
        "stackwise_depth": [1] * 5,
        "stackwise_strides": [2] * 5,
        "stackwise_num_filters": [8, 16, 24, 32, 40],
        "block_type": "dark_block",
        "stage_type": "dark",
        "stem_padding": "same",
        "stem_pooling": None,
    },
    "densenet": {"stackwise_num_repeats": [2] * 4, "compression_ratio": 0.5, "growth_rate": 8},
    "dinov2": VIT | {"patch_size": 14, "image_shape": (56, 56, 3)},
    "dinov3": VIT | {"patch_size": 16, "image_shape": (64, 64, 3), "use_key_bias": False},
    "efficientnet": SEVEN,
    "mit": {
        "layerwise_depths": [1] * 4,
        "layerwise_num_heads": [1, 2, 4, 8],
        "layerwise_sr_ratios": [8, 4, 2, 1],
        "layerwise_patch_sizes": [7, 3, 3, 3],
        "layerwise_strides": [4, 2, 2, 2],
        "max_drop_path_rate": 0.1,
        "num_layers": 4,
        "hidden_dims": [8, 16, 24, 32],
        "image_shape": (64, 64, 3),
    },
    "resnet": RESNET
    | {
        "input_conv_filters": [8, 8, 64],
        "input_conv_kernel_sizes": [3, 3, 3],
        "block_type": "bottleneck_block_vd",
    },
}


@pytest.fixture(scope="module")
def library():
    return pytest.importorskip("keras_hub", reason="KERASHUB ABSENT: pip install '.[hub]'")


@pytest.fixture
def folder(library, tmp_path):
    """Save a tiny random instance of a family as a preset folder, with its scaling."""

    def save(family: str, scaling: bool = True, **changes):
        keras.utils.set_random_seed(0)
        kind = getattr(library.models, FAMILIES[family][0])
        more = {"position_embedding_shape": (56, 56, 3)} if family == "dinov2" else {}
        backbone = kind(**(TINY[family] | more | changes))
        rng = np.random.default_rng(0)
        for weight in backbone.weights:
            if len(weight.shape) > 1:
                weight.assign(rng.normal(0, 0.2, weight.shape))
        if family == "dinov2":  # what it computes with, and what it keeps of the pretraining
            tokens = backbone.embeddings
            tokens.interpolated_position_embeddings.assign(tokens.position_embeddings)
        place = tmp_path / family
        backbone.save_to_preset(str(place))
        if scaling:
            name = FAMILIES[family][0].replace("Backbone", "ImageConverter")
            converter = getattr(library.layers, name)(scale=list(SCALE), offset=list(OFFSET))
            converter.save_to_preset(str(place))
        return backbone, place

    return save


FIVE = LearnedBands(
    BandSet((1, 2, 3, 4, 5), ("nir", "red", "green", "blue", "height"), 5, "uint16"),
    (114.5,) * 5,
    (57.4,) * 5,
)


@pytest.mark.slow
@pytest.mark.parametrize("family", TINY)
def test_a_stem_is_inflated_to_five_channels(family, folder):
    _, place = folder(family)
    config = ModelConfig("lraspp", f"hub:{FAMILIES[family][0]}", str(place))
    source, _ = build_and_report(config, 2, SIZE)
    if family == "efficientnet":  # whose shape cannot be given
        with pytest.raises(SegcoreError, match=r"takes 5 channels, received 'hub:EfficientNet"):
            build_and_report(config, 2, SIZE, FIVE)
        return
    model, report = build_and_report(config, 2, SIZE, FIVE)
    stems = [n for n in report.inflated if not n.startswith(("decoder", "logits"))]
    assert len(stems) == 1 and model.input_shape[-1] == 5
    place_of = list(variables_of(model)).index(stems[0])
    narrow, wide = (
        np.asarray(list(variables_of(network).values())[place_of]) for network in (source, model)
    )
    np.testing.assert_allclose(wide.sum(2), narrow.sum(2), atol=1e-4)
    np.testing.assert_allclose(wide[:, :, 1:4], 0.6 * narrow, atol=1e-5)
    lacking = set(variables_of(model)) - set(report.filled)
    assert all(n.startswith(("decoder", "logits")) for n in lacking)


def test_every_family_has_a_tiny_instance():
    assert set(TINY) == set(FAMILIES)


@pytest.mark.parametrize("family", TINY)
def test_an_instance_gives_features_learns_and_survives_a_save(family, folder, tmp_path):
    _, place = folder(family)
    name = f"hub:{FAMILIES[family][0]}"
    image = keras.Input((*SIZE, 3), name="image")
    encoder, features = build_encoder(name, image, weights=str(place))
    assert [s for s in features.taps if s > 1] == list(STRIDES)
    for stride, tensor in features.taps.items():
        assert tensor.shape[1:3] == (SIZE[0] // stride, SIZE[1] // stride), stride
    assert not any(layer.name.startswith(("decoder", "logits")) for layer in encoder.layers)

    model, report = build_and_report(ModelConfig("unet", name, str(place)), 3, SIZE)
    assert len(report.filled) == len(encoder.weights) > 0
    images = np.random.default_rng(1).uniform(0, 255, (2, *SIZE, 3)).astype(np.float32)
    masks = np.random.default_rng(2).integers(0, 3, (2, *SIZE))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [np.asarray(v).copy() for v in model.trainable_variables]
    loss = model.train_on_batch(images, masks)
    assert np.isfinite(loss)
    still = [
        v.path
        for v, old in zip(model.trainable_variables, before, strict=True)
        if np.array_equal(v, old) and not v.path.endswith("bias")
    ]
    assert len(still) < len(before) / 4, still
    model.save(tmp_path / "model.keras")
    again = load_network(tmp_path / "model.keras")
    np.testing.assert_allclose(again(images[:1]), model(images[:1]), atol=1e-5)


@pytest.mark.parametrize("family", TINY)
def test_the_features_are_those_of_the_library(family, folder, library):
    """The same image through KerasHub's own network, scaled by its own converter: the same map."""
    backbone, place = folder(family)
    name, square = f"hub:{FAMILIES[family][0]}", (64, 64)
    image = keras.Input((*square, 3), name="image")
    encoder, features = build_encoder(name, image, weights=str(place))
    pixels = np.random.default_rng(3).uniform(0, 255, (1, *square, 3)).astype(np.float32)
    if family == "dinov2":  # 14-pixel patches: ours resizes the image by 14/16
        small = np.asarray(keras.ops.image.resize(pixels, (56, 56), antialias=False))
        theirs = backbone({"images": small * SCALE + OFFSET})
    elif family == "dinov3":
        theirs = backbone({"pixel_values": pixels * SCALE + OFFSET})
    else:
        theirs = keras.Model(backbone.inputs, list(backbone.pyramid_outputs.values()))(
            [pixels * SCALE + OFFSET]
        )
    if family in ("dinov2", "dinov3"):
        patches = np.asarray(theirs)[:, -16:].reshape(1, 4, 4, -1)
        ours = np.asarray(encoder(pixels))
        np.testing.assert_allclose(ours, patches, atol=2e-4)
        return
    own = {s: t for s, t in features.taps.items() if "decoder" not in t._keras_history[0].name}
    answers = keras.Model(image, list(own.values()))(pixels)
    by_size = {64 // tensor.shape[1]: tensor for tensor in theirs}
    assert set(own) == {stride for stride in by_size if stride in STRIDES}
    for stride, answer in zip(own, answers, strict=True):
        # its MiT takes GELU's approximation, ours the exact function that was published
        most = 2e-2 if family == "mit" else 2e-4
        other = np.asarray(by_size[stride])
        rounding = 1e-5 * np.abs(other).max()  # of sums of large values whose result is small
        np.testing.assert_allclose(answer, other, atol=max(most, rounding), rtol=1e-3)


def test_what_does_not_fit_is_a_sentence(folder, library):
    _, place = folder("densenet")
    with pytest.raises(SegcoreError, match="found one of 'DenseNetBackbone': name that class"):
        build_model(ModelConfig("unet", "hub:MiTBackbone", str(place)), 2, SIZE)
    _, gated = folder("dinov3", use_gated_mlp=True)
    with pytest.raises(SegcoreError, match="one with gates"):
        build_model(ModelConfig("unet", "hub:DINOV3Backbone", str(gated)), 2, SIZE)
    _, bare = folder("resnet", scaling=False)
    with pytest.raises(SegcoreError, match=r"scaling of pixels \(image_converter.json\)"):
        build_model(ModelConfig("unet", "hub:ResNetBackbone", str(bare)), 2, SIZE)
    (place / "config.json").write_text("{")
    with pytest.raises(SegcoreError, match="which cannot be read"):
        build_model(ModelConfig("unet", "hub:DenseNetBackbone", str(place)), 2, SIZE)


def test_a_preset_without_a_network_ends_in_one_sentence_with_the_ways_out(library, monkeypatch):
    def offline(*arguments, **named):
        raise ConnectionError("Failed to resolve 'api.kaggle.com'")

    monkeypatch.setattr(library.models.Backbone, "from_preset", offline)
    config = ModelConfig("unet", "hub:resnet_vd_18_imagenet", "preset")
    with pytest.raises(SegcoreError) as told:
        build_model(config, 2, SIZE)
    for words in ("connect this machine once", "save_to_preset(FOLDER)", "without hub:"):
        assert words in str(told.value)


def test_the_installed_presets_are_listed_and_are_those_of_the_library(library):
    listed = [name for name in ALL_ENCODERS if name.startswith("hub:") and not is_class(name)]
    assert {"hub:dinov3_vit_small_lvd1689m", "hub:resnet_vd_50_imagenet"} <= set(listed)
    for family, (kind, *_) in FAMILIES.items():
        theirs = getattr(library.models, kind).presets
        own = [name for name in listed if name.removeprefix("hub:") in theirs]
        assert own, family
        for name in own:
            metadata = theirs[name.removeprefix("hub:")]["metadata"]
            assert ALL_ENCODERS[name].parameters == pytest.approx(metadata["params"] / 1e6)


def test_without_the_library_a_sentence_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(SegcoreError, match=r"pip install .*\[hub\]"):
        build_model(ModelConfig("unet", "hub:resnet_vd_18_imagenet", "none"), 2, SIZE)
