"""The datasets of a workspace: import, open, measure, split, relabel, balance, export."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.repeats import AugmentedCopy, preview_copies
from segcore.data.balance.planner import BalanceGoal, explain_repeats, plan_balance
from segcore.data.balance.plans import BalancePlan
from segcore.data.balance.rules import plan_by_rule
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.journal import kept
from segcore.data.dataset.relabel import ignored_pixels, relabel
from segcore.data.dataset.staging import Staging, broken_off, remove_whole, throw_away
from segcore.data.formats.exporters import export_dataset
from segcore.data.formats.importers import (
    ImportReport,
    ImportRules,
    Preview,
    check_name,
    import_dataset,
    preview,
)
from segcore.data.health.findings import Finding
from segcore.data.health.health import check_health
from segcore.data.health.interval_groups import (
    DrawnBy,
    IntervalGroups,
    choose_groups,
    drawn_by,
    interval_groups,
)
from segcore.data.health.split_groups import SplitChoice, choose_split
from segcore.data.splits.blocks import Blocks
from segcore.data.splits.shift import Shift, measure_shift
from segcore.data.splits.splits import GROUPINGS
from segcore.data.statistics.appearance import ImageStatistics, collect_appearance
from segcore.data.statistics.instances import InstanceStatistics, collect_instances
from segcore.data.statistics.statistics import FILE_NAME as COUNTS_FILE
from segcore.data.statistics.statistics import ClassStatistics, collect_statistics, load_statistics
from segcore.errors import SegcoreError, unknown
from segcore.labels import LabelSet
from segcore.runs.dispatch.executors import cluster_executor
from segcore.workspace.datasets.new_splits import NewSplits, SplitRules, draw_splits
from segcore.workspace.rights import writes

Progress = Callable[[int, int, str], None]
WORTH_A_CLUSTER = 512
"""Samples; fewer are read sooner on this machine than on a cluster."""

KEPT_STATISTICS = 4
"""Datasets whose class statistics stay in memory: 24 MB each at 20,000 images and 150 classes."""


@dataclass(frozen=True)
class DatasetRow:
    """One dataset at a glance.

    Attributes:
        name: Its name.
        num_samples: Images.
        num_classes: Scored classes.
        splits: Images of each split.
        problem: Why it cannot be read, one sentence; "" where it can. All else is 0 then.
        num_unlabelled: Images that wait for a mask.
    """

    name: str
    num_samples: int = 0
    num_classes: int = 0
    splits: dict[str, int] = field(default_factory=dict)
    problem: str = ""
    num_unlabelled: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the row as ``segscope datasets --json`` prints it; ``problem`` only if any."""
        return {name: value for name, value in vars(self).items() if name != "problem" or value}


@dataclass(frozen=True)
class RepeatedImage:
    """An image that a balance plan repeats.

    Attributes:
        sample: Its id.
        repeats: How many times it is used.
        brings: Names of the classes for which it is repeated.
    """

    sample: str
    repeats: int
    brings: Sequence[str]


class Datasets:
    """The datasets of a workspace, one folder each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._statistics: dict[Path, tuple[tuple[tuple[int, int], ...], ClassStatistics]] = {}

    def names(self) -> list[str]:
        """Return the names of all datasets, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(
            p.parent.name
            for p in self.folder.glob("*/dataset.json")
            if not p.parent.name.startswith(".")
        )

    def open(self, name: str) -> Dataset:
        """Open a dataset by name.

        Raises:
            SegcoreError: There is none of that name, or it cannot be read.
        """
        self.check_is_there(name)
        file = self.folder / name / "dataset.json"
        try:
            changed = file.stat().st_mtime_ns
        except OSError as error:  # deleted since it was listed
            raise self._unknown(name) from error
        return _open(file.parent, changed)

    def check_is_there(self, name: str) -> None:
        """Refuse a name that no dataset has; a damaged dataset is there too.

        Raises:
            SegcoreError: There is none of that name.
        """
        if name not in self.names():
            raise self._unknown(name)

    def _unknown(self, name: str) -> SegcoreError:
        known = [other for other in self.names() if other != name]
        if not known:
            return SegcoreError(
                f"Expected the dataset {name!r}, found none in {self.folder.parent}: "
                "import one first, or name another folder (--workspace DIR)."
            )
        return unknown("dataset", name, known)

    def rows(self) -> list[DatasetRow]:
        """Return every dataset at a glance, sorted by name; a damaged one says what is wrong."""
        return [self._row(name) for name in self.names()]

    def _row(self, name: str) -> DatasetRow:
        try:
            dataset = self.open(name)
        except SegcoreError as error:
            return DatasetRow(name, problem=str(error))
        splits = {split: len(dataset.select(split)) for split in dataset.splits}
        return DatasetRow(
            name,
            len(dataset.samples),
            dataset.label_set.num_classes,
            splits,
            num_unlabelled=len(dataset.pool),
        )

    @writes("import a dataset", "Imported {source} as a dataset")
    def import_(
        self,
        source: Path,
        name: str | None = None,
        rules: ImportRules | None = None,
        *,
        copy: bool = True,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import a folder or archive; see :func:`segcore.data.formats.importers.import_dataset`.

        Raises:
            SegcoreError: The name is unsafe or taken, or nothing sound was found; nothing is left
                behind then.
        """
        chosen = name or source.resolve().name.split(".")[0]
        check_name(chosen)
        destination = self.folder / chosen
        return import_dataset(source, destination, chosen, rules, copy=copy, progress=progress)

    @writes("look at files of this machine")
    def preview(self, source: Path, rules: ImportRules | None = None, count: int = 3) -> Preview:
        """Return what an import would bring, without importing.

        Raises:
            SegcoreError: Nothing sound was found.
        """
        return preview(source, count, rules)

    @writes("export a dataset", "Exported the dataset {name} to {destination}")
    def export(
        self, name: str, destination: Path, form: str = "index", progress: Progress | None = None
    ) -> Path:
        """Write a dataset into a new folder in a form that other tools read.

        Raises:
            SegcoreError: There is no such dataset or form, the folder exists, or a file cannot be
                read or written.
        """
        dataset = self.open(name)
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            return export_dataset(dataset, destination, form, progress)
        except OSError as error:
            raise SegcoreError(
                f"Expected a folder that can be written to, but {destination} cannot "
                f"({error.strerror}): choose another."
            ) from error

    def interrupted_imports(self) -> list[tuple[str, int]]:
        """Return the names of interrupted imports, each with how many samples it has so far."""
        names = broken_off(self.folder)
        return [(name, kept(Staging(self.folder / name).partial)) for name in names]

    @writes("discard an import", "Discarded the interrupted import {name}")
    def discard_import(self, name: str) -> None:
        """Remove what an interrupted import brought; nothing where there is none.

        Raises:
            SegcoreError: The folder cannot be removed.
        """
        if name in broken_off(self.folder):
            throw_away(self.folder / name)

    @writes("delete a dataset", "Deleted the dataset {name}")
    def delete(self, name: str) -> None:
        """Remove a dataset's folder, damaged or not; originals imported by reference stay.

        Raises:
            SegcoreError: There is none of that name, or it cannot be removed.
        """
        self.check_is_there(name)
        remove_whole(self.folder / name)

    def statistics(self, name: str, progress: Progress | None = None) -> ClassStatistics:
        """Return the class statistics of a dataset, counted once and cached on disk.

        Raises:
            SegcoreError: There is no such dataset, or a mask cannot be read.
        """
        before = _statistics_stamp(self.folder / name)
        dataset = self.open(name)
        known = self._statistics.get(dataset.folder)
        if known is not None and known[0] == before:
            return known[1]
        statistics = load_statistics(dataset)
        if statistics is None:
            with self._hands(name) as (dataset, executor):
                statistics = collect_statistics(dataset, executor, progress)
        counted = before[0], _statistics_stamp(dataset.folder)[1]  # counting writes the latter file
        self._statistics[dataset.folder] = counted, statistics
        while len(self._statistics) > KEPT_STATISTICS:
            self._statistics.pop(next(iter(self._statistics)), None)
        return statistics

    def holding(self, name: str, split: str | None, label: str | None) -> list[str]:
        """Return the ids of a split's samples that hold a class, most pixels first; None for any.

        Raises:
            SegcoreError: There is no such dataset, split or class.
        """
        dataset = self.open(name)
        if label is None:
            return list(dataset.ids(split))
        wanted = set(dataset.ids(split))
        statistics = self.statistics(name)
        pixels = dict(
            zip(
                statistics.sample_ids,
                statistics.counts[:, dataset.label_set.index_of(label)],
                strict=True,
            )
        )
        return sorted((s for s in wanted if pixels.get(s, 0) > 0), key=lambda s: (-pixels[s], s))

    def instances(
        self, name: str, split: str | None = None, progress: Progress | None = None
    ) -> InstanceStatistics:
        """Read the masks of a split and describe the classes' connected components and places.

        Raises:
            SegcoreError: There is no such dataset or split, or a mask cannot be read.
        """
        with self._hands(name) as (dataset, executor):
            return collect_instances(dataset, split, executor=executor, progress=progress)

    def appearance(
        self, name: str, split: str | None = None, progress: Progress | None = None
    ) -> ImageStatistics:
        """Read the images of a split and describe their sizes, brightness and colours.

        Raises:
            SegcoreError: There is no such dataset or split, or an image cannot be read.
        """
        with self._hands(name) as (dataset, executor):
            return collect_appearance(dataset, split, executor, progress)

    def health(self, name: str, progress: Progress | None = None) -> list[Finding]:
        """Return what is wrong with a dataset, or could be, problems first.

        Raises:
            SegcoreError: There is no such dataset, or a mask cannot be read.
        """
        counted = self.statistics(name)
        with self._hands(name) as (dataset, executor):
            return check_health(dataset, counted, executor, progress)

    def shift(
        self,
        name: str,
        first: str,
        second: str,
        mode: str = "pixel",
        group_by: str = "",
        seed: int = 0,
    ) -> Shift:
        """Measure how much two splits differ, with a permutation p-value.

        Args:
            name: Name of the dataset.
            first: A split.
            second: Another one.
            mode: "pixel" or "count".
            group_by: A name in ``splits.GROUPINGS`` to deal whole folders or drives; "" deals
                samples.
            seed: Seed of the deals.

        Raises:
            SegcoreError: There is no such dataset, split, mode or grouping.
        """
        dataset = self.open(name)
        if group_by and group_by not in GROUPINGS:
            raise unknown("grouping", group_by, GROUPINGS)
        groups = {s.id: GROUPINGS[group_by](s) for s in dataset.samples} if group_by else None
        return measure_shift(
            self.statistics(name), first, second, np.random.default_rng(seed), mode, groups=groups
        )

    @writes("change splits", "Made the splits of the dataset {name} anew: {result}")
    def make_splits(
        self,
        name: str,
        method: str,
        fractions: dict[str, float],
        seed: int,
        *,
        group_by: str = "",
        blocks: Blocks | None = None,
        save: bool = True,
    ) -> NewSplits:
        """Assign every sample to a split, and save that with the dataset.

        Args:
            name: Name of the dataset.
            method: A name in ``splits.METHODS``; "" for the one that suits the dataset.
            fractions: Split to share; they sum to 1.
            seed: Seed of the draw.
            group_by: A name in ``splits.GROUPINGS``, for "grouped"; "" for what intervals draw.
            blocks: Size of blocks of windows and the gap between splits, for "blocks".
            save: Whether to save them; False only returns what they would be.

        Raises:
            SegcoreError: The method is unknown or the fractions do not add up.
        """
        rules = SplitRules(method, fractions, seed, group_by, blocks)
        return draw_splits(self.open(name), self.counts_by_sample(name), rules, save)

    def split_choice(self, name: str, parts: int = 3) -> SplitChoice:
        """Return how a dataset is split where no method is asked for.

        Args:
            name: Name of the dataset.
            parts: Splits or folds to fill.

        Raises:
            SegcoreError: There is no such dataset.
        """
        return choose_split(self.open(name), parts)

    def interval_groups(self, name: str) -> IntervalGroups:
        """Return what a dataset's intervals draw: single images, or whole drives or tiles.

        Raises:
            SegcoreError: There is no such dataset.
        """
        return interval_groups(self.open(name))

    @writes("change what intervals draw", "Chose {by} for the intervals of the dataset {name}")
    def choose_interval_groups(self, name: str, by: str) -> IntervalGroups:
        """Choose what all intervals over a dataset's images draw from now on.

        Args:
            name: Name of the dataset.
            by: "images", or a name in ``splits.GROUPINGS``.

        Raises:
            SegcoreError: There is no such dataset or grouping, or its folder cannot be written.
        """
        return choose_groups(self.open(name), by)

    def drawn_by(self, name: str, sample_ids: Sequence[str], by: str | None = None) -> DrawnBy:
        """Return what some images of a dataset are drawn by; ``by`` overrides the dataset's choice.

        Raises:
            SegcoreError: There is no such dataset, sample or grouping.
        """
        return drawn_by(self.open(name), sample_ids, by)

    def counts_by_sample(self, name: str) -> npt.NDArray[np.int64]:
        """Return the pixels of each class by sample, (N, C) int64; zeros without a mask.

        Raises:
            SegcoreError: There is no such dataset, or a mask cannot be read.
        """
        statistics = self.statistics(name)
        rows = dict(zip(statistics.sample_ids, statistics.counts, strict=True))
        nothing = np.zeros(statistics.label_set.num_classes, np.int64)
        return np.array([rows.get(s.id, nothing) for s in self.open(name).samples])

    def ignored_pixels(self, name: str) -> dict[int, int]:
        """Count the pixels of the ignored classes that can be scored again, by id.

        Raises:
            SegcoreError: There is no such dataset, or a kept mask cannot be read.
        """
        return ignored_pixels(self.open(name))

    @writes("change classes", "Changed the classes of the dataset {name}")
    def relabel(self, name: str, label_set: LabelSet, progress: Progress | None = None) -> Dataset:
        """Rename, recolour, reorder or ignore classes, and save the dataset.

        Raises:
            SegcoreError: There is no such dataset, or a class is new or lost, or no mask knows
                where it is.
        """
        return relabel(self.open(name), label_set, progress=progress)

    def plan_balance(
        self,
        name: str,
        split: str,
        mode: str = "pixel",
        max_repeats: int = 5,
        budget: int | None = None,
        *,
        rule: str = "nearest",
        target: str | Sequence[float] = "uniform",
        **how: Any,
    ) -> BalancePlan:
        """Choose repeats that bring the classes of a split nearer to a target.

        ``how`` is passed to :func:`segcore.data.balance.planner.plan_balance` (temper, ground),
        or for a ``rule`` of ``catalog.BALANCE_RULES``
        other than "nearest" to :func:`segcore.data.balance.rules.plan_by_rule` (also amount, seed).

        Raises:
            SegcoreError: There is no such dataset or split, or an argument is out of range.
        """
        part = self.statistics(name).select(split)
        ids = part.sample_ids
        limits = {key: how.pop(key) for key in ("ground", "temper") if key in how}
        goal = BalanceGoal(mode, target, max_repeats, budget, **limits)
        if rule != "nearest":
            return plan_by_rule(rule, part.counts, goal, sample_ids=ids, split=split, **how)
        return plan_balance(part.counts, goal, sample_ids=ids, split=split, **how)

    @writes("save a balance plan", "Saved the balance plan {plan_name} of the dataset {name}")
    def save_plan(self, name: str, plan_name: str, plan: BalancePlan) -> None:
        """Save a balance plan with its dataset; one of the same name is replaced.

        Raises:
            SegcoreError: There is no such dataset, or the plan's name cannot be a file name.
        """
        self.open(name).save_plan(plan_name, plan.to_json())

    def repeated(self, name: str, plan: BalancePlan) -> list[RepeatedImage]:
        """Return the images that a plan repeats, most repeats first.

        Raises:
            SegcoreError: There is no such dataset or split.
        """
        part = self.statistics(name).select(plan.split)
        reasons = explain_repeats(plan, part.counts, part.label_set.class_names)
        images = [RepeatedImage(s, r, reasons[s]) for s, r in plan.repeats.items() if r > 1]
        return sorted(images, key=lambda image: -image.repeats)

    def copies(
        self, name: str, plan: BalancePlan, sample: str, preset: str, seed: int = 0, epoch: int = 0
    ) -> list[AugmentedCopy]:
        """Return the copies of a sample that training sees in an epoch.

        The draws are those of a run with that seed that trains on the plan's split; see
        :func:`segcore.data.augmentation.repeats.preview_copies`.

        Raises:
            SegcoreError: There is no such dataset, sample or augmentation, or a file cannot be
                read.
        """
        dataset = self.open(name)
        ids = plan.expand([s.id for s in dataset.select(plan.split) if s.mask is not None])
        return preview_copies(dataset, ids, sample, preset, seed, epoch)

    @contextmanager
    def _hands(self, name: str) -> Iterator[tuple[Dataset, Executor | None]]:
        """Open a dataset and choose its reader: the cluster for a large set, else this machine."""
        with cluster_executor(
            self.folder.parent, wanted=len((dataset := self.open(name)).samples) >= WORTH_A_CLUSTER
        ) as executor:
            yield dataset, executor


@lru_cache(maxsize=32)
def _open(folder: Path, modified: int) -> Dataset:
    return Dataset.open(folder)


def _statistics_stamp(folder: Path) -> tuple[tuple[int, int], ...]:
    """Return the stamps of a dataset and of its saved pixel counts."""
    return file_stamp(folder / "dataset.json"), file_stamp(folder / COUNTS_FILE)


def file_stamp(file: Path) -> tuple[int, int]:
    """Return a key for caches that changes with a file: its inode and time of change in ns.

    Both are 0 where there is no file.
    """
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns
