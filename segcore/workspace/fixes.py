"""A work list of suspected labels: images in the order of what a look at them should bring."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore import acting
from segcore.data.dataset.dataset import Dataset
from segcore.data.editing.decisions import FILE_NAME as DECISIONS_FILE
from segcore.data.editing.decisions import LabelDecision, add_decisions, read_decisions
from segcore.errors import SegcoreError, unknown
from segcore.evaluation.metrics.label_errors import LabelErrors, Suspicion
from segcore.evaluation.metrics.suspected_regions import (
    MOST,
    SuspectedRegion,
    is_same,
    surprise,
    suspected_regions,
)
from segcore.workspace.datasets.datasets import Datasets, file_stamp
from segcore.workspace.rights import writes
from segcore.workspace.scores.pixel_metrics import RunPixelMetrics
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

Progress = Callable[[int, int, str], None]
FILE = "label-fixes"
"""Name of a list among a run's measures."""

DECISIONS = ("accepted", "kept")


@dataclass(frozen=True)
class SuspectedWork:
    """One image of the list.

    Attributes:
        sample: Its id.
        gain: Sum of the expected gains of its regions when the list was made.
        regions: Their number.
    """

    sample: str
    gain: float
    regions: int


@dataclass(frozen=True)
class WorkList:
    """A list of images to look at.

    Attributes:
        run: The run or ensemble that contradicts the labels.
        split: The split.
        images: The most worthwhile first.
    """

    run: str
    split: str
    images: tuple[SuspectedWork, ...]

    @property
    def regions(self) -> int:
        """Regions of all images."""
        return sum(image.regions for image in self.images)


class LabelFixes:
    """Finds regions whose label is probably wrong, and remembers what was decided about them."""

    def __init__(
        self, datasets: Datasets, scores: Scores, scenes: Scenes, metrics: RunPixelMetrics
    ) -> None:
        self._datasets = datasets
        self._scores = scores
        self._scenes = scenes
        self._metrics = metrics

    def work_list(self, run: str, split: str) -> WorkList | None:
        """Return the list that was made last; None where none was.

        Raises:
            SegcoreError: There is no such run.
        """
        kept = self._scores.holder(run, split).read_arrays(split, FILE)
        if kept is None or "surprise" not in kept:
            return None
        rows = zip(kept["samples"], kept["gains"], kept["regions"], strict=True)
        images = tuple(SuspectedWork(str(s), float(g), int(n)) for s, g, n in rows)
        return WorkList(run, split, images)

    @writes(
        "make a work list", "Made a work list of suspected labels with the run {run} on {split}"
    )
    def make_list(self, run: str, split: str, progress: Progress | None = None) -> WorkList:
        """Look through a split anew; the list stays as it is while it is worked through.

        Args:
            run: A run or an ensemble; best one that was not trained on the split.
            split: The split.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: The run predicts merged classes, kept no whole probabilities of the
                split, or a file cannot be read.
        """
        if self._scenes.label_map_of(run) is not None:
            raise SegcoreError(
                f"Expected a run over the data set's own classes, but {run!r} merges labels: "
                "choose another run to check the labels with."
            )
        learned = self._metrics.learned(run, split, progress)
        samples = self._metrics.samples(run, split)
        number = len(learned.pixels)
        pairs = np.zeros((number, number), np.int64)
        margins: dict[str, list[tuple[int, int, float]]] = {}
        for done, sample in enumerate(samples, 1):
            suspicion, open_regions = self._open(
                run, split, sample.id, learned, np.ones((number, number))
            )
            pairs += suspicion.pairs
            margins[sample.id] = [(r.given, r.suggested, r.gain) for r in open_regions]
            if progress:
                progress(done, len(samples), "images looked through")
        weights = surprise(pairs, learned.pixels)
        found = []
        for name, regions in margins.items():
            gains = sorted(
                (margin * weights[given, other] for given, other, margin in regions), reverse=True
            )[:MOST]
            if gains:
                found.append(SuspectedWork(name, float(sum(gains)), len(gains)))
        found.sort(key=lambda work: (-work.gain, work.sample))
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "samples": np.array([w.sample for w in found], np.str_),
            "gains": np.array([w.gain for w in found], np.float64),
            "regions": np.array([w.regions for w in found], np.int64),
            "pixels": learned.pixels,
            "confidence": learned.confidence,
            "surprise": weights,
        }
        self._scores.holder(run, split).write_arrays(split, FILE, arrays)
        return WorkList(run, split, tuple(found))

    def regions(self, run: str, split: str, sample: str) -> list[SuspectedRegion]:
        """Return an image's open regions of the largest gain, at most ``MOST``.

        Raises:
            SegcoreError: No list was made, or a file cannot be read.
        """
        kept = self._scores.holder(run, split).read_arrays(split, FILE)
        if kept is None or "surprise" not in kept:
            raise SegcoreError(
                f"Expected a list of suspected labels of {run!r} on {split!r}, found none: make "
                "it first."
            )
        labels = self._scenes.dataset_of(run).label_set
        if len(kept["pixels"]) != labels.num_classes:
            raise SegcoreError(
                "Expected the classes with which the list was made, but they were changed since: "
                "make the list again."
            )
        learned = LabelErrors(labels.num_classes, labels.ignore_index)
        learned.pixels, learned.confidence = kept["pixels"], kept["confidence"]
        return self._open(run, split, sample, learned, kept["surprise"])[1][:MOST]

    def stamp(self, run: str, split: str) -> str:
        """Return a key for caches: it changes with the list and with every decision.

        Raises:
            SegcoreError: There is no such run or dataset.
        """
        folder = self._scenes.dataset_of(run).folder
        made = self._scores.holder(run, split).arrays_stamp(split, FILE)
        return f"{made} {file_stamp(folder / DECISIONS_FILE)}"

    @writes(
        "decide about labels", "Decided about suspected labels of {sample} in the dataset {name}"
    )
    def decide(
        self,
        name: str,
        sample: str,
        decisions: Sequence[tuple[str, SuspectedRegion]],
        author: str = "",
    ) -> None:
        """Remember what was decided about regions of an image; they are not offered again.

        Args:
            name: Name of the dataset.
            sample: Id of the image.
            decisions: "accepted" or "kept", each with its region.
            author: Who decided; "" for who acts.

        Raises:
            SegcoreError: There is no such dataset, sample or decision, or the folder cannot be
                written.
        """
        dataset = self._datasets.open(name)
        ids = dataset.label_set.class_ids
        for decision, _ in decisions:
            if decision not in DECISIONS:
                raise unknown("decision", decision, DECISIONS)
        decided = [
            LabelDecision(d, ids[r.given], ids[r.suggested], r.rows, author or acting.person().name)
            for d, r in decisions
        ]
        if decided:
            add_decisions(dataset.folder, sample, decided)

    def _open(
        self,
        run: str,
        split: str,
        sample: str,
        learned: LabelErrors,
        weights: npt.NDArray[np.float64],
    ) -> tuple[Suspicion, list[SuspectedRegion]]:
        """Return what is suspected in an image, and its regions that are still open."""
        dataset = self._scenes.dataset_of(run)
        mask = dataset.read_mask(dataset.sample(sample))
        probabilities = self._scenes.probabilities(run, split, sample)
        suspicion = learned.suspect(probabilities, mask)
        found = suspected_regions(probabilities, mask, suspicion, weights)
        decided = _decided(dataset, sample)
        still_open = [
            region
            for region in found
            if not any(
                pair == (region.given, region.suggested) and is_same(region.rows, rows)
                for pair, rows in decided
            )
        ]
        return suspicion, still_open


def _decided(
    dataset: Dataset, sample: str
) -> list[tuple[tuple[int, int], tuple[tuple[int, int, int], ...]]]:
    """Return (given, suggested) as indices of today, and the rows, of decisions about an image."""
    position = {class_id: index for index, class_id in enumerate(dataset.label_set.class_ids)}
    return [
        ((position.get(d.given, -1), position.get(d.suggested, -1)), d.rows)
        for d in read_decisions(dataset).get(sample, ())
    ]
