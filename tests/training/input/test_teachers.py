"""Teachers' answers are the mean of what is stored, reach a batch with its augmentation, and are whole."""

import dataclasses

import numpy as np
import pytest

from segcore.config import PredictConfig
from segcore.data.augmentation.transforms import Augmentation
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.postprocess.ensemble import combine
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.input.pipeline import EpochDraw, SampleReader, training_batches, with_masks
from segcore.training.input.teachers import STEPS, DistillationReader, Teachers

pytestmark = pytest.mark.tensorflow

LABELS = LabelSet(tuple(LabelClass(i, f"class {i}", (80 * i, 0, 0)) for i in range(3)))
SIZE = (16, 32)
NAMES = ("one-1", "one-2")


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """Four training images whose first rows have no label, and two teachers that predicted them."""
    root = tmp_path_factory.mktemp("taught")
    rng = np.random.default_rng(2)
    masks = {f"train/{i}": rng.integers(0, 3, (2, 4)).repeat(8, 0).repeat(8, 1) for i in range(4)}
    samples = [
        ArraySample(
            name,
            (80 * mask[..., None] * [1, 1, 1]).astype(np.uint8),
            mask.astype(np.uint8),
            "train",
        )
        for name, mask in masks.items()
    ]
    for sample in samples:
        sample.mask[:3] = LABELS.ignore_index
    dataset = write_dataset(root / "datasets" / "blocks", "blocks", LABELS, samples)
    for seed, name in enumerate(NAMES):
        noise = np.random.default_rng(seed)
        config = PredictConfig("blocks", name, "train")
        folder = RunFolder.create(root / "runs", f"{name}--train", config)
        for sample in dataset.samples:
            mixed = 0.7 * np.eye(3)[masks[sample.id]] + 0.3 * noise.dirichlet(np.ones(3), SIZE)
            folder.write_probabilities("train", sample.id, mixed.astype(np.float32), SIZE)
    return dataset, root / "runs"


def mean_of(runs, sample):
    stored = [
        RunFolder(runs / f"{name}--{sample.split}").read_probabilities(sample.split, sample.id)[0]
        for name in NAMES
    ]
    return combine(stored)


@pytest.mark.parametrize("room", [0, 1 << 20], ids=["no cache", "cached"])
def test_teachers_answer_with_the_stored_mean(taught, room):
    dataset, runs = taught
    teachers = Teachers(runs, NAMES, SIZE, room)
    for sample in dataset.select("train"):
        for _ in range(2):
            np.testing.assert_allclose(
                teachers.read(sample, 3), mean_of(runs, sample), atol=1.01 / 4095
            )


def test_a_plain_pair_holds_label_and_teachers(taught):
    dataset, runs = taught
    reader = DistillationReader(Teachers(runs, NAMES, SIZE), dataset, SIZE)
    for sample in dataset.samples:
        image, truth = reader.training_pair(sample)
        assert image.shape == (*SIZE, 3) and truth.shape == (*SIZE, 4)
        assert truth.dtype == np.uint16
        np.testing.assert_allclose(
            truth[..., 1:] / STEPS, mean_of(runs, sample), atol=2e-4 + 1 / 4095
        )
        np.testing.assert_array_equal(truth[..., 0], dataset.read_mask(sample))
        assert (truth[:3, :, 0] == LABELS.ignore_index).all() and (
            truth[:3, :, 1:].sum(-1) > 0
        ).all()


@pytest.mark.parametrize("augmentation", ["light", "strong", "aerial", "road"])
def test_augmented_batches_keep_image_label_and_teachers_together(taught, augmentation):
    """Images are grey by class and teachers favour it, so all three agree wherever they are moved."""
    dataset, runs = taught
    samples = with_masks(dataset, "train")
    reader = DistillationReader(Teachers(runs, NAMES, SIZE), dataset, SIZE)
    draw = EpochDraw(1, 0, augmentation, cut_mix=0.5)
    plain = list(training_batches(SampleReader(dataset, SIZE), samples, 4, draw))
    batches = list(training_batches(reader, samples, 4, draw))
    assert len(batches) == len(plain) == 1
    for batch, other in zip(batches, plain, strict=True):
        np.testing.assert_array_equal(batch.images, other.images)
        np.testing.assert_array_equal(batch.masks[..., 0], other.masks)
        known = other.masks != LABELS.ignore_index
        assert (batch.masks[..., 1:].argmax(-1)[known] == other.masks[known]).mean() > 0.85


def test_a_shift_moves_teachers_by_as_many_pixels(taught):
    dataset, runs = taught
    reader = DistillationReader(Teachers(runs, NAMES, SIZE), dataset, SIZE)
    sample = dataset.select("train")[0]
    shift = Augmentation(SIZE, {"affine": {"shift_x": 8 / SIZE[1]}})
    _, plain = reader.training_pair(sample)
    _, moved = reader.training_pair(sample, shift)
    np.testing.assert_allclose(moved[:, 8:, 1:].astype(int), plain[:, :-8, 1:].astype(int), atol=64)
    assert (moved[:, :8, 1:] == 0).all() and (moved[:, :8, 0] == LABELS.ignore_index).all()


@pytest.mark.parametrize("augmentation", ["none", "road", "strong"])
def test_an_image_without_a_mask_has_ignored_labels_and_its_teachers(taught, augmentation):
    """It is the labelled image without its mask: all but the labels are the same, wherever it moves."""
    dataset, runs = taught
    labelled = dataset.samples[1]
    waiting = dataclasses.replace(labelled, mask=None, mask_digest="")
    reader = DistillationReader(Teachers(runs, NAMES, SIZE), dataset, SIZE)
    image, truth = reader.drawn_pair(labelled, augmentation, np.random.default_rng(4))
    same, alone = DistillationReader(Teachers(runs, NAMES, SIZE), dataset, SIZE).drawn_pair(
        waiting, augmentation, np.random.default_rng(4)
    )
    np.testing.assert_array_equal(same, image)
    np.testing.assert_array_equal(alone[..., 1:], truth[..., 1:])
    assert (alone[..., 0] == LABELS.ignore_index).all() and alone[..., 1:].any()


def test_what_teachers_lack_is_named(taught, tmp_path):
    dataset, runs = taught
    samples = dataset.select("train")
    Teachers(runs, NAMES, SIZE).check(list(dataset.samples))
    with pytest.raises(
        SegcoreError, match=r"teacher 'other' .* 4 have none, for example 'train/0'"
    ):
        Teachers(runs, ("other",), SIZE).check(samples)
    with pytest.raises(SegcoreError, match="Expected 5 classes"):
        Teachers(runs, NAMES, SIZE).read(samples[0], 5)
