"""Ablations: read a recipe file, start the runs that are missing, and collect the results.

A started ablation is kept as ``<workspace>/studies/<name>--<datasets>.json``: its file, its
datasets and its weights files, so that the page and a later call continue with it. Apart from
:mod:`segcore.workspace.searches`, which search settings.
"""

import dataclasses
import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from segcore.config import TrainConfig
from segcore.config.ablation import BASE, MOST_RUNS, Ablation, ablation_from_json
from segcore.config.schema import settings
from segcore.data.splits.splits import GROUPINGS
from segcore.errors import SegcoreError, unknown
from segcore.places import front
from segcore.runs.folder.names import check_run_id, is_run_id
from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.runs.machine import disk
from segcore.runs.machine.engines import choose_engine, default_engine
from segcore.workspace.ablations.results import AblationResults, Drawn
from segcore.workspace.ablations.runs import AblationRuns, Cell, RunIndex
from segcore.workspace.ablations.table import Plan, Progress, Table, explain
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.run_ids import prediction_id
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scores import Scores

FORMAT = 1
SHIPPED = front() / "studies"
USUAL_ENGINE = settings(TrainConfig)["engine"].default
"""The engine of a base that names none."""


class Ablations:
    """The ablations of recipes of a workspace.

    Args:
        workspace: Its folder.
        datasets: Its datasets.
        runs: Its runs.
        scores: Its scores.
    """

    def __init__(self, workspace: Path, datasets: Datasets, runs: Runs, scores: Scores) -> None:
        self.folder = workspace / "studies"
        self._datasets = datasets
        self._runs = runs
        self._scores = scores
        self._drawn: dict[tuple[Any, ...], Drawn] = {}

    @staticmethod
    def shipped() -> list[str]:
        """Return the names of the ablations that come with Segscope."""
        return sorted(path.stem for path in SHIPPED.glob("*.json"))

    def names(self) -> list[str]:
        """Return the names of the ablations that were started here, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob("*.json") if is_run_id(path.stem))

    @staticmethod
    def read(file: str | Path) -> Ablation:
        """Read an ablation from a file, or one that comes with Segscope by its name.

        Raises:
            SegcoreError: There is no such file, it is no JSON, or a key or value is refused.
        """
        path = Path(file)
        if not path.exists() and (SHIPPED / f"{path.name}.json").exists():
            path = SHIPPED / f"{path.name}.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            known = ", ".join(Ablations.shipped())
            raise SegcoreError(
                f"Expected an ablation in {str(file)!r}, could not read it ({error.strerror}): "
                f"give its path, or one of {known}."
            ) from error
        except ValueError as error:
            raise SegcoreError(
                f"Expected an ablation as JSON in {str(file)!r}, received something else: see "
                "docs/ablations.md."
            ) from error
        return ablation_from_json(data)

    def plan(
        self, ablation: Ablation, datasets: Sequence[str], weights: Mapping[str, str] | None = None
    ) -> Plan:
        """Set an ablation on datasets.

        Raises:
            SegcoreError: No dataset, one is absent, lacks a split or has other classes than the
                first, a weights file is absent or asked for by no recipe, the base lacks its own,
                or there would be too many runs.
        """
        if not datasets:
            raise SegcoreError(
                f"Expected a dataset for the ablation {ablation.name!r}, received none: choose "
                "one (--dataset NAME)."
            )
        if ablation.group_by and ablation.group_by not in GROUPINGS:
            raise unknown("grouping", ablation.group_by, GROUPINGS)
        named = tuple(dict.fromkeys(datasets))
        opened = [self._datasets.open(name) for name in named]
        base = ablation.config(
            None, named[0], 0, {**dict.fromkeys(ablation.file_names, "file.npz"), **(weights or {})}
        )
        for dataset in opened:
            for split in (base.train_split, base.validation_split, ablation.report_on):
                dataset.select(split)
            if dataset.label_set.class_names != opened[0].label_set.class_names:
                raise SegcoreError(
                    f"Expected datasets with the same classes, received {named[0]!r} and "
                    f"{dataset.name!r}, whose classes differ: "
                    "run them one at a time."
                )
        given: dict[str, str] = {}
        for name, text in (weights or {}).items():
            if name not in ablation.file_names:
                raise unknown("weights file of this ablation", name, ablation.file_names)
            if not Path(text).is_file():
                raise SegcoreError(
                    f"Expected the weights file {name!r} at {text}, found none: correct the path."
                )
            given[name] = os.path.realpath(text)
        ablation.config(None, named[0], 0, given)
        count = len(named) * sum(len(ablation.seeds_of(row)) for row in (None, *ablation.rows))
        if count > MOST_RUNS:
            raise SegcoreError(
                f"Expected at most {MOST_RUNS} runs for an ablation, received {count}: take "
                "fewer seeds, rows or datasets."
            )
        return Plan(_with_engine(ablation, default_engine()), named, given)

    @writes("save an ablation", "Saved an ablation")
    def save(self, plan: Plan) -> None:
        """Save an ablation with its datasets; one of that name on the same datasets is replaced.

        Raises:
            SegcoreError: The workspace cannot be written.
        """
        data = {
            "format": FORMAT,
            "study": plan.ablation.to_json(),
            "datasets": list(plan.datasets),
            "weights": plan.weights,
        }
        disk.write_json(self.folder / f"{check_run_id(plan.name)}.json", data)

    def find(self, name: str) -> str:
        """Return the full name of an ablation that was started here; "" for none.

        Raises:
            SegcoreError: It was started on several datasets.
        """
        matches = [
            started
            for started in self.names()
            if started == name or started.startswith(f"{name}--")
        ]
        if name in matches or not matches:
            return name if matches else ""
        if len(matches) > 1:
            raise SegcoreError(
                f"Expected one ablation {name!r}, found {', '.join(matches)}: give the whole name."
            )
        return matches[0]

    def open(self, name: str) -> Plan:
        """Return an ablation that was started here.

        Raises:
            SegcoreError: There is none of that name, or it is damaged, refused or newer.
        """
        if name not in self.names():
            raise unknown("ablation", name, self.names())
        data = disk.read_json(self.folder / f"{name}.json")
        if not isinstance(data.get("format"), int) or data["format"] > FORMAT:
            raise SegcoreError(
                f"Expected the ablation {name!r} in format {FORMAT} or older: a newer version "
                "wrote it; update to open it."
            )
        try:
            weights = {str(name): str(path) for name, path in data["weights"].items()}
            # what its runs were trained with, whatever is installed now
            ablation = _with_engine(ablation_from_json(data["study"]), USUAL_ENGINE)
            return Plan(ablation, tuple(map(str, data["datasets"])), weights)
        except (KeyError, TypeError, AttributeError) as error:
            raise SegcoreError(
                f"Expected an ablation in {self.folder / name}.json, found another thing: "
                "start it again."
            ) from error

    @writes("start an ablation", "Started the runs of an ablation: {result}")
    def start(self, plan: Plan, only: Sequence[str] = ()) -> list[str]:
        """Save an ablation and queue what it lacks, in the order of its rows; return the run ids.

        Trainings of the workspace that learned the same are taken over, wherever they came from.
        Called again after a kill, with more seeds, rows or datasets, it queues what is missing
        then.

        Args:
            plan: The ablation.
            only: Names of the rows to run, with what they are compared with; empty for all.

        Raises:
            SegcoreError: A row is unknown, a config is refused, an engine is not installed, or the
                workspace cannot be written.
        """
        wanted = {
            BASE,
            *only,
            *(row.against for name in only if (row := plan.ablation.row(name)) and row.against),
        }
        seeds = {
            seed
            for row in plan.ablation.rows
            if row.name in wanted
            for seed in plan.ablation.seeds_of(row)
        }
        self._runs.refresh()
        self._require_engines(plan, wanted if only else None)
        work = AblationRuns(
            plan.ablation, plan.datasets, plan.weights, self._datasets, self._runs, makes=True
        )
        self.save(plan)
        queued: list[str] = []
        for recipe in work.rows():
            if only and (recipe.name if recipe else BASE) not in wanted:
                continue
            index = RunIndex(
                self._datasets, self._runs
            )  # again: what one row started the next may share
            cells = work.cells(recipe, index)
            queued += work.start(
                cells if recipe or not only else [cell for cell in cells if cell.seed in seeds]
            )
        return queued

    def _require_engines(self, plan: Plan, wanted: Collection[str] | None) -> None:
        """Refuse rows with trainings to come on an engine that is not installed; None for all."""
        for name, cells in self.cells(plan).items():
            row = plan.ablation.row(name)
            for cell in cells if wanted is None or name in wanted else ():
                lacking = [c for c, run in zip(cell.wanted, cell.runs, strict=True) if not run]
                if cell.unmade:
                    seed = max(cell.seed, 0)
                    lacking.append(plan.ablation.config(row, cell.dataset, seed, plan.weights))
                for config in lacking:
                    choose_engine(config, lambda: None)

    def cells(self, plan: Plan) -> dict[str, list[Cell]]:
        """Return the cells of each row as they stand, by the name of the row."""
        work = AblationRuns(plan.ablation, plan.datasets, plan.weights, self._datasets, self._runs)
        index = RunIndex(self._datasets, self._runs)
        return {row.name if row else BASE: work.cells(row, index) for row in work.rows()}

    def progress(self, plan: Plan, cells: Mapping[str, Sequence[Cell]] | None = None) -> Progress:
        """Return how far an ablation is, as the folders of its runs say.

        Args:
            plan: The ablation.
            cells: Its cells where they were just read (:meth:`cells`); None reads them.

        Raises:
            SegcoreError: A dataset is absent, or a config is refused.
        """
        whole = [
            cell for row in (cells or self.cells(plan)).values() for cell in row if not cell.missing
        ]
        states = {row.run: row.status.state for row in self._runs.rows()}
        wanted = {
            repr(config)
            for cell in whole
            for config, run in zip(cell.wanted, cell.runs, strict=True)
            if not run
        }
        ids = dict.fromkeys(
            run
            for cell in whole
            for run in (
                *cell.runs,
                *(prediction_id(r, plan.ablation.report_on) for r in cell.runs),
                cell.scored,
            )
        )
        return Progress(
            sum(states.get(cell.scored) == "finished" for cell in whole),
            len(whole),
            len(wanted) + sum(cell.unmade for cell in whole),
            tuple(run for run in ids if states.get(run) in QUEUED_OR_ACTIVE),
            tuple(run for run in ids if states.get(run) in ("interrupted", "failed")),
        )

    def table(self, plan: Plan, cells: Mapping[str, Sequence[Cell]] | None = None) -> Table:
        """Return what an ablation has found so far.

        Args:
            plan: The ablation.
            cells: Its cells where they were just read (:meth:`cells`); None reads them.

        Raises:
            SegcoreError: A dataset is absent, or counts on disk are damaged.
        """
        results = AblationResults(
            plan.ablation, self._datasets, self._runs, self._scores, drawn=self._drawn
        )
        rows = results.rows(cells or self.cells(plan))
        drawn = results.drawn_from
        sentences = explain(plan, rows, drawn, self._groups(plan))
        units = {name: len(ids) for name, ids in drawn.items()}
        return Table(plan, tuple(rows), results.protocol, units, tuple(sentences))

    def _groups(self, plan: Plan) -> dict[str, int]:
        """Return the number of drives or folders by dataset, where each has ten images or more."""
        groups = {}
        for name in plan.datasets:
            samples = self._datasets.open(name).select(plan.ablation.report_on)
            count = max(len({group(sample) for sample in samples}) for group in GROUPINGS.values())
            if 10 * count <= len(samples):
                groups[name] = count
        return groups


def _with_engine(ablation: Ablation, engine: str) -> Ablation:
    """Return an ablation whose base names its engine, unless the base does or has the usual one."""
    if "engine" in ablation.base or default_engine() == USUAL_ENGINE:
        return ablation
    return dataclasses.replace(ablation, base={**ablation.base, "engine": engine})
