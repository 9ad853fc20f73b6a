"""Layers against plain loops."""

import numpy as np
import pytest
import tensorflow as tf

from segcore.models.layers.attention import (
    AttendRegions,
    ChannelAttention,
    GatherRegions,
    PositionAttention,
)
from segcore.models.layers.layers import AdaptivePooling, ImageScaling, MaxUnpool, ResizeLike

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(3)


def _softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_resize_like_works_where_sizes_are_unknown(interpolation):
    layer = ResizeLike(interpolation)
    x, reference = RNG.normal(size=(1, 4, 5, 2)).astype("f4"), np.zeros((1, 8, 15, 1), "f4")
    unknown = tf.TensorSpec((None, None, None, None))
    dynamic = tf.function(
        lambda a, b: layer([a, b]), input_signature=[tf.TensorSpec((None, None, None, 2)), unknown]
    )
    known = layer([x, reference])
    assert known.shape == (1, 8, 15, 2)
    np.testing.assert_allclose(dynamic(x, reference), known, atol=1e-6)
    if interpolation == "nearest":
        np.testing.assert_array_equal(known, x.repeat(2, 1).repeat(3, 2))


def test_resize_keeps_a_constant_and_half_precision():
    out = ResizeLike(dtype="bfloat16")(
        [tf.fill((1, 3, 3, 1), tf.constant(0.5, tf.bfloat16)), tf.zeros((1, 7, 11, 1), tf.bfloat16)]
    )
    assert out.dtype == tf.bfloat16
    assert np.all(tf.cast(out, tf.float32) == 0.5)


@pytest.mark.parametrize(("height", "width", "bins"), [(6, 6, 3), (7, 5, 3), (2, 1, 6), (4, 9, 1)])
def test_adaptive_pooling_equals_plain_loops(height, width, bins):
    x = RNG.normal(size=(2, height, width, 3)).astype("f4")
    expected = np.empty((2, bins, bins, 3))
    for i in range(bins):
        for j in range(bins):
            rows = slice(i * height // bins, -(-(i + 1) * height // bins))
            columns = slice(j * width // bins, -(-(j + 1) * width // bins))
            expected[:, i, j] = x[:, rows, columns].mean((1, 2))
    np.testing.assert_allclose(AdaptivePooling(bins)(x), expected, atol=1e-5)


def test_max_unpool_puts_each_value_where_the_maximum_was():
    reference = np.array([[1, 2, 0, 0], [3, 4, 9, 0], [5, 0, 0, 0], [0, 0, 0, 7]], "f4")[
        None, :, :, None
    ]
    out = MaxUnpool()([np.array([[10, 20], [30, 40]], "f4")[None, :, :, None], reference])
    expected = np.zeros((4, 4))
    expected[1, 1], expected[1, 2], expected[2, 0], expected[3, 3] = 10, 20, 30, 40
    np.testing.assert_array_equal(out[0, :, :, 0], expected)


def test_image_scaling_is_float32_under_any_policy():
    layer = ImageScaling((1, 2, 3), (2, 2, 2), bgr=True)
    out = layer(np.array([[[[9, 8, 7]]]], "f4"))
    np.testing.assert_array_equal(out[0, 0, 0], [(7 - 1) / 2, (8 - 2) / 2, (9 - 3) / 2])
    assert ImageScaling.from_config(layer.get_config()).get_config() == layer.get_config()


def test_position_attention_equals_plain_loops():
    x, q, k, v = (RNG.normal(size=(2, 3, 4, d)).astype("f4") for d in (5, 2, 2, 5))
    layer = PositionAttention()
    np.testing.assert_array_equal(layer([x, q, k, v]), x)  # gamma starts at 0
    layer.gamma.assign(0.5)
    flat = [a.reshape(2, 12, -1) for a in (x, q, k, v)]
    expected = np.empty_like(flat[0])
    for b in range(2):
        for i in range(12):
            weights = _softmax(np.array([flat[1][b, i] @ flat[2][b, j] for j in range(12)]))
            expected[b, i] = flat[0][b, i] + 0.5 * sum(
                w * flat[3][b, j] for j, w in enumerate(weights)
            )
    np.testing.assert_allclose(layer([x, q, k, v]), expected.reshape(x.shape), atol=1e-5)


def test_channel_attention_equals_plain_loops():
    x = RNG.normal(size=(1, 3, 4, 5)).astype("f4")
    layer = ChannelAttention()
    layer(x)
    layer.gamma.assign(2.0)
    flat = x.reshape(12, 5)
    expected = flat.copy()
    for c in range(5):
        weights = _softmax(np.array([flat[:, c] @ flat[:, d] / 12 for d in range(5)]))
        expected[:, c] += 2 * sum(w * flat[:, d] for d, w in enumerate(weights))
    np.testing.assert_allclose(layer(x), expected.reshape(x.shape), atol=1e-5)


def test_regions_are_weighted_means_and_are_read_back():
    x = RNG.normal(size=(1, 2, 3, 4)).astype("f4")
    coarse = np.full((1, 2, 3, 2), -50, "f4")
    coarse[0, 1, 2, 0] = coarse[0, 0, 0, 1] = 50  # each class is certain of one position
    regions = GatherRegions()([x, coarse])
    np.testing.assert_allclose(regions[0, :, 0], [x[0, 1, 2], x[0, 0, 0]], atol=1e-5)
    alike = 40 * np.eye(2, dtype="f4")
    read = AttendRegions()([alike[None, None], alike[None, :, None], regions[..., :2]])
    np.testing.assert_allclose(read[0, 0], regions[0, :, 0, :2], atol=1e-5)
