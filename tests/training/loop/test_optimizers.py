"""The fused optimizers walk as Keras' own do; averages come and go."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore.catalog import OPTIMIZERS
from segcore.config import RecipeConfig
from segcore.training.loop.optimizers import _BUILDERS, averaged_weights, build_optimizer

pytestmark = pytest.mark.tensorflow


def walk(optimizer, steps=8):
    """Positions of two variables under gradients that a seed fixes, in graph mode."""
    rng = np.random.default_rng(4)
    variables = [
        keras.Variable(rng.normal(size=shape), dtype="float32", name=name)
        for shape, name in (((3, 2), "kernel"), ((5,), "bias"))
    ]
    optimizer.build(variables)

    @tf.function
    def step(*gradients):
        optimizer.apply(list(gradients), variables)

    places = []
    for _ in range(steps):
        step(*(tf.constant(rng.normal(size=v.shape), tf.float32) for v in variables))
        places.append([v.numpy() for v in variables])
    return variables, places


def test_every_name_of_the_catalogue_has_a_builder():
    assert sorted(_BUILDERS) == sorted(OPTIMIZERS)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_the_walk_is_that_of_keras(name):
    twin = {
        "adam": keras.optimizers.Adam(0.01),
        "adamw": keras.optimizers.AdamW(0.01, weight_decay=0.1),
        "sgd": keras.optimizers.SGD(0.01, momentum=0.9),
        "rmsprop": keras.optimizers.RMSprop(0.01),
    }[name]
    if name == "adamw":
        twin.exclude_from_weight_decay(var_names=["bias"])
    _, ours = walk(
        build_optimizer(RecipeConfig(optimizer=name, learning_rate=0.01, weight_decay=0.1))
    )
    _, theirs = walk(twin)
    for mine, other in zip(ours, theirs, strict=True):
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_long_gradients_are_shortened():
    _, free = walk(build_optimizer(RecipeConfig(optimizer="sgd", learning_rate=1.0)), 1)
    start, clipped = walk(
        build_optimizer(RecipeConfig(optimizer="sgd", learning_rate=1.0, clip_norm=0.5)), 1
    )
    rng = np.random.default_rng(4)
    before = [rng.normal(size=v.shape).astype(np.float32) for v in start]
    moves = [
        np.concatenate([(a - b).ravel() for a, b in zip(place[0], before, strict=True)])
        for place in (free, clipped)
    ]
    assert np.linalg.norm(moves[1]) == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_allclose(moves[1] / 0.5, moves[0] / np.linalg.norm(moves[0]), atol=1e-5)


def test_averages_are_lent_and_taken_back():
    optimizer = build_optimizer(RecipeConfig(average=0.5))
    variables, places = walk(optimizer, 3)
    average = places[0]
    for place in places[1:]:
        average = [0.5 * a + 0.5 * p for a, p in zip(average, place, strict=True)]
    with averaged_weights(optimizer, variables):
        for variable, value in zip(variables, average, strict=True):
            np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5)
    for variable, value in zip(variables, places[-1], strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_half_precision_scales_the_loss():
    optimizer = build_optimizer(RecipeConfig(precision="mixed_float16", average=0.5))
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    variables, _ = walk(optimizer, 2)
    with averaged_weights(optimizer, variables):
        pass
