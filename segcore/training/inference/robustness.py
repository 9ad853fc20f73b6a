"""A robustness run: counts of a network or an ensemble on clean and corrupted images."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import RobustnessConfig
from segcore.data.augmentation.corruptions import SEVERITIES, corrupt, corrupt_bands
from segcore.data.augmentation.preprocessing import prepare
from segcore.data.bands.learned import check_alike, load_learned
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.robustness import CLEAN, stage_name
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import Stopped
from segcore.training.engines.engine import devices
from segcore.training.inference.combine import combine_networks, submodel_rule
from segcore.training.inference.predict import crops_of, preprocessing_of, read_labels
from segcore.training.inference.predictor import Predictor
from segcore.training.input.pipeline import load_ahead
from segcore.training.input.reader import SampleReader, resize_image
from segcore.training.loop.progress import Progress
from segcore.training.strategy import configure


def choose_samples(samples: list[Sample], number: int) -> list[Sample]:
    """Return a number of samples with masks, spread evenly over their order; 0 returns all.

    Raises:
        SegcoreError: None has a mask.
    """
    masked = [sample for sample in samples if sample.mask is not None]
    if not masked:
        raise SegcoreError(
            "Expected images with masks to score, received a split without any: choose another "
            "split."
        )
    if not number or number >= len(masked):
        return masked
    return [masked[i] for i in np.linspace(0, len(masked) - 1, number).round().astype(int)]


def measure_robustness(run: RunFolder, sources: Sequence[RunFolder], dataset: Dataset) -> None:
    """Count a network's or an ensemble's answers on clean and corrupted images.

    Steps that were counted before an interruption are kept.

    Args:
        run: A run whose config is a :class:`RobustnessConfig`.
        sources: The training run that it names, or the members of the ensemble.
        dataset: The dataset that it names.

    Raises:
        SegcoreError: Something that the user can fix.
        Stopped: The run was asked to stop; finished steps are kept.
    """
    config = run.config
    if not isinstance(config, RobustnessConfig):
        raise SegcoreError(
            f"Expected a robustness run, received a run of kind {config.kind!r}: choose a "
            "robustness run."
        )
    if any(map(crops_of, sources)):
        raise SegcoreError(
            "Expected networks that were trained on resized images, received one that was trained "
            "on crops, which this test would show at another scale: choose another network."
        )
    samples = choose_samples(dataset.select(config.split), config.images)
    ids = [sample.id for sample in samples]
    steps = [("", 0), *((name, severity) for name in config.corruptions for severity in SEVERITIES)]
    message = "Loading the networks" if len(sources) > 1 else "Loading the network"
    with Progress(run, message=message) as progress:
        progress.log(f"Device: {devices.describe(configure(config.device))}")
        work = _Work(config, sources, dataset, samples, progress)
        for number, (name, severity) in enumerate(steps):
            stage = stage_name(name, severity) if name else CLEAN
            progress.update(
                progress=number / len(steps),
                message=f"{name}, severity {severity}" if name else "Clean images",
            )
            is_done = stage in run.stages(config.split)
            if not is_done or run.read_counts(config.split, stage)[0] != ids:
                counts = work.count_step(name, severity, (number, len(steps)))
                run.write_counts(config.split, stage, ids, counts)
        progress.update(
            progress=1.0,
            seconds_left=0.0,
            message=f"{len(steps) - 1} corruptions of {len(samples)} images",
        )


class _Work:
    """One call of :func:`measure_robustness`: the networks and what its steps share."""

    def __init__(
        self,
        config: RobustnessConfig,
        sources: Sequence[RunFolder],
        dataset: Dataset,
        samples: list[Sample],
        progress: Progress,
    ) -> None:
        labels, label_map = (
            (dataset.label_set, None) if submodel_rule(sources) else read_labels(sources[0])
        )
        self.config = config
        self.sources = sources
        self.dataset = dataset
        self.samples = samples
        self.progress = progress
        self.labels = labels
        self.bands = load_learned(sources[0].folder)
        for source in sources[1:]:
            check_alike(self.bands, load_learned(source.folder))
        self.reader = SampleReader(dataset, (1, 1), label_map, bands=self.bands)
        self.networks = [
            Predictor(source.model_path, 0, "auto", len(samples)) for source in sources
        ]
        self.preparations = [preprocessing_of(source) for source in sources]
        self.batch_size = min(network.batch_size for network in self.networks)

    def count_step(self, name: str, severity: int, step: tuple[int, int]) -> SampleCounts:
        """Return the counts of every sample under one corruption.

        Args:
            name: The corruption; "" for clean images.
            severity: Its severity.
            step: Number of this step, from 0, and how many there are.

        Raises:
            Stopped: The run was asked to stop.
        """

        def load(position: int) -> list[npt.NDArray[Any]]:
            return self._inputs(self.samples[position], name, severity)

        counts: list[SampleCounts] = []
        with (
            ThreadPoolExecutor(2, "counters") as pool,
            closing(load_ahead(load, 0, len(self.samples), self.batch_size)) as images,
        ):
            while len(counts) < len(self.samples):
                if self.progress.stop_asked:
                    raise Stopped
                batch = list(islice(images, self.batch_size))
                inputs = zip(self.networks, zip(*batch, strict=True), strict=True)
                answers = zip(*(network(np.stack(own)) for network, own in inputs), strict=True)
                batch_samples = self.samples[len(counts) : len(counts) + len(batch)]
                counts.extend(pool.map(self._count, batch_samples, answers))
                done = step[0] + len(counts) / len(self.samples)
                self.progress.update(progress=done / step[1])
        return SampleCounts.join(counts)

    def _inputs(self, sample: Sample, name: str, severity: int) -> list[npt.NDArray[Any]]:
        """Return one sample as each network takes it."""
        image = self.reader.read_image(sample)  # which prepares nothing
        if self.bands is not None:
            if name:
                image = corrupt_bands(
                    image, self.bands, name, severity, sample.id, self.config.seed
                )
            return [resize_image(image, network.size) for network in self.networks]
        if name:
            image = corrupt(image, name, severity, sample.id, self.config.seed)
        prepared = {p: prepare(image, p) for p in set(self.preparations)}
        return [
            resize_image(prepared[p], network.size)
            for p, network in zip(self.preparations, self.networks, strict=True)
        ]

    def _count(self, sample: Sample, answers: tuple[npt.NDArray[np.float32], ...]) -> SampleCounts:
        probabilities = answers[0]
        if len(self.sources) > 1:
            probabilities = combine_networks(
                answers, self.sources, self.config.rule, self.config.weights or None
            )
        predicted = (
            resize_probabilities(probabilities, (sample.height, sample.width))
            .argmax(axis=-1)
            .astype(self.labels.mask_dtype)
        )
        matrix = count_confusion(
            self.reader.read_mask(sample),
            predicted,
            self.labels.num_classes,
            self.labels.ignore_index,
        )
        return SampleCounts.stack([matrix])
