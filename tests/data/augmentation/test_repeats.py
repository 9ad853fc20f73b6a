"""The copies that can be looked at are those that training sees."""

import numpy as np
import pytest

from segcore.catalog import AUGMENTATIONS
from segcore.data.augmentation.repeats import draws_of, epoch_order
from segcore.errors import SegcoreError
from segcore.training.input.pipeline import EpochDraw, SampleReader, training_batches

IDS = [f"train/scene_{i}" for i in (0, 1, 1, 1, 2, 3, 4, 4, 5)]


@pytest.mark.parametrize("preset", AUGMENTATIONS)
def test_the_copies_of_an_epoch_are_those_of_the_training_pipeline(workspace, preset) -> None:
    dataset = workspace.datasets.open("tiny")
    samples = [dataset.sample(i) for i in IDS]
    reader = SampleReader(dataset, (32, 48))
    for seed, epoch in ((0, 0), (3, 2)):
        batches = training_batches(reader, samples, 1, EpochDraw(seed, epoch, preset))
        seen = [(batch.images[0], batch.masks[0]) for batch in batches]
        for sample_id in dict.fromkeys(IDS):
            image, mask = dataset.read(dataset.sample(sample_id))
            drawn = draws_of(IDS, sample_id, preset, seed, epoch, (32, 48))
            assert len(drawn) == IDS.count(sample_id)
            for position, augmentation in drawn:
                copy = augmentation.apply(image, mask, 255)
                np.testing.assert_array_equal(copy[0], seen[position][0])
                np.testing.assert_array_equal(copy[1], seen[position][1])


def test_every_sample_comes_once_an_epoch_and_epochs_differ() -> None:
    first, second = epoch_order(50, 0, 0), epoch_order(50, 0, 1)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert first.tolist() != second.tolist() and first.tolist() == epoch_order(50, 0, 0).tolist()


def test_a_sample_outside_the_training_split_has_no_copies() -> None:
    with pytest.raises(SegcoreError, match="training sample"):
        draws_of(IDS, "test/scene_0", "light", 0, 0, (32, 48))
