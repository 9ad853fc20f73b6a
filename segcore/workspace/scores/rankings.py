"""Images in the order of any score, and pixels that one run fixes and breaks of another."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.catalog import IMAGE_ORDERS
from segcore.config import EvaluateConfig
from segcore.errors import SegcoreError, unknown
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.fixed_broken import FixedBroken, count_fixed_broken
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.runs.runs import Runs, prediction_id
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

Progress = Callable[[int, int, str], None]
Floats = npt.NDArray[np.float64]

KEPT_CELLS = 1_000_000
"""At most this many fixed-and-broken counts are cached as JSON, some 15 MB."""


class Rankings:
    """Orders of images, from counts; entropy and disagreement read every probability once."""

    def __init__(self, runs: Runs, scores: Scores, scenes: Scenes) -> None:
        self._runs = runs
        self._scores = scores
        self._scenes = scenes

    def offered(self, run: str, split: str, other: str | None = None) -> list[str]:
        """Return the names in ``catalog.IMAGE_ORDERS`` that a run's images can be put into.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        config = self._runs.open(run).config
        stages = self._scores.stages(run, split)
        ensemble = isinstance(config, EvaluateConfig) and len(config.members) > 1
        left_out = {
            "disagreement": not ensemble,
            "crf_gain": "crf" not in stages,
            "difference": other is None,
            "entropy": config.kind != "evaluate" and not self._has_probabilities(run, split),
        }
        return [name for name in IMAGE_ORDERS if not left_out.get(name)]

    def _has_probabilities(self, run: str, split: str) -> bool:
        samples = self._scenes.predicted_samples(run, split)
        return bool(samples) and self._scenes.has_probabilities(run, split, samples[0].id)

    def order(
        self,
        run: str,
        split: str,
        by: str,
        *,
        label: int = 0,
        other: str | None = None,
        progress: Progress | None = None,
    ) -> tuple[list[str], list[float | None]]:
        """Return the images that can be shown in order, each with the number that orders it.

        Args:
            run: Id of a run; A of a difference.
            split: Name of a split.
            by: A name in ``catalog.IMAGE_ORDERS``.
            label: Index of the class of "class_iou".
            other: Id of B, for "difference".
            progress: Called with (done, total, what) where images are read.

        Returns:
            Ids, and as many values: shares 0..1 or differences of shares; None where undefined
            (such images come last).

        Raises:
            SegcoreError: The order is unknown, needs what the run has not, or the run has no counts
                of that split yet.
        """
        if by not in IMAGE_ORDERS:
            raise unknown("order of images", by, IMAGE_ORDERS)
        shown = [s.id for s in self._scenes.predicted_samples(run, split)]
        if by == "order":
            return shown, [None] * len(shown)
        values = self._values(run, split, by, label, other, progress)
        numbers = np.array([values.get(name, np.nan) for name in shown])
        falling = by in ("error", "entropy", "disagreement")
        keys = np.where(np.isnan(numbers), np.inf, -numbers if falling else numbers)
        places = np.argsort(keys, kind="stable")
        return [shown[i] for i in places], [
            None if np.isnan(numbers[i]) else float(numbers[i]) for i in places
        ]

    def _values(
        self,
        run: str,
        split: str,
        by: str,
        label: int,
        other: str | None,
        progress: Progress | None,
    ) -> dict[str, float]:
        if by in ("entropy", "disagreement"):
            return self.unsureness(run, split, progress)[by]
        ids, counts = self._scores.counts(run, split)
        if by == "class_iou":
            values: Floats = scores.iou(counts)[:, label]
        elif by == "error":
            values = 1 - scores.pixel_accuracy(counts)
        else:
            values = scores.mean_iou(counts)
        if by == "crf_gain":
            values = self._of(ids, run, split, "crf") - values
        if by == "difference":
            if other is None:
                raise SegcoreError(
                    "Expected a second run to order by the difference, received none: "
                    "choose one to compare with."
                )
            values = values - self._of(ids, other, split, "")
        return dict(zip(ids, values.tolist(), strict=True))

    def _of(self, ids: Sequence[str], run: str, split: str, stage: str) -> Floats:
        """Mean IoU of some images by another run or stage, NaN where it has not scored them."""
        names, counts = self._scores.counts(run, split, stage)
        known = dict(zip(names, scores.mean_iou(counts).tolist(), strict=True))
        return np.array([known.get(name, np.nan) for name in ids])

    def unsureness(
        self, run: str, split: str, progress: Progress | None = None
    ) -> dict[str, dict[str, float]]:
        """Return mean entropy and disagreement of each image as shares of the most; cached.

        Raises:
            SegcoreError: There is no such run, or a file cannot be read.
        """
        folder = self._holder(run, split)
        stamp, document = folder.status().finished, f"unsureness-{split}"
        try:
            cached = folder.read_json(document)
        except SegcoreError:
            cached = {}
        if cached.get("finished") != stamp or not isinstance(cached.get("images"), dict):
            samples = self._scenes.predicted_samples(run, split)
            images: dict[str, list[float | None]] = {}
            for number, sample in enumerate(samples, start=1):
                images[sample.id] = [
                    None if np.isnan(v) else v
                    for v in self._scenes.unsureness(run, split, sample.id)
                ]
                if progress:
                    progress(number, len(samples), sample.id)
            cached = {"finished": stamp, "images": images}
            with suppress(SegcoreError):  # a read-only workspace can still be looked at
                folder.write_json(document, cached)
        pairs = cached["images"].items()
        return {
            name: {i: float("nan") if v[k] is None else v[k] for i, v in pairs}
            for k, name in enumerate(("entropy", "disagreement"))
        }

    def _holder(self, run: str, split: str) -> RunFolder:
        """Return the run folder that holds the results of a run on a split."""
        config = self._runs.open(run).config
        name = (
            prediction_id(run, split) if config.kind == "train" else self._runs.on_split(run, split)
        )
        return self._runs.open(name)

    def fixed_broken(
        self,
        run: str,
        other: str,
        split: str,
        stage: str = "",
        other_stage: str = "",
        progress: Progress | None = None,
    ) -> FixedBroken:
        """Count the pixels that B fixes and breaks of A over the images that both can show; cached.

        Raises:
            SegcoreError: The runs are of unlike datasets or classes, or a file cannot be read.
        """
        dataset = self._scenes.dataset_of(run)
        mine, theirs = self._scores.label_set(run), self._scores.label_set(other)
        if (
            dataset.name != self._scenes.dataset_of(other).name
            or mine.class_names != theirs.class_names
        ):
            raise SegcoreError(
                f"Expected runs over one dataset and its classes, received {run!r} and "
                f"{other!r}: choose such runs."
            )
        stamps = (
            f"{self._scores.stamp(run, split, stage)} "
            f"{self._scores.stamp(other, split, other_stage)} {dataset.fingerprint}"
        )
        asked = hashlib.sha256(repr((run, stage, other, other_stage)).encode()).hexdigest()[:12]
        holder, document = self._holder(run, split), f"exchange-{split}-{asked}"
        try:
            cached = holder.read_json(document)
            if cached.get("made_from") == stamps:
                return FixedBroken.from_json(cached)
        except SegcoreError:
            pass
        counted = self._count_fixed_broken(run, other, split, (stage, other_stage), progress)
        if counted.cells <= KEPT_CELLS:
            with suppress(SegcoreError):  # a read-only workspace can still be looked at
                holder.write_json(document, {"made_from": stamps, **counted.to_json()})
        return counted

    def _count_fixed_broken(
        self,
        run: str,
        other: str,
        split: str,
        stages: tuple[str, str],
        progress: Progress | None,
    ) -> FixedBroken:
        """Read the masks of both runs over the images that both can show, and count."""
        labels, label_map = self._scores.label_set(run), self._scenes.label_map_of(run)
        dataset = self._scenes.dataset_of(run).name
        known = {s.id for s in self._scenes.predicted_samples(other, split)}
        samples = [
            s
            for s in self._scenes.predicted_samples(run, split)
            if s.id in known and s.mask is not None
        ]
        size = labels.num_classes
        none = SampleCounts.of(np.zeros((0, size, size), np.int64))
        fixed, broken = [none], [none]
        scored = 0
        for number, sample in enumerate(samples, start=1):
            true = self._scenes.truth(dataset, sample.id, label_map)
            a, b = (
                self.mask(r, split, sample.id, s) for r, s in zip((run, other), stages, strict=True)
            )
            pair = count_fixed_broken(true, a, b, size, labels.ignore_index)
            for counts, matrix in zip((fixed, broken), pair, strict=True):
                counts.append(SampleCounts.stack([matrix]))
            scored += int((true != labels.ignore_index).sum())
            if progress:
                progress(number, len(samples), sample.id)
        joined = SampleCounts.join(fixed), SampleCounts.join(broken)
        return FixedBroken(tuple(s.id for s in samples), *joined, scored)

    def mask(self, run: str, split: str, sample: str, stage: str = "") -> npt.NDArray[Any]:
        """Return the mask that a run's stage gives, (H, W) indices.

        Raises:
            SegcoreError: It was not predicted.
        """
        config = self._runs.open(run).config
        if not isinstance(config, EvaluateConfig) or stage in ("", "ensemble"):
            return self._scenes.prediction(run, split, sample)
        holder = self._holder(run, split)
        if holder.has_mask(split, stage, sample):
            return holder.read_mask(split, stage, sample)
        return self._scenes.crf_mask(run, split, sample, config.crf)
