"""The splits of a dataset: contents, undo, folds as datasets of their own, window sizes."""

from dataclasses import dataclass
from typing import Any

from segcore.data.balance.crop_shares import CropShares, measure_crops
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.split_history import PastSplits, read_split_history, undo_splits
from segcore.data.health.split_groups import choose_split, groups_in_splits, warn_of_torn
from segcore.data.splits.folds import fold_name, folds_of, write_folds
from segcore.data.splits.splits import SplitPart, make_folds, split_report
from segcore.formatting import plural
from segcore.workspace.datasets.datasets import Datasets, Progress
from segcore.workspace.datasets.new_splits import how_drawn
from segcore.workspace.rights import writes
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


@dataclass(frozen=True)
class Fold:
    """One fold of a dataset.

    Attributes:
        name: Name of its dataset.
        splits: Samples of each split.
        report: What each split holds.
        groups: Names of the groups in each split; empty where single samples were drawn.
    """

    name: str
    splits: dict[str, int]
    report: list[SplitPart]
    groups: dict[str, list[str]]

    def to_json(self) -> dict[str, Any]:
        """Return the fold as a JSON-ready mapping."""
        return {**vars(self), "report": [vars(part) for part in self.report]}


@dataclass(frozen=True)
class Folds:
    """The folds of a dataset.

    Attributes:
        dataset: Name of the dataset.
        method: A name in ``splits.METHODS``.
        seed: Seed of the draw.
        folds: One entry a fold.
        group_by: A name in ``splits.GROUPINGS`` for "grouped", else "".
        reason: Why this method; "" where a person asked for it.
        warning: One sentence on groups that the folds tear apart; "" where they do not.
    """

    dataset: str
    method: str
    seed: int
    folds: list[Fold]
    group_by: str
    reason: str
    warning: str

    def __str__(self) -> str:
        """How they were drawn: "grouped by prefix, seed 0"."""
        return how_drawn(self.method, self.group_by, self.seed)

    def to_json(self) -> dict[str, Any]:
        """Return the folds as ``segscope split --folds --json`` prints them."""
        return {**vars(self), "folds": [fold.to_json() for fold in self.folds]}


class Splits:
    """The splits of the datasets of a workspace, to read and to change."""

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs

    def report(self, name: str) -> list[SplitPart]:
        """Return what each current split holds.

        Raises:
            SegcoreError: There is no such dataset, or a mask cannot be read.
        """
        dataset = self._datasets.open(name)
        chosen = {sample.id: sample.split for sample in dataset.samples if sample.split}
        return split_report(dataset, chosen, self._datasets.counts_by_sample(name))

    def history(self, name: str) -> tuple[str, list[PastSplits]]:
        """Return how the current splits were made, and the earlier ones, the newest last.

        Raises:
            SegcoreError: There is no such dataset, or its history is damaged.
        """
        return read_split_history(self._datasets.open(name))

    def trained_on(self, name: str) -> str:
        """Say what other splits mean for the runs that were trained on these; "" where there are none."""
        runs = sum(row.dataset == name and row.kind == "train" for row in self._runs.rows())
        if not runs:
            return ""
        return (
            f"{plural(runs, 'run')} {'was' if runs == 1 else 'were'} trained on the current splits. "
            "Scores on other validation and test splits would include images that were trained on."
        )

    @writes("change splits", "Undid the last change of the splits of the dataset {name}")
    def undo(self, name: str) -> Dataset:
        """Undo the last change of the splits.

        Raises:
            SegcoreError: There is no such dataset, or nothing to undo.
        """
        return undo_splits(self._datasets.open(name))

    @writes("make folds", "Divided the dataset {name} into {folds} folds: {result}")
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
    ) -> Folds:
        """Divide a dataset into k folds, each a dataset of its own to train and score on.

        Args:
            name: Name of the dataset.
            folds: k, 2 or more.
            method: A name in ``splits.METHODS``; "" for the one that suits the dataset.
            seed: Seed of the draw.
            group_by: A name in ``splits.GROUPINGS``, for "grouped"; "" for what intervals draw.
            hold_out: A current split that stays as it is in every fold, "test"; "" divides all
                samples.
            save: Whether to write them; False only returns what they would be.

        Raises:
            SegcoreError: There is no such dataset, method or split, too few samples or groups, or
                a fold's name is taken.
        """
        dataset, counts = self._datasets.open(name), self._datasets.counts_by_sample(name)
        choice = choose_split(dataset, folds, method, group_by, hold_out)
        method, by = choice.method, choice.group_by
        assigned = make_folds(
            dataset, folds, method, seed, counts=counts, group_by=by, hold_out=hold_out
        )
        if save:
            write_folds(dataset, assigned, self._datasets.folder, f"{method}, seed {seed}")
        rows = []
        for number, splits in enumerate(assigned, 1):
            report = split_report(dataset, splits, counts)
            sizes = {part.split: part.num_samples for part in report}
            groups = groups_in_splits(dataset, splits, by) if by else {}
            rows.append(Fold(fold_name(name, number), sizes, report, groups))
        warning = warn_of_torn(dataset, choice, assigned, hold_out)
        return Folds(name, method, seed, rows, by, choice.reason, warning)

    def crops(
        self, name: str, split: str, progress: Progress | None = None
    ) -> dict[float, CropShares]:
        """Measure the class shares in windows of half, a quarter and an eighth of a side.

        The keys are those fractions of a side.

        Raises:
            SegcoreError: There is no such dataset or split, or a mask cannot be read.
        """
        return {
            share: measure_crops(self._datasets.open(name), split, share, progress=progress)
            for share in WINDOW_SHARES
        }

    def folds_of(self, name: str) -> list[str]:
        """Return the names of a dataset's folds in order; none where the first is gone."""
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
