"""A prediction run: a trained network's answers and counts for one split, streamed to disk.

Probabilities are stored at the network's own resolution, or the image's where it was cut into
tiles: whole, the top classes only, or not at all, as the config says. Masks and counts are always
made at the mask's own size (resized bilinearly, then argmax) and are the same in all three cases.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import PredictConfig, TrainConfig, at_training_scale
from segcore.data.bands.learned import load_learned
from segcore.data.dataset.dataset import POOL, Dataset, Sample
from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import LabelMap, LabelSet
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.probabilities import rounded
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import Stopped
from segcore.training.engines.engine import devices
from segcore.training.inference.pool_features import write_features
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.views import predict_strips
from segcore.training.input.pipeline import load_ahead
from segcore.training.input.reader import SampleReader, resize_image
from segcore.training.loop.progress import Progress
from segcore.training.strategy import configure

STAGE = "prediction"
WRITERS = 2
TILES_AT_ONCE = 4096

Probabilities = npt.NDArray[np.float32]


def predict(run: RunFolder, source: RunFolder, dataset: Dataset) -> None:
    """Predict one split with a trained network; what is stored already is only counted.

    Writes each sample's probabilities as the config keeps them, its mask where they are not whole,
    and for samples with ground truth one (C, C) count; with unlabelled images the encoder's
    features. At most a few batches, or the mask and one strip of a tiled image, are in memory,
    whatever the size of the split. The backend and its agreement are written to ``backend.json``.

    Args:
        run: A run whose config is a :class:`PredictConfig`.
        source: The training run that it names.
        dataset: The dataset that it names.

    Raises:
        SegcoreError: Something that the user can fix.
        Stopped: The run was asked to stop; what is stored is kept.
    """
    config = run.config
    if not isinstance(config, PredictConfig):
        raise SegcoreError(
            f"Expected a prediction run, received a run of kind {config.kind!r}: choose a "
            "prediction run."
        )
    samples = dataset.predictable(config.split)
    with Progress(run, message="Loading the network") as progress:
        reader = _open_reader(source, dataset)
        progress.log(f"Device: {devices.describe(configure(config.device))}")
        options = at_training_scale(config.options, crops_of(source))
        if options != config.options:
            progress.log("Predicted in tiles, as the network was trained on crops")
        work = _Work(run, replace(config, options=options), reader, progress, len(samples))
        missing = [sample for sample in samples if not work.is_stored(sample)]
        if missing:
            most = len(missing) if work.plain else TILES_AT_ONCE
            work.predict(
                Predictor(source.model_path, config.batch_size, options.backend, most),
                missing,
            )
        work.count_stored([sample for sample in samples if sample.id not in work.counts])
        counted = [s.id for s in samples if work.counts[s.id] is not None]
        if counted:
            joined = SampleCounts.join(
                [c for name in counted if (c := work.counts[name]) is not None]
            )
            run.write_counts(config.split, STAGE, counted, joined)
            progress.update(mean_iou=float(scores.mean_iou(joined.total)))
        if config.split == POOL and dataset.pool:
            learned = [s for s in dataset.samples if s.split == train_split_of(source)]
            write_features(run, source.model_path, reader, [*samples, *learned], progress)
        progress.update(progress=1.0, seconds_left=0.0, message=f"Predicted {len(samples)} images")


def _open_reader(source: RunFolder, dataset: Dataset) -> SampleReader:
    """Return what reads a dataset as a network saw its own; refuse other classes."""
    labels, label_map = read_labels(source)
    reader = SampleReader(
        dataset,
        (1, 1),
        label_map,
        preprocessing=preprocessing_of(source),
        bands=load_learned(source.folder),
    )
    if reader.label_set.class_ids != labels.class_ids:
        raise SegcoreError(
            f"Expected the {labels.num_classes} classes that the run {source.id!r} was "
            "trained on, received others in the dataset "
            f"{dataset.name!r}: choose a dataset with the same classes."
        )
    return reader


def preprocessing_of(source: RunFolder) -> str:
    """Return the preprocessing (``catalog.PREPROCESSING``) that a trained network expects.

    Raises:
        SegcoreError: The run is no training run.
    """
    return _config_of(source).model.preprocessing


def train_split_of(source: RunFolder) -> str:
    """Return the split that a network was trained on.

    Raises:
        SegcoreError: The run is no training run.
    """
    return _config_of(source).train_split


def _config_of(source: RunFolder) -> TrainConfig:
    config = source.config
    if not isinstance(config, TrainConfig):
        raise SegcoreError(
            f"Expected a training run, received {source.id!r} of kind {config.kind!r}: "
            "name what was trained."
        )
    return config


def crops_of(source: RunFolder) -> int:
    """Return ``RecipeConfig.crops`` of a training run; 0 for any other."""
    config = source.config
    return config.recipe.crops if isinstance(config, TrainConfig) else 0


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
    """One call of :func:`predict`: what its threads share.

    Attributes:
        counts: (C, C) counts of each sample that is done, by id; None for one without a mask.
        plain: Whether images are resized to the network's size and predicted in batches.
    """

    def __init__(
        self,
        run: RunFolder,
        config: PredictConfig,
        reader: SampleReader,
        progress: Progress,
        total: int,
    ) -> None:
        self.run = run
        self.split = config.split
        self.kept = config.probabilities
        self.reader = reader
        self.progress = progress
        self.counts: dict[str, SampleCounts | None] = {}
        self.total = total
        self.options = config.options
        self.plain = not self.options.tile and self.options.tta == "none"

    def is_stored(self, sample: Sample) -> bool:
        """Whether what the config keeps of a sample is on disk."""
        has_mask = self.run.has_mask(self.split, STAGE, sample.id)
        has_probabilities = self.run.has_probabilities(self.split, sample.id)
        return (has_mask or self.kept == "whole") and (has_probabilities or self.kept == "none")

    def predict(self, predictor: Predictor, samples: list[Sample]) -> None:
        """Predict, store and count; threads write while the network works."""
        self.progress.say("Building the graph")

        def load(position: int) -> npt.NDArray[Any]:
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
                inputs = list(islice(images, len(batch)))
                if self.plain:
                    answers = predictor(np.stack(inputs))
                    waiting.extend(
                        pool.submit(self._store, sample, answer)
                        for sample, answer in zip(batch, answers, strict=True)
                    )
                else:
                    self._store_strips(batch[0], inputs[0], predictor)
                while len(waiting) > 2 * at_once:
                    waiting.popleft().result()
                if batch[0] is samples[0]:
                    self._record_backend(predictor)
                self._show()
            for future in waiting:
                future.result()
        if self.progress.stop_asked:
            raise Stopped

    def _record_backend(self, predictor: Predictor) -> None:
        """Log and write the backend, once the first images have decided it."""
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

    def _store(self, sample: Sample, probabilities: Probabilities) -> None:
        """Store one answer at the network's resolution and count it."""
        size = (sample.height, sample.width)
        if self.kept != "whole":
            # as they would be read back, so that scores do not depend on what is kept
            answer = resize_probabilities(rounded(probabilities), size).argmax(axis=-1)
            mask = answer.astype(self.reader.label_set.mask_dtype)
            self.run.write_mask(self.split, STAGE, sample.id, mask)
        if self.kept != "none":
            self.run.write_probabilities(
                self.split, sample.id, probabilities, size, top=self.kept == "top"
            )
        self.counts[sample.id] = self._count(sample)

    def _store_strips(self, sample: Sample, image: npt.NDArray[Any], predictor: Predictor) -> None:
        """Predict one image in strips, store them as they come, and count them.

        The network works while strips are consumed, so images are done one by one. In tiles
        strips have the image's own resolution, where a mask needs no resizing.
        """
        size = (sample.height, sample.width)
        num_classes, options = predictor.num_classes, self.options
        grid = size if options.tile else predictor.size
        strips = predict_strips(image, predictor.size, num_classes, options, predictor.stream)
        if not options.tile:
            self._store(sample, np.concatenate(list(strips)))
            return
        mask = np.empty(size, self.reader.label_set.mask_dtype)
        noted = _note_classes(strips, mask)
        if self.kept == "none":
            deque(noted, maxlen=0)
        else:
            self.run.write_probability_strips(
                self.split, sample.id, noted, (*grid, num_classes), size, top=self.kept == "top"
            )
        self.run.write_mask(self.split, STAGE, sample.id, mask)
        self.counts[sample.id] = self._count(sample)

    def _count(self, sample: Sample) -> SampleCounts | None:
        """Count what is stored, so that a resumed run and later readers agree on each pixel."""
        if sample.mask is None:
            return None
        labels = self.reader.label_set
        if self.run.has_mask(self.split, STAGE, sample.id):
            predicted = self.run.read_mask(self.split, STAGE, sample.id)
        else:
            probabilities, size = self.run.read_probabilities(self.split, sample.id)
            answer = resize_probabilities(probabilities, size).argmax(axis=-1)
            predicted = answer.astype(labels.mask_dtype)
        matrix = count_confusion(
            self.reader.read_mask(sample), predicted, labels.num_classes, labels.ignore_index
        )
        return SampleCounts.stack([matrix])

    def _show(self) -> None:
        done = len(self.counts)
        self.progress.update(
            progress=done / self.total, message=f"Predicted {done} of {self.total} images"
        )


def _in_batches(samples: list[Sample], size: int) -> Iterator[list[Sample]]:
    for first in range(0, len(samples), size):
        yield samples[first : first + size]


def _note_classes(
    strips: Iterable[Probabilities], mask: npt.NDArray[np.integer]
) -> Iterator[Probabilities]:
    """Yield strips of probabilities as they are, writing the class of each pixel into a mask."""
    top = 0
    for strip in strips:
        mask[top : top + len(strip)] = strip.argmax(axis=-1)
        top += len(strip)
        yield strip
