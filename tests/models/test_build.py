"""One contract for every architecture."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import segcore.models.layers
from segcore.catalog import ARCHITECTURES, CLASSIC_NAMES, ENCODERS
from segcore.config import ModelConfig
from segcore.errors import SegcoreError
from segcore.models.build import build_and_report, build_model, is_encoder_layer, load_network
from segcore.models.encoders.encoders import recipe_of
from segcore.models.split import split_network

pytestmark = pytest.mark.tensorflow

CLASSES, SIZE = 5, (32, 64)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 255, (2, *SIZE, 3)).astype(np.float32)


@pytest.fixture
def bfloat16():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    keras.mixed_precision.set_global_policy("float32")


def test_imagenet_is_offered_where_keras_has_weights():
    assert {n for n in ENCODERS if recipe_of(n).from_keras} == {
        n for n, e in ENCODERS.items() if e.imagenet
    }


def test_classic_names_mean_known_pairs():
    for name, (architecture, encoder) in CLASSIC_NAMES.items():
        assert architecture in ARCHITECTURES and encoder in ENCODERS, name
        # each is named for what it combines; without an encoder in its name it has the plain one
        assert architecture.removesuffix("s") in name, name
        family = encoder.split("_")[0].rstrip("0123456789")
        assert family in name or family == "plain" or name.startswith("pspnet_"), name
    assert (
        CLASSIC_NAMES["pspnet_50"][1] == "resnet50"
        and CLASSIC_NAMES["pspnet_101"][1] == "resnet101"
    )


SAVED: set[tuple[type, str]] = set()
"""Kinds of layers that were saved and read: a class of Keras', or one of our own with its arguments."""


def kinds_of(model):
    """The kinds of layers of a network; names and sizes do not count."""
    own = {layer: type(layer).__module__.startswith("segcore") for layer in model.layers}
    configs = {layer: layer.get_config() if is_own else {} for layer, is_own in own.items()}
    return {
        (
            type(layer),
            str({k: v for k, v in config.items() if isinstance(v, bool | str) and k != "name"}),
        )
        for layer, config in configs.items()
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_architecture_learns_splits_and_survives_a_save(architecture, images, tmp_path):
    """One network is built for all that is asked of each: logits, gradients, halves, its file.

    A file is asked of those with a kind of layer that none before had, and of the one that ``make slow``
    (test_pairs) leaves out; there it is asked of all others.
    """
    keras.utils.set_random_seed(0)
    model = build_model(ModelConfig(architecture, "tiny", "none"), CLASSES, SIZE)
    assert model.input.name == "image"
    masks = np.random.default_rng(1).integers(0, CLASSES, images.shape[:3])
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(masks, logits))
    assert logits.shape == (2, *SIZE, CLASSES)
    assert logits.dtype == tf.float32
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, f"{variable.path} does not reach the loss"
        assert np.isfinite(tf.convert_to_tensor(gradient)).all(), variable.path
    assert {
        layer.momentum
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    } == {0.9}

    split, expected = split_network(model), np.asarray(model(images))
    check_halves(model, split, images, expected)
    kinds = kinds_of(model) - SAVED
    if kinds or architecture == "unet_spacenet4":
        model.save(tmp_path / "model.keras")
        again = load_network(tmp_path / "model.keras")
        np.testing.assert_array_equal(again(images), expected)
        SAVED.update(kinds)


READ = """
import sys
import keras
from segcore.models.build import load_network
for path in sys.argv[1:]:
    load_network(path)
print(*keras.saving.get_custom_objects())
"""


def test_a_process_that_built_none_reads_every_network(tmp_path):
    """Predictions run in processes of their own, which know layers only from the files' names."""
    paths = [str(tmp_path / f"{name}.keras") for name in ("unet_crf", "danet")]
    for path in paths:
        build_model(ModelConfig(Path(path).stem, "tiny", "none"), CLASSES, SIZE).save(path)
    command = [sys.executable, "-c", READ, *paths]
    known = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    layers = Path(segcore.models.layers.__file__).parent.parent
    text = "".join(path.read_text("utf-8") for path in layers.rglob("*.py"))
    own = re.findall(r"register_keras_serializable\(.*\)\nclass (\w+)", text)
    assert len(own) > 15
    assert {f"segcore>{name}" for name in own} - set(known) == {"segcore>Unpack"}  # saved never


def check_halves(model, split, images, expected):
    """The encoder's packed features, through the head, are the whole network's logits."""
    maps = keras.tree.flatten(split.encoder(images))
    packed = np.concatenate([np.asarray(one).reshape(len(images), -1) for one in maps], 1)
    assert packed.shape == (len(images), split.values)
    np.testing.assert_allclose(split.head(packed), expected, atol=1e-4)
    own = {id(v) for v in split.head.trainable_variables}
    decoder = {
        id(v) for layer in model.layers if not is_encoder_layer(layer) for v in layer.variables
    }
    assert own and own <= decoder


@pytest.mark.parametrize(
    "encoder", ["mit_b0", pytest.param("dinov3_small", marks=pytest.mark.slow)]
)
def test_an_encoder_of_tokens_splits_too(encoder, images):
    model = build_model(ModelConfig("fpn", encoder, "none"), 3, SIZE)
    check_halves(model, split_network(model), images, np.asarray(model(images)))


OWN_LAYERS = {"unet", "segnet", "pspnet", "danet", "ocrnet", "unet_crf"}
"""Those whose layers of our own choose their types; the others are told once more in `make slow`."""


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param(name, marks=[] if name in OWN_LAYERS else [pytest.mark.slow])
        for name in ARCHITECTURES
    ],
)
def test_logits_are_float32_under_mixed_precision(architecture, images, bfloat16):
    model = build_model(ModelConfig(architecture, "tiny", "none"), CLASSES, SIZE)
    assert model.output.dtype == "float32"
    assert model.get_layer("tiny_2a_conv").compute_dtype == "bfloat16"
    logits = model(images, training=False)
    assert logits.dtype == tf.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("architecture", ["unet", "deeplab_v3_plus"])
@pytest.mark.parametrize("encoder", ["mit_b0", "squeezenet", "mobilenet_025"])
def test_a_decoder_takes_encoders_with_gaps(architecture, encoder):
    """MiT has no stride 2, SqueezeNet no 32, MobileNet no 1."""
    model = build_model(ModelConfig(architecture, encoder, "none"), 2, (32, 64))
    assert model.output_shape == (None, 32, 64, 2)
    own = [layer.name for layer in model.layers if layer.weights and is_encoder_layer(layer)]
    assert own
    assert not any(name.startswith(("decoder", "logits")) for name in own)
    assert model.get_layer("logits").weights


def test_the_graph_runs_compiled(images):
    model = build_model(ModelConfig("unet_upsample", "tiny", "none"), CLASSES, SIZE)
    compiled = tf.function(lambda x: model(x, training=False))
    np.testing.assert_allclose(compiled(images), model(images, training=False), atol=1e-4)


def test_the_same_seed_gives_the_same_weights():
    first, second = [], []
    for weights in (first, second):
        keras.utils.set_random_seed(7)
        weights += build_model(ModelConfig("linknet", "tiny", "none"), 3, (32, 32)).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(("size", "classes"), [((33, 32), 3), ((32, 0), 3), ((32, 32), 0)])
def test_what_cannot_be_built_is_refused(size, classes):
    with pytest.raises(SegcoreError, match="Expected a size"):
        build_model(ModelConfig("unet", "tiny", "none"), classes, size)


def test_the_report_says_that_nothing_was_filled():
    model, report = build_and_report(ModelConfig("lraspp", "tiny", "none"), 3, (32, 32))
    assert not report.filled
    assert len(report.unfilled) == len(model.weights)
