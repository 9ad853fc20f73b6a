"""Metrics that need every pixel: passes over stored probabilities, cached on disk."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Sample
from segcore.errors import SegcoreError
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.calibration import Calibration, apply_temperature
from segcore.evaluation.metrics.label_errors import LabelErrors, Suspicion
from segcore.evaluation.metrics.pixel_metrics import (
    FITTED_PIXELS,
    BorderScores,
    Confidence,
    PixelMetrics,
)
from segcore.evaluation.metrics.report import plain
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

Progress = Callable[[int, int, str], None]
Result = TypeVar("Result")

VERSION = 1
"""Raised when the same images would give other numbers: cached ones are then discarded."""

FROM_PROBABILITIES = ("", "prediction", "ensemble")
"""Stages whose masks follow from the probabilities; those of others are on disk."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A pass over a split that was made.

    Attributes:
        measures: What it counted.
        temperature: The temperature that fits this split best; NaN where only masks exist. Use only
            that of validation.
    """

    measures: PixelMetrics
    temperature: float


@dataclass(frozen=True)
class SuspectedImage:
    """Likely label errors of one image.

    Attributes:
        id: Its id.
        pixels: Suspected pixels.
        share: Share of its scored pixels that are suspected, 0 to 1; None where none is scored.
        quality: Mean probability of the given labels, 0 to 1; None where undefined.
        given: Class index of the label of its largest suspected pair; None for none.
        suggested: Class index that the network suggests there; None for none.
    """

    id: str
    pixels: int
    share: float | None
    quality: float | None
    given: int | None
    suggested: int | None


@dataclass(frozen=True)
class Suspects:
    """Likely label errors of a split.

    Attributes:
        pixels: Suspected pixels.
        share: Share of the scored pixels that are suspected, 0 to 1.
        pairs: (C, C) suspected pixels by given and suggested class.
        images: The images, most suspected pixels first.
    """

    pixels: int
    share: float | None
    pairs: list[list[int]]
    images: list[SuspectedImage]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {**vars(self), "images": [vars(image) for image in self.images]}


class RunPixelMetrics:
    """Metrics of the runs of a workspace that need every pixel, not counts alone."""

    def __init__(self, scores: Scores, scenes: Scenes) -> None:
        self._scores = scores
        self._scenes = scenes

    def samples(self, run: str, split: str, stage: str = "") -> list[Sample]:
        """Return the images with a mask and with probabilities (or stage masks) on disk.

        Raises:
            SegcoreError: There is no such run or split.
        """
        samples = [s for s in self._scenes.predicted_samples(run, split) if s.mask is not None]
        if stage in FROM_PROBABILITIES:
            return samples
        masked = self._scores.holder(run, split, stage).ids_with_mask(split, stage)
        return [s for s in samples if s.id in masked]

    def cached(self, run: str, split: str, stage: str = "") -> Measured | None:
        """Return what :meth:`measure` made of a split as it is now; None where it was not made.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        arrays = self._scores.holder(run, split, stage).read_arrays(
            split, self._name("pixels", run, split, stage)
        )
        if arrays is None:
            return None
        return Measured(*PixelMetrics.from_arrays(arrays, self._scores.label_set(run).ignore_index))

    def borders(self, run: str, split: str, measured: Measured) -> BorderScores:
        """Return the scores at borders, with the interval over the dataset's groups.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        names = measured.measures.sample_ids
        groups = self._scores.drawn_by(run, names).groups
        ids, counts = self._scores.counts(run, split)
        place = {name: n for n, name in enumerate(ids)}
        scored = all(name in place for name in names)
        present = counts.select([place[n] for n in names]).present if scored else None
        return measured.measures.borders(groups, present)

    def measure(
        self, run: str, split: str, stage: str = "", progress: Progress | None = None
    ) -> Measured:
        """Measure boundaries and confidence in one pass; cached on disk.

        Args:
            run: Id of a training run, an ensemble or an import.
            split: Name of a split.
            stage: What was scored; after the CRF borders are the CRF's, probabilities those before
                it.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: Nothing is on disk to measure, or a file cannot be read.
        """
        cached = self.cached(run, split, stage)
        if cached is not None:
            return cached
        label_set, label_map = self._scores.label_set(run), self._scenes.label_map_of(run)
        dataset, samples = self._scenes.dataset_of(run).name, self._present(run, split, stage)
        share = -(-FITTED_PIXELS // len(samples))

        def look(sample: Sample) -> PixelMetrics:
            one = PixelMetrics(label_set.num_classes, label_set.ignore_index)
            mask = self._scenes.truth(dataset, sample.id, label_map)
            probabilities = self._probabilities(run, split, sample)
            predicted = self._predicted(run, split, stage, sample, probabilities)
            seed = int.from_bytes(hashlib.sha256(sample.id.encode()).digest()[:4], "big")
            one.observe(sample.id, mask, predicted, probabilities, share, seed)
            return one

        whole = PixelMetrics(label_set.num_classes, label_set.ignore_index)
        for one in _each(look, samples, progress):
            whole.add(one)
        arrays = whole.to_arrays()
        with suppress(SegcoreError):  # a read-only workspace can still be looked at
            self._scores.holder(run, split, stage).write_arrays(
                split, self._name("pixels", run, split, stage), arrays
            )
        return Measured(*PixelMetrics.from_arrays(arrays, label_set.ignore_index))

    def scaled(
        self, run: str, split: str, temperature: float, progress: Progress | None = None
    ) -> Confidence | None:
        """Return the calibration of a split at a temperature that another split gave.

        Args:
            run: Id of a training run or an ensemble.
            split: Name of a split.
            temperature: Above 0, from :meth:`measure` of the validation split.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: Nothing is on disk to measure, or a temperature that is not above 0.
        """
        cached = self.cached_scaled(run, split, temperature)
        if cached is not None:
            return cached
        label_set, label_map = self._scores.label_set(run), self._scenes.label_map_of(run)
        whole = PixelMetrics(label_set.num_classes, label_set.ignore_index)
        dataset = self._scenes.dataset_of(run).name

        def look(sample: Sample) -> Calibration:
            one = Calibration(label_set.num_classes)
            probabilities = apply_temperature(
                self._scenes.probabilities(run, split, sample.id), temperature
            )
            one.observe(
                probabilities,
                self._scenes.truth(dataset, sample.id, label_map),
                label_set.ignore_index,
            )
            return one

        for one in _each(look, self._present(run, split), progress):
            whole.calibration.add(one)
        name = self._name(f"scaled{temperature:.6f}", run, split, "")
        with suppress(SegcoreError):  # a read-only workspace can still be looked at
            self._scores.holder(run, split, "").write_arrays(split, name, whole.to_arrays())
        return whole.confidence()

    def cached_scaled(self, run: str, split: str, temperature: float) -> Confidence | None:
        """Return what :meth:`scaled` made of a split as it is now; None where it was not made.

        Raises:
            SegcoreError: The run has no counts of that split yet.
        """
        name = self._name(f"scaled{temperature:.6f}", run, split, "")
        arrays = self._scores.holder(run, split, "").read_arrays(split, name)
        return (
            None
            if arrays is None
            else PixelMetrics.from_arrays(arrays, self._scores.label_set(run).ignore_index)[
                0
            ].confidence()
        )

    def fitted(self, run: str, split: str) -> float:
        """Return the temperature that was fitted on a split; NaN where it was not measured."""
        measured = self.cached(run, split) if self._scores.has_counts(run, split) else None
        return float("nan") if measured is None else measured.temperature

    def suspects(self, run: str, split: str, progress: Progress | None = None) -> Suspects:
        """Find labels that a confident network contradicts; measures the split first if need be.

        Args:
            run: Id of a training run or an ensemble.
            split: Name of a split; best one that the network was not trained on.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: No probabilities are on disk, or a file cannot be read.
        """
        arrays = self._suspect_arrays(run, split, progress)
        pairs, share = _pairs_of(arrays), arrays["share"]
        pixels = pairs.sum((1, 2))
        scored = int(self._scores.counts(run, split)[1].sum())
        order = np.lexsort((np.nan_to_num(arrays["quality"], nan=1.0), -pixels))
        images = []
        for i in order:
            given, suggested = (
                divmod(int(pairs[i].argmax()), pairs.num_classes) if pixels[i] else (None, None)
            )
            images.append(
                SuspectedImage(
                    id=str(arrays["sample_ids"][i]),
                    pixels=int(pixels[i]),
                    share=plain(share[i]),
                    quality=plain(arrays["quality"][i]),
                    given=given,
                    suggested=suggested,
                )
            )
        total = int(pixels.sum())
        return Suspects(total, plain(total / max(scored, 1)), pairs.total.tolist(), images)

    def _suspect_arrays(
        self, run: str, split: str, progress: Progress | None
    ) -> dict[str, npt.NDArray[Any]]:
        """Return what is suspected in each image, from disk where it was measured before."""
        folder, name = self._scores.holder(run, split, ""), self._name("suspects", run, split, "")
        arrays = folder.read_arrays(split, name)
        if arrays is not None:
            return arrays
        learned = self.learned(run, split, progress)
        samples = self._present(run, split)

        def look(sample: Sample) -> tuple[SampleCounts, float, float]:
            found = self._suspect(run, split, sample, learned)
            return SampleCounts.stack([found.pairs]), found.share, found.quality

        pairs, shares, qualities = zip(*_each(look, samples, progress), strict=True)
        joined = SampleCounts.join(pairs)
        arrays = {
            "sample_ids": np.array([s.id for s in samples], dtype=np.str_),
            "classes": np.array(joined.num_classes),
            "cells": joined.cells.data,
            "places": joined.cells.indices,
            "ends": joined.cells.indptr,
            "share": np.array(shares),
            "quality": np.array(qualities),
        }
        with suppress(SegcoreError):  # a read-only workspace can still be looked at
            folder.write_arrays(split, name, arrays)
        return arrays

    def suspicion(self, run: str, split: str, sample: str) -> Suspicion:
        """Return what is suspected in one image, after :meth:`suspects`.

        Raises:
            SegcoreError: The split was not looked at yet, or the image cannot be read.
        """
        chosen = next((s for s in self._present(run, split) if s.id == sample), None)
        if chosen is None:
            raise SegcoreError(
                f"Expected an image with probabilities on disk, received {sample!r}: "
                "choose one of the list."
            )
        return self._suspect(run, split, chosen, self.learned(run, split))

    def learned(self, run: str, split: str, progress: Progress | None = None) -> LabelErrors:
        """Return each class's level of confidence over a split; measured first if need be.

        Raises:
            SegcoreError: No whole probabilities are on disk, or a file cannot be read.
        """
        learned = self.measure(run, split, "", progress).measures.labels
        if not learned.pixels.any():
            raise SegcoreError(
                f"Expected whole probabilities of {run!r}, received masks or top classes only: "
                "predict that split again with --probabilities whole, or choose another run."
            )
        return learned

    def _suspect(self, run: str, split: str, sample: Sample, learned: LabelErrors) -> Suspicion:
        truth = self._scenes.truth(
            self._scenes.dataset_of(run).name, sample.id, self._scenes.label_map_of(run)
        )
        return learned.suspect(self._scenes.probabilities(run, split, sample.id), truth)

    def _present(self, run: str, split: str, stage: str = "") -> list[Sample]:
        samples = self.samples(run, split, stage)
        if not samples:
            raise SegcoreError(
                f"Expected probabilities of {run!r} on {split!r} on disk, found none: "
                "predict that split again."
            )
        return samples

    def _probabilities(
        self, run: str, split: str, sample: Sample
    ) -> npt.NDArray[np.float32] | None:
        return (
            self._scenes.probabilities(run, split, sample.id)
            if self._scenes.has_probabilities(run, split, sample.id)
            else None
        )

    def _predicted(
        self,
        run: str,
        split: str,
        stage: str,
        sample: Sample,
        probabilities: npt.NDArray[np.float32] | None,
    ) -> npt.NDArray[Any]:
        if stage not in FROM_PROBABILITIES:
            return self._scores.holder(run, split, stage).read_mask(split, stage, sample.id)
        if probabilities is None:
            return self._scenes.prediction(run, split, sample.id)
        mask: npt.NDArray[Any] = probabilities.argmax(-1)
        return mask

    def _name(self, what: str, run: str, split: str, stage: str) -> str:
        """A name that is another whenever the numbers would be."""
        there = hashlib.sha256(
            "\n".join(s.id for s in self.samples(run, split, stage)).encode()
        ).hexdigest()
        state = f"{VERSION} {what} {self._scores.stamp(run, split, stage)} {there}"
        return f"{what.rstrip('0123456789.')}-{hashlib.sha256(state.encode()).hexdigest()[:16]}"


def _each(
    work: Callable[[Sample], Result], samples: Sequence[Sample], progress: Progress | None
) -> Iterator[Result]:
    """Yield ``work`` of each sample, in order, from threads that are a few samples ahead."""
    threads = min(8, os.cpu_count() or 1)
    waiting: deque[Future[Result]] = deque()
    rest, done = iter(samples), 0
    with ThreadPoolExecutor(threads, "measures") as pool:
        while True:
            waiting.extend(
                pool.submit(work, sample)
                for _, sample in zip(range(2 * threads - len(waiting)), rest, strict=False)
            )
            if not waiting:
                return
            yield waiting.popleft().result()
            done += 1
            if progress:
                progress(done, len(samples), samples[done - 1].id)


def _pairs_of(arrays: Mapping[str, npt.NDArray[Any]]) -> SampleCounts:
    """Return suspected pixels by image and pair of labels; earlier versions kept all zeros too."""
    if "pairs" in arrays:
        return SampleCounts.of(arrays["pairs"])
    cells, places, ends = arrays["cells"], arrays["places"], arrays["ends"]
    return SampleCounts.from_cells(cells, places, ends, int(arrays["classes"]))
