"""A prediction run: a trained network's probabilities and counts for one split, streamed to disk.

Probabilities are stored at the resolution at which the network looked: its own, or the image's
where it was cut into tiles. Masks and counts are always made at the mask's own size: resized
bilinearly, then argmax.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import numpy as np
import numpy.typing as npt

from segcore.config import PredictConfig, PredictOptions, TrainConfig
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.confusion import count_confusion
from segcore.labels import LabelMap, LabelSet
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import Stopped
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.views import predict_image
from segcore.training.input.pipeline import load_ahead
from segcore.training.input.reader import SampleReader, resize_image
from segcore.training.loop.progress import Progress
from segcore.training.strategy import configure, describe

STAGE = "prediction"
WRITERS = 2
TILES_AT_ONCE = 4096

Counts = npt.NDArray[np.int64]


def predict(run: RunFolder, source: RunFolder, dataset: Dataset) -> None:
    """Predict one split with a trained network; what is stored already is only counted.

    Writes each sample's probabilities, and for samples with a mask one (C, C) count at the mask's
    own size: stored probabilities, resized bilinearly, then argmax. At most a few batches are in
    memory, whatever the size of the split. Who computed, and with what agreement, is left in
    ``backend.json``.

    Args:
        run: A run whose config is a :class:`PredictConfig`.
        source: The training run that it names.
        dataset: The dataset that it names.

    Raises:
        SegcoreError: Something that the user can mend.
        Stopped: The run was asked to stop; what is stored stays.
    """
    config = run.config
    if not isinstance(config, PredictConfig):
        raise SegcoreError(
            f"Expected a prediction run, received a run of kind {config.kind!r}: choose a "
            "prediction run."
        )
    samples = dataset.select(config.split)
    labels, label_map = read_labels(source)
    with Progress(run, message="Loading the network") as progress:
        reader = SampleReader(dataset, (1, 1), label_map, preprocessing=preprocessing_of(source))
        if reader.label_set.class_ids != labels.class_ids:
            raise SegcoreError(
                f"Expected the {labels.num_classes} classes that the run {source.id!r} was "
                "trained on, received others in the dataset "
                f"{dataset.name!r}: choose a dataset with the same classes."
            )
        progress.log(f"Device: {describe(configure(config.device))}")
        missing = [
            sample for sample in samples if not run.has_probabilities(config.split, sample.id)
        ]
        counts: dict[str, Counts | None] = {}
        work = _Work(run, config.split, reader, progress, counts, len(samples), config.options)
        if missing:
            most = len(missing) if work.plain else TILES_AT_ONCE
            work.predict(
                Predictor(source.model_path, config.batch_size, config.options.backend, most),
                missing,
            )
        work.count_stored([sample for sample in samples if sample.id not in counts])
        found = [
            (sample.id, matrix) for sample in samples if (matrix := counts[sample.id]) is not None
        ]
        if found:
            stacked = np.stack([matrix for _, matrix in found])
            run.write_counts(config.split, STAGE, [name for name, _ in found], stacked)
            progress.update(mean_iou=float(scores.mean_iou(stacked.sum(axis=0))))
        progress.update(progress=1.0, seconds_left=0.0, message=f"Predicted {len(samples)} images")


def preprocessing_of(source: RunFolder) -> str:
    """Return the preprocessing (``catalog.PREPROCESSING``) that a trained network expects.

    Raises:
        SegcoreError: The run is no training run.
    """
    config = source.config
    if not isinstance(config, TrainConfig):
        raise SegcoreError(
            f"Expected a training run, received {source.id!r} of kind {config.kind!r}: "
            "name what was trained."
        )
    return config.model.preprocessing


def read_labels(source: RunFolder) -> tuple[LabelSet, LabelMap | None]:
    """Return the classes of a trained network, and the label map that made them, if any.

    Raises:
        SegcoreError: The run has not begun, or its file is damaged.
    """
    data = source.read_json("labels")
    merge = data.get("label_map")
    return LabelSet.from_json(data["label_set"]), None if merge is None else LabelMap.from_json(
        merge
    )


class _Work:
    """One call of :func:`predict`: what its threads share."""

    def __init__(
        self,
        run: RunFolder,
        split: str,
        reader: SampleReader,
        progress: Progress,
        counts: dict[str, Counts | None],
        total: int,
        options: PredictOptions,
    ) -> None:
        self.run = run
        self.split = split
        self.reader = reader
        self.progress = progress
        self.counts = counts
        self.total = total
        self.options = options
        self.plain = not options.tile and options.tta == "none"

    def predict(self, predictor: Predictor, samples: list[Sample]) -> None:
        """Predict, store and count, the writing in threads beside the network."""
        self.progress.say("Building the graph")

        def load(position: int) -> npt.NDArray[np.uint8]:
            image = self.reader.read_image(samples[position])
            return resize_image(image, predictor.size) if self.plain else image

        at_once = predictor.batch_size if self.plain else 1
        with (
            ThreadPoolExecutor(WRITERS, "writers") as pool,
            closing(load_ahead(load, 0, len(samples), at_once)) as images,
        ):
            waiting: deque[Future[None]] = deque()
            for batch in _in_batches(samples, at_once):
                if self.progress.stop_asked:
                    break
                answers = self._ask(predictor, list(islice(images, len(batch))))
                waiting.extend(
                    pool.submit(self._store, sample, answer)
                    for sample, answer in zip(batch, answers, strict=True)
                )
                while len(waiting) > 2 * at_once:
                    waiting.popleft().result()
                if batch[0] is samples[0]:
                    self._tell(predictor)
                self._show()
            for future in waiting:
                future.result()
        if self.progress.stop_asked:
            raise Stopped

    def _ask(
        self, predictor: Predictor, images: list[npt.NDArray[np.uint8]]
    ) -> Iterable[npt.NDArray[np.float32]]:
        if self.plain:
            return predictor(np.stack(images))
        return [
            predict_image(
                image, predictor.size, predictor.num_classes, self.options, predictor.stream
            )
            for image in images
        ]

    def _tell(self, predictor: Predictor) -> None:
        """Say and keep who computes, once the first images have decided it."""
        if predictor.chosen is not None:
            self.progress.log(
                f"Computed by {predictor.chosen.describe()}, {predictor.batch_size} at a time"
            )
            self.run.write_json(
                "backend", {**predictor.chosen.to_json(), "batch_size": predictor.batch_size}
            )

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
        self.run.write_probabilities(
            self.split, sample.id, probabilities, (sample.height, sample.width)
        )
        self.counts[sample.id] = self._count(sample)

    def _count(self, sample: Sample) -> Counts | None:
        """Count what is stored, so that a resumed run and later readers agree on each pixel."""
        if sample.mask is None:
            return None
        probabilities, size = self.run.read_probabilities(self.split, sample.id)
        predicted = (
            resize_probabilities(probabilities, size)
            .argmax(axis=-1)
            .astype(self.reader.label_set.mask_dtype)
        )
        labels = self.reader.label_set
        return count_confusion(
            self.reader.read_mask(sample), predicted, labels.num_classes, labels.ignore_index
        )

    def _show(self) -> None:
        done = len(self.counts)
        self.progress.update(
            progress=done / self.total, message=f"Predicted {done} of {self.total} images"
        )


def _in_batches(samples: list[Sample], size: int) -> Iterator[list[Sample]]:
    for first in range(0, len(samples), size):
        yield samples[first : first + size]
