"""The shelf of runs: launch, list, wait, stop, resume."""

import dataclasses
import hashlib
import math
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from segcore.config import EvaluateConfig, PredictConfig, RunConfig, TrainConfig
from segcore.errors import SegcoreError, unknown
from segcore.postprocess.dense_crf import CRFParameters
from segcore.postprocess.ensemble import check_weights
from segcore.runs import jobs
from segcore.runs.devices import Device, list_devices
from segcore.runs.listing import list_runs
from segcore.runs.store import RunFolder
from segcore.workspace.datasets import DatasetShelf

Progress = Callable[[int, int, str], None]
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class RunShelf:
    """The runs of a workspace and the queue that starts them.

    Attributes:
        folder: The folder of all runs.
    """

    def __init__(self, workspace: Path, datasets: DatasetShelf) -> None:
        self._workspace = workspace
        self._datasets = datasets
        self.folder = workspace / "runs"

    def ids(self) -> list[str]:
        """Return the ids of all runs, newest first."""
        return [summary.id for summary in list_runs(self.folder)]

    def open(self, run: str) -> RunFolder:
        """Open a run by id.

        Raises:
            SegcoreError: There is none of that id, or its config cannot be read.
        """
        if not run or "/" in run or run.startswith(".") or not (self.folder / run / "config.json").exists():
            known = self.ids()
            if not known:
                raise SegcoreError(f"Expected the run {run!r}, found no run in {self._workspace}: train one first.")
            raise unknown("run", run, known)
        return RunFolder.open(self.folder / run)

    def rows(self) -> list[dict[str, Any]]:
        """Return one mapping a run, newest first: run, kind, state, cause, dataset, pid, progress, mean_iou, and more of its status."""
        jobs.refresh(self._workspace)
        rows = []
        for summary in list_runs(self.folder):
            status = dataclasses.asdict(summary.status)
            rows.append({"run": summary.id, "kind": summary.kind, "dataset": summary.dataset, **status, "after": [*summary.status.after]})
        return rows

    def train(self, config: TrainConfig, members: int = 1) -> list[str]:
        """Queue one or more training runs that differ in seed only, and return their ids.

        Args:
            config: What to train; ``member`` and ``group`` are filled in, and member m gets ``seed + m``.
            members: How many, 1 to 100.

        Raises:
            SegcoreError: The data set, a split, the label map or the balance plan does not exist, or the number is out of range.
        """
        dataset = self._datasets.open(config.dataset)
        if not 1 <= members <= 100:
            raise SegcoreError(f"Expected 1 to 100 members, received {members}: choose a number in that range.")
        if not dataset.splits or dataset.splits == [""]:
            raise SegcoreError(
                f"Expected splits in the data set {config.dataset!r}, found none: make them first (segscope split {config.dataset})."
            )
        for split in (config.train_split, config.validation_split):
            if split:
                dataset.select(split)
        if config.label_map:
            dataset.load_label_map(config.label_map)
        if config.balance_plan:
            dataset.load_plan(config.balance_plan)
        group = self._new_id(f"{config.dataset}-{config.model.architecture}-{config.model.encoder}")
        runs = []
        for member in range(members):
            run = f"{group}-{member + 1}"
            member_config = dataclasses.replace(config, member=member, group=group, seed=config.seed + member)
            RunFolder.create(self.folder, run, member_config).write_status(epochs=config.recipe.epochs)
            runs.append(run)
        jobs.submit(self._workspace, runs)
        return runs

    def predict(self, run: str, split: str) -> str:
        """Make sure that a training run's predictions of a split exist or are under way; return the predict run's id.

        Raises:
            SegcoreError: The run is no finished training run, or the split does not exist.
        """
        source, config = self._trained(run)
        self._datasets.open(config.dataset).select(split)
        made_from = source.status().finished or 0.0
        self._ensure(prediction_id(run, split), PredictConfig(config.dataset, run, split, device=config.device), made_from)
        return prediction_id(run, split)

    def _trained(self, run: str) -> tuple[RunFolder, TrainConfig]:
        """Return a training run that can predict, with its config."""
        source = self.open(run)
        config = source.config
        if not isinstance(config, TrainConfig):
            raise SegcoreError(f"Expected a training run, received {run!r}, which is of kind {config.kind}: name the run that was trained.")
        state = source.status().state
        if state != "finished" and not source.model_path.exists():
            raise SegcoreError(f"Expected a finished training run, but {run!r} is {state}: wait for it, or resume it.")
        return source, config

    def ensemble(self, members: Sequence[str], split: str, *, rule: str = "mean", crf: CRFParameters | None = None) -> str:
        """Make sure that members are combined (and refined) over a split, or that this is under way; return the evaluate run's id.

        Nothing is queued where something is refused.

        Raises:
            SegcoreError: There is no member or one stands twice, one is no finished training run, the members are of unlike data
                sets or label maps, the split or rule does not exist, or the rule needs weights, which are not chosen here.
        """
        configs = [self._trained(run)[1] for run in members]
        config = EvaluateConfig(configs[0].dataset if configs else "", tuple(members), split, rule, crf)
        check_weights(None, rule)
        kinds = {(c.dataset, c.label_map) for c in configs}
        if len(kinds) != 1:
            raise SegcoreError(f"Expected members of one data set and label map, received {sorted(kinds)}: combine runs that share both.")
        predictions = [self.predict(run, split) for run in members]
        run = evaluation_id(config)
        made = [RunFolder(self.folder / p).status() for p in predictions]
        newest = max(s.finished or 0.0 if s.state == "finished" else math.inf for s in made)
        self._ensure(run, config, newest, after=predictions)
        return run

    def derived(self, run: str, split: str) -> list[str]:
        """Return the ids of the runs that have to end before a run has counts of a split: its predictions, or itself.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self.open(run).config
        if isinstance(config, EvaluateConfig):
            return [run, *(prediction_id(m, split) for m in config.members), evaluation_id(dataclasses.replace(config, split=split))]
        return [prediction_id(run, split)]

    def predict_any(self, run: str, split: str) -> str:
        """Make sure that a training run or an ensemble has counts of a split, or that this is under way; return the run to wait for.

        Raises:
            SegcoreError: As :meth:`predict` and :meth:`ensemble`.
        """
        config = self.open(run).config
        if isinstance(config, EvaluateConfig):
            return self.ensemble(config.members, split, rule=config.rule, crf=config.crf)
        return self.predict(run, split)

    def on_split(self, run: str, split: str) -> str:
        """Return the id of the same ensemble's evaluation on another split; a training run's id stays as it is.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self.open(run).config
        if not isinstance(config, EvaluateConfig) or config.split == split:
            return run
        return evaluation_id(dataclasses.replace(config, split=split))

    def refresh(self) -> None:
        """Notice workers that died, and start what waits."""
        jobs.refresh(self._workspace)

    def devices(self) -> list[Device]:
        """Return what can be trained on here: the GPUs, then the CPU."""
        return list_devices()

    def _ensure(self, run: str, config: RunConfig, made_from: float, after: Sequence[str] = ()) -> None:
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

    def wait(self, runs: Sequence[str], progress: Progress | None = None) -> None:
        """Return when every run has ended.

        Raises:
            SegcoreError: One of them failed or was interrupted; the sentence carries its cause.
        """
        refreshed = 0.0
        while True:
            if time.monotonic() - refreshed > 2:
                refreshed = time.monotonic()
                jobs.refresh(self._workspace)
            states = {run: RunFolder(self.folder / run).status() for run in runs}
            if progress:
                done = sum(1.0 if s.has_ended else s.progress for s in states.values())
                message = next((s.message for s in states.values() if s.is_active), "")
                progress(int(100 * done / len(runs)), 100, message)
            if all(s.has_ended for s in states.values()):
                break
            time.sleep(0.3)
        for run, status in states.items():
            if status.state != "finished":
                raise SegcoreError(f"The run {run} ended as {status.state}: {status.cause or 'see its log'}")

    def stop(self, run: str) -> None:
        """Ask a run to stop: a queued one at once, a running one after a checkpoint; asked twice, it is killed.

        Raises:
            SegcoreError: There is no such run.
        """
        self.open(run)
        jobs.stop(self._workspace, run)

    def resume(self, run: str) -> None:
        """Queue a failed or interrupted run again; it goes on from its last checkpoint.

        Raises:
            SegcoreError: There is no such run, or it has nothing to resume.
        """
        self.open(run)
        jobs.resume(self._workspace, run)

    def delete(self, run: str) -> None:
        """Remove a run that has ended, with what was derived from it.

        Raises:
            SegcoreError: There is no such run, or it is still active.
        """
        folder = self.open(run)
        derived = [s.id for s in list_runs(self.folder) if s.id.startswith(f"{run}--")]
        for name in [run, *derived]:
            if not RunFolder(self.folder / name).status().has_ended:
                raise SegcoreError(f"Expected a run that has ended, but {name!r} has not: stop it first.")
        for name in [*derived, folder.id]:
            shutil.rmtree(self.folder / name)

    def _new_id(self, stem: str) -> str:
        while True:
            candidate = f"{stem}-{''.join(secrets.choice(_LETTERS) for _ in range(4))}"
            if not any(self.folder.glob(f"{candidate}-*")):
                return candidate


def prediction_id(run: str, split: str) -> str:
    """Return the id of the run that holds a training run's predictions of a split."""
    return f"{run}--{split}"


def evaluation_id(config: EvaluateConfig) -> str:
    """Return the id of an evaluate run: the members' common name, what is done to them, and the split."""
    stem = config.members[0].rsplit("-", 1)[0] if len(config.members) > 1 else config.members[0]
    digest = hashlib.sha256(repr((config.members, config.rule, config.crf)).encode()).hexdigest()[:6]
    what = f"{config.rule}{len(config.members)}" + ("-crf" if config.crf else "")
    return f"{stem}-{what}-{digest}--{config.split}"
