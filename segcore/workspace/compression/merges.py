"""Merges of labels: what they do to the scores of a run, from its counts; the what-if over all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import EvaluateConfig
from segcore.data.dataset.documents import Documents
from segcore.errors import SegcoreError
from segcore.evaluation.compression.advice import answer as sentences
from segcore.evaluation.compression.advice import judge
from segcore.evaluation.compression.chosen_map import MapReport, report_map
from segcore.evaluation.compression.evidence import Evidence
from segcore.evaluation.compression.hierarchy import read_hierarchy
from segcore.evaluation.compression.information import importance_weights
from segcore.evaluation.compression.null_model import null_band
from segcore.evaluation.compression.search import forbidden_pairs
from segcore.evaluation.compression.verdicts import MergeVerdict
from segcore.evaluation.compression.what_if import WhatIf, WhatIfSettings, compress
from segcore.evaluation.counts.confusion_table import read_confusion_csv
from segcore.labels import LabelClass, LabelMap, LabelSet
from segcore.palette import class_colors
from segcore.workspace.compression.examples import Example, confused_pairs, find_examples
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

Groups = Sequence[Sequence[int]]
"""Groups of the user's class ids; labels in no group stay as they are."""

Band = tuple[float, float]
"""Lowest and highest accuracy, 0..1, of 95 % of random merges."""

MAX_BANDS = 40
"""Maps for which a band of random maps is drawn at most."""


@dataclass(frozen=True, eq=False)
class MergeReport:
    """Every score of one merge on one split.

    Attributes:
        report: The scores, by class index.
        label_set: The classes.
        split: Name of the split.
        pairs: Gives the advice on pairs of labels on that split; asked for the verdict only.
    """

    report: MapReport
    label_set: LabelSet
    split: str
    pairs: Callable[[], Sequence[MergeVerdict]] = tuple

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping in the user's class ids, with the verdict in words."""
        names = self.label_set.class_names
        verdict = judge(self.report, names, self.split, self.pairs())
        return {
            **self.report.to_json(self.label_set.class_ids),
            "verdict": {"kind": verdict.kind, "sentence": verdict.sentence},
        }


@dataclass(frozen=True)
class SavedMerge:
    """A version of a merge that is saved with the dataset.

    Attributes:
        name: Name of the merge.
        version: Its version, from 1.
        versions: Versions of that name.
        groups: Groups of the user's class ids.
        by: Who saved it; "" where not noted.
    """

    name: str
    version: int
    versions: int
    groups: list[list[int]]
    by: str = ""


@dataclass(frozen=True)
class HierarchyLevel:
    """One level of a hierarchy of labels.

    Attributes:
        groups: Groups of the user's class ids.
        titles: The file's name for each group.
    """

    groups: list[list[int]]
    titles: list[str]


@dataclass(frozen=True)
class WhatIfOptions:
    """How the label-compression what-if is answered.

    Attributes:
        prior: What weighs entropy: "pixel", "image", "uniform" or "importance".
        importance: Weight by class name or id for the "importance" prior; others weigh 1.
        forbidden: Pairs of classes, by name or id, that never meet.
        exact: Whether the best map of each size is searched exactly.
        groups: Number of groups to report; None chooses.
        trade_off_rate: Accuracy that a merge must gain per bit of entropy it loses.
    """

    prior: str = "pixel"
    importance: Mapping[str, float] | None = None
    forbidden: Sequence[tuple[str, str]] = ()
    exact: bool = False
    groups: int | None = None
    trade_off_rate: float = 0.1


@dataclass(frozen=True, eq=False)
class LabelWhatIf:
    """The answer of the label-compression what-if.

    Attributes:
        run: Id of the run; None for a table of counts.
        split: The split; None for a table of counts.
        answer: The merges and their scores.
        names: Name of each class by its id.
    """

    run: str | None
    split: str | None
    answer: WhatIf
    names: Mapping[int, str]

    def to_json(self) -> dict[str, Any]:
        """Return it as ``segscope compress --json`` prints it, with the answer in words."""
        names = {str(number): name for number, name in self.names.items()}
        place = f"on {self.split}" if self.split else "in this table"
        return {
            "run": self.run,
            "split": self.split,
            **self.answer.to_json(),
            "names": names,
            "answer": sentences(self.answer, list(self.names.values()), place),
        }


_Known = tuple[LabelSet, npt.NDArray[np.int64], Evidence]
"""Classes, (C, C) pixels with rows true, and what else is known."""


class Merges:
    """What merging labels would do to the scores of a run; nothing is predicted again."""

    def __init__(self, runs: Runs, scores: Scores, scenes: Scenes) -> None:
        self._runs = runs
        self._scores = scores
        self._scenes = scenes

    def label_map(self, run: str, groups: Groups) -> LabelMap:
        """Return the label map that merges groups of class ids.

        Raises:
            SegcoreError: There is no such run, an id is unknown, or one stands twice.
        """
        return _map(self._scores.label_set(run), groups)

    def what_if(
        self,
        run: str | None = None,
        split: str = "validation",
        confusion: Path | None = None,
        options: WhatIfOptions | None = None,
    ) -> LabelWhatIf:
        """Answer the label-compression what-if for a run, or for a CSV of counts.

        Args:
            run: Id of a run; not needed with ``confusion``.
            split: Name of a split.
            confusion: A CSV of counts, in place of a run.
            options: How to answer; None for the defaults.

        Raises:
            SegcoreError: The run has no counts, the CSV is no confusion matrix, or a class or prior
                is unknown.
        """
        asked = options or WhatIfOptions()
        if confusion is not None:
            label_set, total, evidence = _read_table(confusion)
        elif run is not None:
            label_set, total, evidence = self._counted(run, split)
        else:
            raise SegcoreError("Expected a run or a confusion matrix, received neither: name one.")
        importance = asked.importance
        forbidden = [(label_set.index_of(a), label_set.index_of(b)) for a, b in asked.forbidden]
        answer = compress(
            total,
            class_ids=label_set.class_ids,
            class_names=label_set.class_names,
            settings=WhatIfSettings(
                prior=asked.prior,
                importance=None
                if importance is None
                else importance_weights(label_set, importance),
                forbidden=forbidden,
                exact=asked.exact,
                num_groups=asked.groups,
                trade_off_rate=asked.trade_off_rate,
            ),
            evidence=evidence,
        )
        names = dict(zip(label_set.class_ids, label_set.class_names, strict=True))
        return LabelWhatIf(run, split if run else None, answer, names)

    def _counted(self, run: str, split: str) -> _Known:
        """Return the classes of a run, its counts, and what is known of each image and member."""
        ids, counts = self._scores.counts(run, split)
        config, members = self._runs.open(run).config, None
        if isinstance(config, EvaluateConfig) and len(config.members) > 1:
            members = np.stack([self._scores.counts(m, split)[1].total for m in config.members])
        evidence = Evidence(counts, self._scores.drawn_by(run, ids).groups, members)
        return self._scores.label_set(run), counts.total, evidence

    def judge(
        self,
        run: str,
        split: str,
        groups: Groups,
        prior: str = "pixel",
        *,
        importance: Mapping[str, float] | None = None,
        forbidden: Groups = (),
    ) -> MergeReport:
        """Return every score of a merge on a split.

        Args:
            run: Id of a run.
            split: Name of a split.
            groups: Groups of the user's class ids.
            prior: What weighs entropy.
            importance: Weight by class name or id for the "importance" prior; others weigh 1.
            forbidden: Pairs of class ids that never meet; only the stability of the choice asks.

        Raises:
            SegcoreError: The run has no counts of that split, or an id, a weight or the prior is
                refused.
        """
        label_set = self._scores.label_set(run)
        ids, counts = self._scores.counts(run, split)
        report = report_map(
            counts,
            _map(label_set, groups),
            prior=prior,
            importance=None if importance is None else importance_weights(label_set, importance),
            forbidden=forbidden_pairs(
                label_set.num_classes,
                [(label_set.index_of(a), label_set.index_of(b)) for a, b in forbidden],
            ),
            groups=self._scores.drawn_by(run, ids).groups,
        )

        def pairs() -> Sequence[MergeVerdict]:
            asked = WhatIfOptions(prior, importance)
            return self.what_if(run, split, options=asked).answer.verdicts

        return MergeReport(report, label_set, split, pairs)

    def saved(self, run: str) -> list[SavedMerge]:
        """Return the saved merges that fit the labels of a run, every version, newest first.

        Raises:
            SegcoreError: There is no such run, or a saved map is damaged.
        """
        label_set = self._scores.label_set(run)
        ids = label_set.class_ids
        merges: list[SavedMerge] = []
        documents = Documents(self._scenes.dataset_of(run).folder / "label_maps", "label map")
        for name in documents.names():
            rows = documents.read(name)["versions"]
            versions = [(LabelMap.from_json(row), str(row.get("by", ""))) for row in rows]
            for number, (label_map, by) in reversed(list(enumerate(versions, 1))):
                if label_map.num_classes == len(ids):
                    groups = label_map.in_ids(ids)
                    merges.append(SavedMerge(name, number, len(versions), groups, by))
        return merges

    def hierarchy(self, run: str, data: bytes) -> list[HierarchyLevel]:
        """Read a hierarchy file for the labels of a run, from fine to coarse.

        Raises:
            SegcoreError: There is no such run, or the file is refused.
        """
        label_set = self._scores.label_set(run)
        hierarchy = read_hierarchy(data, label_set)
        ids = label_set.class_ids
        return [
            HierarchyLevel(level.in_ids(ids), list(titles))
            for level, titles in zip(hierarchy.levels, hierarchy.titles, strict=True)
        ]

    def confused_pairs(self, run: str, split: str, groups: Groups) -> list[tuple[int, int, int]]:
        """Return the confused pairs inside the groups as (id, id, pixels), most pixels first.

        Raises:
            SegcoreError: The run has no counts of that split, or an id is unknown.
        """
        return confused_pairs(self._scores, run, split, [list(group) for group in groups])

    def examples(
        self, run: str, split: str, pair: tuple[int, int], count: int = 8
    ) -> tuple[list[Example], int]:
        """Return cut-outs where two labels are confused, and how many images confuse them.

        Raises:
            SegcoreError: The run has no counts of that split, an id is unknown, or a file cannot be
                read.
        """
        return find_examples(self._scores, self._scenes, run, split, pair, count)

    def null_band(self, run: str, split: str, maps: Sequence[Groups]) -> list[Band | None]:
        """Return the accuracies (low, high) that hold 95 % of random maps of the same group sizes.

        Beyond :data:`MAX_BANDS` maps, evenly spaced ones have a band and the others None.

        Raises:
            SegcoreError: The run has no counts of that split, or an id is unknown.
        """
        label_set = self._scores.label_set(run)
        places = (
            sorted({round(i) for i in np.linspace(0, len(maps) - 1, min(len(maps), MAX_BANDS))})
            if maps
            else []
        )
        total: npt.NDArray[np.int64] = self._scores.counts(run, split)[1].total
        ends = null_band(total, [_map(label_set, maps[i]) for i in places])
        bands: list[Band | None] = [None] * len(maps)
        for place, (low, high) in zip(places, ends, strict=True):
            if np.isfinite(low):
                bands[place] = float(low), float(high)
        return bands


def _map(label_set: LabelSet, groups: Groups) -> LabelMap:
    return LabelMap.merging(
        label_set.num_classes, [[label_set.index_of(i) for i in group] for group in groups]
    )


def _read_table(path: Path) -> _Known:
    """Return the classes and the counts of a CSV file; nothing is known of single images."""
    matrix = read_confusion_csv(path)
    names = matrix.class_names or [str(i) for i in range(matrix.num_classes)]
    classes = zip(names, class_colors(names), strict=True)
    label_set = LabelSet(tuple(LabelClass(i, *both) for i, both in enumerate(classes)))
    return label_set, matrix.counts, Evidence()
