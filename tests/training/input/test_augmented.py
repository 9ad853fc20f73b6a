"""Pairs are cropped at the sample's own resolution, mixed and prepared; parts make the batch."""

import numpy as np
import pytest

from segcore.catalog import PREPROCESSING
from segcore.data.augmentation.photometry import clahe
from segcore.data.augmentation.preprocessing import CLAHE_CLIP, STEPS, prepare
from segcore.data.augmentation.transforms import draw
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.training.input.pipeline import (
    EpochDraw,
    SampleReader,
    augmented,
    ordered_batches,
    training_batches,
    with_masks,
)

pytestmark = pytest.mark.tensorflow

SIZE = (32, 64)


def test_parts_of_a_batch_make_up_the_batch(dataset):
    reader = SampleReader(dataset, SIZE)
    samples = with_masks(dataset, "train")
    draw = EpochDraw(3, 1, "light", cut_mix=0.5)
    whole = list(training_batches(reader, samples, 4, draw, start=1))
    parts = [
        list(training_batches(reader, samples, 4, draw, start=1, part=part, parts=2))
        for part in range(2)
    ]
    assert len(whole) == 2
    for batch, first, second in zip(whole, *parts, strict=True):
        np.testing.assert_array_equal(batch.images, np.concatenate([first.images, second.images]))
        np.testing.assert_array_equal(batch.masks, np.concatenate([first.masks, second.masks]))
        assert batch.count == first.count == second.count
    validation = with_masks(dataset, "validation")
    halves = [ordered_batches(reader, validation, 4, part, 2) for part in (0, 1)]
    for batch, *both in zip(ordered_batches(reader, validation, 4), *halves, strict=True):
        np.testing.assert_array_equal(batch.images, np.concatenate([b.images for b in both]))
        np.testing.assert_array_equal(batch.masks, np.concatenate([b.masks for b in both]))


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """One image of 320 x 640 whose stripes of two pixels vanish where it is resized to a tenth."""
    folder = tmp_path_factory.mktemp("fine")
    image = np.zeros((320, 640, 3), np.uint8)
    image[:, ::4] = image[:, 1::4] = 255
    mask = np.zeros((320, 640), np.uint8)
    mask[150:154, 300:304] = 1  # smaller than one pixel of the network
    labels = LabelSet((LabelClass(0, "ground", (0, 0, 0)), LabelClass(1, "post", (255, 0, 0))))
    write_dataset(folder / "fine", "fine", labels, [ArraySample("a", image, mask, "train")])
    return Dataset.open(folder / "fine")


def test_windows_are_cut_where_the_detail_is(fine):
    reader = SampleReader(fine, SIZE)
    assert (
        reader.read(fine.samples[0])[0].std() < 60
        and not (reader.read(fine.samples[0])[1] == 1).any()
    )
    crops = posts = 0
    for seed in range(60):
        drawn = draw("road", np.random.default_rng(seed), SIZE)
        if not drawn.crops:
            continue
        crops += 1
        mask = fine.read_mask(fine.samples[0])
        window = drawn.window(mask, 255)
        assert window is not None and window.cut(mask).shape == (window.height, window.width)
        assert drawn.without_crop().parameters.keys() == drawn.parameters.keys() - {"class_crop"}
        image, cut = augmented(reader, fine.samples, 0, "road", np.random.default_rng(seed))
        posts += bool((cut == 1).any())
        assert image.shape == (*SIZE, 3) and cut.shape == SIZE and cut.dtype == np.uint8
    assert crops > 8 and posts > 0  # of which the resized sample has none


def test_a_crop_of_a_sample_at_its_own_size_is_the_old_one(dataset):
    """Where the network's size is not smaller there is no detail to gain: the draw is applied."""
    sample = next(s for s in dataset.select("train") if (s.height, s.width) == (24, 50))
    reader = SampleReader(dataset, (64, 64))
    for seed in range(20):
        pair = augmented(reader, [sample], 0, "road", np.random.default_rng(seed))
        expected = draw("road", np.random.default_rng(seed), reader.size).apply(
            *reader.read(sample), 255
        )
        assert all(np.array_equal(a, b) for a, b in zip(pair, expected, strict=True))


def test_a_mixed_pair_holds_pixels_of_both(dataset):
    reader = SampleReader(dataset, SIZE)
    samples = with_masks(dataset, "train")
    mixed = 0
    for seed in range(12):
        image, mask = augmented(reader, samples, 0, "none", np.random.default_rng(seed), 1.0)
        own = (image == reader.read(samples[0])[0]).all(-1)
        others = [
            (image == reader.read(s)[0]).all(-1) & (mask == reader.read(s)[1]) for s in samples
        ]
        assert np.any([own | other for other in others], axis=0).all() and 0.35 < own.mean() <= 1
        mixed += own.mean() < 1
    assert mixed > 6
    same = augmented(reader, samples, 0, "none", np.random.default_rng(0), 0.0)
    assert np.array_equal(same[0], reader.read(samples[0])[0])


def test_images_are_prepared_alike_and_before_anything_else(dataset):
    sample = dataset.select("train")[0]
    image = dataset.read_image(sample)
    reader = SampleReader(dataset, image.shape[:2], preprocessing="clahe")
    np.testing.assert_array_equal(reader.read(sample)[0], clahe(image, {"clip": CLAHE_CLIP}))
    assert not np.array_equal(reader.read(sample)[0], image)
    assert prepare(image, "none") is image and prepare(image, "standardise") is image
    with pytest.raises(SegcoreError, match="did you mean"):
        prepare(image, "clahee")
    assert list(STEPS) == list(PREPROCESSING)
