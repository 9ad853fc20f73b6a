"""Two devices learn what one does: two logical processors stand for two GPUs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segcore.runs.machine.engines import is_installed

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[4]
TWIN = """
import json, sys
import jax, numpy as np
from segcore.config import ModelConfig, RecipeConfig
from segcore.models import build
from segcore.models.build import build_model
from segcore.training.engines.jax.devices import Strategy, describe, seed
from segcore.training.input.pipeline import Batch
from segcore.config.requests import check_batch
from segcore.training.loop.learner import Learner
from segcore.training.loop.optimizers import build_optimizer
from segcore.training.losses.losses import build_loss

count = int(sys.argv[1])
plain, build_encoder = [], build.build_encoder
def spy(*words):
    plain.append(jax.config.read("jax_disable_most_optimizations"))
    return build_encoder(*words)
build.build_encoder = spy
strategy, curve = Strategy(tuple(jax.devices("cpu")[:count])), []
check_batch(4, strategy.num_replicas_in_sync)
seed(0)
with strategy.scope():
    model = build_model(ModelConfig("unet", "tiny", "none"), 3, (32, 32))
    optimizer = build_optimizer(RecipeConfig(optimizer="sgd"))
    learner = Learner(model, build_loss("dice_focal", 3, 255), optimizer, strategy)
rng = np.random.default_rng(1)
for _ in range(3):
    masks = rng.integers(0, 3, (4, 32, 32)).astype(np.uint8)
    masks[0, :24] = 255  # so that the two halves of the batch do not weigh the same
    batch = Batch(np.repeat(masks[..., None] * 80, 3, -1).astype(np.uint8), masks, 4)
    plain.append(jax.config.read("jax_disable_most_optimizations"))
    loss, confusion = learner.train(batch, 0.05)
    curve.append([float(loss), int(np.sum(confusion))])
curve.append([float(learner.validate(batch)[0]), 0])
logits = learner.logits(batch.images[:1])
places = {len(variable.value.sharding.device_set) for variable in model.variables}
answer = {"curve": curve, "places": sorted(places), "name": describe(strategy), "plain": plain}
print(json.dumps(answer))
"""


def train_on(count):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", TWIN, str(count)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_two_devices_learn_what_one_does():
    if not is_installed("jax"):
        pytest.skip("ENGINE NOT TESTED: jax is not installed")
    one, two = train_on(1), train_on(2)
    assert (one["places"], two["places"]) == ([1], [2])
    assert (one["name"], two["name"]) == ("CPU", "2 x CPU")
    assert [n for _, n in one["curve"]] == [n for _, n in two["curve"]]
    losses = [[loss for loss, _ in run["curve"]] for run in (one, two)]
    assert losses[1][:2] == pytest.approx(losses[0][:2], rel=1e-5)
    assert losses[1][2:] == pytest.approx(losses[0][2:], rel=2e-2)
    assert one["plain"] == [True, False, False, False], (
        "what runs once is compiled plainly, a step is not"
    )
