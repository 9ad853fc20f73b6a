"""Every encoder with another decoder: built, trained a step, saved, loaded, used on an odd size."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore.catalog import ARCHITECTURES, CLASSIC_NAMES, ENCODERS, resolve
from segcore.config import ModelConfig, PredictOptions, RecipeConfig
from segcore.models.build import build_model
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.views import predict_strips
from segcore.training.input.pipeline import Batch
from segcore.training.loop.learner import Learner
from segcore.training.loop.optimizers import build_optimizer
from segcore.training.losses.losses import build_loss

pytestmark = pytest.mark.tensorflow

CLASSES, SIZE, ODD = 3, (32, 64), (37, 81)
STEP = 5
"""Prime to the number of architectures: each of them comes before any comes again."""

NAMES = [name for name in ARCHITECTURES if name != "unet_spacenet4"]
PAIRS = [(NAMES[STEP * i % len(NAMES)], encoder) for i, encoder in enumerate(ENCODERS)]


def test_each_architecture_meets_an_encoder_and_each_encoder_an_architecture():
    assert {encoder for _, encoder in PAIRS} == set(ENCODERS) and {
        name for name, _ in PAIRS
    } == set(NAMES)
    assert len(CLASSIC_NAMES) == 22
    assert all(ModelConfig(*resolve(name, "tiny"), "none").stride == 32 for name in CLASSIC_NAMES)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
def test_a_pair_learns_and_answers(architecture, encoder, tmp_path):
    keras.utils.set_random_seed(0)
    model = build_model(ModelConfig(architecture, encoder, "none"), CLASSES, SIZE)
    rng = np.random.default_rng(0)
    batch = Batch(
        rng.integers(0, 256, (2, *SIZE, 3)).astype(np.uint8),
        rng.integers(0, CLASSES, (2, *SIZE)).astype(np.uint8),
        2,
    )
    learner = Learner(
        model,
        build_loss("cross_entropy", CLASSES, 255),
        build_optimizer(RecipeConfig()),
        tf.distribute.get_strategy(),
    )
    loss, confusion = learner.train(batch, 1e-3)
    assert np.isfinite(float(loss)) and np.asarray(confusion).sum() == batch.masks.size
    assert all(np.isfinite(variable.numpy()).all() for variable in model.variables)
    model.save(tmp_path / "model.keras")
    predictor = Predictor(tmp_path / "model.keras", 1)
    expected = tf.nn.softmax(model(batch.images[:1].astype(np.float32), training=False)).numpy()
    np.testing.assert_allclose(predictor(batch.images[:1]), expected, atol=1e-3)
    image = rng.integers(0, 256, (*ODD, 3)).astype(np.uint8)
    for options in (PredictOptions(), PredictOptions(tile=True)):
        strips = predict_strips(image, predictor.size, CLASSES, options, predictor.stream)
        answer = np.concatenate(list(strips))
        assert answer.shape[-1] == CLASSES and (not options.tile or answer.shape[:2] == ODD)
        np.testing.assert_allclose(answer.sum(-1), 1, atol=1e-4)
    keras.backend.clear_session()
