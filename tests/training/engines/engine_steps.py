"""What the steps of an engine do: ``KERAS_BACKEND=ENGINE python engine_steps.py OUT [NETWORK ...]``.

Weights and batches come from one seed, so every engine gets the same. OUT, a folder, gets
``numbers.npz``, ``model.keras`` and a checkpoint. With NETWORKs, ``.keras`` files beside their
checkpoints, it gets what the engine makes of those instead: ``answers.npz``.
"""

import sys
from pathlib import Path

import numpy as np
from keras import ops

from segcore.config import ModelConfig, RecipeConfig
from segcore.models.build import build_model
from segcore.training.engines.engine import ENGINE, devices
from segcore.training.inference.predictor import Predictor
from segcore.training.input.pipeline import Batch
from segcore.training.loop.checkpoint import TrainState, load_checkpoint, save_checkpoint
from segcore.training.loop.learner import Learner
from segcore.training.loop.optimizers import averaged_weights, build_optimizer
from segcore.training.losses.losses import build_loss
from segcore.training.strategy import configure

SIZE, CLASSES, IGNORE, STEPS = (32, 64), 3, 255, 10
HALF = STEPS // 2
RATE = {"sgd": 0.05, "rmsprop": 0.003}
"""Learning rates other than 0.01: the losses halve within ten steps, and no step overshoots."""
RECIPES = {
    "adam": {"average": 0.8},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.01, "clip_norm": 0.5},
    "sgd": {"optimizer": "sgd"},
    "rmsprop": {"optimizer": "rmsprop"},
}


def batches():
    """Blocks whose colours say what they are, with noise, and a border that is ignored."""
    rng = np.random.default_rng(2)
    colors = np.array([[40, 60, 80], [180, 60, 60], [60, 60, 220]])
    for _ in range(STEPS):
        blocks = rng.integers(0, CLASSES, (4, 4, 8))
        masks = np.kron(blocks, np.ones((8, 8), int)).astype(np.uint8)
        images = np.clip(colors[masks] + rng.normal(0, 20, (*masks.shape, 3)), 0, 255)
        masks[:, :2] = IGNORE
        yield Batch(images.astype(np.uint8), masks, 4)


def make_learner(strategy, **recipe):
    """A tiny network with weights that do not come from the engine's own random numbers."""
    rng = np.random.default_rng(1)
    with strategy.scope():
        model = build_model(ModelConfig("lraspp", "tiny", "none"), CLASSES, SIZE)
        for variable in model.variables:
            if "kernel" in variable.name:
                scale = (2 / max(1, np.prod(variable.shape[:-1]))) ** 0.5
                variable.assign(rng.normal(0, scale, variable.shape).astype(np.float32))
        optimizer = build_optimizer(RecipeConfig(learning_rate=0.01, **recipe))
        return Learner(model, build_loss("dice_focal", CLASSES, IGNORE), optimizer, strategy)


def values(outcome):
    """A step's loss and confusion as arrays."""
    loss, confusion = map(ops.convert_to_numpy, outcome)
    return float(loss), np.asarray(confusion)


def learn(strategy, out):
    """Losses of ten steps by each optimizer, and what follows from them, by name."""
    result = {}
    shown = list(batches())
    for name, recipe in RECIPES.items():
        learner = make_learner(strategy, **recipe)
        rate = RATE.get(name, 0.01)
        outcomes = [values(learner.train(batch, rate)) for batch in shown[:HALF]]
        if name == "adam":
            (out / "half").mkdir()
            save_checkpoint(out / "half", TrainState(CLASSES, "f"), every(learner))
        outcomes += [values(learner.train(batch, rate)) for batch in shown[HALF:]]
        result[f"{name} losses"] = np.array([loss for loss, _ in outcomes])
        result[f"{name} confusion"] = outcomes[0][1]
        if name == "adam":
            with averaged_weights(learner.optimizer, learner.variables):
                result["averaged losses"] = np.array([values(learner.validate(shown[0]))[0]])
            save_checkpoint(out, TrainState(CLASSES, "f"), every(learner))
            learner.model.save(out / "model.keras")
            check_resume(strategy, shown, every(learner), out / "half")
            logits = ops.convert_to_numpy(learner.logits(shown[0].images))
            powers = np.exp(logits - logits.max(-1, keepdims=True))
            answer = Predictor(out / "model.keras", 4)(shown[0].images)
            assert np.abs(answer - powers / powers.sum(-1, keepdims=True)).max() < 1e-4
    learner = make_learner(strategy)
    learner.freeze(True)
    result["frozen losses"] = np.array([values(learner.train(b, 0.01))[0] for b in shown[:3]])
    learner.thaw()
    result["thawed losses"] = np.array([values(learner.train(b, 0.01))[0] for b in shown[:3]])
    learner.reestimate(shown[:3])
    result["reestimated losses"] = np.array([values(learner.validate(shown[0]))[0]])
    return result


def check_resume(strategy, shown, expected, folder):
    """From the checkpoint of half of the steps a new network's second half ends bit for bit alike."""
    second = make_learner(strategy, **RECIPES["adam"])
    load_checkpoint(folder, every(second))
    for batch in shown[HALF:]:
        second.train(batch, 0.01)
    pairs = zip(every(second), expected, strict=True)
    assert all(np.array_equal(one.numpy(), other.numpy()) for one, other in pairs)


def read(strategy, networks):
    """What this engine makes of networks and checkpoints that any engine wrote, by number."""
    result = {}
    shown = next(batches())
    for number, network in enumerate(networks):
        result[f"answer {number}"] = Predictor(network, 4)(shown.images)
        learner = make_learner(strategy, **RECIPES["adam"])
        assert load_checkpoint(network.parent, every(learner)) is not None
        result[f"next loss {number}"] = np.array(values(learner.train(shown, 0.01))[0])
    return result


def main(out, networks):
    """Write everything that is compared."""
    strategy = configure("cpu", deterministic=True)
    devices.seed(0)
    devices.rewrite_graphs(False)  # as training does
    result = read(strategy, networks) if networks else learn(strategy, out)
    assert ENGINE == "tensorflow" or "tensorflow" not in sys.modules
    name = "answers.npz" if networks else "numbers.npz"
    np.savez_compressed(out / name, allow_pickle=False, **result)


def every(learner):
    """The variables of a checkpoint, in its order."""
    return [*learner.model.variables, *learner.optimizer.variables]


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
