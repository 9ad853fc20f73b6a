"""What turns a training run into a student: its truth and its loss."""

import hashlib
from collections.abc import Sequence

from segcore.config import TrainConfig
from segcore.data.dataset.dataset import POOL, Dataset, Sample
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.input.reader import SampleReader
from segcore.training.input.teachers import DistillationReader, Teachers
from segcore.training.losses.base import SegmentationLoss
from segcore.training.losses.soft_losses import DistillationLoss


def student_reader(
    run: RunFolder, dataset: Dataset, reader: SampleReader, samples: Sequence[Sample]
) -> SampleReader:
    """Return what a run's training batches are read with.

    Args:
        run: A training run.
        dataset: Its dataset.
        reader: Reads its samples without teachers.
        samples: Its training samples.

    Returns:
        The reader that was given where the run has no teachers; else one that adds what they
        answer.

    Raises:
        SegcoreError: A teacher lacks predictions of a sample.
    """
    config = run.config
    if not isinstance(config, TrainConfig) or config.distillation is None:
        return reader
    teachers = Teachers(run.folder.parent, config.distillation.teachers, config.size)
    teachers.check(samples)
    return DistillationReader(
        teachers, dataset, config.size, reader.label_map, config.model.preprocessing, reader.bands
    )


def unlabelled_samples(config: TrainConfig, dataset: Dataset) -> list[Sample]:
    """Return the images without masks that a student trains on besides; [] of any other run.

    Raises:
        SegcoreError: A student that should train on some, and none is left.
    """
    if config.distillation is None or not config.distillation.unlabelled:
        return []
    return dataset.predictable(POOL)


def lesson_fingerprint(dataset: Dataset, unlabelled: Sequence[Sample]) -> str:
    """Return what a resumed run has to find again: the dataset, and the images without masks."""
    if not unlabelled:
        return dataset.fingerprint
    ids = "\n".join(sample.id for sample in unlabelled)
    return f"{dataset.fingerprint} {hashlib.sha256(ids.encode()).hexdigest()}"


def student_loss(loss: SegmentationLoss, config: TrainConfig) -> SegmentationLoss:
    """Return a run's loss on labels, or of a student its sum with the loss on the teachers."""
    if config.distillation is None:
        return loss
    return DistillationLoss(
        loss,
        config.distillation.label_weight,
        loss.num_classes,
        loss.ignore_index,
        loss.class_weights,
    )
