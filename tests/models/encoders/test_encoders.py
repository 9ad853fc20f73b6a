"""Every encoder gives features at the strides that decoders rely on."""

import keras
import numpy as np
import pytest

from segcore.catalog import ENCODERS
from segcore.errors import SegcoreError
from segcore.models.encoders.encoders import build_encoder, recipe_of
from segcore.models.layers.features import STRIDES
from segcore.models.weights.stems import STEMS
from segcore.models.weights.weights import variables_of

pytestmark = pytest.mark.tensorflow

SIZE = (64, 96)


def _one_of_each_pattern() -> list[str]:
    """Members of a family that share their taps are built alike: one of them stands for all."""
    modules, names = set(), []
    for name in ENCODERS:
        recipe = recipe_of(name)
        key = (tuple(recipe.taps.items()), recipe.from_keras)
        names += [name] if key not in modules else []
        modules.add(key)
    return names


DEEPER = {
    *("resnet101", "resnet152", "resnet101_v2", "resnet152_v2", "resnet34", "vgg19"),
    *("efficientnet_v2_b1", "efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l"),
    *("inception_resnet_v2", "convnext_small", "convnext_base"),
}
"""Built by the same functions as a smaller one of the family, with more layers: in `make slow`."""
PATTERNS = [
    pytest.param(name, marks=[pytest.mark.slow] * (name in DEEPER))
    for name in _one_of_each_pattern()
]


@pytest.fixture
def without_values():
    """Layers that are built have variables, and these no values: nothing here is computed."""
    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.utils.clear_session()  # forgets variables that still wait for values


@pytest.mark.parametrize("name", PATTERNS)
def test_features_stand_at_their_strides(name, without_values):
    encoder, features = build_encoder(name, keras.Input((*SIZE, 3), name="image"))
    if name in STEMS:
        stem, shape = STEMS[name]
        kernel = variables_of(encoder)[stem].shape
        assert (*kernel[:2], *kernel[3:]) == shape and kernel[2] == 3
    assert [s for s in features.taps if s > 1] == list(STRIDES)
    for stride, tensor in features.taps.items():
        assert tensor.shape[1:3] == (SIZE[0] // stride, SIZE[1] // stride), stride
        assert tensor.dtype == "float32"
    assert features.image.shape == (None, *SIZE, 3)
    assert not any(layer.name.startswith(("decoder", "logits")) for layer in encoder.layers)
    assert {
        layer.momentum
        for layer in encoder.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    } <= {0.9}
    reached = keras.Model(encoder.inputs, list(features.taps.values()))
    trained = {id(v) for v in reached.trainable_variables}
    assert {id(v) for v in encoder.trainable_variables} <= trained, (
        "a layer lies beyond the deepest tap"
    )


def test_an_unknown_encoder_is_refused():
    with pytest.raises(SegcoreError, match="did you mean 'resnet50'"):
        build_encoder("resnet5", keras.Input((32, 32, 3)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tiny", [255 / 127.5 - 1, -1, -1]),
        ("vgg16", [0 - 103.939, 0 - 116.779, 255 - 123.68]),
        ("mobilenet_v3_small", [255, 0, 0]),
    ],
)
def test_pixels_are_scaled_inside(name, expected):
    """Pure red by hand: to [-1, 1]; to BGR less the means; or left to the network."""
    image = keras.Input((32, 32, 3))
    encoder, _ = build_encoder(name, image)
    scaling = keras.Model(image, encoder.get_layer("image_scaling").output)
    red = np.zeros((1, 32, 32, 3), np.float32)
    red[..., 0] = 255
    np.testing.assert_allclose(scaling(red)[0, 5, 7], expected, rtol=1e-6)


def test_same_padding_keeps_names_of_a_fresh_process():
    """Automatic layer numbers go on through a process; weights by name need them to start anew."""
    keras.layers.Conv2D(1, 1)  # takes the number 0
    encoder, _ = build_encoder("xception", keras.Input((32, 32, 3)))
    assert {"conv2d", "conv2d_1", "batch_normalization_3"} <= {
        layer.name for layer in encoder.layers
    }
