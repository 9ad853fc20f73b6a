"""The splits of a dataset: what they hold, the way back, k folds as datasets of their own, windows in their masks."""

from dataclasses import dataclass
from typing import Any

from segcore.data.balance.crop_shares import CropShares, measure_crops
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.split_history import PastSplits, read_split_history, undo_splits
from segcore.data.splits.folds import fold_name, folds_of, write_folds
from segcore.data.splits.splits import make_folds, split_report
from segcore.workspace.datasets.datasets import Datasets, Progress
from segcore.workspace.runs.runs import Runs

WINDOW_SHARES = (0.5, 0.25, 0.125)
"""Sides of measured windows over those of the image."""


@dataclass(frozen=True)
class FoldScore:
    """The score of one training on one fold.

    Attributes:
        fold: Name of the fold's dataset.
        run: Id of the training run.
        mean_iou: Best mean IoU of its validation split at the training size, 0 to 1; None if none.
    """

    fold: str
    run: str
    mean_iou: float | None


class Splits:
    """Looks at the splits of datasets and changes them."""

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs

    def report(self, name: str) -> list[dict[str, Any]]:
        """Return what the splits of today hold, one mapping each; see :func:`segcore.data.splits.splits.split_report`.

        Raises:
            SegcoreError: There is no such dataset, or a mask cannot be read.
        """
        dataset = self._datasets.open(name)
        chosen = {sample.id: sample.split for sample in dataset.samples if sample.split}
        return split_report(dataset, chosen, self._datasets.counts_by_sample(name))

    def history(self, name: str) -> tuple[str, list[PastSplits]]:
        """Return how the splits of today were made, and the earlier ones, the newest last.

        Raises:
            SegcoreError: There is no such dataset, or its history is damaged.
        """
        return read_split_history(self._datasets.open(name))

    def undo(self, name: str) -> Dataset:
        """Take the last change of the splits back.

        Raises:
            SegcoreError: There is no such dataset, or nothing to take back.
        """
        return undo_splits(self._datasets.open(name))

    def make_folds(
        self,
        name: str,
        folds: int,
        method: str,
        seed: int,
        *,
        group_by: str = "",
        hold_out: str = "",
        save: bool = True,
    ) -> dict[str, Any]:
        """Part a dataset into k folds, each a dataset of its own that is trained and scored like any other.

        Args:
            name: Name of the dataset.
            folds: k, 2 or more.
            method: A name in ``splits.METHODS``.
            seed: Seed of the draw.
            group_by: A name in ``splits.GROUPINGS``, for "grouped".
            hold_out: A split of today that stays as it is in every fold, "test"; "" parts all
                samples.
            save: Whether to write them; False only tells what they would be.

        Returns:
            ``dataset, method, seed, folds``: for each fold ``name, splits`` {split: samples} and
            ``report``.

        Raises:
            SegcoreError: There is no such dataset, method or split, too few samples or groups, or
                a fold's name is taken.
        """
        dataset, counts = self._datasets.open(name), self._datasets.counts_by_sample(name)
        assigned = make_folds(
            dataset, folds, method, seed, counts=counts, group_by=group_by, hold_out=hold_out
        )
        if save:
            write_folds(dataset, assigned, self._datasets.folder, f"{method}, seed {seed}")
        rows = []
        for number, splits in enumerate(assigned, 1):
            report = split_report(dataset, splits, counts)
            sizes = {row["split"]: row["num_samples"] for row in report}
            rows.append({"name": fold_name(name, number), "splits": sizes, "report": report})
        return {"dataset": name, "method": method, "seed": seed, "folds": rows}

    def crops(
        self, name: str, split: str, progress: Progress | None = None
    ) -> dict[float, CropShares]:
        """Measure what windows of half, a quarter and an eighth of a side do to the shares of the pixels.

        See :func:`segcore.data.balance.crop_shares.measure_crops`; the keys are those parts of a
        side.

        Raises:
            SegcoreError: There is no such dataset or split, or a mask cannot be read.
        """
        return {
            share: measure_crops(self._datasets.open(name), split, share, progress=progress)
            for share in WINDOW_SHARES
        }

    def folds_of(self, name: str) -> list[str]:
        """Return the names of the folds written of a dataset, the first fold first; none where the first is gone."""
        return folds_of(name, self._datasets.folder)

    def fold_scores(self, name: str) -> list[FoldScore]:
        """Return the score of every finished training on a fold of a dataset, fold by fold."""
        folds = self.folds_of(name)
        rows = [
            r
            for r in self._runs.rows()
            if r.kind == "train" and r.status.state == "finished" and r.dataset in folds
        ]
        scores = [FoldScore(r.dataset, r.run, r.training_mean_iou) for r in rows]
        return sorted(scores, key=lambda score: (score.fold, score.run))
