"""Labels that back off for the runs of a workspace: calibrated on one split, reported on another."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import EvaluateConfig, PredictOptions, TrainConfig
from segcore.data.dataset.dataset import Sample
from segcore.data.files.images import encode_png
from segcore.errors import SegcoreError, unknown
from segcore.evaluation.compression.back_off import (
    STEPS,
    ImageTally,
    Tally,
    back_off,
    tally_image,
)
from segcore.evaluation.compression.back_off_report import (
    Alternative,
    BackOffReport,
    merge_of_like_risk,
    report_back_off,
    score_merge,
)
from segcore.evaluation.compression.compression import fold_images
from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.evaluation.compression.hierarchy import read_hierarchy
from segcore.evaluation.compression.label_tree import LabelTree, node_label_set
from segcore.evaluation.compression.risk_control import (
    Threshold,
    check_promise,
    choose_threshold,
)
from segcore.labels import color_to_hex
from segcore.postprocess.ensemble import resize_probabilities
from segcore.workspace.compression.merges import Merges
from segcore.workspace.compression.tiers import Tiers
from segcore.workspace.predictions.batches import Batch
from segcore.workspace.predictions.files import index_png
from segcore.workspace.predictions.predictions import Predictions
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

Progress = Callable[[int, int, str], None]
Answers = npt.NDArray[np.unsignedinteger[Any]]

VERSION = 1
"""Raised when the same images would give other counts: cached ones are then discarded."""

THREADS = 8


@dataclass(frozen=True)
class BackOffOptions:
    """What is promised, and how.

    Attributes:
        promise: The largest expected share of wrong pixels, above 0, at most 1.
        calibrate: The split that chooses the threshold.
        by_class: Whether it is promised of each class's pixels instead of all.
        hierarchy: Name of saved merges whose versions form a chain; "" takes ``file``, or without
            one the merge tree of the calibration split's counts.
        file: A hierarchy file's bytes, JSON or CSV.
    """

    promise: float = 0.05
    calibrate: str = "validation"
    by_class: bool = False
    hierarchy: str = ""
    file: bytes = b""


@dataclass(frozen=True, eq=False)
class BackOffResult:
    """The report of a promise for a run.

    Attributes:
        run: Id of the run.
        split: The split that is reported.
        calibrate: The split that chose the threshold.
        class_ids: The user's ids of the classes.
        report: The report.
    """

    run: str
    split: str
    calibrate: str
    class_ids: list[int]
    report: BackOffReport

    def to_json(self) -> dict[str, Any]:
        """Return it as ``segscope back-off --json`` prints it."""
        return {
            "run": self.run,
            "split": self.split,
            "calibrate": self.calibrate,
            **self.report.to_json(self.class_ids),
        }


class BackOffs:
    """Answers that back off to a group of labels where the finest label cannot be promised."""

    def __init__(
        self,
        runs: Runs,
        scores: Scores,
        scenes: Scenes,
        merges: Merges,
        tiers: Tiers,
        predictions: Predictions,
    ) -> None:
        self._runs = runs
        self._scores = scores
        self._scenes = scenes
        self._merges = merges
        self._tiers = tiers
        self._predictions = predictions

    def tree(self, run: str, options: BackOffOptions) -> LabelTree:
        """Return the tree of labels that a run backs off over.

        Raises:
            SegcoreError: There is no such run or saved merge, its versions form no chain, the file
                is refused, or the calibration split has no counts.
        """
        label_set = self._scores.label_set(run)
        names = label_set.class_names
        if options.hierarchy:
            saved = self._merges.saved(run)
            versions = [m for m in saved if m.name == options.hierarchy]
            if not versions:
                raise unknown("saved merge", options.hierarchy, [m.name for m in saved])
            maps = [self._merges.label_map(run, m.groups) for m in versions]
            return LabelTree.of_chain(sorted(maps, key=lambda m: -m.num_groups), names)
        if options.file:
            return LabelTree.of_hierarchy(read_hierarchy(options.file, label_set), names)
        total = self._scores.counts(run, options.calibrate)[1].total
        return LabelTree.of_dendrogram(build_dendrogram(total), names)

    def unseen(self, run: str, splits: Sequence[str]) -> list[str]:
        """Return those of some splits that no network of the run was trained on.

        Raises:
            SegcoreError: There is no such run.
        """
        seen = {c.train_split for c in self._trained(run)}
        return [split for split in splits if split not in seen]

    def _check_unseen(self, run: str, split: str) -> None:
        if not self.unseen(run, [split]):
            raise SegcoreError(
                f"Expected images that the network was not trained on, received {split!r}: choose "
                "another split."
            )

    def is_counted(self, run: str, split: str, options: BackOffOptions) -> bool:
        """Return whether :meth:`report` needs no pass over images any more.

        Raises:
            SegcoreError: As :meth:`tree`.
        """
        tree = self.tree(run, options)
        return all(
            self._cached(run, one, tree, one == split) is not None
            for one in (options.calibrate, split)
        )

    def is_calibrated(self, run: str, options: BackOffOptions) -> bool:
        """Return whether :meth:`calibrate` needs no pass over images any more.

        Raises:
            SegcoreError: As :meth:`tree`.
        """
        tree = self.tree(run, options)
        return self._cached(run, options.calibrate, tree, False) is not None

    def calibrate(
        self, run: str, options: BackOffOptions, progress: Progress | None = None
    ) -> tuple[LabelTree, Threshold]:
        """Choose the threshold of a promise on the calibration split.

        Args:
            run: Id of a training run, an ensemble or an import with probabilities.
            options: What is promised.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: The promise is none, the network was trained on that split, no whole
                probabilities are on disk, or :meth:`tree` refuses.
        """
        check_promise(options.promise)
        self._check_unseen(run, options.calibrate)
        tree = self.tree(run, options)
        tally = self._tally(run, options.calibrate, tree, False, progress)
        groups = self._scores.drawn_by(run, tally.sample_ids).groups
        return tree, choose_threshold(tally, options.promise, groups, options.by_class)

    def report(
        self,
        run: str,
        split: str,
        options: BackOffOptions,
        progress: Progress | None = None,
        *,
        summed: bool = False,
    ) -> BackOffResult:
        """Calibrate a promise on one split and report it on another.

        Args:
            run: Id of a training run, an ensemble or an import with probabilities.
            split: The split that is reported.
            options: What is promised.
            progress: Called with (done, total, what).
            summed: Whether to sum the probabilities of the merge that is compared (T1), a pass over
                the split, where that was not done before.

        Raises:
            SegcoreError: Both splits are one, or as :meth:`calibrate`.
        """
        if split == options.calibrate:
            raise SegcoreError(
                f"Expected another split to report than the one that chose the threshold, received "
                f"{split!r} for both: a promise is never checked on its own calibration images."
            )
        self._check_unseen(run, split)
        tree, threshold = self.calibrate(run, options, progress)
        tally = self._tally(run, split, tree, True, progress)
        groups = self._scores.drawn_by(run, tally.sample_ids).groups
        report = report_back_off(tree, threshold, tally, groups, self._notes(run, options))
        drawn = None if groups is None else dict(zip(tally.sample_ids, groups, strict=True))
        others = self._alternatives(run, split, tree, tally, report, drawn, summed, progress)
        report = replace(report, alternatives=(*report.alternatives, *others))
        ids = self._scores.label_set(run).class_ids
        return BackOffResult(run, split, options.calibrate, ids, report)

    def _alternatives(
        self,
        run: str,
        split: str,
        tree: LabelTree,
        tally: Tally,
        report: BackOffReport,
        drawn: dict[str, str] | None,
        summed: bool,
        progress: Progress | None,
    ) -> list[Alternative]:
        """Score the merge of the same error: from counts, summed, and retrained, as they exist."""
        ids, counts = self._scores.counts(run, split)
        places = {name: i for i, name in enumerate(ids)}
        shared = [name for name in tally.sample_ids if name in places]
        mine = counts.select([places[name] for name in shared])
        names = None if drawn is None else [drawn[name] for name in shared]
        label_map = merge_of_like_risk(tree, mine, shared, report.risk.value, names)
        if label_map is None or label_map.num_groups == tree.num_classes:
            return []  # none errs so little, or the finest labels do
        found = [score_merge("merged", label_map, fold_images(mine, label_map), shared, drawn)]
        groups = label_map.in_ids(self._scores.label_set(run).class_ids)
        if summed or self._tiers.is_summed(run, split, groups):
            given = self._tiers.sum_probabilities(run, split, groups, progress)
            found.append(score_merge("summed", label_map, given[1], given[0], drawn))
        retrained = next(
            (r.run for r in self._tiers.retrained(run, groups, split) if r.counted), None
        )
        if retrained is not None:
            names_of, theirs = self._scores.counts(retrained, split)
            kept = [i for i, name in enumerate(names_of) if name in set(shared)]
            found.append(
                score_merge(
                    "retrained",
                    label_map,
                    theirs.select(kept),
                    [names_of[i] for i in kept],
                    drawn,
                )
            )
        return found

    def answers(
        self, run: str, split: str, sample: str, tree: LabelTree, threshold: Threshold
    ) -> Answers:
        """Return the node that each pixel of a sample gets, (H, W).

        Raises:
            SegcoreError: It was not predicted, or not with whole probabilities.
        """
        return back_off(tree, self._scenes.probabilities(run, split, sample), threshold.value)

    def files(
        self, run: str, split: str, options: BackOffOptions, progress: Progress | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """Yield masks of a split: ``masks/`` with label ids, ``levels/``, and ``legend.json``.

        Raises:
            SegcoreError: As :meth:`calibrate`, or an id does not fit into 16 bits.
        """
        tree, threshold = self.calibrate(run, options, progress)
        samples = self._scenes.predicted_samples(run, split)
        yield from self._legend(run, tree, threshold, options)
        for number, sample in enumerate(samples, 1):
            answers = self.answers(run, split, sample.id, tree, threshold)
            yield from self._masks(run, tree, sample.id, answers)
            if progress:
                progress(number, len(samples), sample.id)

    def own_files(
        self,
        run: str,
        batch: Batch,
        chosen: PredictOptions,
        options: BackOffOptions,
        progress: Progress | None = None,
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the files of :meth:`files` for a predicted batch of the user's own images.

        Raises:
            SegcoreError: An image was not predicted, or as :meth:`calibrate`.
        """
        tree, threshold = self.calibrate(run, options, progress)
        yield from self._legend(run, tree, threshold, options)
        for number, (image, place) in enumerate(zip(batch.images, batch.places(), strict=True), 1):
            answers = self.own_answers(run, batch, image.id, chosen, (tree, threshold))
            yield from self._masks(run, tree, place, answers)
            if progress:
                progress(number, len(batch.images), image.name)

    def own_answers(
        self,
        run: str,
        batch: Batch,
        image: str,
        chosen: PredictOptions,
        calibrated: tuple[LabelTree, Threshold],
    ) -> Answers:
        """Return the node that each pixel of the user's own image gets, (H, W).

        Raises:
            SegcoreError: It was not predicted.
        """
        stored = batch.image(image)
        size = (stored.height, stored.width)
        small = self._predictions.probabilities(run, batch, image, chosen)
        tree, threshold = calibrated
        return back_off(tree, resize_probabilities(small, size), threshold.value)

    def _legend(
        self, run: str, tree: LabelTree, threshold: Threshold, options: BackOffOptions
    ) -> Iterator[tuple[str, bytes]]:
        label_set = self._scores.label_set(run)
        drawn = node_label_set(tree, label_set)
        rows = [
            {
                **row,
                "node": label.id,
                "parent": None if row["parent"] is None else drawn.classes[row["parent"]].id,
                "color": color_to_hex(label.color),
            }
            for row, label in zip(tree.to_json(label_set.class_ids), drawn.classes, strict=True)
        ]
        document = {
            "run": run,
            "calibrate": options.calibrate,
            "promise": threshold.promise,
            "by_class": threshold.by_class,
            "threshold": threshold.value / STEPS,
            "unit": threshold.unit,
            "units": threshold.units,
            "nodes": rows,
        }
        yield "legend.json", (json.dumps(document, indent=2) + "\n").encode()

    def _masks(
        self, run: str, tree: LabelTree, name: str, answers: Answers
    ) -> Iterator[tuple[str, bytes]]:
        labels = node_label_set(tree, self._scores.label_set(run))
        yield f"masks/{name}.png", index_png(answers, labels)
        yield f"levels/{name}.png", encode_png(tree.levels.astype(np.uint8)[answers])

    def _trained(self, run: str) -> list[TrainConfig]:
        """Configs of the trainings behind a run."""
        config = self._runs.open(run).config
        members = config.members if isinstance(config, EvaluateConfig) else (run,)
        configs = [self._runs.open(member).config for member in members]
        return [c for c in configs if isinstance(c, TrainConfig)]

    def _notes(self, run: str, options: BackOffOptions) -> list[str]:
        """What the promise rests on."""
        notes = ["The promise is for images of the same kind as those of the calibration split."]
        if options.calibrate in {c.validation_split for c in self._trained(run)}:
            notes.append(
                f"The best epoch was chosen on {options.calibrate}: its errors there are a little "
                "low, so a little more than promised may be wrong."
            )
        if not options.hierarchy and not options.file:
            notes.append(
                f"The merge tree was made from {options.calibrate} too; a saved chain or a file "
                "is independent of it."
            )
        return notes

    def _tally(
        self, run: str, split: str, tree: LabelTree, answers: bool, progress: Progress | None
    ) -> Tally:
        """Count a split at every threshold, or take the counts from disk."""
        cached = self._cached(run, split, tree, answers)
        if cached is not None:
            return cached
        samples = self._samples(run, split)
        if not samples or not self._scenes.has_probabilities(run, split, samples[0].id):
            raise SegcoreError(
                f"Expected whole probabilities of {run!r} on {split!r} on disk, found none: "
                "predict that split again with --probabilities whole."
            )
        label_map, dataset = self._scenes.label_map_of(run), self._scenes.dataset_of(run).name

        def count(sample: Sample) -> ImageTally:
            truth = self._scenes.truth(dataset, sample.id, label_map)
            return tally_image(
                tree, self._scenes.probabilities(run, split, sample.id), truth, answers
            )

        def counted() -> Iterator[ImageTally]:
            with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
                for number, one in enumerate(pool.map(count, samples), 1):
                    yield one
                    if progress:
                        progress(number, len(samples), f"{split}: {samples[number - 1].id}")

        tally = Tally.join([s.id for s in samples], counted())
        name = self._name(run, split, tree, answers)
        self._scores.holder(run, split).write_arrays(split, name, tally.to_arrays())
        return tally

    def _cached(self, run: str, split: str, tree: LabelTree, answers: bool) -> Tally | None:
        """The counts of a split from disk; those with answers serve for both."""
        for more in (answers, True):
            name = self._name(run, split, tree, more)
            arrays = self._scores.holder(run, split).read_arrays(split, name)
            if arrays is not None:
                return Tally.from_arrays(arrays)
        return None

    def _samples(self, run: str, split: str) -> list[Sample]:
        return [s for s in self._scenes.predicted_samples(run, split) if s.mask is not None]

    def _name(self, run: str, split: str, tree: LabelTree, answers: bool) -> str:
        """A name that is another whenever the counts would be."""
        ids = "\n".join(s.id for s in self._samples(run, split))
        state = repr((VERSION, self._scores.stamp(run, split), ids, tree.nodes, answers))
        return f"back-off-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
