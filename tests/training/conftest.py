"""A very small dataset that a tiny network learns in seconds, and runs over it."""

import itertools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from segcore.config import ModelConfig, PredictConfig, PredictOptions, RecipeConfig, TrainConfig
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.labels import LabelClass, LabelSet
from segcore.models.engines.engine import ENGINE
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.loop.train import train

LABELS = LabelSet(
    (
        LabelClass(10, "ground", (90, 140, 60)),
        LabelClass(20, "roof", (200, 60, 50)),
        LabelClass(30, "water", (40, 80, 200)),
    ),
    (LabelClass(99, "void", (0, 0, 0)),),
)
SIZE = (32, 64)


def make_sample(name, split, rng, size=(40, 70)):
    """Ground with a roof and a pond whose colours say what they are; a void frame of two pixels."""
    mask = np.zeros(size, np.uint8)
    for value in (1, 2):
        top, left = rng.integers(2, size[0] - 20), rng.integers(2, size[1] - 30)
        mask[top : top + rng.integers(8, 18), left : left + rng.integers(10, 28)] = value
    image = LABELS.colors[mask].astype(float) + rng.normal(0, 12, (*size, 3))
    mask[:2] = mask[-2:] = LABELS.ignore_index
    return ArraySample(name, np.clip(image, 0, 255).astype(np.uint8), mask, split)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """A workspace with the dataset "shapes": 11 training, 5 validation, 4 test images."""
    root = tmp_path_factory.mktemp("workspace")
    rng = np.random.default_rng(3)
    samples = [
        make_sample(f"{split}/{i:02d}", split, rng, (40, 70) if i % 3 else (24, 50))
        for split, count in (("train", 11), ("validation", 5), ("test", 4))
        for i in range(count)
    ]
    write_dataset(root / "datasets" / "shapes", "shapes", LABELS, samples)
    (root / "runs").mkdir()
    return root


@pytest.fixture(scope="session")
def dataset(workspace):
    return Dataset.open(workspace / "datasets" / "shapes")


@pytest.fixture(scope="session")
def new_run(workspace):
    """Make a training run of the smallest network; keywords change its recipe, ``config`` the rest.

    Tracing a step takes half as long as a U-Net's, and nothing here is about the decoder.
    """

    def make(name, config=None, **recipe):
        words = {
            "loss": "dice_focal",
            "learning_rate": 0.01,
            "epochs": 2,
            "batch_size": 4,
            "augmentation": "light",
            **recipe,
        }
        train = TrainConfig(
            "shapes",
            ModelConfig("lraspp", "tiny", "none"),
            RecipeConfig(**words),
            SIZE,
            seed=5,
            device="cpu",
            engine=ENGINE,
        )
        train = TrainConfig(**{**vars(train), **(config or {})})
        return RunFolder.create(workspace / "runs", name, train)

    return make


@pytest.fixture(scope="session")
def whole(new_run, dataset):
    """Three undisturbed epochs with everything that has a memory: Adam, averaging, augmentation."""
    run = new_run("whole", epochs=3, average=0.8)
    train(run, dataset)
    return run


@pytest.fixture(scope="session")
def new_prediction(workspace):
    """Make a prediction run of a training run."""
    serial = itertools.count()

    def make(source, split="test", **options):
        looked = PredictOptions(**{"backend": ENGINE, **options})
        config = PredictConfig(
            "shapes", source.id, split, batch_size=3, device="cpu", options=looked
        )
        return RunFolder.create(workspace / "runs", f"{source.id}--{split}-{next(serial)}", config)

    return make
