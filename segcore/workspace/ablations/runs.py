"""The runs of an ablation: existing ones are used, the others are queued, each once."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from segcore.config import (
    EvaluateConfig,
    PredictConfig,
    RunConfig,
    TrainConfig,
    config_from_json,
    to_json,
)
from segcore.config.ablation import BASE, Ablation, AblationRow, BalanceChoice, SubmodelChoice
from segcore.data.statistics.statistics import load_statistics
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.postprocess.submodels import needs_router, part_maps
from segcore.runs.folder.environment import note_engine, read_environment
from segcore.runs.folder.listing import RunSummary, list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.runs.machine.engines import settle_engine
from segcore.runs.queue import jobs
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.run_ids import evaluation_id, prediction_id
from segcore.workspace.runs.runs import Runs

PERSONAL = ("member", "group", "members_by", "device", "hosts")
"""Fields that say where and with whom a run worked, not what it learned."""


@dataclass(frozen=True)
class Cell:
    """One row of an ablation on one dataset with one seed.

    Attributes:
        row: Name of the row.
        dataset: Name of the dataset.
        seed: The seed; -1 for an ensemble of all seeds.
        wanted: What has to be trained: one network, one for each part of the classes, or the
            members.
        runs: Ids of the runs that were found for them, "" for each that is not there.
        scored: Id of the run whose counts are its score; "" while that cannot be named.
        stage: Which stage of that run.
        missing: Name of the weights file that it needs and was not given; "" for none.
        unmade: How many networks it needs of which no more is known, because the plan or the parts
            they train on do not exist yet.
    """

    row: str
    dataset: str
    seed: int
    wanted: tuple[TrainConfig, ...] = ()
    runs: tuple[str, ...] = ()
    scored: str = ""
    stage: str = ""
    missing: str = ""
    unmade: int = 0


class RunIndex:
    """The training runs of a workspace by what they learn.

    Args:
        datasets: Its datasets.
        runs: Its runs.
    """

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._prints: dict[str, str] = {}
        self._datasets = datasets
        self._found: dict[str, list[RunSummary]] = {}
        for summary in reversed(list_runs(runs.folder)):
            if summary.kind == "train":
                self._found.setdefault(_key_of(summary.config), []).append(summary)

    def find(self, config: TrainConfig) -> str:
        """Return the run that learns what a config says, "" for none.

        One that has finished is preferred, the earliest of several; then one that waits or works;
        then one that can be resumed. A run that was made when the dataset had other labels or
        splits is another.
        """
        summaries = [
            s for s in self._found.get(_key_of(to_json(config)), []) if self._is_current(s)
        ]
        for states in (
            ("finished",),
            QUEUED_OR_ACTIVE,
            ("interrupted", "failed"),
        ):
            for summary in summaries:
                if summary.status.state in states:
                    return summary.id
        return ""

    def _is_current(self, summary: RunSummary) -> bool:
        noted = [start.fingerprint for start in read_environment(summary.folder)]
        if not noted or not noted[-1]:
            return True
        if summary.dataset not in self._prints:
            self._prints[summary.dataset] = self._datasets.open(summary.dataset).fingerprint
        return bool(noted[-1] == self._prints[summary.dataset])


def _key_of(config: Mapping[str, Any]) -> str:
    """Return a key that two configs share if they train the same; "" for an unreadable one."""
    text, weights = _read_once(json.dumps(config, sort_keys=True))
    return (
        text
        if weights in ("", "none", "imagenet", "preset")
        else f"{text} {os.path.realpath(weights)}"
    )


@lru_cache(maxsize=4096)
def _read_once(config: str) -> tuple[str, str]:
    """Return what a config trains, as text without its weights, and the weights."""
    try:
        data = to_json(config_from_json(json.loads(config)))
    except SegcoreError:
        return "", ""
    for name in PERSONAL:
        data.pop(name, None)
    weights = str(data.get("model", {}).pop("weights", ""))
    return json.dumps(
        {**data, "weights": weights if weights in ("", "none", "imagenet", "preset") else "file"},
        sort_keys=True,
    ), weights


class AblationRuns:
    """Finds and starts the runs of one ablation.

    Args:
        ablation: The ablation.
        names: Names of the datasets that it is run on.
        weights: Weights files by the name that recipes call them.
        datasets: The datasets of the workspace.
        runs: Its runs.
        makes: Whether balance plans and label maps that rows need are made; else such rows are left
            open, and nothing is written.
    """

    def __init__(
        self,
        ablation: Ablation,
        names: Sequence[str],
        weights: Mapping[str, str],
        datasets: Datasets,
        runs: Runs,
        makes: bool = False,
    ) -> None:
        self.ablation = ablation
        self.datasets = tuple(names)
        self._weights = dict(weights)
        self._datasets = datasets
        self._runs = runs
        self._makes = makes

    def rows(self) -> list[AblationRow | None]:
        """Return the base (None) and then the rows, in the order in which they are run."""
        return [None, *self.ablation.rows]

    def cells(self, row: AblationRow | None, index: RunIndex) -> list[Cell]:
        """Return the cells of a row as they stand, by dataset and then by seed.

        Raises:
            SegcoreError: A dataset or split does not exist, or a config is refused.
        """
        seeds = self.ablation.seeds_of(row)
        missing = self.ablation.missing_file(row, self._weights)
        if missing:
            return [
                Cell(row.name if row else BASE, dataset, seed, missing=missing)
                for dataset in self.datasets
                for seed in seeds
            ]
        cells: list[Cell] = []
        for dataset in self.datasets:
            if row and row.combine and row.combine.against:
                cells.append(
                    self._cell(
                        row,
                        dataset,
                        -1,
                        [c for seed in seeds for c in self._wanted(None, dataset, seed)],
                        index,
                    )
                )
            else:
                cells += [
                    self._cell(row, dataset, seed, self._wanted(row, dataset, seed), index)
                    for seed in seeds
                ]
        return cells

    def _cell(
        self,
        row: AblationRow | None,
        dataset: str,
        seed: int,
        wanted: Sequence[TrainConfig],
        index: RunIndex,
    ) -> Cell:
        if not wanted:
            return Cell(
                row.name if row else BASE,
                dataset,
                seed,
                unmade=row.submodels.parts if row and row.submodels else 1,
            )
        runs = tuple(index.find(config) for config in wanted)
        scored, stage = "", ""
        if all(runs):
            combined = self._combination(row, dataset, runs)
            scored = (
                evaluation_id(combined)
                if combined
                else prediction_id(runs[0], self.ablation.report_on)
            )
            stage = "prediction" if combined is None else "crf" if combined.crf else "ensemble"
        return Cell(row.name if row else BASE, dataset, seed, tuple(wanted), runs, scored, stage)

    def _combination(
        self, row: AblationRow | None, dataset: str, runs: Sequence[str]
    ) -> EvaluateConfig | None:
        if row and row.combine:
            return EvaluateConfig(
                dataset, tuple(runs), self.ablation.report_on, row.combine.rule, row.combine.crf
            )
        return (
            EvaluateConfig(dataset, tuple(runs), self.ablation.report_on) if len(runs) > 1 else None
        )

    def _wanted(self, row: AblationRow | None, dataset: str, seed: int) -> list[TrainConfig]:
        """Return the configs that a row trains on a dataset with a seed; none without its data."""
        config = self.ablation.config(
            None if row and row.combine else row, dataset, seed, self._weights
        )
        if row and row.balance:
            return self._balanced(config, row.balance)
        return self._parts(config, row.submodels) if row and row.submodels else [config]

    def _balanced(self, config: TrainConfig, choice: BalanceChoice) -> list[TrainConfig]:
        opened = self._datasets.open(config.dataset)
        asked = hashlib.sha256(
            repr((choice, config.train_split, opened.fingerprint)).encode()
        ).hexdigest()[:6]
        name = f"study-{choice.mode}-{choice.max_repeats}-{asked}"
        if name not in opened.plans():
            if not self._makes:
                return []
            plan = self._datasets.plan_balance(
                config.dataset,
                config.train_split,
                choice.mode,
                choice.max_repeats,
                rule=choice.rule,
            )
            self._datasets.save_plan(config.dataset, name, plan)
        recipe = config.recipe
        if choice.keep_images:
            repeats = self._datasets.open(config.dataset).load_plan(name)["repeats"].values()
            recipe = dataclasses.replace(
                recipe, epochs=max(1, round(recipe.epochs * len(repeats) / sum(repeats)))
            )
        return [dataclasses.replace(config, balance_plan=name, recipe=recipe)]

    def _parts(self, config: TrainConfig, choice: SubmodelChoice) -> list[TrainConfig]:
        """Return one config for each part, as :meth:`Runs.train` launches them."""
        opened = self._datasets.open(config.dataset)
        if not self._makes and load_statistics(opened) is None:
            return []
        pixels = self._datasets.statistics(config.dataset).select(config.train_split).counts.sum(0)
        order = np.argsort(-pixels, kind="stable")
        if len(order) <= choice.parts:
            raise SegcoreError(
                f"Expected fewer parts than {config.dataset!r} has classes, {len(order)}, "
                f"received {choice.parts}: take 2."
            )
        groups = tuple(tuple(int(i) for i in part) for part in np.array_split(order, choice.parts))
        digest = hashlib.sha256(repr(LabelMap(groups).groups).encode()).hexdigest()[:6]
        whole = LabelMap(groups, f"study-parts-{choice.parts}-{digest}")
        parts = part_maps(whole)
        for one in (whole, *parts):
            if self._makes and one.name not in opened.label_maps():
                opened.save_label_map(one)
        names = [part.name for part in parts] + (
            [whole.name] if choice.rule == "routed" and needs_router(whole) else []
        )
        shared = dataclasses.replace(config, submodels=choice.rule)
        return [
            dataclasses.replace(shared, label_map=name, seed=config.seed + number)
            for number, name in enumerate(names)
        ]

    def start(self, cells: Sequence[Cell]) -> list[str]:
        """Queue what the cells of one row lack and return the run ids; failed runs are tried again.

        Raises:
            SegcoreError: A dataset, split or plan does not exist, or the workspace cannot be
                written.
        """
        queued: list[str] = []
        for cell in cells:
            if not cell.missing:
                queued += self._start(cell)
        return queued

    def _start(self, cell: Cell) -> list[str]:
        queued, runs = [], list(cell.runs)
        for place, (config, run) in enumerate(zip(cell.wanted, cell.runs, strict=True)):
            if not run:
                run = runs[place] = self._train(config)
                queued.append(run)
            elif self._runs.open(run).status().state in ("interrupted", "failed"):
                self._runs.resume(run)
                queued.append(run)
        row = self.ablation.row(cell.row)
        return queued + self._derive(cell.dataset, runs, self._combination(row, cell.dataset, runs))

    def _train(self, config: TrainConfig) -> str:
        # its label map is that of the part already: a run of the set, made as :class:`Runs`
        # makes it
        if config.submodels:
            stem = f"{config.dataset}-{config.model.architecture}-{config.model.encoder}-part"
            config, engine = settle_engine(config, self._runs.folder.parent)
            folder = RunFolder.create(self._runs.folder, _free(self._runs, stem), config)
            folder.write_status(epochs=config.recipe.epochs)
            note_engine(folder.folder, engine)
            jobs.submit(self._runs.folder.parent, [folder.id])
            run = folder.id
        else:
            (run,) = self._runs.train(config)
        self._runs.open(run).write_annotations(tags=[f"ablation {self.ablation.name}"[:40]])
        return run

    def _derive(
        self, dataset: str, runs: Sequence[str], combined: EvaluateConfig | None
    ) -> list[str]:
        """Queue predictions of the report's split, and their combination, after the trainings."""
        split, queued = self.ablation.report_on, []
        before = {summary.id: summary.status for summary in list_runs(self._runs.folder)}
        if all(before[run].state == "finished" for run in runs):
            names = [self._runs.predict(run, split) for run in runs]
            if combined:
                names.append(self._runs.ensemble(runs, split, rule=combined.rule, crf=combined.crf))
            return [
                name
                for name in names
                if not RunFolder(self._runs.folder / name).status().has_ended and name not in before
            ]
        for run in runs:
            queued += self._behind(
                prediction_id(run, split), PredictConfig(dataset, run, split), [run]
            )
        if combined:
            queued += self._behind(
                evaluation_id(combined), combined, [prediction_id(run, split) for run in runs]
            )
        return queued

    def _behind(self, name: str, config: RunConfig, after: Sequence[str]) -> list[str]:
        folder = RunFolder(self._runs.folder / name)
        if not folder.folder.exists():
            RunFolder.create(self._runs.folder, name, config)
        elif folder.status().state not in ("interrupted", "failed"):
            return []
        return jobs.submit(self._runs.folder.parent, [name], after={name: list(after)})


def _free(runs: Runs, stem: str) -> str:
    number = 1
    while (runs.folder / f"{stem}-{number}").exists():
        number += 1
    return f"{stem}-{number}"
