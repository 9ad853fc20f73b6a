"""Checkpoints: every variable of a run, and where in the run they were saved."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segcore.errors import SegcoreError
from segcore.models.weights.weight_files import foreign_file, read_npz
from segcore.runs.folder.run_folder import RunFolder, replacing
from segcore.training.loop.metrics import EpochScores

VERSION = 1


@dataclass
class TrainState:
    """The progress of a training run.

    Attributes:
        num_classes: C.
        fingerprint: Of the dataset.
        epoch: Epochs done.
        step: Batches done in the epoch after those.
        scores: Of these batches.
        seconds: Spent on that epoch so far.
        best_score: Best monitored score, larger is better; None before the first.
        epochs_since_best: Epochs since then.
        plateau: Factor that the plateau schedule puts on the learning rate.
        history: Records of the epochs done, as in ``metrics.jsonl``.
    """

    num_classes: int
    fingerprint: str
    epoch: int = 0
    step: int = 0
    scores: EpochScores = field(init=False)
    seconds: float = 0.0
    best_score: float | None = None
    epochs_since_best: int = 0
    plateau: float = 1.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin an epoch without scores."""
        self.scores = EpochScores(self.num_classes)

    def end_epoch(self, record: dict[str, Any]) -> None:
        """Count an epoch as done and begin the next."""
        self.history.append(record)
        self.epoch += 1
        self.step = 0
        self.seconds = 0.0
        self.scores = EpochScores(self.num_classes)

    @property
    def best_mean_iou(self) -> float | None:
        """Mean IoU of the best epoch, on validation if there is one; None where there is none."""
        if not self.history:
            return None
        record = self.history[-1 - self.epochs_since_best]
        value = record.get("val_mean_iou", record["mean_iou"])
        return None if value is None or math.isnan(value) else value


_PLAIN = [f.name for f in dataclasses.fields(TrainState) if f.name != "scores"]


def diverged(state: TrainState, steps: int) -> str:
    """Return where a run diverged, from where it can continue, and what to change.

    Args:
        state: Its progress.
        steps: Steps of an epoch.
    """
    where = f"after epoch {state.epoch}" if state.epoch else "from the beginning"
    return (
        f"in epoch {state.epoch + 1}, step {state.scores.batches + 1} of {steps}: lower "
        "the learning rate (resuming can halve it, it "
        f"continues {where}), warm up, clip the gradient norm, or use float32."
    )


def learning_rate_factor(run: RunFolder) -> float:
    """Return the factor on a run's learning rate since it was resumed more slowly; 1 by default.

    Raises:
        SegcoreError: ``resume.json`` is damaged or says a factor that is not above 0 and at most 1.
    """
    if not (run.folder / "resume.json").exists():
        return 1.0
    factor = run.read_json("resume").get("learning_rate_factor")
    if not isinstance(factor, (int, float)) or not 0 < factor <= 1:
        raise SegcoreError(
            "Expected a learning_rate_factor above 0 and up to 1 in resume.json, received "
            f"{factor!r}: correct it."
        )
    return float(factor)


def save_checkpoint(folder: Path, state: TrainState, variables: Sequence[Any]) -> None:
    """Write ``last.npz`` in a folder, whole or not at all.

    Args:
        folder: The run's checkpoints.
        state: Its progress.
        variables: Keras variables of the network and the optimizer, in a fixed order.

    Raises:
        SegcoreError: It cannot be written.
    """
    plain = {name: getattr(state, name) for name in _PLAIN}
    meta = {
        "version": VERSION,
        "state": plain,
        "loss_sum": state.scores.loss_sum,
        "batches": state.scores.batches,
    }
    arrays = {f"variable_{i:05d}": v.numpy() for i, v in enumerate(variables)}
    with replacing(folder / "last.npz") as path:
        np.savez(
            path,
            allow_pickle=False,
            meta=np.array(json.dumps(meta)),
            confusion=state.scores.confusion,
            **arrays,
        )


def load_checkpoint(folder: Path, variables: Sequence[Any]) -> TrainState | None:
    """Read ``last.npz`` back into the variables.

    Args:
        folder: The run's checkpoints.
        variables: As in :func:`save_checkpoint`.

    Returns:
        Where the run stood, or None when there is no checkpoint.

    Raises:
        SegcoreError: It is damaged or for another network.
    """
    file = folder / "last.npz"
    if not file.is_file():
        return None
    with foreign_file(file, "a sound checkpoint", "start a new run"):
        arrays = read_npz(file)
        if math.prod(arrays["meta"].shape) != 1:
            raise ValueError("its state is no text")
        meta = json.loads(str(np.asarray(arrays["meta"])))
        if meta["version"] != VERSION:
            raise SegcoreError(
                f"Expected a checkpoint of version {VERSION}, received "
                f"{meta['version']}: start a new run."
            )
        shapes = [tuple(variable.shape) for variable in variables]
        names = [f"variable_{i:05d}" for i in range(len(shapes))]
        saved = [arrays[name].shape for name in names if name in arrays]
        if saved != shapes or len(arrays) != len(variables) + 2:
            raise SegcoreError(
                f"Expected a checkpoint with {len(variables)} variables of this network, received "
                f"{len(arrays) - 2}, perhaps of other shapes: the network was built in "
                "another way then; start a new run."
            )
        state = TrainState(**meta["state"])
        if arrays["confusion"].shape != state.scores.confusion.shape:
            raise ValueError("its counts are of other classes")
        for name, variable in zip(names, variables, strict=True):
            variable.assign(np.asarray(arrays[name]))
        state.scores.loss_sum = float(meta["loss_sum"])
        state.scores.batches = int(meta["batches"])
        state.scores.confusion = np.asarray(arrays["confusion"]).astype(np.int64)
        return state
