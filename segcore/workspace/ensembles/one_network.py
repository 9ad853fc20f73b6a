"""One network in place of an ensemble: distilled from its members, or the average of their weights."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segcore.config import (
    AveragingConfig,
    DistillationConfig,
    EvaluateConfig,
    ModelConfig,
    TrainConfig,
)
from segcore.config.tuning import trial_config
from segcore.data.dataset.dataset import POOL
from segcore.errors import SegcoreError
from segcore.runs.folder.environment import read_environment
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.names import check_run_name
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine.engines import AUTO, settle_engine, with_engine_here
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.launch.predictions import queue_predictions
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs

_BESIDES: dict[str, Any] = {
    "member": 0,
    "group": "",
    "members_by": "seed",
    "submodels": "",
    "hosts": (),
    "distillation": None,
    "averaging": None,
}
"""Fields of a teacher that a network made from it does not take over."""


class OneNetworks:
    """Students and averages of the training runs of a workspace."""

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs

    def members(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the training runs that are named, those of an ensemble in its place.

        Raises:
            SegcoreError: A run does not exist, or an ensemble combines by another rule than the
                mean.
        """
        members: list[str] = []
        for name in names:
            config = self._runs.open(name).config
            if isinstance(config, EvaluateConfig) and config.rule != "mean":
                raise SegcoreError(
                    f"Expected an ensemble that averages its members, received {name!r}, which "
                    f"combines by {config.rule!r}: name its members instead, their mean is "
                    "learned."
                )
            members += self._runs.members(name)
        return tuple(members)

    def student(
        self,
        teachers: Sequence[str],
        values: Mapping[str, Any] | None = None,
        label_weight: float | None = None,
        unlabelled: bool = False,
    ) -> TrainConfig:
        """Return the config of a student, after a look whether it can be trained.

        Args:
            teachers: Ids of training runs or ensembles.
            values: What differs from the first teacher's config, by name.
            label_weight: Share of the labels in the loss, 0 to 1; None for the default.
            unlabelled: Whether it also trains on the dataset's images without masks.

        Raises:
            SegcoreError: The teachers share no dataset, split or classes; one is unfinished or its
                dataset has changed; the dataset has no unlabelled image; or the student could only
                fail.
        """
        members = self.members(teachers)
        configs = self._trained(members)
        first = next(iter(configs.values()))
        self._check_shared(configs, "teachers")
        self._check_unchanged(members, first.dataset)
        config = trial_config(_begin_from(first), dict(values or {}), dataset=first.dataset)
        for name in ("train_split", "validation_split", "label_map"):
            mine, theirs = getattr(config, name), getattr(first, name)
            if mine != theirs:
                raise SegcoreError(
                    f"Expected the teachers' {name} {theirs!r} for the student, received "
                    f"{mine!r}: leave it out, so that it trains on nothing that they are scored on."
                )
        weights = {} if label_weight is None else {"label_weight": label_weight}
        distillation = DistillationConfig(members, unlabelled=unlabelled, **weights)
        if unlabelled:
            self._datasets.open(first.dataset).predictable(POOL)
        config = dataclasses.replace(config, distillation=distillation)
        self._runs.check(config)
        if config.engine == AUTO:
            config, _ = settle_engine(config, self._runs.folder.parent)
        return config

    @writes("start a training")
    def distil(self, config: TrainConfig, name: str = "") -> str:
        """Queue a student after the predictions that its teachers lack; return its id.

        The same config is asked once: a student that exists is returned, resumed if it ended early.

        Args:
            config: As :meth:`student` returns it.
            name: What the run is called; "" for its teachers' name and a digest of the config.

        Raises:
            SegcoreError: A teacher's prediction kept no whole probabilities, or the name is taken.
        """
        if config.distillation is None:
            raise SegcoreError("Expected the config of a student, received one without teachers.")
        teachers, split = config.distillation.teachers, config.train_split
        run = self._id(config, "student", name)
        splits = [split, POOL] if config.distillation.unlabelled else [split]
        predictions = [self._runs.predict_whole(t, s) for t in teachers for s in splits]
        self._runs.ensure(run, config, 0.0, after=predictions)
        queue_predictions(self._runs, self._datasets, [run])
        return run

    def check_average(self, names: Sequence[str]) -> TrainConfig:
        """Return the config of an average of some members' weights.

        Raises:
            SegcoreError: They share no start, or no network, dataset or split; the sentence says
                why.
        """
        members = self.members(names)
        configs = self._trained(members)
        if len(members) < 2:
            raise SegcoreError(
                f"Expected two or more members to average, received {len(members)}: name another."
            )
        self._check_shared(configs, "members")
        first = next(iter(configs.values()))
        if not first.validation_split:
            raise SegcoreError(
                "Expected members with a validation split, on which the average is chosen, "
                "received members without: train them with one."
            )
        if unlike := _unlike_networks(configs):
            raise SegcoreError(
                f"Weights can be averaged only within one network and input size, and {unlike}."
            )
        if apart := self._unlike_starts(configs):
            raise SegcoreError(
                "Weights can be averaged only where members share a start, and "
                f"{apart}: distil them, or train members from one seed or from one run's weights "
                "(--weights RUN/model.keras)."
            )
        recipe = dataclasses.replace(
            first.recipe, freeze_epochs=0, cache_features=False, class_weights="none"
        )
        model = dataclasses.replace(first.model, weights="none")
        return dataclasses.replace(
            _begin_from(first), model=model, recipe=recipe, averaging=AveragingConfig(members)
        )

    @writes("average runs")
    def average(self, names: Sequence[str], name: str = "") -> str:
        """Queue the average of some members' weights; return the id of its run.

        Raises:
            SegcoreError: As :meth:`check_average`, or the name is taken.
        """
        config = self.check_average(names)
        self._runs.check(config)
        run = self._id(config, "average", name)
        self._runs.ensure(run, config, 0.0)
        queue_predictions(self._runs, self._datasets, [run])
        return run

    def made_of(self, members: Sequence[str]) -> list[str]:
        """Return the ids of the students and averages of exactly these members, newest first."""
        wanted = set(members)
        found = []
        for summary in list_runs(self._runs.folder):
            distilled = summary.config.get("distillation") or {}
            averaged = summary.config.get("averaging") or {}
            if wanted in (set(distilled.get("teachers", ())), set(averaged.get("members", ()))):
                found.append(summary.id)
        return found

    def sources(self, run: str) -> tuple[str, ...]:
        """Return the teachers of a student, or the members of an average.

        Raises:
            SegcoreError: The run is neither.
        """
        config = self._runs.open(run).config
        if isinstance(config, TrainConfig) and config.distillation is not None:
            return config.distillation.teachers
        if isinstance(config, TrainConfig) and config.averaging is not None:
            return config.averaging.members
        raise SegcoreError(
            f"Expected a student or an average of weights, received {run!r}: make one with "
            "segscope distil or segscope average."
        )

    def _trained(self, members: Sequence[str]) -> dict[str, TrainConfig]:
        """Return the configs of finished training runs by id, none of them a submodel."""
        self._runs.dataset_of(members)
        configs = {name: self._runs.open(name).config for name in members}
        trained = {n: c for n, c in configs.items() if isinstance(c, TrainConfig)}
        others = [n for n in members if n not in trained or trained[n].submodels]
        if others or not trained:
            raise SegcoreError(
                "Expected training runs over all classes, received "
                f"{others[0] if others else 'none'!r}: choose runs that were trained here, and no "
                "submodels."
            )
        return trained

    def _check_shared(self, configs: Mapping[str, TrainConfig], what: str) -> None:
        for field in ("dataset", "train_split", "validation_split", "label_map"):
            values = sorted({str(getattr(config, field)) for config in configs.values()})
            if len(values) > 1:
                raise SegcoreError(
                    f"Expected {what} of one dataset and split, received the {field} "
                    f"{' and '.join(map(repr, values))}: one of them has seen in training what "
                    "another is validated on, or knows other classes; choose runs that share both."
                )

    def _check_unchanged(self, members: Sequence[str], dataset: str) -> None:
        """Refuse teachers whose dataset had other splits or masks when they were trained."""
        now = self._datasets.open(dataset).fingerprint
        for name in members:
            starts = read_environment(self._runs.open(name).folder)
            known = {start.fingerprint for start in starts} - {""}
            if known and known != {now}:
                raise SegcoreError(
                    f"Expected the dataset that {name!r} was trained on, received one whose "
                    "splits, masks or classes changed since, so that images of its validation or "
                    "test split may be in the training split now: undo the change, or train it "
                    "again."
                )

    def _unlike_starts(self, configs: Mapping[str, TrainConfig]) -> str:
        """Say how members began differently; "" where they share a start."""
        first, *rest = configs.values()
        if any(config.averaging for config in configs.values()):
            return "one of these is an average itself"
        starts = sorted({config.model.weights for config in configs.values()})
        if len(starts) > 1:
            return f"these began from other weights ({', '.join(starts)})"
        if self._is_whole(first):
            return ""
        if engines := sorted({config.engine for config in rest} - {first.engine}):
            return f"the engines {', '.join([first.engine, *engines])} draw other random weights"
        if all(config.seed == first.seed for config in rest):
            return ""
        seeds = ", ".join(str(seed) for seed in sorted({c.seed for c in configs.values()}))
        part = "random weights" if starts == ["none"] else "random weights in the decoder"
        return f"these began from other {part} (seeds {seeds})"

    def _is_whole(self, config: TrainConfig) -> bool:
        """Whether the weights that a run began from fill its whole network: another run's."""
        path = Path(config.model.weights).expanduser()
        if path.name != "model.keras" or not (path.parent / "config.json").is_file():
            return False
        source = RunFolder(path.parent).config
        return isinstance(source, TrainConfig) and (
            source.model.architecture,
            source.model.encoder,
            source.dataset,
            source.label_map,
        ) == (config.model.architecture, config.model.encoder, config.dataset, config.label_map)

    def _id(self, config: TrainConfig, what: str, name: str) -> str:
        if name:
            check_run_name(name)
            folder = self._runs.folder / name
            if folder.exists() and RunFolder(folder).config != config:
                raise SegcoreError(
                    f"Expected a new name, received {name!r}, which is taken: choose another."
                )
            return name
        made_of = repr(config)
        if config.distillation is not None and config.distillation.unlabelled:
            made_of += repr([sample.id for sample in self._datasets.open(config.dataset).pool])
        digest = hashlib.sha256(made_of.encode()).hexdigest()[:6]
        model = config.model
        return f"{config.dataset}-{model.architecture}-{model.encoder}-{what}-{digest}"


def _begin_from(member: TrainConfig) -> TrainConfig:
    """Return the config that a network made from a member begins with."""
    return with_engine_here(dataclasses.replace(member, **_BESIDES))


def _unlike_networks(configs: Mapping[str, TrainConfig]) -> str:
    """Say in what the networks differ; "" where they are one."""

    def network(config: TrainConfig) -> tuple[ModelConfig, tuple[int, int]]:
        return dataclasses.replace(config.model, weights="none"), config.size

    titles = {
        f"{c.model.architecture} with {c.model.encoder} at {c.size[0]} x {c.size[1]}"
        + ("" if c.model.preprocessing == "none" else f", {c.model.preprocessing}")
        for c in configs.values()
    }
    if len({network(config) for config in configs.values()}) < 2:
        return ""
    return f"these are {' and '.join(sorted(titles))}"
