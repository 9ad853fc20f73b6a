"""Coarse layers in bfloat16: which are rounded, how little that changes, when it is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore.models.layers.blocks import conv, logits, resize_like
from segcore.runs.machine.processor import has_bfloat16
from segcore.training.engines.tensorflow import answers
from segcore.training.engines.tensorflow.bfloat16 import operations, round_coarse
from segcore.training.inference import backends

pytestmark = pytest.mark.tensorflow
SIZE = (32, 64)


@pytest.fixture(scope="module")
def frozen():
    """Convolutions at strides 1, 2, 4, 8 and, for the scores, 8 again."""
    keras.utils.set_random_seed(0)
    image = keras.Input((*SIZE, 3), name="image")
    x = conv(keras.layers.Rescaling(1 / 127.5, -1)(image), 4, "a")
    for name in "bcd":
        x = conv(x, 8, name, strides=2)
    return answers.freeze(keras.Model(image, resize_like(logits(x, 3), image, "resize")), 2)


def images():
    return np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize(("stride", "count"), [(1, 5), (2, 4), (4, 3), (8, 2), (16, 0)])
def test_what_is_coarse_is_rounded_and_nothing_else(frozen, stride, count):
    rounded = round_coarse(frozen, stride)
    if not count:
        assert rounded is None
        return
    types = [op.inputs[0].dtype for op in rounded.graph.get_operations() if op.type == "Conv2D"]
    assert types.count(tf.bfloat16) == count and types.count(tf.float32) == 5 - count
    assert rounded.inputs[0].dtype == tf.uint8 and rounded.outputs[0].shape == (2, *SIZE, 3)
    if has_bfloat16():
        answer, expected = (answers.plain(f)(images()) for f in (rounded, frozen))
        assert 0 < np.abs(answer - expected).max() < 0.05
        np.testing.assert_allclose(answer.sum(-1), 1, atol=1e-5)


def test_a_network_in_half_precision_already_is_left_as_it_is():
    image = keras.Input((*SIZE, 3))
    half = keras.Model(
        image, keras.layers.Conv2D(3, 3, strides=8, padding="same", dtype="mixed_bfloat16")(image)
    )
    assert round_coarse(answers.freeze(half, 1), 4) is None


def test_operations_are_counted_by_hand(frozen):
    """Two a product: k k in out h w."""
    full = SIZE[0] * SIZE[1]
    products = (
        9 * 3 * 4 * full
        + 9 * 4 * 8 * full / 4
        + 9 * 8 * 8 * full / 16
        + 9 * 8 * 8 * full / 64
        + 8 * 3 * full / 64
    )
    assert operations(frozen) == 2 * products


def test_the_fastest_that_agrees_is_taken(frozen, monkeypatch):
    expected = answers.plain(frozen)(images())
    wrong = expected[..., ::-1]
    monkeypatch.setattr(answers, "has_bfloat16", lambda: True)
    monkeypatch.setattr(answers, "is_installed", lambda name: False)
    monkeypatch.setattr(answers, "round_coarse", lambda frozen, stride: stride)
    says = {4: wrong, 8: expected, 16: expected}
    monkeypatch.setattr(answers, "plain", lambda which: lambda images: says.get(which, expected))
    assert (
        backends.choose(frozen, "auto", images(), 2).precision == "float32"
    )  # too small to gain by it
    monkeypatch.setattr(answers, "WORTH", 0)
    taken = backends.choose(frozen, "auto", images(), 2)
    assert (taken.name, taken.precision, taken.agreement) == (
        "tensorflow",
        "bfloat16 from stride 8 on",
        1.0,
    )
    assert "from stride 4 on gave only" in taken.describe()
    assert backends.choose(frozen, "tensorflow", images(), 2).precision == "float32"
    assert backends.choose(frozen, "auto", images(), 2, "bfloat16").precision == "bfloat16"
    says |= {8: wrong, 16: wrong}
    assert backends.choose(frozen, "auto", images(), 2).precision == "float32"
    monkeypatch.setattr(answers, "has_bfloat16", lambda: False)
    assert (
        backends.choose(frozen, "auto", images(), 2).note
        == "OpenVINO, which is faster on a CPU, is not installed"
    )
