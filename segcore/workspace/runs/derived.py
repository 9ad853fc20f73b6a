"""Runs that follow from others: predictions of a split, and ensembles over it, made once and again where their source changed."""

import dataclasses
import math
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from segcore.config import (
    EvaluateConfig,
    PredictConfig,
    PredictOptions,
    RunConfig,
    TrainConfig,
    shared_labels,
    to_json,
)
from segcore.data.splits.folds import folds_of, parent_of
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import check_weights
from segcore.postprocess.parameters import CRFParameters, MaskFilter
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue import jobs
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.run_ids import evaluation_id, prediction_id


class DerivedRuns(ABC):
    """What a shelf of runs knows about runs that follow from others.

    Attributes:
        folder: The folder of all runs.
    """

    folder: Path
    _workspace: Path
    _datasets: Datasets

    @abstractmethod
    def open(self, run: str) -> RunFolder:
        """Open a run by id.

        Raises:
            SegcoreError: There is none of that id, or its config cannot be read.
        """

    def predict(self, run: str, split: str, options: PredictOptions | None = None) -> str:
        """Make sure that a training run's predictions of a split exist or are under way; return the predict run's id.

        A split is predicted in one way at a time: options other than those it was predicted with
        make it anew.

        Args:
            run: Id of a training run.
            split: Name of a split.
            options: How the network looks at an image; None takes what is there, however it was
                made.

        Raises:
            SegcoreError: The run is no finished training run, or the split does not exist.
        """
        source, config = self._trained(run)
        self._datasets.open(config.dataset).select(split)
        made_from = source.status().finished or 0.0
        name = prediction_id(run, split)
        self._drop_unlike(name, options)
        wanted = options or PredictOptions()
        self.ensure(
            name,
            PredictConfig(config.dataset, run, split, device=config.device, options=wanted),
            made_from,
        )
        return name

    def _drop_unlike(self, name: str, options: PredictOptions | None) -> None:
        """Remove predictions that have ended and were made with other options than these."""
        folder = RunFolder(self.folder / name)
        if options is None or not folder.folder.exists() or not folder.status().has_ended:
            return
        config = folder.config
        if isinstance(config, PredictConfig) and config.options != options:
            shutil.rmtree(folder.folder)

    def predict_whole(self, run: str, split: str) -> str:
        """As :meth:`predict`, and predict again where probabilities of some images are not on disk (the demo brings few).

        Raises:
            SegcoreError: As :meth:`predict`.
        """
        name = self.predict(run, split)
        folder, samples = (
            RunFolder(self.folder / name),
            self._datasets.open(self.open(run).config.dataset).select(split),
        )
        if folder.status().state == "finished" and not all(
            folder.has_probabilities(split, s.id) for s in samples
        ):
            folder.write_status(
                state="interrupted",
                cause="Probabilities of some images are not on disk.",
                finished=time.time(),
            )
            jobs.resume(self._workspace, name)
        return name

    def _trained(self, run: str) -> tuple[RunFolder, TrainConfig]:
        """Return a training run that can predict, with its config."""
        source = self.open(run)
        config = source.config
        if not isinstance(config, TrainConfig):
            raise SegcoreError(
                f"Expected a training run, received {run!r}, which is of kind "
                f"{config.kind}: name the run that was trained."
            )
        state = source.status().state
        if state != "finished" and not source.model_path.exists():
            raise SegcoreError(
                f"Expected a finished training run, but {run!r} is {state}: wait for it, "
                "or resume it."
            )
        return source, config

    def ensemble(
        self,
        members: Sequence[str],
        split: str,
        *,
        rule: str = "mean",
        crf: CRFParameters | None = None,
        weights: Sequence[float] = (),
        filter: MaskFilter | None = None,
        name: str = "",
    ) -> str:
        """Make sure that members are combined (and refined) over a split, or that this is under way; return the evaluate run's id.

        Nothing is queued where something is refused.

        Raises:
            SegcoreError: There is no member or one stands twice, one is no finished training run,
                the members are of unlike datasets or label maps, the split or rule does not exist,
                the weights do not fit, or the name is another ensemble's.
        """
        dataset = self.dataset_of(members)
        check_weights(weights or None, rule, len(members))
        return self._evaluate(
            EvaluateConfig(dataset, tuple(members), split, rule, crf, tuple(weights), filter, name)
        )

    def members(self, run: str) -> tuple[str, ...]:
        """Return the members of an ensemble, or a training run itself.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self.open(run).config
        return config.members if isinstance(config, EvaluateConfig) else (run,)

    def dataset_of(self, members: Sequence[str]) -> str:
        """Return the dataset that some training runs have in common; of unlike folds of one dataset that one.

        Raises:
            SegcoreError: There is none, one is no finished training run, or they are of unlike datasets
                 or label maps.
        """
        configs = [self._trained(run)[1] for run in members]
        datasets = {config.dataset for config in configs}
        if len(datasets) > 1:
            datasets = {parent_of(self._datasets.open(name)) or name for name in datasets}
        if len(datasets) > 1:
            raise SegcoreError(
                f"Expected members of one dataset, received {sorted(datasets)}: combine "
                "runs that share it."
            )
        if configs:
            shared_labels(configs)
        return datasets.pop() if datasets else ""

    def kin(self, dataset: str) -> list[str]:
        """Return the name of a dataset and those of its folds: their runs can be members of one ensemble."""
        return [dataset, *folds_of(dataset, self._datasets.folder)]

    def splits_of(self, dataset: str) -> list[str]:
        """Return the names of a dataset's splits.

        Raises:
            SegcoreError: There is no such dataset.
        """
        return [split for split in self._datasets.open(dataset).splits if split]

    def check_split(self, members: Sequence[str], split: str) -> None:
        """Refuse a split on which members of unlike folds cannot be scored together, because some have learned from its images.

        Raises:
            SegcoreError: A member has learned from images of the split, or knows the split with
                other images; or as :meth:`dataset_of`.
        """
        name = self.dataset_of(members)
        images = {sample.id for sample in self._datasets.open(name).select(split)}
        for member in members:
            config = self._trained(member)[1]
            if config.dataset == name:
                continue
            own = self._datasets.open(config.dataset).samples
            learned = sum(
                s.id in images and s.split in (config.train_split, config.validation_split)
                for s in own
            )
            if learned:
                raise SegcoreError(
                    "Expected a split that no member has learned from, received "
                    f"{split!r}: {member} of {config.dataset} saw {learned} of "
                    f"its {len(images)} images in training; combine members by fold on 'test'."
                )
            if {s.id for s in own if s.split == split} != images:
                raise SegcoreError(
                    f"Expected the same images in {split!r} of {name} and "
                    f"{config.dataset}, received others: the splits of {name} were "
                    "changed after the folds were made; take that back, or train the members again."
                )

    def _evaluate(self, config: EvaluateConfig) -> str:
        run, split = evaluation_id(config), config.split
        self.check_split(config.members, split)
        self._check_name(config)
        predictions = [self.predict(member, split) for member in config.members]
        newest = self.newest(predictions)
        status = RunFolder(self.folder / run).status()
        if status.state != "finished" or (status.started or 0.0) < newest:
            predictions = [self.predict_whole(member, split) for member in config.members]
            newest = self.newest(predictions)
        self.ensure(run, config, newest, after=predictions)
        return run

    def newest(self, runs: Sequence[str]) -> float:
        """Return when the last of some runs was finished; infinity while one is not."""
        made = [RunFolder(self.folder / run).status() for run in runs]
        return max(s.finished or 0.0 if s.state == "finished" else math.inf for s in made)

    def _check_name(self, config: EvaluateConfig) -> None:
        """Refuse a name that is taken by another ensemble or run."""
        if not config.name:
            return
        wanted = {**to_json(config), "split": ""}
        taken = [
            s
            for s in list_runs(self.folder)
            if s.id == config.name or s.config.get("name") == config.name
        ]
        if any(s.id == config.name or {**s.config, "split": ""} != wanted for s in taken):
            raise SegcoreError(
                f"Expected a new name for these members, received {config.name!r}, which "
                "is taken: choose another."
            )

    def derived(self, run: str, split: str) -> list[str]:
        """Return the ids of the runs that have to end before a run has counts of a split: its predictions, or itself.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self.open(run).config
        if isinstance(config, EvaluateConfig):
            return [
                run,
                *(prediction_id(m, split) for m in config.members),
                evaluation_id(dataclasses.replace(config, split=split)),
            ]
        return [prediction_id(run, split)]

    def predict_any(self, run: str, split: str, options: PredictOptions | None = None) -> str:
        """Make sure that a training run or an ensemble has counts of a split, or that this is under way; return the run to wait for.

        Raises:
            SegcoreError: As :meth:`predict` and :meth:`ensemble`.
        """
        config = self.open(run).config
        if isinstance(config, EvaluateConfig):
            self.check_split(config.members, split)
            for member in config.members:
                self.predict(member, split, options)
            return self._evaluate(dataclasses.replace(config, split=split))
        return self.predict(run, split, options)

    def on_split(self, run: str, split: str) -> str:
        """Return the id of the same ensemble's evaluation on another split; a training run's id stays as it is.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self.open(run).config
        if not isinstance(config, EvaluateConfig) or config.split == split:
            return run
        return evaluation_id(dataclasses.replace(config, split=split))

    def ensure(
        self, run: str, config: RunConfig, made_from: float, after: Sequence[str] = ()
    ) -> None:
        """Queue a derived run unless it exists and is newer than what it is made from."""
        if (self.folder / run).exists():
            status = RunFolder(self.folder / run).status()
            if status.state == "finished" and (status.started or 0.0) >= made_from:
                return
            if not status.has_ended:
                return
            if status.state != "finished":
                jobs.resume(self._workspace, run)
                return
            shutil.rmtree(self.folder / run)
        RunFolder.create(self.folder, run, config)
        jobs.submit(self._workspace, [run], after={run: list(after)})
