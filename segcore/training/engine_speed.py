"""How fast an engine trains on this machine's CPU: ``python -m segcore.training.engine_speed``.

A U-Net on ResNet50 at 96 x 128 takes a few steps in each precision, through the very step that a
run takes. The engine is the one that ``KERAS_BACKEND`` names. After each precision it prints a JSON
document of all so far, ``{"float32": 2.1, "mixed_bfloat16": 3.0}`` in images a second, so that
whoever starts it and sets a time limit has the first ones where a processor emulates the last.
``--encoder`` and ``--size`` measure another network.
"""

import argparse
import atexit
import gc
import json
import statistics
import time
from collections.abc import Sequence

import numpy as np

from segcore.config import ModelConfig, RecipeConfig
from segcore.models.build import build_model
from segcore.training.engines.engine import devices
from segcore.training.input.pipeline import Batch
from segcore.training.loop.learner import Learner
from segcore.training.loop.optimizers import build_optimizer
from segcore.training.losses.losses import build_loss
from segcore.training.strategy import configure

CLASSES, BATCH, STEPS = 12, 4, 3
ENOUGH = 15.0
"""Seconds of timed steps after which none is added."""
PRECISIONS = ("float32", "mixed_bfloat16")


def images_per_second(precision: str, encoder: str, size: tuple[int, int]) -> float:
    """Return how many images a second the steps after the first train on.

    Args:
        precision: A Keras policy.
        encoder: A key of ``catalog.ENCODERS``.
        size: (height, width) of the images.
    """
    strategy = configure("cpu", precision)
    devices.rewrite_graphs(False)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, *size, 3), dtype=np.uint8)
    batch = Batch(images, rng.integers(0, CLASSES, (BATCH, *size), dtype=np.uint8), BATCH)
    with strategy.scope():
        model = build_model(ModelConfig("unet", encoder, "none"), CLASSES, size)
        optimizer = build_optimizer(RecipeConfig(precision=precision))
        learner = Learner(model, build_loss("cross_entropy", CLASSES, 255), optimizer, strategy)
    float(learner.train(batch, 1e-3)[0])  # reading the loss waits until the step is done
    seconds: list[float] = []
    while len(seconds) < STEPS and sum(seconds) < ENOUGH:
        began = time.monotonic()
        float(learner.train(batch, 1e-3)[0])
        seconds.append(time.monotonic() - began)
    return BATCH / statistics.median(seconds)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Measure every precision; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="resnet50")
    parser.add_argument("--size", default="96x128", help="height x width")
    options = parser.parse_args(arguments)
    height, width = map(int, options.size.split("x"))
    speeds: dict[str, float] = {}
    for precision in PRECISIONS:
        speeds[precision] = images_per_second(precision, options.encoder, (height, width))
        print(json.dumps(speeds), flush=True)
    return speeds


if __name__ == "__main__":
    atexit.register(gc.freeze)  # the process ends with its answer: garbage need not be found
    main()
