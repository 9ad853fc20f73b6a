"""The shelf of studies: settings searched by trials, each a training run of its own."""

import dataclasses
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.config import TuneConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import Status
from segcore.runs.queue import jobs
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.runs import Runs

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Study:
    """A study as it stands.

    Attributes:
        run: Id of its run.
        config: What it searches.
        status: How its run is going.
        trials: One mapping a trial, in order: trial (from 1), run, state ("complete", "pruned",
            "failed" or "running"), values (what was varied, by name), score (best validation mean
            IoU, 0..1, or None), scores (by epoch, as text), cause, began, ended; and for those
            under way doing and progress of their run.
        importances: Share of each varied setting in reaching the better trials, largest first;
            empty while too few have finished.
    """

    run: str
    config: TuneConfig
    status: Status
    trials: tuple[dict[str, Any], ...]
    importances: dict[str, float]

    @property
    def best(self) -> dict[str, Any] | None:
        """The finished trial with the best score, the earliest of equals; None before the first."""
        complete = [row for row in self.trials if row["state"] == "complete"]
        return max(complete, key=lambda row: row["score"], default=None)

    def count(self, state: str) -> int:
        """Return how many trials are in a state."""
        return sum(row["state"] == state for row in self.trials)

    def to_json(self) -> dict[str, Any]:
        """Return the study as the shell prints it."""
        status = {
            key: getattr(self.status, key)
            for key in ("state", "cause", "progress", "message", "seconds_left")
        }
        return {
            "run": self.run,
            "dataset": self.config.dataset,
            **status,
            "planned": self.config.planned,
            "best": self.best,
            "importances": self.importances,
            "trials": list(self.trials),
        }


class Searches:
    """The studies of a workspace.

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
        """Return the ids of all studies, newest first; with a name, those on one dataset."""
        return [
            run.id
            for run in list_runs(self._runs.folder)
            if run.kind == "tune" and dataset in (None, run.dataset)
        ]

    def start(self, config: TuneConfig) -> str:
        """Queue a study and return the id of its run.

        Raises:
            SegcoreError: The dataset, a split, a label map or a balance plan does not exist.
        """
        dataset = self._datasets.open(config.dataset)
        for split in (config.base.train_split, config.base.validation_split):
            dataset.select(split)
        for name in {config.base.label_map, *config.space.choices.get("label_map", ())} - {""}:
            dataset.load_label_map(name)
        for name in {config.base.balance_plan, *config.space.choices.get("balance_plan", ())} - {
            ""
        }:
            dataset.load_plan(name)
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

    def open(self, run: str) -> Study:
        """Return a study as it stands.

        Raises:
            SegcoreError: There is no such run, it is no study, or what it wrote is damaged.
        """
        folder = self._runs.open(run)
        config = folder.config
        if not isinstance(config, TuneConfig):
            raise SegcoreError(
                f"Expected a study, received {run!r}, which is of kind {config.kind}: see "
                "the tune page for the studies."
            )
        told = folder.read_json("study") if (folder.folder / "study.json").exists() else {}
        try:
            trials = tuple(self._with_progress(row) for row in told.get("trials", []))
            importances = {
                str(name): float(share) for name, share in told.get("importances", {}).items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SegcoreError(
                f"Expected trials in {folder.folder / 'study.json'}, found another thing: "
                "resume the study."
            ) from error
        return Study(run, config, folder.status(), trials, importances)

    def _with_progress(self, row: dict[str, Any]) -> dict[str, Any]:
        """Add to a trial under way how its run is going."""
        if {"trial", "run", "state", "values", "score", "scores", "cause", "began", "ended"} - set(
            row
        ):
            raise KeyError(row["trial"])
        if row["state"] != "running" or not row["run"]:
            return row
        status = RunFolder(self._runs.folder / row["run"]).status()
        return {**row, "doing": status.state, "progress": status.progress}
