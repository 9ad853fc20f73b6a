"""What a run records while it works: history, device load, environment, mask history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.config import TrainConfig
from segcore.data.bands.learned import NAME as LEARNED_BANDS
from segcore.data.bands.learned import load_learned
from segcore.errors import SegcoreError
from segcore.labels import LabelMap, LabelSet
from segcore.runs.folder.environment import Start, read_environment
from segcore.runs.folder.mask_history import mask_history_stage, read_mask_history
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.usage import Usage, read_usage
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.runs import Runs

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[Any]


Cell = str | float | int | bool | None


@dataclass(frozen=True)
class EpochRow:
    """One line of the history of a run.

    Attributes:
        epoch: Number of the epoch, from 1; None for a line that belongs to none.
        seconds: How long it took.
        values: All that the line notes by name, the epoch too; "iou <class>" for each class.
    """

    epoch: int | None
    seconds: float
    values: Mapping[str, Cell]


class Monitors:
    """Runs as they go."""

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs

    def label_set(self, run: str) -> LabelSet | None:
        """Return the classes that a run trains; None before it has begun, or if unreadable.

        Raises:
            SegcoreError: There is no such run.
        """
        labels = _labels(self._runs.open(run))
        return labels[0] if labels else None

    def bands(self, run: str) -> str:
        """Say which channels a network takes, and how the kernels that read them began.

        Returns:
            A sentence or two; "" for a network over pictures, and before a run has begun.

        Raises:
            SegcoreError: There is no such run, or its note is damaged.
        """
        folder = self._runs.open(run)
        learned = load_learned(folder.folder)
        if learned is None:
            return ""
        stem = str(folder.read_json(LEARNED_BANDS).get("stem", ""))
        return f"Trained on {learned.bands.sentence}. {stem}".strip()

    def table(self, run: str) -> list[EpochRow]:
        """Return the history as flat rows, one an epoch.

        Raises:
            SegcoreError: There is no such run.
        """
        history = self._runs.open(run).metrics()
        labels = self.label_set(run)
        names = labels.class_names if labels else []
        return [
            EpochRow(
                line["epoch"] if isinstance(line.get("epoch"), int) else None,
                float(line.get("seconds") or 0.0),
                _flat(line, names),
            )
            for line in history
        ]

    def best_epoch(self, run: str) -> int | None:
        """Return the epoch whose weights a training keeps: the best by its checkpoint metric.

        None before the first epoch, and for runs that do not train.

        Raises:
            SegcoreError: There is no such run.
        """
        folder = self._runs.open(run)
        config = folder.config
        if not isinstance(config, TrainConfig):
            return None
        name, sign = ("loss", -1.0) if config.recipe.monitor == "loss" else ("mean_iou", 1.0)
        key = f"val_{name}" if config.validation_split else name
        best: tuple[float, int] | None = None
        for line in folder.metrics():
            value, epoch = line.get(key), line.get("epoch")
            if value is None or not isinstance(epoch, int):
                continue
            if best is None or sign * value > best[0]:
                best = sign * value, epoch
        return best[1] if best else None

    def usage(self, run: str) -> list[Usage]:
        """Return the load of a run's devices over time.

        Raises:
            SegcoreError: There is no such run.
        """
        return read_usage(self._runs.open(run).folder)

    def starts(self, run: str) -> list[Start]:
        """Return the environment of a run at each of its starts.

        Raises:
            SegcoreError: There is no such run.
        """
        return read_environment(self._runs.open(run).folder)

    def is_current(self, run: str) -> bool | None:
        """Return whether the dataset is unchanged since the run began; None if unknown.

        Raises:
            SegcoreError: There is no such run.
        """
        folder = self._runs.open(run)
        noted = [start.fingerprint for start in read_environment(folder.folder)]
        if not noted or not noted[-1] or folder.config.dataset not in self._datasets.names():
            return None
        return bool(noted[-1] == self._datasets.open(folder.config.dataset).fingerprint)

    def mask_history(self, run: str) -> tuple[str, list[str], list[int]] | None:
        """Return (split, sample ids, epochs) of the mask history; None where there is none.

        Raises:
            SegcoreError: There is no such run.
        """
        return read_mask_history(self._runs.open(run).folder)

    def masks_at(self, run: str, sample: str, epoch: int) -> tuple[Image, Mask, Mask]:
        """Return a sample as the network saw it after an epoch.

        Returns:
            image (h, w, 3) uint8 RGB, ground truth (h, w) and prediction (h, w), indices of the
            run's classes, all at the network's size.

        Raises:
            SegcoreError: There is no such run, sample or epoch, or a file cannot be read.
        """
        folder = self._runs.open(run)
        history = read_mask_history(folder.folder)
        labels = _labels(folder)
        if history is None or labels is None:
            raise SegcoreError(
                f"Expected masks of {run!r} by epoch, found none: they are kept by runs "
                "with a validation split."
            )
        predicted = folder.read_mask(history[0], mask_history_stage(epoch), sample)
        dataset = self._datasets.open(folder.config.dataset)
        image, truth = dataset.read(dataset.sample(sample))
        if labels[1] is not None:
            truth = labels[1].apply(truth, dataset.label_set)
        height, width = predicted.shape
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )
        return (
            small,
            cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT),
            predicted,
        )


def _labels(folder: RunFolder) -> tuple[LabelSet, LabelMap | None] | None:
    try:
        data = folder.read_json("labels")
        merge = data.get("label_map")
        return LabelSet.from_json(data["label_set"]), None if merge is None else LabelMap.from_json(
            merge
        )
    except (SegcoreError, KeyError, TypeError):
        return None


def _flat(line: Mapping[str, Any], names: list[str]) -> dict[str, Cell]:
    flat = {key: value for key, value in line.items() if not isinstance(value, (list, dict))}
    scores = line.get("class_iou") or []
    return {**flat, **{f"iou {name}": value for name, value in zip(names, scores, strict=False)}}
