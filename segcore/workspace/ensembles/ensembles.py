"""Ensembles: who may be a member, the score of every subset, and saving one under a name."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segcore.catalog import ALL_ENCODERS, ARCHITECTURES, kind_words
from segcore.config import EvaluateConfig, SubsetsConfig, TrainConfig, to_json
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.comparison import Comparison
from segcore.evaluation.counts.scores import mean_iou
from segcore.evaluation.metrics.report import plain
from segcore.postprocess.parameters import CRFParameters, MaskFilter
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import Status
from segcore.workspace.ensembles.results import SubsetsResult, read_subsets
from segcore.workspace.rights import writes
from segcore.workspace.runs.run_ids import evaluation_id, subsets_id
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.member_views import mixed_views
from segcore.workspace.scores.scores import Scores

DRAWS = 200
"""Weightings that are tried when weights are searched."""

_ANY_SEED: dict[str, Any] = {"seed": 0, "member": 0, "group": "", "device": "auto", "hosts": ()}
"""Fields in which members of one recipe may differ: their seed, and where they were trained."""


@dataclass(frozen=True)
class Group:
    """Finished training runs of one recipe that can form an ensemble.

    Attributes:
        name: What they were launched as.
        title: Encoder and architecture in words, and how the members differ.
        members: Their ids, in the order in which they were launched.
    """

    name: str
    title: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class AgainstMembers:
    """An ensemble compared with its members on one split; None for what is undefined.

    Attributes:
        ensemble: Mean IoU of the ensemble, 0 to 1.
        interval: (low, high) of it over resampled images.
        members: Mean IoU of each member by its id.
        best: Id of the best member.
        mean_member: Average of the members' mean IoU.
        comparison: The ensemble minus the best member, paired by image.
    """

    ensemble: float | None
    interval: tuple[float | None, float | None]
    members: dict[str, float | None]
    best: str
    mean_member: float | None
    comparison: Comparison


class Ensembles:
    """Ensembles of the training runs of a workspace."""

    def __init__(self, runs: Runs, scores: Scores) -> None:
        self._runs = runs
        self._scores = scores

    def candidates(self, dataset: str) -> list[str]:
        """Return the finished training runs and imports on a dataset or its folds, oldest first."""
        rows = self._runs.rows()
        known = self._runs.kin(dataset)
        return [
            r.run
            for r in reversed(rows)
            if (r.kind == "train" or self._holds_probabilities(r.run, r.kind))
            and r.status.state == "finished"
            and r.dataset in known
        ]

    def _holds_probabilities(self, run: str, kind: str) -> bool:
        """Whether a run is an import that came with probabilities."""
        return kind == "imported" and (self._runs.folder / run / "probabilities").is_dir()

    def groups(self, dataset: str) -> list[Group]:
        """Return the groups of two or more finished members on a dataset, newest first.

        Members were launched together, or one by one with other seeds, as an ablation does.
        The parts of submodels know other labels each and are no group.

        Raises:
            SegcoreError: The config of a run cannot be read.
        """
        configs = {run: self._runs.open(run).config for run in self.candidates(dataset)}
        trained = {
            run: config for run, config in configs.items() if isinstance(config, TrainConfig)
        }
        together = Counter(config.group for config in trained.values() if config.group)
        groups: dict[tuple[str, TrainConfig], dict[int, str]] = {}
        for run, config in trained.items():
            launched = config.group if together[config.group] > 1 else ""
            alike = dataclasses.replace(config, **_ANY_SEED)
            if launched and config.members_by == "fold":
                alike = dataclasses.replace(alike, dataset=dataset)
            if launched and config.members_by == "architecture":
                alike = dataclasses.replace(
                    alike, model=dataclasses.replace(config.model, architecture="unet")
                )
            groups.setdefault((launched, alike), {}).setdefault(config.seed, run)
        return [
            Group(
                launched or next(iter(runs.values())),
                _title(trained[next(iter(runs.values()))]),
                tuple(runs.values()),
            )
            for (launched, _), runs in reversed(groups.items())
            if len(runs) > 1
        ]

    def splits(self, members: Sequence[str]) -> list[str]:
        """Return the splits on which members may be scored together: none was trained on them.

        Raises:
            SegcoreError: Members do not fit together, or share no such split.
        """
        splits: list[str] = []
        refused: SegcoreError | None = None
        for split in self._runs.splits_of(self._runs.dataset_of(members)):
            try:
                self._runs.check_split(members, split)
                splits.append(split)
            except SegcoreError as error:
                refused = error
        if not splits and refused:
            raise refused
        return splits

    def predicted(self, run: str, split: str) -> Status | None:
        """Return the status of a member's prediction of a split; None where there is none."""
        folder = RunFolder(self._runs.folder / self._runs.prediction_of(run, split))
        return folder.status() if folder.folder.exists() else None

    @writes("start a prediction")
    def predict_missing(self, members: Sequence[str], splits: Sequence[str]) -> list[str]:
        """Predict some splits with all members unless that is done; return the predict runs.

        Raises:
            SegcoreError: A member is no finished training run, or a split does not exist.
        """
        return [self._runs.predict_whole(member, split) for split in splits for member in members]

    @writes("score subsets")
    def score_subsets(
        self, members: Sequence[str], split: str = "validation", *, draws: int = 0, seed: int = 0
    ) -> str:
        """Score every subset of some members on a split unless that is done; return the run id.

        Args:
            members: Ids of two to ten training runs.
            split: Split to score.
            draws: How many weightings of all members to try besides; 0 for none.
            seed: Of the weightings.

        Raises:
            SegcoreError: Members do not fit together, are too few or too many, or the split does
                not exist.
        """
        self._runs.check_split(members, split)
        config = SubsetsConfig(self._runs.dataset_of(members), tuple(members), split, draws, seed)
        predictions = self.predict_missing(members, [split])
        run = subsets_id(config)
        self._runs.ensure(run, config, self._runs.newest(predictions), after=predictions)
        return run

    def subsets_run(
        self, members: Sequence[str], split: str, *, draws: int = 0, seed: int = 0
    ) -> str | None:
        """Return the id of the run that :meth:`score_subsets` makes, where it exists.

        Raises:
            SegcoreError: As :meth:`score_subsets`.
        """
        run = subsets_id(
            SubsetsConfig(self._runs.dataset_of(members), tuple(members), split, draws, seed)
        )
        return run if (self._runs.folder / run).exists() else None

    def subsets(self, run: str) -> SubsetsResult:
        """Return what a finished run over subsets found.

        Raises:
            SegcoreError: The run has not finished, or is another.
        """
        folder = self._runs.open(run)
        if not isinstance(folder.config, SubsetsConfig):
            raise SegcoreError(
                f"Expected a run over subsets, received {run!r}, which is "
                f"{kind_words(folder.config.kind)}: score the subsets first."
            )
        return read_subsets(folder.read_json("subsets"), self.is_stale(run))

    def is_stale(self, run: str) -> bool:
        """Return whether a run's result was made from other predictions than those on disk.

        Raises:
            SegcoreError: The run has no result.
        """
        folder = self._runs.open(run)
        name = "subsets" if isinstance(folder.config, SubsetsConfig) else "crf_search"
        made_from = folder.read_json(name).get("made_from", {})
        return any(
            RunFolder(self._runs.folder / source).status().finished != finished
            for source, finished in made_from.items()
        )

    @writes("combine runs")
    def combine(
        self,
        members: Sequence[str],
        split: str,
        *,
        rule: str = "mean",
        weights: Sequence[float] = (),
        crf: CRFParameters | None = None,
        filter: MaskFilter | None = None,
        name: str = "",
    ) -> str:
        """Combine members over a split in the background; return the id of the evaluate run.

        Without a name, an ensemble that was saved under one is taken by that.

        Raises:
            SegcoreError: As :meth:`segcore.workspace.runs.runs.Runs.ensemble`.
        """
        dataset = self._runs.dataset_of(members)
        name = name or self._saved_name(
            EvaluateConfig(dataset, tuple(members), split, rule, crf, tuple(weights), filter)
        )
        return self._runs.ensemble(
            members, split, rule=rule, weights=weights, crf=crf, filter=filter, name=name
        )

    def combined(
        self,
        members: Sequence[str],
        split: str,
        *,
        rule: str = "mean",
        weights: Sequence[float] = (),
        crf: CRFParameters | None = None,
        filter: MaskFilter | None = None,
        name: str = "",
    ) -> str | None:
        """Return the id of the run that :meth:`combine` makes, where it exists.

        Raises:
            SegcoreError: The arguments are refused, or a member is no finished training run.
        """
        dataset = self._runs.dataset_of(members)
        asked = EvaluateConfig(
            dataset, tuple(members), split, rule, crf, tuple(weights), filter, name
        )
        run = evaluation_id(dataclasses.replace(asked, name=name or self._saved_name(asked)))
        return run if (self._runs.folder / run).exists() else None

    def _saved_name(self, asked: EvaluateConfig) -> str:
        """Return the name under which the ensemble was saved, "" where it has a run without one."""
        if (self._runs.folder / evaluation_id(asked)).exists():
            return ""
        wanted = {**to_json(asked), "split": "", "name": ""}
        named = (
            str(summary.config["name"])
            for summary in list_runs(self._runs.folder)
            if summary.kind == "evaluate"
            and summary.config.get("name")
            and {**summary.config, "split": "", "name": ""} == wanted
        )
        return next(named, "")

    def unnamed_twin(self, run: str) -> str:
        """Return the id of the run that combines the same without a name; "" where there is none.

        Args:
            run: Id of an ensemble that has a name.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self._runs.open(run).config
        if not isinstance(config, EvaluateConfig) or not config.name:
            return ""
        twin = evaluation_id(dataclasses.replace(config, name=""))
        return twin if (self._runs.folder / twin).exists() else ""

    def names(self, members: Sequence[str], split: str) -> list[str]:
        """Return the ids of all ensembles of exactly these members on a split, newest first."""
        runs = []
        for summary in list_runs(self._runs.folder):
            if (
                summary.kind == "evaluate"
                and summary.config.get("split") == split
                and summary.config.get("members") == list(members)
            ):
                runs.append(summary.id)
        return runs

    def mixed_views(self, members: Sequence[str], split: str) -> str:
        """Say which member was predicted with which views; "" where they are alike."""
        return mixed_views(self._runs, members, split)

    def against_members(self, run: str, split: str) -> AgainstMembers:
        """Compare an ensemble on a split with its best single member, paired by image.

        Raises:
            SegcoreError: The ensemble or a member has no counts of the split.
        """
        report = self._scores.report(run, split)
        members = {m: self._scores.report(m, split) for m in self._runs.members(run)}
        singles = {m: float(mean_iou(r.counts.total)) for m, r in members.items()}
        best = max(singles, key=lambda m: np.nan_to_num(singles[m], nan=-1.0))
        known = [v for v in singles.values() if np.isfinite(v)]
        whole = report.interval()
        low, high = whole.ends()
        return AgainstMembers(
            ensemble=plain(whole.value),
            interval=(low, high),
            members={m: plain(v) for m, v in singles.items()},
            best=best,
            mean_member=sum(known) / len(known) if known else None,
            comparison=self._scores.compare(run, best, split),
        )


def _title(config: TrainConfig) -> str:
    encoder = ALL_ENCODERS[config.model.encoder].title
    if config.members_by == "architecture":
        return f"{encoder}, several architectures"
    return f"{encoder} {ARCHITECTURES[config.model.architecture].title}" + (
        ", by fold" if config.members_by == "fold" else ""
    )
