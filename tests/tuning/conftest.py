"""Studies without a network: a trainer whose scores are a formula of the settings."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from segcore.config import (
    ModelConfig,
    Range,
    RecipeConfig,
    SearchSpace,
    TrainConfig,
    TuneConfig,
    to_json,
)
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import STOPPED
from segcore.tuning.coordinator import Coordinator
from segcore.tuning.store import TrialStore
from segcore.tuning.trainer import TrialProgress

EPOCHS = 2
LOSS_GAIN = {"jaccard_distance": 0.0, "dice": 0.05, "focal": 0.2}
SPACE = SearchSpace(loss=tuple(LOSS_GAIN), learning_rate=Range(1e-5, 1e-1))


def final_score(config: TrainConfig) -> float:
    """0.8 at a learning rate of 0.001 with focal, less farther away and with other losses."""
    return (
        0.6
        + LOSS_GAIN[config.recipe.loss]
        - 0.1 * abs(math.log10(config.recipe.learning_rate / 1e-3))
    )


class FormulaTrainer:
    """Trains by formula, one epoch a look. All it knows is on disk, as for the queue."""

    def __init__(self, runs: Path, faults: Callable[[str], None] = lambda call: None) -> None:
        self.runs = runs
        self.faults = faults

    def start(self, id: str, config: TrainConfig) -> None:
        self.faults("before start")
        run = RunFolder(self.runs / id)
        if not run.folder.is_dir():
            RunFolder.create(self.runs, id, config)
        if run.status().state == "queued":
            with open(self.runs.parent / "starts.jsonl", "a") as file:
                file.write(json.dumps({"run": id, "config": to_json(config)}) + "\n")
            run.write_status(state="running")
        self.faults("after start")

    def look(self, id: str) -> TrialProgress:
        self.faults("look")
        run = RunFolder(self.runs / id)
        if not run.folder.is_dir():
            return TrialProgress(None, {})
        config, scores = run.config, run.metrics()
        assert isinstance(config, TrainConfig)
        if run.status().state == "running":
            epoch = len(scores) + 1
            run.append_metrics(
                {"epoch": epoch, "val_mean_iou": final_score(config) * epoch / EPOCHS}
            )
            if epoch == EPOCHS:
                run.write_status(state="finished")
        status = run.status()
        return TrialProgress(
            status, {line["epoch"]: line["val_mean_iou"] for line in run.metrics()}
        )

    def stop(self, id: str) -> None:
        RunFolder(self.runs / id).write_status(
            only_if=("running",), state="interrupted", cause=STOPPED
        )

    def resume(self, id: str) -> None:
        RunFolder(self.runs / id).write_status(only_if=("interrupted",), state="running", cause="")

    def explain(self, id: str, cause: str) -> None:
        RunFolder(self.runs / id).write_status(cause=cause)


def study(**changes) -> TuneConfig:
    base = TrainConfig(
        "tiny",
        ModelConfig("unet", "tiny", "none"),
        RecipeConfig(epochs=EPOCHS, learning_rate=1e-4),
        (32, 32),
    )
    return TuneConfig(
        **{
            "dataset": "tiny",
            "base": base,
            "space": SPACE,
            "trials": 12,
            "pruner": "none",
            "grace": 1,
            **changes,
        }
    )


class Bench:
    """A tune run in an empty workspace."""

    def __init__(self, folder: Path, config: TuneConfig) -> None:
        self.config = config
        self.run = RunFolder.create(folder / "runs", "study", config)

    def coordinator(
        self, parallel: int = 1, faults: Callable[[str], None] = lambda call: None
    ) -> Coordinator:
        """A coordinator that knows nothing but what is on disk."""
        return Coordinator(
            TrialStore(self.run, self.config),
            FormulaTrainer(self.run.folder.parent, faults),
            parallel,
        )

    def report(self) -> dict:
        return self.run.read_json("study")

    def starts(self) -> list[str]:
        return [
            json.loads(line)["run"]
            for line in (self.run.folder.parent.parent / "starts.jsonl").read_text().splitlines()
        ]


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[..., Bench]:
    return lambda **changes: Bench(tmp_path, study(**changes))


def go(coordinator: Coordinator, turns: int = 10_000) -> int:
    """Take turns until the search ends; return how many."""
    for turn in range(turns):
        if not coordinator.turn():
            return turn
    return turns


@pytest.fixture
def finish() -> Callable[[Coordinator], int]:
    return go
