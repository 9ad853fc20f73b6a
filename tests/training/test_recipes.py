"""Recipes do what they say: freezing, recomputed means, half precision, XLA; and divergence."""

import errno
import math
import resource

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.models.build import build_model, is_encoder_layer
from segcore.training.engines.tensorflow.devices import rewrite_graphs
from segcore.training.input.pipeline import Batch
from segcore.training.loop.checkpoint import TrainState, load_checkpoint, save_checkpoint
from segcore.training.loop.learner import Learner
from segcore.training.loop.normalisation import fit_momentum, fitting_momentum, normalisations
from segcore.training.loop.optimizers import build_optimizer
from segcore.training.loop.train import train
from segcore.training.losses.losses import build_loss

pytestmark = pytest.mark.tensorflow

RATE = 0.01
COLORS = np.array([[30, 30, 30], [200, 60, 60], [60, 60, 220]], np.uint8)


def make_batch(seed=0, count=4, size=32):
    """Squares whose colours say what they are."""
    rng = np.random.default_rng(seed)
    masks = np.kron(rng.integers(0, 3, (count, 4, 4)), np.ones((size // 4, size // 4))).astype(
        np.uint8
    )
    return Batch(COLORS[masks], masks, count)


def make_learner(precision="float32", jit=False, seed=0, architecture="lraspp", **recipe):
    rewrite_graphs(False)
    keras.config.set_dtype_policy(precision)
    try:
        keras.utils.set_random_seed(seed)
        model = build_model(ModelConfig(architecture, "tiny", "none"), 3, (32, 32))
    finally:
        keras.config.set_dtype_policy("float32")
    optimizer = build_optimizer(RecipeConfig(learning_rate=RATE, precision=precision, **recipe))
    return Learner(
        model, build_loss("dice_focal", 3, 255), optimizer, tf.distribute.get_strategy(), jit
    )


def values(variables):
    return [np.array(variable.numpy()) for variable in variables]


def mean_iou(confusion):
    confusion = np.asarray(confusion, float)
    hit = np.diag(confusion)
    return float(np.mean(hit / (confusion.sum(0) + confusion.sum(1) - hit)))


@pytest.fixture(scope="module")
def learner():
    return make_learner()


def test_a_frozen_encoder_stays_and_then_begins_with_steps_of_the_right_length(learner):
    encoder = [
        v for layer in learner.model.layers if is_encoder_layer(layer) for v in layer.variables
    ]
    decoder = [
        v
        for layer in learner.model.layers
        if not is_encoder_layer(layer)
        for v in layer.trainable_variables
    ]
    before, theirs = values(encoder), values(decoder)
    assert learner.freeze(True) and not learner.freeze(True)
    for seed in range(3):
        learner.train(make_batch(seed), RATE)
    assert all(np.array_equal(a, b) for a, b in zip(before, values(encoder), strict=True))
    assert all(not np.array_equal(a, b) for a, b in zip(theirs, values(decoder), strict=True))

    learner.thaw()
    assert int(learner.optimizer.iterations) == 0
    trained = [
        v
        for layer in learner.model.layers
        if is_encoder_layer(layer)
        for v in layer.trainable_variables
    ]
    before = values(trained)
    learner.train(make_batch(3), RATE)
    longest = max(float(np.abs(a - b).max()) for a, b in zip(before, values(trained), strict=True))
    assert (
        RATE / 2 < longest < RATE * 1.01
    )  # Adam's first step; on the clock of the decoder it would be 1.6 times the rate by now


def test_means_of_one_batch_make_evaluation_what_training_saw(learner):
    batch = make_batch(7)
    learner.reestimate([batch])
    images = batch.images.astype(np.float32)
    evaluated = np.asarray(learner.model(images, training=False))
    kept = values(learner.model.variables)
    trained = np.asarray(learner.model(images, training=True))
    for variable, value in zip(learner.model.variables, kept, strict=True):
        variable.assign(value)
    np.testing.assert_allclose(evaluated, trained, atol=2e-3)


def test_means_of_several_batches_are_those_of_all_their_values(learner):
    batches = [make_batch(seed) for seed in (1, 2, 3)]
    momenta = [layer.momentum for layer in normalisations(learner.model)]
    learner.reestimate(batches)
    assert [layer.momentum for layer in normalisations(learner.model)] == momenta
    first = normalisations(learner.model)[0]
    inner = keras.Model(learner.model.input, first.input)
    seen = np.concatenate(
        [np.asarray(inner(b.images.astype(np.float32))) for b in batches]
    ).reshape(-1, first.moving_mean.shape[0])
    np.testing.assert_allclose(first.moving_mean.numpy(), seen.mean(0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(first.moving_variance.numpy(), seen.var(0), rtol=1e-3, atol=1e-4)


def test_the_momentum_fits_the_schedule():
    assert fitting_momentum(50, 5) == pytest.approx(
        0.01 ** (1 / 50)
    )  # a hundredth is left after an epoch
    assert (
        fitting_momentum(10, 30) == pytest.approx(0.01 ** (1 / 44)) == pytest.approx(0.9, abs=2e-3)
    )
    assert fitting_momentum(3, 12) == pytest.approx(0.01 ** (1 / 12))  # a third of 36 steps
    assert fitting_momentum(1, 1) == 0.5 and fitting_momentum(100_000, 3) == 0.99
    for steps in (1, 3, 10, 50, 400):
        assert fitting_momentum(steps, 20) ** (steps * 20) < 0.02


def test_evaluation_is_not_at_chance_after_a_short_run():
    """MobileNetV2's .999 leaves evaluation where it began; both remedies match training."""
    batch = make_batch(11)
    slow, fitted = make_learner(architecture="unet"), make_learner(architecture="unet")
    for layer in normalisations(slow.model):
        layer.momentum = 0.999
    fit_momentum(fitted.model, steps_per_epoch=30, epochs=1)
    for learner in (slow, fitted):
        for _ in range(30):
            _, confusion = learner.train(batch, RATE)
        assert mean_iou(confusion) > 0.8
    chance = mean_iou(slow.validate(batch)[1])
    assert chance < 0.4
    assert mean_iou(fitted.validate(batch)[1]) > 0.75
    slow.reestimate([batch])
    assert mean_iou(slow.validate(batch)[1]) > 0.75


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_learns(precision):
    learner = make_learner(precision)
    batch = make_batch(5)
    before = values(learner.variables)
    losses = [float(learner.train(batch, RATE)[0]) for _ in range(5)]
    assert all(math.isfinite(loss) for loss in losses) and losses[-1] < losses[0]
    assert learner.model.output.dtype == "float32" and all(v.dtype == np.float32 for v in before)
    assert learner.model.get_layer("tiny_2a_conv").compute_dtype == precision.removeprefix("mixed_")
    assert all(np.isfinite(v).all() for v in values(learner.variables))
    assert sum(
        not np.array_equal(a, b) for a, b in zip(before, values(learner.variables), strict=True)
    ) == len(before)
    if precision == "mixed_float16":
        assert (
            float(learner.optimizer.dynamic_scale) >= 1
            and int(learner.optimizer.inner_optimizer.iterations) >= 4
        )
        learner.optimizer.dynamic_scale.assign(
            2.0**127
        )  # gradients overflow: the step is left out, the scale halved
        before, done = values(learner.variables), int(learner.optimizer.inner_optimizer.iterations)
        loss, _ = learner.train(batch, RATE)
        assert math.isfinite(float(loss)) and float(learner.optimizer.dynamic_scale) == 2.0**126
        assert int(learner.optimizer.inner_optimizer.iterations) == done
        assert all(
            np.array_equal(a, b) for a, b in zip(before, values(learner.variables), strict=True)
        )


@pytest.mark.slow
def test_xla_computes_the_same(learner):
    plain, compiled = make_learner(seed=4), make_learner(seed=4, jit=True)
    batch = make_batch(6)
    for rounding in (
        1e-3,
        5e-3,
    ):  # Adam's first step is as long for a gradient that is nothing but rounding
        (one, counts), (two, same) = (x.train(batch, RATE) for x in (plain, compiled))
        assert float(two) == pytest.approx(float(one), rel=rounding)
        assert np.asarray(same).sum() == np.asarray(counts).sum() == 4 * 32 * 32


def test_a_run_without_numbers_fails_and_goes_on_more_slowly(new_run, dataset, monkeypatch):
    steps = []

    def train_step(self, batch, rate):
        steps.append(rate)
        return np.float32("nan" if len(steps) == 5 else 1), np.eye(
            3, dtype=np.int32
        )  # the second step of the second epoch of three

    monkeypatch.setattr(Learner, "train", train_step)
    monkeypatch.setattr(
        Learner, "validate", lambda self, batch: (np.float32(1), np.eye(3, dtype=np.int32))
    )
    run = new_run("diverged", epochs=3, schedule="constant")
    with pytest.raises(
        SegcoreError,
        match=(
            r"finite loss.* epoch 2, step 2 of 3.*resuming can halve it, it continues after "
            r"epoch 1"
        ),
    ):
        train(run, dataset)
    assert run.status().diverged and len(run.metrics()) == 1
    run.write_json("resume", {"learning_rate_factor": 0.5})
    train(run, dataset)
    assert not run.status().diverged
    assert [r["learning_rate"] for r in run.metrics()] == [0.01, 0.005, 0.005]
    run.write_json("resume", {"learning_rate_factor": 0})
    with pytest.raises(SegcoreError, match="learning_rate_factor"):
        train(run, dataset)


def test_weights_without_numbers_never_reach_a_checkpoint(new_run, dataset, monkeypatch):
    def spoil(self, batch, rate):
        self.variables[0].assign(np.full(self.variables[0].shape, np.nan, np.float32))
        return np.float32(1), np.eye(3, dtype=np.int32)

    monkeypatch.setattr(Learner, "train", spoil)
    run = new_run("spoiled", {"validation_split": ""})
    with pytest.raises(SegcoreError, match=r"finite weights.*from the beginning"):
        train(run, dataset)
    assert (
        run.status().diverged
        and not run.model_path.exists()
        and not list(run.checkpoints.iterdir())
    )


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path):
    """The system refuses to write beyond a limit, as it does where the disk ends."""
    variable = keras.Variable(np.arange(50_000, dtype=np.float32))
    save_checkpoint(tmp_path, TrainState(3, "print", epoch=1), [variable])
    kept = (tmp_path / "last.npz").read_bytes()
    variable.assign(np.zeros(50_000, np.float32))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(SegcoreError, match=r"Could not write .*last\.npz") as caught:
            save_checkpoint(tmp_path, TrainState(3, "print", epoch=2), [variable])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.__cause__.errno == errno.EFBIG
    assert (tmp_path / "last.npz").read_bytes() == kept and len(list(tmp_path.iterdir())) == 1
    assert load_checkpoint(tmp_path, [variable]).epoch == 1
    np.testing.assert_array_equal(variable.numpy(), np.arange(50_000))


@pytest.mark.slow
def test_a_run_freezes_then_tunes(new_run, dataset, learner, tmp_path):
    """The first epoch keeps the encoder of the weights file; the second changes it."""
    file = tmp_path / "trained.weights.h5"
    learner.model.save_weights(file)
    given = {
        v.path: np.array(v.numpy())
        for layer in learner.model.layers
        if is_encoder_layer(layer)
        for v in layer.variables
    }
    model = ModelConfig("lraspp", "tiny", str(file), "standardise")
    frozen = {}
    original = Learner.validate

    def validate(self, batch):
        frozen.setdefault(
            self.frozen,
            {
                v.path: np.array(v.numpy())
                for layer in self.model.layers
                if is_encoder_layer(layer)
                for v in layer.variables
            },
        )
        return original(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "validate", validate)
        recipe = RecipeConfig(
            epochs=2, batch_size=4, freeze_epochs=1, batch_norm="reestimate", average=0.5
        )
        run = new_run("frozen-then-tuned", {"model": model, "recipe": recipe})
        train(run, dataset)
    assert set(frozen) == {True, False}
    assert all(np.array_equal(frozen[True][path], value) for path, value in given.items())
    assert sum(np.array_equal(frozen[False][path], value) for path, value in given.items()) == 0
    saved = keras.models.load_model(run.model_path)
    assert saved.get_layer("image_standardising")


def test_what_does_not_go_together_is_refused():
    with pytest.raises(SegcoreError, match="trained weights in an encoder that is frozen"):
        from_recipe(freeze_epochs=2)
    with pytest.raises(SegcoreError, match="turn XLA off"):
        from_recipe({"device": "gpu:0,gpu:1"}, jit=True)
    with pytest.raises(SegcoreError, match="use 8"):
        from_recipe({"hosts": ("a:1", "b:2")}, batch_size=9)
    with pytest.raises(SegcoreError, match="between 0 and 30"):
        from_recipe(freeze_epochs=31)


def from_recipe(config=None, **recipe):
    return TrainConfig(
        "shapes",
        ModelConfig("unet", "tiny", "none"),
        RecipeConfig(**recipe),
        (32, 64),
        **(config or {}),
    )
