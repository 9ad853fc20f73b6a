"""A prediction run: a trained network's probabilities and counts for one split, streamed to disk."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import numpy as np
import numpy.typing as npt

from segcore.config import PredictConfig
from segcore.data.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.evaluation import scores
from segcore.evaluation.confusion import count_confusion
from segcore.labels import LabelMap, LabelSet
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.store import RunFolder
from segcore.training.pipeline import SampleReader, load_ahead, resize_image
from segcore.training.predictor import Predictor
from segcore.training.progress import Progress, Stopped
from segcore.training.strategy import configure, describe

STAGE = "prediction"
WRITERS = 2

Counts = npt.NDArray[np.int64]


def predict(run: RunFolder, source: RunFolder, dataset: Dataset) -> None:
    """Predict one split with a trained network; samples whose probabilities are stored already are only counted.

    Writes each sample's probabilities at the network's resolution, and for samples with a mask one
    (C, C) count at the mask's own size: stored probabilities, resized bilinearly, then argmax.
    At most a few batches are in memory, whatever the size of the split.

    Args:
        run: A run whose config is a :class:`PredictConfig`.
        source: The training run that it names.
        dataset: The data set that it names.

    Raises:
        SegcoreError: Something that the user can mend.
        Stopped: The run was asked to stop; what is stored stays.
    """
    config = run.config
    if not isinstance(config, PredictConfig):
        raise SegcoreError(f"Expected a prediction run, received a run of kind {config.kind!r}: choose a prediction run.")
    samples = dataset.select(config.split)
    labels, label_map = read_labels(source)
    with Progress(run, message="Loading the network") as progress:
        reader = SampleReader(dataset, (1, 1), label_map)
        if reader.label_set.class_names != labels.class_names:
            raise SegcoreError(
                f"Expected the {labels.num_classes} classes that the run {source.id!r} was trained on, received others in the data set "
                f"{dataset.name!r}: choose a data set with the same classes."
            )
        progress.log(f"Device: {describe(configure(config.device))}")
        missing = [sample for sample in samples if not run.has_probabilities(config.split, sample.id)]
        counts: dict[str, Counts | None] = {}
        work = _Work(run, config.split, reader, progress, counts, len(samples))
        if missing:
            work.predict(Predictor(source.model_path, min(config.batch_size, len(missing))), missing)
        work.count_stored([sample for sample in samples if sample.id not in counts])
        found = [(sample.id, matrix) for sample in samples if (matrix := counts[sample.id]) is not None]
        if found:
            stacked = np.stack([matrix for _, matrix in found])
            run.write_counts(config.split, STAGE, [name for name, _ in found], stacked)
            progress.update(mean_iou=float(scores.mean_iou(stacked.sum(axis=0))))
        progress.update(progress=1.0, seconds_left=0.0, message=f"Predicted {len(samples)} images")


def read_labels(source: RunFolder) -> tuple[LabelSet, LabelMap | None]:
    """Return the classes that a trained network answers with, and the merge of labels that made them, if any.

    Raises:
        SegcoreError: The run has not begun, or its file is damaged.
    """
    data = source.read_json("labels")
    merge = data.get("label_map")
    return LabelSet.from_json(data["label_set"]), None if merge is None else LabelMap.from_json(merge)


class _Work:
    """One call of :func:`predict`: what its threads share."""

    def __init__(
        self, run: RunFolder, split: str, reader: SampleReader, progress: Progress, counts: dict[str, Counts | None], total: int
    ) -> None:
        self.run = run
        self.split = split
        self.reader = reader
        self.progress = progress
        self.counts = counts
        self.total = total

    def predict(self, predictor: Predictor, samples: list[Sample]) -> None:
        """Predict, store and count, the writing in threads beside the network."""
        self.progress.say("Building the graph")

        def load(position: int) -> npt.NDArray[np.uint8]:
            return resize_image(self.reader.dataset.read_image(samples[position]), predictor.size)

        with (
            ThreadPoolExecutor(WRITERS, "writers") as pool,
            closing(load_ahead(load, 0, len(samples), predictor.batch_size)) as images,
        ):
            waiting: deque[Future[None]] = deque()
            for batch in _in_batches(samples, predictor.batch_size):
                if self.progress.stop_asked:
                    break
                answers = predictor(np.stack(list(islice(images, len(batch)))))
                waiting.extend(pool.submit(self._store, sample, answer) for sample, answer in zip(batch, answers, strict=True))
                while len(waiting) > 2 * predictor.batch_size:
                    waiting.popleft().result()
                self._show()
            for future in waiting:
                future.result()
        if self.progress.stop_asked:
            raise Stopped

    def count_stored(self, samples: list[Sample]) -> None:
        """Count samples whose probabilities were stored before this process began."""
        with ThreadPoolExecutor(WRITERS, "counters") as pool:
            for batch in _in_batches(samples, 4 * WRITERS):
                if self.progress.stop_asked:
                    raise Stopped
                for sample, matrix in zip(batch, pool.map(self._count, batch), strict=True):
                    self.counts[sample.id] = matrix
                self._show()

    def _store(self, sample: Sample, probabilities: npt.NDArray[np.float32]) -> None:
        self.run.write_probabilities(self.split, sample.id, probabilities, (sample.height, sample.width))
        self.counts[sample.id] = self._count(sample)

    def _count(self, sample: Sample) -> Counts | None:
        """Count what is stored, so that a resumed run and every later reader agree on each pixel."""
        if sample.mask is None:
            return None
        probabilities, size = self.run.read_probabilities(self.split, sample.id)
        predicted = resize_probabilities(probabilities, size).argmax(axis=-1).astype(self.reader.label_set.mask_dtype)
        labels = self.reader.label_set
        return count_confusion(self.reader.read_mask(sample), predicted, labels.num_classes, labels.ignore_index)

    def _show(self) -> None:
        done = len(self.counts)
        self.progress.update(progress=done / self.total, message=f"Predicted {done} of {self.total} images")


def _in_batches(samples: list[Sample], size: int) -> Iterator[list[Sample]]:
    for first in range(0, len(samples), size):
        yield samples[first : first + size]
