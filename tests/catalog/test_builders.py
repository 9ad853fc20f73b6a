"""The names of the catalogue whose builders need TensorFlow; tables are compared, no network is built."""

import keras
import numpy as np
import pytest

from segcore import catalog
from segcore.config import RecipeConfig
from segcore.models.build import decoder_of
from segcore.models.encoders.encoders import recipe_of
from segcore.runs.dispatch.worker_entry import WORKERS
from segcore.training.loop.optimizers import build_optimizer
from segcore.training.loop.schedules import learning_rate
from segcore.training.losses.class_weights import class_weights
from segcore.training.losses.losses import build_loss
from segcore.training.work import WORK

pytestmark = pytest.mark.tensorflow


def test_no_two_names_share_a_builder() -> None:
    decoders = [decoder_of(name) for name in catalog.ARCHITECTURES]
    assert len(set(map(repr, decoders))) == len(decoders)
    recipes = [recipe_of(name) for name in catalog.ENCODERS]
    assert len({repr(recipe) for recipe in recipes}) == len(recipes)


@pytest.mark.parametrize("name", catalog.LOSSES)
def test_a_loss_prefers_the_truth_and_ignores_the_ignored(name: str) -> None:
    """Two classes side by side: both seen costs less than one seen, ignored pixels cost nothing."""
    masks = np.repeat([[0, 1]], 16, axis=0).repeat(8, axis=1)[None]
    right = np.stack([masks == 0, masks == 1], axis=-1).astype(np.float32) * 8
    loss = build_loss(name, 2, 255)
    one_class = np.broadcast_to(np.float32([8, 0]), right.shape)
    assert float(loss(masks, right)) < float(loss(masks, one_class)) - 0.1
    masks[0, :, 0] = 255
    changed = right.copy()
    changed[0, :, 0] = [-50, 50]
    assert float(loss(masks, right)) == float(loss(masks, changed))


@pytest.mark.parametrize("name", catalog.OPTIMIZERS)
def test_an_optimizer_goes_downhill_by_the_recipes_rate(name: str) -> None:
    optimizer = build_optimizer(RecipeConfig(optimizer=name, learning_rate=0.05))
    assert float(optimizer.learning_rate) == pytest.approx(0.05)
    variable = keras.Variable(np.float32([3.0, -2.0]))
    for _ in range(20):
        optimizer.apply([2 * variable.value], [variable])  # the gradient of x²
    assert (np.abs(keras.ops.convert_to_numpy(variable)) < [3, 2]).all()


@pytest.mark.parametrize("name", catalog.SCHEDULES)
def test_a_schedule_gives_rates(name: str) -> None:
    recipe = RecipeConfig(schedule=name, epochs=8, learning_rate=0.5)
    rates = [learning_rate(recipe, epoch) for epoch in np.linspace(0, 8, 41)]
    assert all(0 <= rate <= 0.5 + 1e-12 for rate in rates)
    assert max(rates) == pytest.approx(0.5)


@pytest.mark.parametrize("name", catalog.CLASS_WEIGHTS)
def test_a_class_weighting_gives_one_weight_a_class(name: str) -> None:
    weights = class_weights(name, np.array([[90, 9, 1], [80, 20, 0]]))
    if name == "none":
        assert weights is None
    else:
        assert weights is not None and len(weights) == 3
        assert (
            weights[0] <= weights[1] < weights[2]
        )  # the rarer, the heavier; effective_number counts images, not pixels


@pytest.mark.parametrize("name", catalog.PRECISIONS)
def test_a_precision_is_one_of_keras(name: str) -> None:
    assert keras.DTypePolicy(name).variable_dtype == "float32"


def test_each_kind_of_run_has_one_worker() -> None:
    assert {*WORKERS, "imported"} == set(catalog.RUN_KINDS)  # what another tool made needs no work
    assert {kind for kind, program in WORKERS.items() if program == "segcore.worker"} == set(WORK)
