"""Before a start: a suggested config, estimates, conflicts, and grids of runs."""

import dataclasses
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from segcore.config import TrainConfig
from segcore.data.augmentation.repeats import AugmentedCopy, preview_copies
from segcore.data.balance.plans import BalancePlan, Mismatch
from segcore.data.dataset.dataset import Dataset
from segcore.data.statistics.shrinkage import Shrinkage, find_shrunken
from segcore.data.statistics.statistics import load_statistics
from segcore.errors import SegcoreError
from segcore.runs.folder.annotations import clean_tags
from segcore.runs.machine.devices import Device
from segcore.runs.machine.doctor import last_diagnosis
from segcore.runs.machine.engines import default_engine
from segcore.runs.machine.processor import has_bfloat16
from segcore.workspace.costs import Estimate, estimate
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.launch.conflicts import Facts, find_conflicts
from segcore.workspace.launch.grid import combine
from segcore.workspace.launch.predictions import bytes_after, queue_predictions
from segcore.workspace.launch.suggestions import Suggestion, suggest_config
from segcore.workspace.rights import writes
from segcore.workspace.runs.members import describe
from segcore.workspace.runs.refusals import plan_mismatch
from segcore.workspace.runs.runs import Runs


class Launches:
    """Suggestions, estimates and conflicts of a config, and its launch as one run or a grid."""

    def __init__(self, workspace: Path, datasets: Datasets, runs: Runs) -> None:
        self._workspace = workspace
        self._datasets = datasets
        self._runs = runs
        self._shrunken: dict[tuple[Any, ...], list[Shrinkage]] = {}

    def suggest(self, dataset: str) -> Suggestion:
        """Suggest what to train on a dataset; counts its classes if that was not done yet.

        Raises:
            SegcoreError: There is no such dataset, it has no split "train", or a mask cannot be
                read.
        """
        opened = self._datasets.open(dataset)
        split = "train" if "train" in opened.splits else next((s for s in opened.splits if s), None)
        summary = self._datasets.statistics(dataset).summary(split)
        size = self.image_size(dataset)
        plans = [name for name in opened.plans() if split == "train" and _fits(name, opened)]
        found = suggest_config(dataset, summary, size, self._usable(), plans)
        config = dataclasses.replace(found.config, engine=default_engine())
        return dataclasses.replace(found, config=config)

    def image_size(self, dataset: str) -> tuple[int, int]:
        """Return the median (height, width) of a dataset's images, pixels.

        Recommendation, form and warnings name this one size.

        Raises:
            SegcoreError: There is no such dataset.
        """
        samples = self._datasets.open(dataset).samples
        return int(median(s.height for s in samples)), int(median(s.width for s in samples))

    def image_range(self, dataset: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the (height, width) of the smallest and of the largest image, by their pixels.

        Raises:
            SegcoreError: There is no such dataset.
        """
        sizes = {(s.height, s.width) for s in self._datasets.open(dataset).samples}
        return min(sizes, key=math.prod), max(sizes, key=math.prod)

    def _usable(self) -> list[Device]:
        """Return the machine's devices without the GPUs that the doctor saw fail."""
        diagnosis = last_diagnosis(self._workspace)
        return [
            device
            for device in self._runs.devices()
            if device.id == "cpu"
            or diagnosis is None
            or not diagnosis.failure(default_engine(), device.id)
        ]

    def members(self, config: TrainConfig, members: int) -> str:
        """Describe the members that an ensemble would have, in one sentence.

        Raises:
            SegcoreError: Members cannot differ in that way.
        """
        return describe(config, members, self._datasets)

    def estimate(self, config: TrainConfig) -> Estimate:
        """Return what a run will take, with the predictions that follow it.

        Raises:
            SegcoreError: There is no such dataset or label map.
        """
        classes = self._num_classes(config)
        expected = estimate(config, classes)
        free = shutil.disk_usage(self._workspace).free
        after = bytes_after(config, self._datasets.open(config.dataset), classes, free)
        return dataclasses.replace(expected, disk=expected.disk + after)

    def _num_classes(self, config: TrainConfig) -> int:
        opened = self._datasets.open(config.dataset)
        if not config.label_map:
            return opened.label_set.num_classes
        return opened.load_label_map(config.label_map).merge_label_set(opened.label_set).num_classes

    def conflicts(self, config: TrainConfig, runs: int = 1) -> list[str]:
        """Return sentences on settings that will fail or are probably not meant.

        Raises:
            SegcoreError: There is no such dataset, label map or plan.
        """
        return find_conflicts(config, self._facts(config), self.estimate(config), runs)

    def plan_mismatch(self, config: TrainConfig) -> Mismatch | None:
        """Return how a config's balance plan differs from the training images; None if it fits.

        Raises:
            SegcoreError: There is no such dataset, split or plan.
        """
        return plan_mismatch(config, self._datasets.open(config.dataset))

    def augmented(self, config: TrainConfig, sample: str, epochs: int) -> list[AugmentedCopy]:
        """Return a sample as the first epochs of a config will see it, drawn by its seed.

        Returns:
            A copy an epoch, no larger than 480 pixels.

        Raises:
            SegcoreError: There is no such dataset, split, plan or sample, or a file cannot be
                read.
        """
        opened = self._datasets.open(config.dataset)
        ids = [s.id for s in opened.select(config.train_split) if s.mask is not None]
        if config.balance_plan:
            ids = BalancePlan.from_json(opened.load_plan(config.balance_plan)).expand(ids)
        return [
            preview_copies(opened, ids, sample, config.recipe.augmentation, config.seed, epoch)[0]
            for epoch in range(epochs)
        ]

    def _facts(self, config: TrainConfig) -> Facts:
        opened = self._datasets.open(config.dataset)
        splits = {
            split: sum(s.mask is not None for s in opened.select(split)) for split in opened.splits
        }
        samples = (
            opened.select(config.train_split)
            if config.train_split in opened.splits
            else list(opened.samples)
        )
        notice, repeated = "", None
        if config.balance_plan and config.train_split in opened.splits:
            mismatch = plan_mismatch(config, opened)
            notice = mismatch.message if mismatch and not mismatch.refuses else ""
            plan = BalancePlan.from_json(opened.load_plan(config.balance_plan))
            if plan.split in ("", config.train_split):
                repeated = len(plan.expand([s.id for s in samples if s.mask is not None]))
        crops = max(1, config.recipe.crops)
        if config.train_split in splits:
            splits[config.train_split] *= crops
        repeated = None if repeated is None else repeated * crops
        free = shutil.disk_usage(self._workspace).free
        return Facts(
            splits,
            self.image_size(config.dataset),
            self._runs.devices(),
            free,
            self._absent(config, config.train_split),
            notice,
            repeated,
            self._shrinkage(config),
            self._absent(config, None),
            has_bfloat16(),
            len({(s.height, s.width) for s in opened.samples}) == 1,
        )

    def _absent(self, config: TrainConfig, split: str | None) -> tuple[str, ...]:
        """Return the classes that a split, or all images, lack; none before masks are counted."""
        counted = load_statistics(self._datasets.open(config.dataset))
        if counted is None or config.label_map or config.train_split not in counted.splits:
            return ()
        pixels = counted.select(split).pixels
        return tuple(
            name
            for name, count in zip(counted.label_set.class_names, pixels, strict=True)
            if count == 0
        )

    def _shrinkage(self, config: TrainConfig) -> list[Shrinkage]:
        """Return the classes that nearly disappear at the size; none before masks are counted.

        The answer is kept: the form asks again after every change. Crops shrink nothing.
        """
        if config.recipe.crops:
            return []
        opened = self._datasets.open(config.dataset)
        label_map = opened.load_label_map(config.label_map) if config.label_map else None
        groups = label_map.groups if label_map else ()
        key = (opened.name, opened.fingerprint, config.train_split, config.size, groups)
        if key not in self._shrunken:
            counted = load_statistics(opened)
            if counted is None or config.train_split not in counted.splits:
                return []
            chosen = counted.select(config.train_split)
            self._shrunken[key] = find_shrunken(opened, chosen, config.size, label_map)
        return self._shrunken[key]

    @writes("start a training", "Started the training {result}")
    def start(
        self,
        config: TrainConfig,
        members: int = 1,
        *,
        name: str = "",
        tags: Sequence[str] = (),
        note: str = "",
    ) -> list[str]:
        """Queue training runs with a name, tags and a note, and return their ids.

        The predictions that follow them (``predict_after``) are queued too, behind their trainings.

        Args:
            config: What to train.
            members: Size of the ensemble.
            name: What the ids begin with; "" for dataset, architecture and encoder.
            tags: Tags of every run.
            note: Note of every run.

        Raises:
            SegcoreError: As :meth:`segcore.workspace.runs.runs.Runs.train`, or a tag is too long.
        """
        cleaned = clean_tags(tags)
        runs = self._runs.train(config, members, name)
        for run in runs if cleaned or note else ():
            self._runs.open(run).write_annotations(tags=list(cleaned), text=note)
        if config.predict_after:
            queue_predictions(self._runs, self._datasets, runs)
        return runs

    @writes("start a training", "Started the training {result}")
    def launch(
        self,
        config: TrainConfig,
        choices: Mapping[str, Sequence[Any]],
        members: int = 1,
        tag: str = "",
    ) -> list[str]:
        """Queue a training run or an ensemble for every combination of values; return the ids.

        Args:
            config: What all have in common.
            choices: Values by name of a field (see :data:`segcore.workspace.launch.grid.FIELDS`).
            members: Runs for each combination, which differ in seed only.
            tag: A tag for all of them; "" for none.

        Raises:
            SegcoreError: A combination is refused; nothing is queued then.
        """
        configs = combine(config, choices)
        if len(configs) * members > 500:
            raise SegcoreError(
                f"Expected at most 500 runs at once, received {len(configs) * members}: "
                "list fewer values or members."
            )
        runs = [run for one in configs for run in self._runs.train(one, members)]
        for run in runs if tag else ():
            self._runs.open(run).write_annotations(tags=[tag])
        if config.predict_after:
            queue_predictions(self._runs, self._datasets, runs)
        return runs


def _fits(plan: str, dataset: Dataset) -> bool:
    """Whether a balance plan is sound and was made for the images of "train"."""
    try:
        return plan_mismatch(TrainConfig(dataset.name, balance_plan=plan), dataset) is None
    except SegcoreError:
        return False
