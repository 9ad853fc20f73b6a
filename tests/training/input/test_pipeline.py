"""Batches are whole, drawn from the seed, and the same from any point on."""

import numpy as np
import pytest

from segcore.data.balance.plans import BalancePlan
from segcore.data.dataset.dataset import Dataset
from segcore.data.files.masks import resize_mask
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.training.input.pipeline import (
    EpochDraw,
    SampleReader,
    load_ahead,
    ordered_batches,
    planned_samples,
    resize_image,
    training_batches,
    with_masks,
)

SIZE = (32, 64)


@pytest.fixture
def reader(dataset):
    return SampleReader(dataset, SIZE)


def epoch(reader, start=0, **words):
    samples = with_masks(reader.dataset, "train")
    draw = EpochDraw(**{"seed": 1, "epoch": 0, "augmentation": "light", **words})
    return list(training_batches(reader, samples, 4, draw, start=start))


def same(a, b):
    return len(a) == len(b) and all(
        np.array_equal(x.images, y.images)
        and np.array_equal(x.masks, y.masks)
        and x.count == y.count
        for x, y in zip(a, b, strict=True)
    )


def test_an_epoch_shows_every_sample_and_fills_its_last_batch(reader):
    batches = epoch(reader, augmentation="none")
    assert [b.count for b in batches] == [4, 4, 3]
    for batch in batches:
        assert batch.images.shape == (4, *SIZE, 3) and batch.images.dtype == np.uint8
        assert batch.masks.shape == (4, *SIZE) and batch.masks.dtype == np.uint8
    shown = [image.tobytes() for b in batches for image in b.images]
    expected = {reader.read(s)[0].tobytes() for s in with_masks(reader.dataset, "train")}
    assert set(shown[:11]) == expected and shown[11] == shown[0]


def test_the_seed_and_the_epoch_fix_order_and_augmentation(reader, dataset):
    first = epoch(reader)
    assert same(first, epoch(reader))
    assert same(first, epoch(SampleReader(dataset, SIZE, cache_bytes=0)))
    assert not same(first, epoch(reader, seed=2)) and not same(first, epoch(reader, epoch=1))
    assert same(first[2:], epoch(reader, start=2)) and epoch(reader, start=3) == []


def test_a_repeated_sample_is_augmented_anew(reader):
    sample = with_masks(reader.dataset, "train")[0]
    (batch,) = training_batches(reader, [sample] * 4, 4, EpochDraw(0, 0, "light"))
    assert len({image.tobytes() for image in batch.images}) > 1


def test_validation_is_in_order_and_filled_up_with_nothing(reader):
    samples = with_masks(reader.dataset, "validation")
    batches = list(ordered_batches(reader, samples, 4))
    assert [b.count for b in batches] == [4, 1]
    for i, sample in enumerate(samples):
        image, mask = reader.read(sample)
        np.testing.assert_array_equal(batches[i // 4].images[i % 4], image)
        np.testing.assert_array_equal(batches[i // 4].masks[i % 4], mask)
    assert (batches[1].masks[1:] == 255).all() and (batches[1].images[1:] == 0).all()


def test_samples_are_kept_while_the_budget_lasts(dataset, monkeypatch):
    reads = []
    original = Dataset.read_image
    monkeypatch.setattr(
        Dataset, "read_image", lambda self, s: (reads.append(s.id), original(self, s))[1]
    )
    samples = dataset.select("train")
    one = SIZE[0] * SIZE[1] * 4
    reader = SampleReader(dataset, SIZE, cache_bytes=3 * one)
    for _ in range(2):
        for sample in samples:
            reader.read(sample)
    assert len(reads) == 2 * len(samples) - 3


def test_a_label_map_is_applied_once(dataset):
    label_map = LabelMap.merging(3, [(0, 1)])
    reader = SampleReader(dataset, SIZE, label_map)
    sample = dataset.select("train")[0]
    plain = resize_mask(dataset.read_mask(sample), SIZE)
    expected = np.choose(np.where(plain == 255, 3, plain), [0, 0, 1, 255])
    np.testing.assert_array_equal(reader.read(sample)[1], expected)
    assert reader.label_set.num_classes == 2


@pytest.mark.parametrize("size", [(5, 9), (20, 30), (7, 31), (10, 14)])
def test_masks_are_resized_to_the_nearest_centre(size):
    mask = np.random.default_rng(0).integers(0, 300, (10, 14)).astype(np.uint16)
    resized = resize_mask(mask, size)
    assert resized.shape == size and resized.dtype == np.uint16
    for y, x in np.ndindex(size):
        centre = ((y + 0.5) * 10 / size[0], (x + 0.5) * 14 / size[1])
        assert resized[y, x] == mask[int(centre[0]), int(centre[1])]


def test_images_are_resized_without_a_shift():
    ramp = np.broadcast_to(np.arange(0, 160, 10, dtype=np.uint8)[None, :, None], (8, 16, 3)).copy()
    halved = resize_image(ramp, (4, 8))
    assert np.abs(halved[0, :, 0].astype(int) - (np.arange(8) * 20 + 5)).max() <= 1
    doubled = resize_image(ramp, (16, 32))
    assert np.abs(doubled[0, 1:-1, 0] - (np.arange(32) * 5 - 2.5)[1:-1]).max() <= 1
    mixed = resize_image(ramp, (16, 8))
    assert (
        mixed.shape == (16, 8, 3)
        and np.abs(mixed[0, :, 0].astype(int) - halved[0, :, 0]).max() <= 1
    )
    assert resize_image(ramp, (8, 16)) is ramp


def test_loading_ahead_is_bounded_ordered_and_ends_with_its_reader():
    begun = []

    def load(position):
        begun.append(position)
        return position

    items = load_ahead(load, 2, 100, 3)
    assert [next(items) for _ in range(4)] == [2, 3, 4, 5]
    items.close()
    assert len(begun) <= 4 + 3 * 3
    assert list(load_ahead(load, 5, 5, 3)) == []


def test_a_damaged_file_is_a_sentence(reader, monkeypatch):
    def fail(self, sample):
        raise SegcoreError("Expected a picture, received noise: import it again.")

    monkeypatch.setattr(Dataset, "read_image", fail)
    with pytest.raises(SegcoreError, match="noise"):
        epoch(reader)


def test_a_split_without_masks_is_refused(dataset):
    bare = Dataset(
        dataset.folder,
        "bare",
        dataset.label_set,
        tuple(type(s)(**{**vars(s), "mask": None}) for s in dataset.samples),
    )
    with pytest.raises(SegcoreError, match="received none"):
        with_masks(bare, "train")


def test_a_balance_plan_repeats_samples(dataset):
    ids = [s.id for s in dataset.select("train")]
    plan = BalancePlan(
        "pixel",
        "train",
        (1 / 3,) * 3,
        "nominal",
        3,
        None,
        {ids[0]: 3, ids[2]: 2},
        (1 / 3,) * 3,
        (1 / 3,) * 3,
        0.1,
        0.0,
        None,
        (),
        3.0,
    )
    dataset.save_plan("rare", plan.to_json())
    assert [s.id for s in planned_samples(dataset, "train", "rare")] == [ids[0]] * 3 + [ids[1]] + [
        ids[2]
    ] * 2 + ids[3:]
    assert planned_samples(dataset, "train") == dataset.select("train")
    with pytest.raises(SegcoreError, match="make one for this split"):
        planned_samples(dataset, "validation", "rare")
    with pytest.raises(SegcoreError, match="did you mean 'rare'"):
        planned_samples(dataset, "train", "rear")
