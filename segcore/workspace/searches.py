"""Hyperparameter searches: settings tried in trials, each a training run of its own."""

import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.catalog import kind_words
from segcore.config import TuneConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import Status
from segcore.runs.machine.engines import choose_engine
from segcore.runs.queue import jobs
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.refusals import refuse_plan
from segcore.workspace.runs.runs import Runs

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_STORED = ("trial", "run", "state", "values", "score", "scores", "cause", "began", "ended")
"""Fields of a trial in ``study.json``."""


@dataclass(frozen=True)
class TrialRow:
    """One trial of a search.

    Attributes:
        trial: Its number, from 1.
        run: Id of its training run; "" before that exists.
        state: "complete", "pruned", "failed" or "running".
        values: What was varied, by name of the setting.
        score: Best validation mean IoU, 0 to 1; None before the first epoch.
        scores: The same by epoch, whose number is text.
        cause: Why it failed, one sentence; "" for none.
        began: When it began, seconds since 1970; None if unknown.
        ended: When it ended, likewise.
        doing: State of its run while the trial is running, else "".
        progress: Share of its run that is done while the trial is running, 0 to 1, else None.
    """

    trial: int
    run: str
    state: str
    values: dict[str, Any]
    score: float | None
    scores: dict[str, float]
    cause: str
    began: float | None
    ended: float | None
    doing: str = ""
    progress: float | None = None

    @property
    def percent(self) -> float:
        """The score in percent; NaN before the first epoch."""
        return float("nan") if self.score is None else 100 * self.score

    def to_json(self) -> dict[str, Any]:
        """Return the trial as a mapping; ``doing`` and ``progress`` only while it is running."""
        data = dict(vars(self))
        if not self.doing:
            del data["doing"], data["progress"]
        return data


@dataclass(frozen=True)
class Search:
    """A search and its present status.

    Attributes:
        run: Id of its run.
        config: What it searches.
        status: The status of its run.
        trials: Its trials, in order.
        importances: Share of each varied setting in reaching the better trials, largest first;
            empty while too few have finished.
    """

    run: str
    config: TuneConfig
    status: Status
    trials: tuple[TrialRow, ...]
    importances: dict[str, float]

    @property
    def best(self) -> TrialRow | None:
        """The finished trial with the best score, the earliest of equals; None before the first."""
        complete = [row for row in self.trials if row.state == "complete"]
        return max(complete, key=lambda row: row.score or 0.0, default=None)

    def count(self, state: str) -> int:
        """Return how many trials are in a state."""
        return sum(row.state == state for row in self.trials)

    def to_json(self) -> dict[str, Any]:
        """Return the search as ``segscope tune --json`` prints it."""
        status = {
            key: getattr(self.status, key)
            for key in ("state", "cause", "progress", "message", "seconds_left")
        }
        return {
            "run": self.run,
            "dataset": self.config.dataset,
            **status,
            "planned": self.config.planned,
            "best": self.best.to_json() if self.best else None,
            "importances": self.importances,
            "trials": [row.to_json() for row in self.trials],
        }


class Searches:
    """The searches of a workspace.

    Args:
        workspace: Its folder.
        datasets: Its datasets.
        runs: Its runs.
    """

    def __init__(self, workspace: Path, datasets: Datasets, runs: Runs) -> None:
        self._workspace = workspace
        self._datasets = datasets
        self._runs = runs

    def ids(self, dataset: str | None = None) -> list[str]:
        """Return the ids of all searches, newest first; given a name, those on one dataset."""
        return [
            run.id
            for run in list_runs(self._runs.folder)
            if run.kind == "tune" and dataset in (None, run.dataset)
        ]

    @writes("start a search", "Started the search {result}")
    def start(self, config: TuneConfig) -> str:
        """Queue a search and return the id of its run.

        Raises:
            SegcoreError: The dataset, a split, a label map or a balance plan does not exist, or the
                engine is not installed.
        """
        choose_engine(config.base, lambda: None)  # refuses one that is not installed
        dataset = self._datasets.open(config.dataset)
        for split in (config.base.train_split, config.base.validation_split):
            dataset.select(split)
        for name in {config.base.label_map, *config.space.choices.get("label_map", ())} - {""}:
            dataset.load_label_map(name)
        for name in {config.base.balance_plan, *config.space.choices.get("balance_plan", ())} - {
            ""
        }:
            refuse_plan(dataclasses.replace(config.base, balance_plan=name), dataset)
        base = dataclasses.replace(config.base, group="", member=0)
        run = self._new_id(f"{config.dataset}-tune")
        RunFolder.create(self._runs.folder, run, dataclasses.replace(config, base=base))
        jobs.submit(self._workspace, [run])
        return run

    def _new_id(self, stem: str) -> str:
        while True:
            candidate = f"{stem}-{''.join(secrets.choice(_LETTERS) for _ in range(4))}"
            if not any(self._runs.folder.glob(f"{candidate}*")):
                return candidate

    def open(self, run: str) -> Search:
        """Return a search and its present status.

        Raises:
            SegcoreError: There is no such run, it is no search, or what it wrote is damaged.
        """
        folder = self._runs.open(run)
        config = folder.config
        if not isinstance(config, TuneConfig):
            raise SegcoreError(
                f"Expected a search, received {run!r}, which is {kind_words(config.kind)}: choose one "
                "on the Tune page."
            )
        document = folder.read_json("study") if (folder.folder / "study.json").exists() else {}
        try:
            trials = tuple(self._trial(row) for row in document.get("trials", []))
            importances = {
                str(name): float(share) for name, share in document.get("importances", {}).items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SegcoreError(
                f"Expected trials in {folder.folder / 'study.json'}, found something else: "
                "resume the search."
            ) from error
        return Search(run, config, folder.status(), trials, importances)

    def _trial(self, row: Mapping[str, Any]) -> TrialRow:
        """Read a trial; one that is running gets the status of its run."""
        trial = TrialRow(**{name: row[name] for name in _STORED})
        if trial.state != "running" or not trial.run:
            return trial
        status = RunFolder(self._runs.folder / trial.run).status()
        return dataclasses.replace(trial, doing=status.state, progress=status.progress)
