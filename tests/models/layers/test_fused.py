"""Fused layers against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore.models.encoders.encoders import build_encoder
from segcore.models.layers.fused import FusedBatchNorm, FusedConv2D, fuse

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


def learn(layer, x, **arguments):
    """Output, gradients of the input and the variables, and the moving moments after one step."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = layer(x, **arguments)
        weights = tf.constant(np.random.default_rng(1).normal(size=out.shape), tf.float32)
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
    for one, two in zip(
        learn(plain, x, training=True), learn(fused, x, training=True), strict=True
    ):
        np.testing.assert_allclose(two, one, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(
        fused(x), plain(x), rtol=1e-4, atol=1e-4
    )  # evaluation, with the moments that training left


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_keeps_its_moments_in_float32(half):
    x = tf.cast(np.random.default_rng(3).normal(1, 3, (2, 8, 8, 5)), half)
    plain, fused = pair(dtype=f"mixed_{half}")
    out, *_, mean, variance = learn(fused, x, training=True)
    assert fused(x, training=True).dtype == half
    *_, expected_mean, expected_variance = learn(plain, x, training=True)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-2)
    np.testing.assert_allclose(variance, expected_variance, rtol=1e-2)
    np.testing.assert_allclose(out, learn(plain, x, training=True)[0], atol=0.05)


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
    encoder.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")
    for model in (encoder, again):
        kinds = {type(layer) for layer in model.layers}
        assert {FusedBatchNorm, FusedConv2D} <= kinds
        assert not {keras.layers.BatchNormalization, keras.layers.Conv2D} & kinds
    x = np.random.default_rng(5).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(x), encoder(x))


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 2e-2), ("mixed_float16", 2e-3)]
)
@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_convolution_computes_what_keras_does(policy, tolerance, activation, use_bias):
    x = tf.constant(np.random.default_rng(7).normal(size=(2, 6, 5, 3)), tf.float32)
    arguments = {
        "filters": 4,
        "kernel_size": 3,
        "activation": activation,
        "use_bias": use_bias,
        "dtype": policy,
    }
    plain, fused = keras.layers.Conv2D(**arguments), FusedConv2D(**arguments)
    for layer in (plain, fused):
        layer.build(x.shape)
    values = [np.random.default_rng(8).normal(size=v.shape) for v in plain.weights]
    for layer in (plain, fused):
        layer.set_weights(values)
    assert fused(x).dtype == plain(x).dtype
    for one, two in zip(learn(plain, x), learn(fused, x), strict=True):
        np.testing.assert_allclose(two, one, rtol=tolerance, atol=tolerance)


def test_a_convolution_with_channels_first_is_left_to_keras():
    layer = FusedConv2D(4, 3, data_format="channels_first")
    layer.build((None, 3, 6, 5))
    assert layer.compute_output_shape((2, 3, 6, 5)) == (2, 4, 4, 3)
    assert layer(keras.KerasTensor((2, 3, 6, 5))).shape == (2, 4, 4, 3)


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
