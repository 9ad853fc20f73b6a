"""Tiers of a merge of labels: predicted from counts, by summed probabilities, and retrained."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import EvaluateConfig, PredictConfig
from segcore.data.dataset.dataset import Sample
from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import merge_probabilities
from segcore.evaluation.compression.tiers import Tier, compare_tiers
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import LabelMap, LabelSet
from segcore.postprocess.ensemble import RULES, combine_to_size
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.compression.merges import Groups, Merges
from segcore.workspace.compression.retraining import Retrained, RetrainedRun, Retraining
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

Progress = Callable[[int, int, str], None]
Counts = npt.NDArray[np.int64]

THREADS = 8


@dataclass(frozen=True, eq=False)
class TierComparison:
    """The tiers of one merge on one split.

    Attributes:
        run: Id of the run whose labels are merged.
        split: The split.
        groups: Groups of the user's class ids.
        images: Images that the unmerged model was scored on.
        retrained: Id of the retrained run; None where there is none.
        tiers: The tiers that exist.
    """

    run: str
    split: str
    groups: list[list[int]]
    images: int
    retrained: str | None
    tiers: list[Tier]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; undefined is None."""
        return {**vars(self), "tiers": [tier.to_json() for tier in self.tiers]}


class Tiers:
    """Computes and compares the tiers of a merge of labels."""

    def __init__(
        self,
        datasets: Datasets,
        runs: Runs,
        scores: Scores,
        scenes: Scenes,
        merges: Merges,
    ) -> None:
        self._datasets = datasets
        self._runs = runs
        self._scores = scores
        self._scenes = scenes
        self._merges = merges
        self._retraining = Retraining(datasets, runs, scores, scenes)

    def compare(self, run: str, split: str, groups: Groups, retrained: str = "") -> TierComparison:
        """Return the tiers that exist for a merge, each compared with the unmerged model.

        Args:
            run: Id of the run whose labels are merged.
            split: Name of a split.
            groups: Groups of the user's class ids.
            retrained: Id of a run from :meth:`retrained`; "" takes the newest that has counts of
                the split.

        Raises:
            SegcoreError: There are no counts, or two tiers do not fit together.
        """
        label_map, label_set = self._merges.label_map(run, groups), self._scores.label_set(run)
        original = self._scores.counts(run, split)
        others: dict[str, tuple[list[str], SampleCounts]] = {}
        folder, stage = self._cache(run, split, label_map)
        if stage in folder.stages(_place(split)):
            others["summed"] = folder.read_counts(_place(split), stage)
        chosen = retrained or next(
            (r.run for r in self.retrained(run, groups, split) if r.counted), ""
        )
        if chosen:
            others["retrained"] = self._scores.counts(chosen, split)
        alike = self._scores.drawn_by(run, original[0]).groups
        drawn = None if alike is None else dict(zip(original[0], alike, strict=True))
        tiers = compare_tiers(original, label_map, others, groups=drawn)
        return TierComparison(
            run=run,
            split=split,
            groups=label_map.in_ids(label_set.class_ids),
            images=len(original[0]),
            retrained=chosen or None,
            tiers=tiers,
        )

    def can_sum(self, run: str, split: str) -> int:
        """Return how many images of a split have their probabilities on disk.

        Raises:
            SegcoreError: There is no such run or split.
        """
        return len([s for s in self._scenes.predicted_samples(run, split) if s.mask is not None])

    def is_summed(self, run: str, split: str, groups: Groups) -> bool:
        """Return whether :meth:`sum_probabilities` was done for this merge already.

        Raises:
            SegcoreError: There is no such run, or an id is unknown.
        """
        folder, stage = self._cache(run, split, self._merges.label_map(run, groups))
        return stage in folder.stages(_place(split))

    @writes("count merged labels", "Counted {split} of the run {run} with summed probabilities")
    def sum_probabilities(
        self, run: str, split: str, groups: Groups, progress: Progress | None = None
    ) -> tuple[list[str], SampleCounts]:
        """Count a split with probabilities summed over each group before the argmax; done once.

        Sums and bilinear resizing are both linear, so probabilities are merged at the network's
        resolution: fewer planes to resize.

        Args:
            run: Id of a training run or of an ensemble.
            split: Name of a split.
            groups: Groups of the user's class ids.
            progress: Called with (done, total, what).

        Returns:
            M sample ids, those whose probabilities are on disk, and (M, K, K) pixels, rows true.

        Raises:
            SegcoreError: No probabilities are on disk, or a file cannot be read.
        """
        label_map, label_set = self._merges.label_map(run, groups), self._scores.label_set(run)
        folder, stage = self._cache(run, split, label_map)
        if stage in folder.stages(_place(split)):
            return folder.read_counts(_place(split), stage)
        samples = [s for s in self._scenes.predicted_samples(run, split) if s.mask is not None]
        if not samples:
            raise SegcoreError(
                f"Expected probabilities of {run!r} on {split!r} on disk, found none: "
                "predict that split again."
            )

        def count(sample: Sample) -> SampleCounts:
            return SampleCounts.stack([self._count(run, split, sample, label_map, label_set)])

        matrices: list[SampleCounts] = []
        with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
            for sample, matrix in zip(samples, pool.map(count, samples), strict=True):
                matrices.append(matrix)
                if progress:
                    progress(len(matrices), len(samples), sample.id)
        ids, counts = [s.id for s in samples], SampleCounts.join(matrices)
        with suppress(SegcoreError):  # a read-only workspace can still be looked at
            folder.write_counts(_place(split), stage, ids, counts)
        return ids, counts

    @staticmethod
    def summed_mask(
        probabilities: npt.NDArray[np.float32], label_map: LabelMap
    ) -> npt.NDArray[np.int64]:
        """Return the argmax of (H, W, C) probabilities summed over each group, (H, W) indices."""
        mask: npt.NDArray[np.int64] = merge_probabilities(probabilities, label_map).argmax(-1)
        return mask

    def _count(
        self, run: str, split: str, sample: Sample, label_map: LabelMap, label_set: LabelSet
    ) -> Counts:
        config = self._runs.open(run).config
        rule = config.rule if isinstance(config, EvaluateConfig) else "mean"
        folders = [self._runs.open(name) for name in self._predictions(run, split)]
        read = (folder.read_probabilities(split, sample.id)[0] for folder in folders)
        size = (sample.height, sample.width)
        if RULES[rule].linear:
            merged = combine_to_size((merge_probabilities(p, label_map) for p in read), size, rule)
        else:
            merged = merge_probabilities(combine_to_size(read, size, rule), label_map)
        groups = label_map.merge_label_set(label_set)
        truth = self._scenes.truth(
            self._scenes.dataset_of(run).name, sample.id, self._scenes.label_map_of(run)
        )
        predicted = merged.argmax(-1).astype(groups.mask_dtype)
        return count_confusion(
            label_map.apply(truth, label_set), predicted, groups.num_classes, groups.ignore_index
        )

    def _predictions(self, run: str, split: str) -> list[str]:
        """Ids of the predict runs that hold the probabilities of a run."""
        config = self._runs.open(run).config
        members = config.members if isinstance(config, EvaluateConfig) else (run,)
        return [
            m
            if isinstance(self._runs.open(m).config, PredictConfig)
            else self._runs.prediction_of(m, split)
            for m in members
        ]

    def _cache(self, run: str, split: str, label_map: LabelMap) -> tuple[RunFolder, str]:
        """Return folder and name of the summed counts; the name is a digest of their sources."""
        config = self._runs.open(run).config
        names = self._predictions(run, split)
        finished = [RunFolder(self._runs.folder / name).status().finished for name in names]
        rule = config.rule if isinstance(config, EvaluateConfig) else "mean"
        fingerprint = self._datasets.open(config.dataset).fingerprint
        digest = hashlib.sha256(
            repr((label_map.groups, rule, names, finished, fingerprint)).encode()
        ).hexdigest()[:16]
        holder = self._runs.on_split(run, split) if isinstance(config, EvaluateConfig) else names[0]
        return RunFolder(self._runs.folder / holder), digest

    @writes("start a training", "Trained {run} again with merged labels")
    def retrain(self, run: str, groups: Groups, splits: Sequence[str]) -> Retrained:
        """Train again with merged labels and everything else unchanged, then predict.

        See :meth:`segcore.workspace.compression.retraining.Retraining.retrain`.

        Raises:
            SegcoreError: Nothing or everything is merged, the run was itself trained with merged
                labels, or a split does not exist.
        """
        return self._retraining.retrain(run, self._merges.label_map(run, groups), splits)

    def retrained(self, run: str, groups: Groups, split: str) -> list[RetrainedRun]:
        """Return the runs that were trained with this merge, those cloned from this run first.

        Raises:
            SegcoreError: There is no such run, or an id is unknown.
        """
        return self._retraining.find(run, self._merges.label_map(run, groups), split)


def _place(split: str) -> str:
    """Return the pseudo-split that holds summed counts, so that they are no stage of the split."""
    return f"{split}.summed"
