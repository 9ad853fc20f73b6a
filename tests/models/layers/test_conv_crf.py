"""The CRF layer against a plain-loop mean field."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore.models.layers.conv_crf import ConvCRF

pytestmark = pytest.mark.tensorflow


def _softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def mean_field(scores, image, window, iterations, thetas, weights, compatibility):
    """Pixel by pixel, neighbour by neighbour. scores (H, W, C), image (H, W, 3)."""
    height, width, classes = scores.shape
    gamma, alpha, beta = thetas
    reach = window // 2
    kernel = np.zeros((2, height, width, height, width))
    for y in range(height):
        for x in range(width):
            for v in range(max(0, y - reach), min(height, y + reach + 1)):
                for u in range(max(0, x - reach), min(width, x + reach + 1)):
                    if (v, u) == (y, x):
                        continue
                    place = (y - v) ** 2 + (x - u) ** 2
                    colour = ((image[y, x] - image[v, u]) ** 2).sum()
                    kernel[0, y, x, v, u] = np.exp(-place / (2 * gamma**2))
                    kernel[1, y, x, v, u] = np.exp(-place / (2 * alpha**2) - colour / (2 * beta**2))
    sums = kernel.sum((3, 4))
    kernel /= np.sqrt(sums[:, :, :, None, None] * sums[:, None, None])
    refined = scores
    for _ in range(iterations):
        q = _softmax(refined)
        message = np.zeros((height, width, classes))
        for m in range(2):
            message += weights[m] * np.einsum("yxvu,vuc->yxc", kernel[m], q)
        refined = scores + message @ compatibility
    return refined


def test_the_layer_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(2, 6, 7, 3)).astype("f4")
    image = rng.uniform(0, 60, (2, 6, 7, 3)).astype("f4")
    layer = ConvCRF(
        window=5,
        iterations=3,
        blur=1,
        theta_gamma=1.5,
        theta_alpha=4,
        theta_beta=20,
        smoothness=0.7,
        appearance=1.3,
    )
    layer([scores, image])
    compatibility = rng.normal(size=(3, 3))
    layer.compatibility.assign(compatibility)
    refined = layer([scores, image])
    for b in range(2):
        expected = mean_field(scores[b], image[b], 5, 3, (1.5, 4, 20), (0.7, 1.3), compatibility)
        np.testing.assert_allclose(refined[b], expected, atol=2e-4)


def test_neutral_weights_change_nothing():
    scores = np.random.default_rng(1).normal(size=(1, 8, 8, 4)).astype("f4")
    layer = ConvCRF(smoothness=0, appearance=0)
    np.testing.assert_array_equal(layer([scores, np.zeros((1, 8, 8, 3), "f4")]), scores)


def test_a_lone_pixel_gives_way_to_its_neighbours_but_not_across_an_edge():
    """Left half dark, class 0; right half bright, class 1; one dark pixel leans weakly to 1."""
    scores = np.zeros((1, 8, 8, 2), "f4")
    scores[0, :, :4, 0] = scores[0, :, 4:, 1] = 2
    scores[0, 4, 1] = (0, 0.3)
    image = np.zeros((1, 8, 8, 3), "f4")
    image[:, :, 4:] = 255
    refined = ConvCRF(window=5, blur=1, smoothness=0, appearance=3)([scores, image]).numpy()
    labels = refined.argmax(-1)[0]
    assert (labels[:, :4] == 0).all()
    assert (labels[:, 4:] == 1).all()


def test_every_parameter_learns_and_a_saved_layer_computes_the_same(tmp_path):
    scores, image = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    model = keras.Model([scores, image], ConvCRF(blur=2, window=3, iterations=2)([scores, image]))
    rng = np.random.default_rng(2)
    inputs = [
        rng.normal(size=(2, 8, 8, 3)).astype("f4"),
        rng.uniform(0, 255, (2, 8, 8, 3)).astype("f4"),
    ]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(inputs) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert len(gradients) == 3
    for gradient in gradients:
        assert np.isfinite(gradient).all()
        assert np.any(gradient)
    model.save(tmp_path / "crf.keras")
    again = keras.models.load_model(tmp_path / "crf.keras")
    np.testing.assert_array_equal(again(inputs), model(inputs))
