"""The fused batch normalisation against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore.models.encoders.encoders import build_encoder
from segcore.models.layers.batch_norm import FusedBatchNorm, fuse

pytestmark = pytest.mark.tensorflow


def pair(channels=5, dtype="float32", **arguments):
    """Keras' layer and ours with the same random variables."""
    rng = np.random.default_rng(0)
    kinds = (keras.layers.BatchNormalization, FusedBatchNorm)
    layers = [
        kind(momentum=0.7, epsilon=1e-3, dtype=dtype, name="norm", **arguments) for kind in kinds
    ]
    for layer in layers:
        layer.build((None, None, None, channels))
    values = [rng.uniform(0.5, 2, v.shape) for v in layers[0].weights]
    for layer in layers:
        layer.set_weights(values)
    return layers


def learn(layer, x):
    """Output, gradients of the input and the variables, and the moving moments after one step."""
    weights = tf.constant(np.random.default_rng(1).normal(size=x.shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = layer(x, training=True)
        loss = tf.reduce_sum(tf.cast(out, tf.float32) * weights)
    gradients = tape.gradient(loss, [x, *layer.trainable_variables])
    return [
        np.asarray(tf.cast(value, tf.float32))
        for value in (out, *gradients, *layer.non_trainable_variables)
    ]


@pytest.mark.parametrize(
    "arguments", [{}, {"scale": False}, {"center": False}, {"scale": False, "center": False}]
)
def test_it_computes_what_keras_does(arguments):
    x = tf.constant(np.random.default_rng(2).normal(1, 3, (2, 4, 3, 5)), tf.float32)
    plain, fused = pair(**arguments)
    for one, two in zip(learn(plain, x), learn(fused, x), strict=True):
        np.testing.assert_allclose(two, one, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(
        fused(x), plain(x), rtol=1e-4, atol=1e-4
    )  # evaluation, with the moments that training left


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_keeps_its_moments_in_float32(half):
    x = tf.cast(np.random.default_rng(3).normal(1, 3, (2, 8, 8, 5)), half)
    plain, fused = pair(dtype=f"mixed_{half}")
    out, *_, mean, variance = learn(fused, x)
    assert fused(x, training=True).dtype == half
    *_, expected_mean, expected_variance = learn(plain, x)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-2)
    np.testing.assert_allclose(variance, expected_variance, rtol=1e-2)
    np.testing.assert_allclose(out, learn(plain, x)[0], atol=0.05)


def test_a_single_value_has_no_variance():
    _, fused = pair()
    before = fused.moving_variance.numpy()
    fused(tf.ones((1, 1, 1, 5)), training=True)
    np.testing.assert_allclose(fused.moving_variance.numpy(), 0.7 * before, rtol=1e-6)


def test_a_frozen_layer_stays():
    x = tf.constant(np.random.default_rng(4).normal(size=(2, 4, 4, 5)), tf.float32)
    plain, fused = pair()
    fused.trainable = plain.trainable = False
    before = [v.numpy() for v in fused.weights]
    np.testing.assert_array_equal(fused(x, training=True), plain(x, training=True))
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, fused.weights, strict=True))


def test_an_encoder_of_keras_is_fused_and_survives_a_save(tmp_path):
    encoder, _ = build_encoder("mobilenet_025", keras.Input((32, 32, 3)))
    norms = [
        layer for layer in encoder.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert norms and {type(layer) for layer in norms} == {FusedBatchNorm}
    encoder.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")
    assert {
        type(layer) for layer in again.layers if isinstance(layer, keras.layers.BatchNormalization)
    } == {FusedBatchNorm}
    x = np.random.default_rng(5).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(x), encoder(x))


def test_only_keras_own_layer_is_changed():
    other = keras.layers.LayerNormalization()
    fuse(other)
    assert type(other) is keras.layers.LayerNormalization


def test_xla_computes_the_same():
    x = tf.constant(np.random.default_rng(6).normal(1, 3, (2, 4, 3, 5)), tf.float32)
    weights = tf.constant(np.random.default_rng(1).normal(size=x.shape), tf.float32)
    _, fused = pair()

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(fused(x, training=True) * weights)
        return tape.gradient(loss, [x, *fused.trainable_variables])

    kept = fused.get_weights()
    expected = step(x)
    fused.set_weights(kept)
    for one, two in zip(
        tf.function(step, autograph=False, jit_compile=True)(x), expected, strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=2e-4, atol=2e-4)
