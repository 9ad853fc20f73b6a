"""Predictions that follow a training by themselves, so that Compare and Evaluate are never empty.

They wait in the ordinary queue for their training, and can be stopped there. Only runs that a
person launches get them: the trials of a search, the variants of an ablation and retrained merges
predict what they need themselves.
"""

import shutil
from collections.abc import Sequence

from segcore.config import PredictConfig, TrainConfig
from segcore.data.dataset.dataset import Dataset
from segcore.runs.folder.probabilities import expected_bytes
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.run_ids import prediction_id
from segcore.workspace.runs.runs import Runs

MOST_BYTES = 2 << 30
"""Probabilities of a split that take more are not kept whole."""
MOST_OF_FREE = 0.1
"""Share of the free disk space that those of a split may take."""

PRIORITY = 1
"""They go before further trainings: a minute's work that shows what came of hours."""


def predicted_splits(config: TrainConfig, dataset: Dataset) -> list[str]:
    """Return the splits that are predicted after a training: its validation split and "test"."""
    if not config.predict_after:
        return []
    named = dict.fromkeys([config.validation_split, "test"])
    return [split for split in named if split and split in dataset.splits]


def storage_of(config: TrainConfig, images: int, num_classes: int, free: int) -> tuple[str, int]:
    """Return how much of the probabilities of a split is kept, and the bytes that takes.

    All of them where they are small, else the most probable classes, which is enough to view, else
    none: scores are the same.

    Args:
        config: The training.
        images: Images of the split.
        num_classes: C.
        free: Bytes that are free on the disk.

    Returns:
        A name in ``catalog.PROBABILITY_STORAGE``, and bytes.
    """
    room = min(MOST_BYTES, round(MOST_OF_FREE * free))
    for kind in ("whole", "top"):
        size = expected_bytes(kind, images, config.size[0] * config.size[1], num_classes)
        if size <= room:
            return kind, size
    return "none", 0


def bytes_after(config: TrainConfig, dataset: Dataset, num_classes: int, free: int) -> int:
    """Return the bytes that all predictions after a training take."""
    counts = [len(dataset.select(split)) for split in predicted_splits(config, dataset)]
    return sum(storage_of(config, images, num_classes, free)[1] for images in counts)


def queue_predictions(runs: Runs, datasets: Datasets, trained: Sequence[str]) -> list[str]:
    """Queue the predictions that follow trainings; return their ids.

    Args:
        runs: The runs.
        datasets: The datasets.
        trained: Ids of training runs that were just queued.

    Raises:
        SegcoreError: The workspace cannot be written.
    """
    queued = []
    free = shutil.disk_usage(runs.folder).free
    for run in trained:
        config = runs.open(run).config
        if not isinstance(config, TrainConfig):
            continue
        dataset = datasets.open(config.dataset)
        classes = dataset.label_set.num_classes
        if config.label_map:
            classes = dataset.load_label_map(config.label_map).num_groups
        for split in predicted_splits(config, dataset):
            kind, _ = storage_of(config, len(dataset.select(split)), classes, free)
            name = prediction_id(run, split)
            wanted = PredictConfig(
                config.dataset, run, split, device=config.device, probabilities=kind
            )
            runs.ensure(name, wanted, 0.0, after=[run], priority=PRIORITY)
            queued.append(name)
    return queued
