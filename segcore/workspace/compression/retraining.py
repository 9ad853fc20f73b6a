"""Retraining with merged labels: a clone of a run that differs in its label map only."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segcore.catalog import kind_words
from segcore.config import EvaluateConfig, PredictConfig, RunConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine.engines import with_engine_here
from segcore.runs.queue import jobs
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.runs import Runs, evaluation_id, prediction_id
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

LINK = "retrained_from"
"""The document of a training run that says from which run and merge it was cloned."""


@dataclass(frozen=True)
class Retrained:
    """A retraining that was queued.

    Attributes:
        label_map: Name of the merge, which is saved with the dataset.
        trained: Ids of the training runs.
        queued: Ids of all runs: trainings, predictions and their combination.
    """

    label_map: str
    trained: list[str]
    queued: list[str]


@dataclass(frozen=True)
class RetrainedRun:
    """A run that was trained with a merge.

    Attributes:
        run: Its id.
        state: State of its training; of an ensemble that of the member that is furthest behind.
        linked: Whether it was cloned from the run in question.
        counted: Whether it has counts of the split.
        progress: Share of the training that is done, 0 to 1.
        cause: Why its training failed, one sentence; "" for none.
    """

    run: str
    state: str
    linked: bool
    counted: bool
    progress: float
    cause: str


class Retraining:
    """Clones runs with merged labels and finds the clones again."""

    def __init__(self, datasets: Datasets, runs: Runs, scores: Scores, scenes: Scenes) -> None:
        self._datasets = datasets
        self._runs = runs
        self._scores = scores
        self._scenes = scenes

    def retrain(self, run: str, label_map: LabelMap, splits: Sequence[str]) -> Retrained:
        """Train again with merged labels and everything else unchanged, then predict.

        The merge is saved with the dataset under a name of its own that is never changed. An
        ensemble is retrained member by member and combined again, so that like is compared with
        like.

        Args:
            run: Id of a training run or of an ensemble.
            label_map: The merge, over the labels of that run.
            splits: Splits to predict when the training has finished.

        Raises:
            SegcoreError: Nothing or everything is merged, the run was itself trained with merged
                labels, or a split does not exist.
        """
        config = self._runs.open(run).config
        if not 1 < label_map.num_groups < label_map.num_classes:
            raise SegcoreError(
                f"Expected a merge that leaves 2 to {label_map.num_classes - 1} labels, "
                f"received {label_map.num_groups}: choose one."
            )
        if self._scenes.label_map_of(run) is not None:
            raise SegcoreError(
                "Expected a run with the dataset's own labels, received one with merged "
                "labels: retrain from such a run."
            )
        dataset = self._datasets.open(config.dataset)
        for split in splits:
            dataset.select(split)
        digest = hashlib.sha256(repr(label_map.groups).encode()).hexdigest()[:6]
        label_map = dataclasses.replace(label_map, name=f"merged-{label_map.num_groups}-{digest}")
        trained = [self._clone(member, run, label_map) for member in _members(config) or (run,)]
        queued = [*trained]
        for split in splits:
            queued += self._predict_after(config, trained, split)
        return Retrained(label_map.name, trained, queued)

    def _clone(self, member: str, run: str, label_map: LabelMap) -> str:
        """Queue a clone of ``member``, for ``run``, with a label map; return its id."""
        config = self._runs.open(member).config
        if not isinstance(config, TrainConfig):
            raise SegcoreError(
                f"Expected a training run to clone, received {member!r}, which is "
                f"{kind_words(config.kind)}: choose another run."
            )
        # Members by fold have a dataset each; the merge is saved with it and with the run's own.
        for name in {config.dataset, self._runs.open(run).config.dataset}:
            dataset = self._datasets.open(name)
            if label_map.name not in dataset.label_maps():
                dataset.save_label_map(label_map)
        clone = dataclasses.replace(config, label_map=label_map.name, members_by="seed")
        (trained,) = self._runs.train(with_engine_here(clone))
        link = {"run": member, "asked_of": run, "label_map": label_map.name}
        self._runs.open(trained).write_json(LINK, link)
        return trained

    def _predict_after(self, config: RunConfig, trained: list[str], split: str) -> list[str]:
        """Queue the predictions of runs that are not trained yet, and their combination."""
        after: dict[str, list[str]] = {}
        for run in trained:
            source = self._runs.open(run).config
            device = source.device if isinstance(source, TrainConfig) else "auto"
            prediction = PredictConfig(source.dataset, run, split, device=device)
            RunFolder.create(self._runs.folder, prediction_id(run, split), prediction)
            after[prediction_id(run, split)] = [run]
        if isinstance(config, EvaluateConfig):
            combined = dataclasses.replace(config, members=tuple(trained), split=split, name="")
            RunFolder.create(self._runs.folder, evaluation_id(combined), combined)
            after[evaluation_id(combined)] = list(after)
        jobs.submit(self._runs.folder.parent, list(after), after=after)
        return list(after)

    def find(self, run: str, label_map: LabelMap, split: str) -> list[RetrainedRun]:
        """Return the runs that were trained with this very merge, those cloned from this run first.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self._runs.open(run).config
        if self._scenes.label_map_of(run) is not None:
            return []
        dataset = self._datasets.open(config.dataset)
        names = {
            name for name, saved in dataset.label_maps().items() if saved.groups == label_map.groups
        }
        retrained: list[RetrainedRun] = []
        clones: set[str] = set()
        stems: set[str] = set()
        for summary in sorted(list_runs(self._runs.folder), key=lambda s: s.kind != "train"):
            members = summary.config.get("members") or [summary.id]
            stem = summary.id.rsplit("--", 1)[0]
            if (
                summary.dataset != dataset.name
                or summary.kind not in ("train", "evaluate")
                or stem in stems
            ):
                continue
            if summary.kind == "train":
                if summary.config.get("label_map", "") not in names or not names:
                    continue
                if _source(RunFolder(summary.folder)) in (run, *_members(config)):
                    clones.add(summary.id)
                trained = [summary]
            else:
                trained = [s for s in list_runs(self._runs.folder) if s.id in members]
                if not trained or any(s.config.get("label_map", "") not in names for s in trained):
                    continue
            stems.add(stem)
            same_kind = (summary.kind == "evaluate") == isinstance(config, EvaluateConfig)
            worst = min(trained, key=lambda s: (s.status.state == "finished", s.status.progress))
            retrained.append(
                RetrainedRun(
                    run=summary.id,
                    state=worst.status.state,
                    linked=same_kind and all(m in clones for m in members),
                    counted=self._scores.has_counts(summary.id, split),
                    progress=float(np.mean([s.status.progress for s in trained])),
                    cause=worst.status.cause,
                )
            )
        return sorted(retrained, key=lambda row: (not row.linked, not row.counted))


def _members(config: RunConfig) -> tuple[str, ...]:
    return (
        config.members
        if isinstance(config, EvaluateConfig)
        else (config.run,)
        if isinstance(config, PredictConfig)
        else ()
    )


def _source(run: RunFolder) -> str:
    try:
        return str(run.read_json(LINK).get("run", ""))
    except SegcoreError:
        return ""
