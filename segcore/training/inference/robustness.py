"""A robustness run: counts of a network or an ensemble on images of a split, as they are and under each corruption and severity."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import numpy as np
import numpy.typing as npt

from segcore.config import RobustnessConfig
from segcore.data.augmentation.corruptions import SEVERITIES, corrupt
from segcore.data.augmentation.preprocessing import prepare
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.metrics.robustness import CLEAN, stage_name
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import Stopped
from segcore.training.inference.combine import combine_networks, submodel_rule
from segcore.training.inference.predict import preprocessing_of, read_labels
from segcore.training.inference.predictor import Predictor
from segcore.training.input.pipeline import load_ahead
from segcore.training.input.reader import SampleReader, resize_image
from segcore.training.loop.progress import Progress
from segcore.training.strategy import configure, describe

Counts = npt.NDArray[np.int64]


def choose_samples(samples: list[Sample], number: int) -> list[Sample]:
    """Return so many of the samples that have a mask, spread evenly over their order; 0 returns all.

    Raises:
        SegcoreError: None has a mask.
    """
    masked = [sample for sample in samples if sample.mask is not None]
    if not masked:
        raise SegcoreError(
            "Expected images with masks to score, found none in that split: choose another split."
        )
    if not number or number >= len(masked):
        return masked
    return [masked[i] for i in np.linspace(0, len(masked) - 1, number).round().astype(int)]


def measure_robustness(run: RunFolder, sources: Sequence[RunFolder], dataset: Dataset) -> None:
    """Count what a network, or several combined, say of clean and corrupted images; steps counted before the run was cut stay.

    Args:
        run: A run whose config is a :class:`RobustnessConfig`.
        sources: The training run that it names, or the members of the ensemble.
        dataset: The dataset that it names.

    Raises:
        SegcoreError: Something that the user can mend.
        Stopped: The run was asked to stop; steps that are done stay.
    """
    config = run.config
    if not isinstance(config, RobustnessConfig):
        raise SegcoreError(
            f"Expected a robustness run, received a run of kind {config.kind!r}: choose a "
            "robustness run."
        )
    samples = choose_samples(dataset.select(config.split), config.images)
    labels, label_map = (
        (dataset.label_set, None) if submodel_rule(sources) else read_labels(sources[0])
    )
    steps = [("", 0), *((name, severity) for name in config.corruptions for severity in SEVERITIES)]
    ids = [sample.id for sample in samples]
    with Progress(
        run, message="Loading the networks" if len(sources) > 1 else "Loading the network"
    ) as progress:
        reader = SampleReader(dataset, (1, 1), label_map)
        progress.log(f"Device: {describe(configure(config.device))}")
        networks = [Predictor(source.model_path, 0, "auto", len(samples)) for source in sources]
        preparations = [preprocessing_of(source) for source in sources]
        together = min(network.batch_size for network in networks)
        with ThreadPoolExecutor(2, "counters") as pool:
            for done, (name, severity) in enumerate(steps):
                stage = stage_name(name, severity) if name else CLEAN
                what = f"{name}, severity {severity}" if name else "Images as they are"
                progress.update(progress=done / len(steps), message=what)
                if (
                    stage in run.stages(config.split)
                    and run.read_counts(config.split, stage)[0] == ids
                ):
                    continue

                def load(
                    position: int, name: str = name, severity: int = severity
                ) -> list[npt.NDArray[np.uint8]]:
                    image = dataset.read_image(samples[position])
                    if name:
                        image = corrupt(image, name, severity, samples[position].id, config.seed)
                    prepared = {p: prepare(image, p) for p in set(preparations)}
                    return [
                        resize_image(prepared[p], network.size)
                        for p, network in zip(preparations, networks, strict=True)
                    ]

                def count(sample: Sample, answers: tuple[npt.NDArray[np.float32], ...]) -> Counts:
                    probabilities = answers[0]
                    if len(sources) > 1:
                        probabilities = combine_networks(
                            answers, sources, config.rule, config.weights or None
                        )
                    size = (sample.height, sample.width)
                    predicted = (
                        resize_probabilities(probabilities, size)
                        .argmax(axis=-1)
                        .astype(labels.mask_dtype)
                    )
                    return count_confusion(
                        reader.read_mask(sample), predicted, labels.num_classes, labels.ignore_index
                    )

                counts: list[Counts] = []
                with closing(load_ahead(load, 0, len(samples), together)) as images:
                    while len(counts) < len(samples):
                        if progress.stop_asked:
                            raise Stopped
                        batch = list(islice(images, together))
                        seen = zip(networks, zip(*batch, strict=True), strict=True)
                        answers = zip(
                            *(network(np.stack(own)) for network, own in seen), strict=True
                        )
                        counts.extend(
                            pool.map(
                                count, samples[len(counts) : len(counts) + len(batch)], answers
                            )
                        )
                        progress.update(progress=(done + len(counts) / len(samples)) / len(steps))
                run.write_counts(config.split, stage, ids, np.stack(counts))
        progress.update(
            progress=1.0,
            seconds_left=0.0,
            message=f"{len(steps) - 1} corruptions of {len(samples)} images",
        )
