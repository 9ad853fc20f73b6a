"""Plain transformers' layers against plain loops and hand cases."""

import keras
import numpy as np
import pytest

from segcore.models.layers.tokens import (
    HeadAttention,
    PatchMap,
    PrefixTokens,
    cubic_weights,
    rotary_angles,
)

pytestmark = pytest.mark.tensorflow


def test_cubic_weights_by_hand():
    np.testing.assert_allclose(cubic_weights(5, 5), np.eye(5), atol=1e-7)
    doubled = cubic_weights(8, 4)  # centres at 0.5, 2.5, ...: halfway between two samples
    np.testing.assert_allclose(doubled[1, 1:5], [-0.09375, 0.59375, 0.59375, -0.09375], atol=1e-6)
    for source, target in ((37, 12), (37, 50), (3, 7)):
        np.testing.assert_allclose(cubic_weights(source, target).sum(1), 1, atol=1e-6)


def test_rotary_angles_by_hand():
    cos, sin = rotary_angles((1, 2), 4, 100.0)
    assert cos.shape == sin.shape == (2, 4)
    # y is 0; x is -1/2 and 1/2: angles 2 pi times that, in both halves
    np.testing.assert_allclose(cos, [[1, -1, 1, -1]] * 2, atol=1e-6)
    np.testing.assert_allclose(sin, np.zeros((2, 4)), atol=1e-6)
    _, sin = rotary_angles((2, 1), 8, 100.0)
    angle = 2 * np.pi * 0.5
    np.testing.assert_allclose(sin[1, :4], [np.sin(angle), np.sin(angle / 10), 0, 0], atol=1e-6)


@pytest.mark.parametrize("theta", [0.0, 100.0])
def test_attention_is_a_loop_over_heads_and_tokens(theta):
    rng = np.random.default_rng(0)
    grid, before, heads, width = (2, 3), 2, 2, 8
    tokens, each = before + 6, width // heads
    query, key, value = rng.standard_normal((3, 1, tokens, width)).astype(np.float32)
    layer = HeadAttention(heads, grid, theta)
    answer = np.asarray(layer([keras.ops.convert_to_tensor(x) for x in (query, key, value)]))

    def turned(x, token):
        if not theta or token < before:
            return x
        cos, sin = (table[token - before] for table in rotary_angles(grid, each, theta))
        return x * cos + np.concatenate([-x[each // 2 :], x[: each // 2]]) * sin

    for head in range(heads):
        part = slice(head * each, (head + 1) * each)
        for token in range(tokens):
            scores = np.array(
                [
                    turned(query[0, token, part], token) @ turned(key[0, other, part], other)
                    for other in range(tokens)
                ]
            ) / np.sqrt(each)
            shares = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
            np.testing.assert_allclose(
                answer[0, token, part], shares @ value[0, :, part], atol=1e-5
            )


def test_tokens_stand_before_the_patches_and_positions_are_resized():
    layer = PrefixTokens((2, 4), registers=3, positions=2)
    patches = np.random.default_rng(0).standard_normal((2, 8, 5)).astype(np.float32)
    out = np.asarray(layer(patches))
    assert out.shape == (2, 12, 5) == layer.compute_output_shape((2, 8, 5))
    table = np.asarray(layer.position_table)[0]
    np.testing.assert_allclose(out[1, 0], np.asarray(layer.class_token)[0, 0] + table[0], atol=1e-6)
    np.testing.assert_allclose(out[0, 1:4], np.asarray(layer.register_tokens)[0], atol=1e-6)
    square = table[1:].reshape(2, 2, 5)
    columns = cubic_weights(2, 4)
    resized = np.einsum("xw,hwd->hxd", columns, square).reshape(8, 5)
    np.testing.assert_allclose(out[:, 4:], patches + resized, atol=1e-5)
    back = np.asarray(PatchMap((2, 4))(out))
    np.testing.assert_allclose(back[1, 1, 2], out[1, 4 + 6], atol=0)
