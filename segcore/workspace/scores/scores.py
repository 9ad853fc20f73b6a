"""Scores of runs from per-image counts: reports, ensembles, comparisons."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.catalog import kind_words
from segcore.config import (
    CRFSearchConfig,
    EvaluateConfig,
    ImportedConfig,
    PredictConfig,
    RobustnessConfig,
    RunConfig,
    SubsetsConfig,
    TrainConfig,
    TuneConfig,
    shared_labels,
    to_json,
)
from segcore.data.dataset.changes import changing
from segcore.data.dataset.dataset import Dataset
from segcore.data.formats.mask_folders import pair_mask_folders
from segcore.data.health.interval_groups import DrawnBy, drawn_by_name
from segcore.data.splits.folds import parent_of
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.comparison import Comparison, compare_reports
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.coverage import (
    DRAWS,
    CoverageTable,
    DifferencePlan,
    plan_test,
    score_coverage,
)
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.report import Report, evaluate
from segcore.labels import LabelMap, LabelSet
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.refusals import changed_classes
from segcore.workspace.runs.runs import Runs, prediction_id
from segcore.workspace.scores.member_views import mixed_views

Progress = Callable[[int, int, str], None]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EnsembleScores:
    """The scores of an ensemble and of its members on one split.

    Attributes:
        run: Id of the evaluate run.
        split: The split.
        rule: How the members are combined.
        members: Report of each member by its id.
        ensemble: Report of the combination.
        crf: Report after the CRF; None where there is none.
        views: Which member was predicted with which views; "" where they are alike.
    """

    run: str
    split: str
    rule: str
    members: dict[str, Report]
    ensemble: Report
    crf: Report | None
    views: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the reports as ``segscope ensemble --json`` prints them."""
        return {
            "run": self.run,
            "split": self.split,
            "rule": self.rule,
            "members": [{"run": m, **report.to_json()} for m, report in self.members.items()],
            "ensemble": self.ensemble.to_json(),
            "crf": self.crf.to_json() if self.crf else None,
            "views": self.views,
        }


class Scores:
    """Scores of the runs of a workspace, all from one (C, C) count matrix an image."""

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs

    def label_set(self, run: str) -> LabelSet:
        """Return the label set that a run predicts: the dataset's, after the run's label map.

        Raises:
            SegcoreError: There is no such run or dataset.
        """
        config = self._runs.open(run).config
        self._runs.check_classes(run)
        dataset = self._datasets.open(config.dataset)
        name = _label_map_of(self._runs, config)
        return (
            dataset.load_label_map(name).merge_label_set(dataset.label_set)
            if name
            else dataset.label_set
        )

    def counts(self, run: str, split: str, stage: str = "") -> tuple[list[str], SampleCounts]:
        """Return the sample ids and counts of a run over a split.

        Args:
            run: Id of a training run, of its predict run, or of an evaluate run.
            split: Name of a split.
            stage: For an evaluate run "ensemble" (the default) or "crf".

        Returns:
            N sample ids, and (N, C, C) pixels, rows true, columns predicted.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        folder, stage = self._counted(run, split, stage)
        ids, counts = folder.read_counts(split, stage)
        self._check_size(run, counts.shape[-1])
        return ids, counts

    def sample_ids(self, run: str, split: str, stage: str = "") -> list[str]:
        """Return the ids of the scored images in the order of :meth:`counts`, which stay packed.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        folder, stage = self._counted(run, split, stage)
        return folder.read_counted_ids(split, stage)

    def _check_size(self, run: str, size: int) -> None:
        """Refuse counts over another number of classes than the run's label set has now."""
        if size != self.label_set(run).num_classes:
            dataset = self._datasets.open(self._runs.open(run).config.dataset)
            raise changed_classes(dataset, run, [str(index) for index in range(size)])

    def _counted(self, run: str, split: str, stage: str) -> tuple[RunFolder, str]:
        """As :meth:`_find`, refusing a run whose classes, or a split whose images changed since."""
        folder, stage = self._find(run, split, stage)
        self._runs.check_classes(run)
        self._runs.scored_images.require_current(folder, split, stage)
        return folder, stage

    def _find(self, run: str, split: str, stage: str) -> tuple[RunFolder, str]:
        """Return the run folder that holds counts, and the name of their stage."""
        config = self._runs.open(run).config
        if isinstance(config, EvaluateConfig):
            stage = stage or "ensemble"
            run = self._runs.on_split(run, split)
            if not (self._runs.folder / run).exists():
                raise SegcoreError(
                    f"Expected the ensemble {run!r} on the split {split!r}, found none: "
                    "predict that split first."
                )
            folder = self._runs.open(run)
        else:
            stage = "prediction"
            name = (
                run
                if isinstance(config, (PredictConfig, ImportedConfig))
                else prediction_id(run, split)
            )
            if not (self._runs.folder / name).exists():
                raise SegcoreError(
                    f"Expected predictions of {run!r} on the split {split!r}, found none: "
                    "predict that split first."
                )
            folder = self._runs.open(name)
        if stage not in folder.stages(split):
            state = folder.status().state
            raise SegcoreError(
                f"Expected counts of {run!r} on the split {split!r}, found none yet (its "
                f"state is {state}): "
                "wait for it, or predict that split."
            )
        return folder, stage

    def holder(self, run: str, split: str, stage: str = "") -> RunFolder:
        """Return the run folder in which the counts of a run over a split lie.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        return self._counted(run, split, stage)[0]

    def stages(self, run: str, split: str) -> list[str]:
        """Return the scored stages of a run: "prediction", or "ensemble" and perhaps "crf".

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        folder, first = self._counted(run, split, "")
        return [first, *(s for s in folder.stages(split) if s != first)]

    def usual_stage(self, run: str, split: str) -> str:
        """Return the stage that a run is named for: after its CRF or filter where it has one.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        stages = self.stages(run, split)
        return next((s for s in ("crf", "filter") if s in stages), stages[0])

    def stamp(self, run: str, split: str, stage: str = "") -> str:
        """Return a key for caches: it changes with a run's counts, its classes, and what is drawn.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        folder, stage = self._counted(run, split, stage)
        dataset = folder.config.dataset
        return (
            f"{folder.id} {stage} {folder.status().finished} {folder.counts_stamp(split, stage)} "
            f"{self._datasets.open(dataset).fingerprint} "
            f"{self._datasets.interval_groups(dataset).by}"
        )

    @writes("save a merge", "Saved the merge {name} of the labels of {run}")
    def save_label_map(self, run: str, groups: Sequence[Sequence[int]], name: str) -> None:
        """Save a merge of the labels that a run predicts as a label map of its dataset.

        Args:
            run: Id of the run whose labels are merged.
            groups: Groups of class ids, as :meth:`compress` gives them.
            name: Name of the label map.

        Raises:
            SegcoreError: The name is unsafe, or the run was itself trained with merged labels.
        """
        config = self._runs.open(run).config
        if _label_map_of(self._runs, config):
            raise SegcoreError(
                "Expected a run with the dataset's own labels, received one with merged "
                "labels: merge from such a run."
            )
        label_set = self.label_set(run)
        indices = tuple(tuple(label_set.index_of(i) for i in group) for group in groups)
        with changing(self._datasets.open(config.dataset).folder) as dataset:
            dataset.save_label_map(LabelMap(indices, name))

    def has_counts(self, run: str, split: str, stage: str = "") -> bool:
        """Return whether a run has counts of a split's images; their classes may have changed since."""
        try:
            folder, stage = self._find(run, split, stage)
            return not self._runs.scored_images.unlike_split(folder, split, stage)
        except SegcoreError:
            return False

    @writes("start a prediction")
    def ensure_predictions(
        self, runs: Sequence[str], split: str, progress: Progress | None = None
    ) -> None:
        """Predict a split with each run or ensemble that has not done so, and wait.

        Raises:
            SegcoreError: A run is unknown, not finished, or its prediction fails.
        """
        own = [
            run for run in runs if self._runs.open(run).config.kind not in ("predict", "imported")
        ]
        started = [self._runs.predict_any(run, split) for run in own]
        if started:
            self._runs.wait(started, progress)

    @writes("start a prediction")
    def ensure_counts(
        self, runs: Sequence[str], split: str, progress: Progress | None = None
    ) -> None:
        """Predict as :meth:`ensure_predictions`, but only with runs that lack counts of the split.

        Raises:
            SegcoreError: As :meth:`ensure_predictions`.
        """
        lacking = [run for run in runs if not self._is_counted(run, split)]
        self.ensure_predictions(lacking, split, progress)

    def _is_counted(self, run: str, split: str) -> bool:
        """Return whether a run has counts of a split that are younger than its network."""
        if not self.has_counts(run, split):
            return False
        counted, ended = self.holder(run, split), self._runs.open(run).status().finished
        return counted.id == run or (counted.status().started or 0.0) >= (ended or 0.0)

    def drawn_by(self, run: str, sample_ids: Sequence[str], by: str | None = None) -> DrawnBy:
        """Return the groups that a run's intervals draw, as its dataset defines them."""
        return self._datasets.drawn_by(self._runs.open(run).config.dataset, sample_ids, by)

    def choice(self, run: str) -> str:
        """Return what intervals over a run's dataset draw: "images", or the name of a grouping."""
        return self._datasets.interval_groups(self._runs.open(run).config.dataset).by

    def report(self, run: str, split: str, stage: str = "", by: str | None = None) -> Report:
        """Return the scores of a run over a split, from its counts.

        Args:
            run: Id of a run, as in :meth:`counts`.
            split: Name of a split.
            stage: What was scored.
            by: What intervals draw: "images", or a name in ``splits.GROUPINGS``; None for what was
                chosen for the dataset.

        Raises:
            SegcoreError: The run has no counts of that split yet, or there is no such grouping.
        """
        ids, counts = self.counts(run, split, stage)
        dataset = self._datasets.open(self._runs.open(run).config.dataset)
        sizes = [(s.height, s.width) for s in map(dataset.sample, ids)]
        drawn = self.drawn_by(run, ids, by)
        report = evaluate(
            counts,
            ids,
            self.label_set(run),
            split,
            sizes=sizes,
            groups=drawn.groups,
            dataset=self._shared_name(dataset, split),
        )
        protocol = dataclasses.replace(report.protocol, seen=self.seen(run, split, stage))
        return dataclasses.replace(report, drawn=drawn.note, protocol=protocol)

    def compare(
        self, run: str, other: str, split: str, stage: str = "", other_stage: str = ""
    ) -> Comparison:
        """Compare two runs, or two stages of one, on a split.

        Raises:
            SegcoreError: One has no counts of that split yet.
        """
        reports = self.report(run, split, stage), self.report(other, split, other_stage)
        said = [
            self.chosen_here(run, split, stage),
            self.chosen_here(other, split, other_stage),
            *(report.protocol.seen for report in reports),
        ]
        return compare_reports(*reports, chosen=" ".join(dict.fromkeys(filter(None, said))))

    def coverage(
        self,
        run: str,
        split: str,
        stage: str = "",
        other: str = "",
        draws: int = DRAWS,
        by: str | None = None,
    ) -> CoverageTable:
        """Simulate how often intervals over a run's images contain the value that they should.

        Args:
            run: Id of a run.
            split: Name of a split; its images stand for the population.
            stage: What was scored.
            other: Another run over the same images, for the interval of the difference.
            draws: How many sets are drawn.
            by: What they draw, as in :meth:`report`.

        Raises:
            SegcoreError: A run has no counts of the split, or there are too few images.
        """
        mine, theirs, groups = self._paired(run, split, stage, other, by=by)
        return score_coverage(mine, theirs, groups=groups, draws=draws)

    def plan_test(
        self,
        run: str,
        split: str,
        stage: str = "",
        other: str = "",
        points: float = 1.0,
        other_stage: str = "",
    ) -> DifferencePlan:
        """Return how many images or groups a difference of so many points needs.

        Args:
            run: Id of a run.
            split: Name of a split.
            stage: What was scored.
            other: Another run over the same images; without one, an upper bound is given.
            points: The difference, in points of mean IoU.
            other_stage: What was scored of the other.

        Raises:
            SegcoreError: A run has no counts of the split, or there are too few images.
        """
        mine, theirs, groups = self._paired(run, split, stage, other, other_stage)
        return plan_test(mine, theirs, points=points, groups=groups)

    def _paired(
        self,
        run: str,
        split: str,
        stage: str,
        other: str,
        other_stage: str = "",
        by: str | None = None,
    ) -> tuple[SampleCounts, SampleCounts | None, tuple[str, ...] | None]:
        """The counts of a run, those of another in the same order, and what images are drawn by."""
        ids, counts = self.counts(run, split, stage)
        groups = self.drawn_by(run, ids, by).groups
        if not other:
            return counts, None, groups
        comparison = self.compare(run, other, split, stage, other_stage)
        if comparison.reasons:
            raise SegcoreError(" ".join(comparison.reasons))
        names, theirs = self.counts(other, split, other_stage)
        places = {name: position for position, name in enumerate(names)}
        return counts, theirs.select([places[name] for name in ids]), groups

    def seen(self, run: str, split: str, stage: str = "") -> str:
        """Say how many of the scored images a run's training has seen; "" where none is known.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        holder, stage = self._counted(run, split, stage)
        return self._runs.scored_images.seen(self._runs.open(run), holder, split, stage)

    def chosen_here(self, run: str, split: str, stage: str = "") -> str:
        """Say where a run's members or CRF were chosen on this very split; "" where they were not.

        Args:
            run: Id of a run.
            split: Name of a split.
            stage: What was scored; a CRF counts where it takes part.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self._runs.open(run).config
        if not isinstance(config, EvaluateConfig):
            return ""
        crf = to_json(config.crf) if config.crf is not None and stage == "crf" else None
        for row in self._runs.rows():
            if row.kind not in ("crf_search", "subsets") or row.status.state != "finished":
                continue
            folder = self._runs.open(row.run)
            config_of_run = folder.config
            if isinstance(config_of_run, CRFSearchConfig) and (
                config_of_run.split,
                config_of_run.members,
            ) == (
                split,
                config.members,
            ):
                parameters = folder.read_json("crf_search")["crf"]["parameters"]
                if crf is not None and all(crf.get(key) == parameters[key] for key in parameters):
                    return f"The CRF was chosen on {split} (search {row.run})."
            if isinstance(config_of_run, SubsetsConfig) and config_of_run.split == split:
                best = folder.read_json("subsets")["best"]["members"]
                if list(config.members) == list(best) != list(config_of_run.members):
                    return f"The members were chosen on {split} (subsets {row.run})."
        return ""

    def _shared_name(self, dataset: Dataset, split: str) -> str:
        """Return the dataset's name; a fold's split with its parent's images has the parent's."""
        parent = parent_of(dataset)
        if not parent or parent not in self._datasets.names():
            return dataset.name
        own, whole = (
            {s.id for s in d.samples if s.split == split}
            for d in (dataset, self._datasets.open(parent))
        )
        return parent if own == whole else dataset.name

    def evaluate_folders(
        self,
        truth: Path,
        prediction: Path,
        classes: Path,
        progress: Progress | None = None,
        by: str | None = None,
    ) -> Report:
        """Score a folder of predicted masks from any tool against a folder of true ones.

        Masks are matched by their path below the folder, without suffix; values are the ids of
        ``classes``. Intervals draw ``by``: "images" (the default), or a name in
        ``splits.GROUPINGS``.

        Raises:
            SegcoreError: A folder is empty or incomplete, sizes differ, or a mask holds an id that
                the classes lack.
        """
        pairs = pair_mask_folders(truth, prediction, classes)
        counts, sizes = [], []
        for index, name in enumerate(pairs.names):
            true, predicted = pairs.read(name)
            matrix = count_confusion(
                true, predicted, pairs.label_set.num_classes, pairs.label_set.ignore_index
            )
            counts.append(SampleCounts.stack([matrix]))
            sizes.append((true.shape[0], true.shape[1]))
            if progress:
                progress(index + 1, len(pairs.names), name)
        joined = SampleCounts.join(counts)
        pairs.check_void(joined.held.sum(), sum(h * w for h, w in sizes) - joined.sum())
        groups = drawn_by_name(pairs.names, by).groups
        return evaluate(
            joined, pairs.names, pairs.label_set, truth.name, sizes=sizes, groups=groups
        )

    def ensemble(self, run: str) -> EnsembleScores:
        """Return the scores of an evaluate run: each member, their combination, and with the CRF.

        Raises:
            SegcoreError: The run is no finished evaluation.
        """
        config = self._runs.open(run).config
        if not isinstance(config, EvaluateConfig):
            raise SegcoreError(
                f"Expected an evaluation of members, received {run!r}, which is "
                f"{kind_words(config.kind)}: combine members first."
            )
        return EnsembleScores(
            run=run,
            split=config.split,
            rule=config.rule,
            members={member: self.report(member, config.split) for member in config.members},
            ensemble=self.report(run, config.split),
            crf=self.report(run, config.split, "crf") if config.crf else None,
            views=mixed_views(self._runs, config.members, config.split),
        )


def _label_map_of(runs: Runs, config: RunConfig) -> str:
    if isinstance(config, EvaluateConfig):
        members = [runs.open(member).config for member in config.members]
        return shared_labels([m for m in members if isinstance(m, (TrainConfig, ImportedConfig))])[
            0
        ]
    if isinstance(config, (PredictConfig, RobustnessConfig)):
        return _label_map_of(runs, runs.open(config.run).config)
    if isinstance(config, (SubsetsConfig, CRFSearchConfig)):
        return _label_map_of(runs, runs.open(config.members[0]).config)
    return config.base.label_map if isinstance(config, TuneConfig) else config.label_map
