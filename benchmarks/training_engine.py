"""One engine's side of ``bench_engines.py`` and ``gpu_check.py``: ``KERAS_BACKEND=ENGINE python training_engine.py STEPS PRECISION``.

It prints the seconds of the imports, of building, and up to the end of the first step (``first``,
with the imports), images a second after it, and the most memory in use. What is imported, and how, is what the
process of a run does.
"""

import time

BEGAN = time.monotonic()

import json  # noqa: E402
import sys  # noqa: E402

from segcore import worker  # noqa: E402

worker.leave_out()
worker.load_work()

from training_task import BATCH, CLASSES, ENCODER, HEIGHT, WIDTH, batch_of, measure  # noqa: E402

from segcore.config import ModelConfig, RecipeConfig  # noqa: E402
from segcore.models.build import build_model  # noqa: E402
from segcore.training.engines.engine import devices  # noqa: E402
from segcore.training.inference.memory import peak_bytes  # noqa: E402
from segcore.training.input.pipeline import Batch  # noqa: E402
from segcore.training.loop.learner import Learner  # noqa: E402
from segcore.training.loop.optimizers import build_optimizer  # noqa: E402
from segcore.training.losses.losses import build_loss  # noqa: E402
from segcore.training.strategy import configure  # noqa: E402


def main(steps: int, precision: str) -> dict[str, float | str]:
    imported = time.monotonic() - BEGAN
    strategy = configure("auto", precision)
    devices.rewrite_graphs(devices.on_gpu())
    with strategy.scope():
        model = build_model(ModelConfig("unet", ENCODER, "none"), CLASSES, (HEIGHT, WIDTH))
        optimizer = build_optimizer(RecipeConfig(precision=precision))
        learner = Learner(model, build_loss("cross_entropy", CLASSES, 255), optimizer, strategy)
    built = time.monotonic() - BEGAN - imported
    batch = Batch(*batch_of(), BATCH)

    def step() -> float:
        return float(learner.train(batch, 1e-3)[0])

    step()
    result = measure(BEGAN, steps, step)
    return {
        **result,
        "imports": imported,
        "build": built,
        "memory": float(peak_bytes()),
        "device": devices.describe(strategy),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2])))
