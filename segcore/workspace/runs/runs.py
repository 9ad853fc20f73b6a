"""The shelf of runs: launch, list, wait, stop, resume."""

import dataclasses
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from segcore.config import TrainConfig
from segcore.data.balance.plans import BalancePlan
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError, unknown
from segcore.labels import LabelMap
from segcore.postprocess.submodels import needs_router, part_maps
from segcore.runs.folder.listing import RunSummary, list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.trash import move_to_trash
from segcore.runs.machine.devices import Device, list_devices
from segcore.runs.queue import jobs
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.derived import DerivedRuns
from segcore.workspace.runs.members import line_up
from segcore.workspace.runs.refusals import refuse
from segcore.workspace.runs.run_ids import evaluation_id as evaluation_id
from segcore.workspace.runs.run_ids import prediction_id as prediction_id

Progress = Callable[[int, int, str], None]
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class Runs(DerivedRuns):
    """The runs of a workspace and the queue that starts them.

    Attributes:
        folder: The folder of all runs.
    """

    def __init__(self, workspace: Path, datasets: Datasets) -> None:
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
        if (
            not run
            or "/" in run
            or run.startswith(".")
            or not (self.folder / run / "config.json").exists()
        ):
            known = self.ids()
            if not known:
                raise SegcoreError(
                    f"Expected the run {run!r}, found no run in {self._workspace}: train one first."
                )
            raise unknown("run", run, known)
        return RunFolder.open(self.folder / run)

    def rows(self) -> list[dict[str, Any]]:
        """Return one mapping a run, newest first: run, kind, dataset, network, group, all of its status, and what is said about it.

        ``kind`` is "" where the config cannot be read; it may also be one that this version does
        not know.
        """
        return [_row(summary) for summary in jobs.refresh(self._workspace)]

    def train(self, config: TrainConfig, members: int = 1) -> list[str]:
        """Queue one or more training runs and return their ids; of submodels one run a part each.

        Args:
            config: What to train; ``member`` and ``group`` are filled in, and member m gets ``seed
                + m``. ``members_by`` says how members differ besides: by fold each gets a dataset
                of its own, which is written if need be, by architecture a decoder. With
                ``submodels`` the parts of its label map are saved with the dataset, and each run
                gets one of them.
            members: How many, 1 to 100.

        Raises:
            SegcoreError: The dataset, a split, the label map or the balance plan does not exist,
                the number is out of range, members cannot differ so, or a run could only fail (see
                :mod:`segcore.workspace.runs.refusals`). Nothing is queued then.
        """
        if not 1 <= members <= 100:
            raise SegcoreError(
                f"Expected 1 to 100 members, received {members}: choose a number in that range."
            )
        self.check(config)
        lined_up = line_up(config, members, self._datasets)
        checked = {
            one: self.check(one) for one in dict.fromkeys(lined_up)
        }  # those that differ by seed are one config still
        parts = {one: _label_maps(dataset, one) for one, dataset in checked.items()}
        network = (
            "architectures" if config.members_by == "architecture" else config.model.architecture
        )
        folds = "-folds" if config.members_by == "fold" else ""
        group = self._new_id(f"{config.dataset}{folds}-{network}-{config.model.encoder}")
        runs: list[str] = []
        for number, (one, part) in enumerate(
            (member, part) for member in lined_up for part in parts[member]
        ):
            run = f"{group}-{number + 1}"
            member_config = dataclasses.replace(
                one, member=number, group=group, seed=config.seed + number, label_map=part
            )
            RunFolder.create(self.folder, run, member_config).write_status(
                epochs=config.recipe.epochs
            )
            runs.append(run)
        jobs.submit(self._workspace, runs)
        return runs

    def check(self, config: TrainConfig) -> Dataset:
        """Return the dataset of a config, after a look whether all that it names is there.

        Raises:
            SegcoreError: The dataset, a split, the label map or the balance plan does not exist,
                or the run could only fail.
        """
        dataset = self._datasets.open(config.dataset)
        if not dataset.splits or dataset.splits == [""]:
            raise SegcoreError(
                f"Expected splits in the dataset {config.dataset!r}, found none: make "
                f"them first (segscope split {config.dataset})."
            )
        for split in (config.train_split, config.validation_split):
            if split:
                dataset.select(split)
        labels = dataset.label_set
        if config.label_map:
            labels = dataset.load_label_map(config.label_map).merge_label_set(labels)
        if config.balance_plan:
            split = BalancePlan.from_json(dataset.load_plan(config.balance_plan)).split
            if split not in ("", config.train_split):
                raise SegcoreError(
                    f"Expected a balance plan for the split {config.train_split!r}, "
                    f"received {config.balance_plan!r}, which is one for "
                    f"{split!r}: make one for this split."
                )
        refuse(config, labels.num_classes, self.devices())
        return dataset

    def refresh(self) -> None:
        """Notice workers that died, and start what waits."""
        jobs.refresh(self._workspace)

    def devices(self) -> list[Device]:
        """Return what can be trained on here: the GPUs, then the CPU."""
        return list_devices()

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
                raise SegcoreError(
                    f"The run {run} ended as {status.state}: {status.cause or 'see its log'}"
                )

    def stop(self, run: str) -> None:
        """Ask a run to stop: a queued one at once, a running one after a checkpoint; asked twice, it is killed.

        Raises:
            SegcoreError: There is no such run.
        """
        self.open(run)
        jobs.stop(self._workspace, run)

    def resume(self, run: str, learning_rate_factor: float = 1.0) -> None:
        """Queue a failed or interrupted run again; it goes on from its last checkpoint.

        Args:
            run: Its id.
            learning_rate_factor: What its learning rate is multiplied by from here on, above 0 and
                up to 1; asked for again, it is multiplied again. For a run whose loss was no number
                any more.

        Raises:
            SegcoreError: There is no such run, it has nothing to resume, or the factor is out of
                range or no factor of a training.
        """
        folder = self.open(run)
        if not 0 < learning_rate_factor <= 1:
            raise SegcoreError(
                "Expected a factor above 0 and up to 1, received "
                f"{learning_rate_factor:g}: take 0.5 for half."
            )
        if learning_rate_factor < 1:
            if not isinstance(folder.config, TrainConfig):
                raise SegcoreError(
                    f"Expected a training run to slow down, received {run!r}: resume it "
                    "without a factor."
                )
            before = folder.read_json("resume") if (folder.folder / "resume.json").exists() else {}
            state = folder.status().state
            if state in ("failed", "interrupted"):
                folder.write_json(
                    "resume",
                    {
                        "learning_rate_factor": learning_rate_factor
                        * before.get("learning_rate_factor", 1.0)
                    },
                )
        jobs.resume(self._workspace, run)

    def delete(self, run: str) -> str:
        """Move a run that has ended, with what was derived from it, to the trash; return the deletion's id, which undoes it.

        Raises:
            SegcoreError: There is no such run, or it is still active.
        """
        self.open(run)
        derived = [s.id for s in list_runs(self.folder) if s.id.startswith(f"{run}--")]
        for name in [run, *derived]:
            if not RunFolder(self.folder / name).status().has_ended:
                raise SegcoreError(
                    f"Expected a run that has ended, but {name!r} has not: stop it first."
                )
        return move_to_trash(self._workspace, [run, *derived]).id

    def _new_id(self, stem: str) -> str:
        while True:
            candidate = f"{stem}-{''.join(secrets.choice(_LETTERS) for _ in range(4))}"
            if not any(self.folder.glob(f"{candidate}-*")):
                return candidate


def _row(summary: RunSummary) -> dict[str, Any]:
    """Return a run as a plain mapping; a thousand of them are made at each look, so nothing is copied deeply."""
    status, notes, config = summary.status, summary.notes, summary.config
    model = config.get("model")
    network = (
        f"{model.get('architecture')} · {model.get('encoder')}" if isinstance(model, dict) else ""
    )
    return {
        "run": summary.id,
        "kind": summary.kind,
        "dataset": summary.dataset,
        "network": network,
        "group": str(config.get("group", "")),
        **vars(status),
        "after": [*status.after],
        "tags": [*notes.tags],
        "note": notes.text,
        "star": notes.star,
        "archived": notes.archived,
    }


def _label_maps(dataset: Dataset, config: TrainConfig) -> list[str]:
    """Return the label map of each run that a config asks for; of submodels those of the parts, which are saved where they are new."""
    if not config.submodels:
        return [config.label_map]
    classes = dataset.label_set.num_classes
    whole = (
        dataset.load_label_map(config.label_map)
        if config.label_map
        else LabelMap(LabelMap.identity(classes).groups, "class")
    )
    parts = part_maps(whole)
    for part in parts:
        if (
            part.name not in dataset.label_maps()
            or dataset.load_label_map(part.name).groups != part.groups
        ):
            dataset.save_label_map(part)
    router = [config.label_map] if config.submodels == "routed" and needs_router(whole) else []
    if config.submodels == "routed" and not router:
        raise SegcoreError(
            "Expected a label map with a group of two classes or more for a router, "
            "received none: choose one_vs_rest."
        )
    return [*(part.name for part in parts), *router]
