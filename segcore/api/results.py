"""Prediction and evaluation from a notebook."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from segcore.api.learning import TrainedModel
from segcore.api.params import Params, settings
from segcore.api.waiting import ProgressLine
from segcore.errors import SegcoreError
from segcore.workspace import Workspace
from segcore.workspace.compression.back_offs import BackOffOptions


@dataclass(frozen=True)
class Predictions(Mapping[str, npt.NDArray[np.integer]]):
    """Predicted masks by sample id, read from disk on access.

    Attributes:
        run: The training run (one member) or the ensemble that predicted.
        split: Which split.
        samples: Ids, in the order of the dataset.
        workspace: Where they lie.
    """

    run: str
    split: str
    samples: tuple[str, ...]
    workspace: Workspace

    def __getitem__(self, sample: str) -> npt.NDArray[np.integer]:
        """Return the predicted mask (H, W) of a sample at its own size, as class indices."""
        return (
            self.probabilities(sample)
            .argmax(axis=-1)
            .astype(np.uint8 if self._classes <= 255 else np.uint16)
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def _classes(self) -> int:
        return self.workspace.scores.label_set(self.run).num_classes

    def probabilities(self, sample: str) -> npt.NDArray[np.float32]:
        """Return the probabilities (H, W, C) float32 of a sample at its own size.

        Each pixel sums to 1.

        Raises:
            SegcoreError: There is no such sample.
        """
        return self.workspace.scenes.probabilities(self.run, self.split, sample)


def predict_model(
    params: Mapping[str, Any], model: TrainedModel, test: bool = True, ensemble: bool = False
) -> Predictions:
    """Predict the test (or validation) split and write the class scores to ``label_scores``.

    Args:
        params: The params.
        model: What :func:`train_model` returned.
        test: Whether to predict the test split; else the validation split of the params.
        ensemble: Whether the members are combined by ``rule`` of the params; else the first member
            answers alone.

    Raises:
        SegcoreError: The params or the split are refused, or a run failed.
    """
    chosen = settings(params)
    predictions = _predict(chosen.own, chosen.config.validation_split, model, test, ensemble)
    if chosen.workspace.scores.has_counts(predictions.run, predictions.split):
        _write_scores(chosen.own, predictions)
    return predictions


def _predict(
    own: Params, validation: str, model: TrainedModel, test: bool, ensemble: bool
) -> Predictions:
    split = "test" if test else validation
    if not split:
        raise SegcoreError(
            "Expected a validation split in params, received none: set 'validation_split', "
            "or predict with test=True."
        )
    runs = model.workspace.runs
    run = runs.ensemble(model.runs, split, rule=own.rule) if ensemble else model.runs[0]
    waited = run if ensemble else runs.predict(run, split)
    with ProgressLine(f"Predicting {split}") as progress:
        runs.wait([waited], progress)
    samples = model.workspace.scenes.dataset_of(run).select(split)  # of a member by fold its own
    return Predictions(run, split, tuple(sample.id for sample in samples), model.workspace)


def evaluate(
    model: TrainedModel, params: Mapping[str, Any], ensemble: bool = False, test: bool = True
) -> pd.DataFrame:
    """Score a model on the test (or validation) split and write ``label_scores``.

    The split is predicted first if need be.

    Args:
        model: What :func:`train_model` returned.
        params: The params.
        ensemble: Whether the members are combined; else the first member is scored.
        test: As in :func:`predict_model`.

    Returns:
        One row a class: ``id, name, support`` (pixels), ``iou, dice, precision, recall, iou_low,
        iou_high`` (95 % interval of the IoU by bootstrap over images). ``attrs`` holds ``split,
        num_samples, size, mean_iou, interval, pixel_accuracy`` and the ``statement`` of how it was
        measured.

    Raises:
        SegcoreError: The params or the split are refused, a run failed, or the split has no masks.
    """
    chosen = settings(params)
    return _write_scores(
        chosen.own, _predict(chosen.own, chosen.config.validation_split, model, test, ensemble)
    )


def back_off(
    model: TrainedModel,
    params: Mapping[str, Any],
    promise: float = 0.05,
    ensemble: bool = False,
    by_class: bool = False,
) -> pd.DataFrame:
    """Promise an error by labels that back off, calibrated on validation, reported on test.

    Both splits are predicted first if need be.

    Args:
        model: What :func:`train_model` returned.
        params: The params.
        promise: The largest expected share of wrong pixels, above 0, at most 1.
        ensemble: Whether the members are combined; else the first member answers.
        by_class: Whether it is promised of each class's pixels.

    Returns:
        One row a label: ``label, level, share, right`` (shares 0..1; level 0 is a class). ``attrs``
        holds ``headline, outcome, promise, threshold, risk, interval`` and the ``notes``.

    Raises:
        SegcoreError: The promise, the params or the splits are refused, or a run failed.
    """
    chosen = settings(params)
    calibrate = chosen.config.validation_split
    _predict(chosen.own, calibrate, model, False, ensemble)
    reported = _predict(chosen.own, calibrate, model, True, ensemble)
    options = BackOffOptions(promise, calibrate, by_class)
    with ProgressLine("Counting") as progress:
        found = model.workspace.back_offs.report(reported.run, "test", options, progress).to_json()
    rows = [
        {"label": n["title"], "level": n["level"], "share": n["share"], "right": n["right"]}
        for n in found["nodes"]
    ]
    table = pd.DataFrame(rows)
    wanted = ("headline", "outcome", "promise", "threshold", "notes")
    table.attrs.update(
        {name: found[name] for name in wanted},
        risk=found["risk"]["value"],
        interval=found["risk"]["interval"],
    )
    return table


def _write_scores(own: Params, predictions: Predictions) -> pd.DataFrame:
    report = predictions.workspace.scores.report(predictions.run, predictions.split)
    text = report.label_scores()
    path = Path(own.label_scores)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise SegcoreError(
            f"Expected a place for the class scores, but {path} cannot be written "
            f"({error.strerror}): set 'label_scores'."
        ) from error
    table = pd.read_csv(StringIO(text), sep=";")
    facts = report.to_json()
    wanted = ("split", "num_samples", "size", "mean_iou", "pixel_accuracy", "statement")
    table.attrs.update(
        {name: facts[name] for name in wanted}, interval=facts["interval"]["mean_iou"]
    )
    return table
