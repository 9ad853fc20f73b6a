"""The sides of ``bench_training.py`` that need TensorFlow: ours, Keras' own ``fit``, and our input pipeline."""

import json
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from training_task import BATCH, CLASSES, HEIGHT, WIDTH, batch_of, measure

from segcore.config import ModelConfig, RecipeConfig
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.labels import LabelClass, LabelSet
from segcore.models.build import build_model
from segcore.training.engines.tensorflow.devices import rewrite_graphs
from segcore.training.input.pipeline import Batch, EpochDraw, training_batches, with_masks
from segcore.training.input.reader import SampleReader
from segcore.training.loop.learner import Learner
from segcore.training.loop.optimizers import build_optimizer
from segcore.training.losses.losses import build_loss


def ours(steps: int, precision: str) -> dict[str, float]:
    """Ours: build, first step, then steps."""
    images, masks = batch_of()
    keras.config.set_dtype_policy(precision)
    rewrite_graphs(False)
    began = time.monotonic()
    model = build_model(ModelConfig("unet", "resnet50", "none"), CLASSES, (HEIGHT, WIDTH))
    loss = build_loss("cross_entropy", CLASSES, 255)
    learner = Learner(
        model,
        loss,
        build_optimizer(RecipeConfig(precision=precision)),
        tf.distribute.get_strategy(),
    )
    batch = Batch(images, masks, BATCH)
    float(learner.train(batch, 1e-3)[0])
    return measure(began, steps, lambda: float(learner.train(batch, 1e-3)[0]))


def keras_fit(steps: int, precision: str) -> dict[str, float]:
    """The same network by ``compile`` and ``fit``."""
    images, masks = batch_of()
    keras.config.set_dtype_policy(precision)
    times = []
    began = time.monotonic()
    model = build_model(ModelConfig("unet", "resnet50", "none"), CLASSES, (HEIGHT, WIDTH))
    model.compile(
        "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    )
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: times.append(time.monotonic())
    )
    repeated = (
        np.concatenate([images] * (steps + 1)).astype("float32"),
        np.concatenate([masks] * (steps + 1)),
    )
    model.fit(*repeated, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[note])
    gaps = [b - a for a, b in pairwise(times)]
    return {"first": times[0] - began, "images_per_second": BATCH / statistics.median(gaps)}


def pipeline(steps: int, precision: str) -> dict[str, float]:
    """Our input pipeline, augmenting, read by a consumer that does nothing."""
    rng = np.random.default_rng(0)
    classes = tuple(
        LabelClass(i, f"class {i}", (20 * i, 255 - 20 * i, 10 * i)) for i in range(CLASSES)
    )
    with tempfile.TemporaryDirectory() as folder:
        samples = []
        for i in range(64):
            mask = np.kron(rng.integers(0, CLASSES, (9, 12)), np.ones((40, 40))).astype(np.uint8)
            noise = rng.normal(0, 15, (360, 480, 3)) + 18 * mask[..., None] + 20
            samples.append(
                ArraySample(f"{i}", np.clip(noise, 0, 255).astype(np.uint8), mask, "train")
            )
        write_dataset(Path(folder) / "set", "set", LabelSet(classes), samples)
        dataset = Dataset.open(Path(folder) / "set")
        speeds = {}
        for name, kept in (("from disk", 0), ("kept in memory", None)):
            reader = SampleReader(dataset, (HEIGHT, WIDTH), cache_bytes=kept)
            for epoch in range(2):
                began = time.monotonic()
                samples, draw = with_masks(dataset, "train"), EpochDraw(0, epoch, "light")
                batches = training_batches(reader, samples, BATCH, draw)
                count = sum(batch.count for batch in batches)
                speeds[name] = count / (time.monotonic() - began)
    return speeds


SIDES = {"ours": ours, "fit": keras_fit, "pipeline": pipeline}


if __name__ == "__main__":
    name, steps, precision = sys.argv[1:]
    print(json.dumps(SIDES[name](int(steps), precision)))
