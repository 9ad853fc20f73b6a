"""Crops show images at their own resolution: nothing is resized, every pixel keeps its label."""

from pathlib import Path

import numpy as np
import pytest

from segcore.config import ModelConfig, PredictOptions, RecipeConfig, TrainConfig, at_training_scale
from segcore.data.bands.band_set import BandChoice
from segcore.data.bands.learned import LearnedBands
from segcore.data.dataset.dataset import Dataset
from segcore.data.files.windows import Window, read_window
from segcore.data.formats.importers import ImportRules, Windows, import_dataset
from segcore.errors import SegcoreError
from segcore.training.input.crops import CropReader
from segcore.training.input.pipeline import EpochDraw, training_batches
from tests.data.files.geotiffs import write_scene

SIZE = (32, 48)
ROWS, COLUMNS = np.mgrid[:100, :120].astype(np.uint8)
IMAGE = np.stack([ROWS, COLUMNS, np.full_like(ROWS, 7)], axis=-1)
"""Each pixel says where it lies."""


def label(image: np.ndarray) -> np.ndarray:
    return image[..., 0].astype(int) * 3 + image[..., 1] * 5


@pytest.fixture(scope="module", params=["scene", "windows"])
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp(request.param)
    write_scene(folder / "s" / "images" / "a.tif", IMAGE)
    write_scene(folder / "s" / "masks" / "a.tif", (label(IMAGE) % 4).astype(np.uint8))
    size = 0 if request.param == "scene" else 60
    import_dataset(folder / "s", folder / "set", "set", rules=ImportRules(windows=Windows(size)))
    return Dataset.open(folder / "set")


def test_the_parts_of_an_image_hold_each_pixel_once(dataset: Dataset) -> None:
    reader = CropReader(dataset, SIZE)
    seen = np.zeros((100, 120), int)
    for part in reader.parts(dataset.samples):
        image, mask = reader.read(part)
        assert image.shape == (*SIZE, 3)
        assert mask.shape == SIZE
        labelled = mask != dataset.label_set.ignore_index
        assert (image[labelled][:, 2] == 7).all()
        np.testing.assert_array_equal(mask[labelled], label(image[labelled]) % 4)
        np.add.at(seen, (image[labelled][:, 0], image[labelled][:, 1]), 1)
    assert (seen == 1).all()


def epoch(reader: CropReader, start: int = 0, augmentation: str = "none") -> list:
    samples = list(reader.dataset.samples) * 5
    draw = EpochDraw(1, 0, augmentation)
    return list(training_batches(reader, samples, 4, draw, start=start))


def test_crops_are_cut_and_never_resized(dataset: Dataset) -> None:
    places = set()
    for batch in epoch(CropReader(dataset, SIZE)):
        for image, mask in zip(batch.images, batch.masks, strict=True):
            np.testing.assert_array_equal(mask, label(image) % 4)
            np.testing.assert_array_equal(np.diff(image[:, 0, 0].astype(int)), 1)
            np.testing.assert_array_equal(np.diff(image[0, :, 1].astype(int)), 1)
            places.add((image[0, 0, 0], image[0, 0, 1]))
    assert len(places) > 3


def test_an_epoch_entered_in_its_middle_is_the_same(dataset: Dataset) -> None:
    whole = epoch(CropReader(dataset, SIZE), augmentation="strong")
    rest = epoch(CropReader(dataset, SIZE, cache_bytes=0), start=1, augmentation="strong")
    for one, other in zip(whole[1:], rest, strict=True):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.masks, other.masks)


def test_nothing_but_the_crop_is_decoded(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def spy(path: Path, window: Window, look: object = None) -> np.ndarray:
        read.append((window.height, window.width))
        return read_window(path, window, look)  # type: ignore[arg-type]

    monkeypatch.setattr("segcore.data.dataset.dataset.read_window", spy)
    reader = CropReader(dataset, SIZE)
    crops = sum(len(batch.images) for batch in epoch(reader))
    reader.read(reader.parts(dataset.samples)[0])
    assert read == [SIZE] * (crops + 1)


def test_crops_of_bands_keep_their_values(tmp_path: Path) -> None:
    deep = np.stack([label(IMAGE) * k for k in (1, 2, 3, 4)], axis=-1).astype(np.uint16)
    write_scene(tmp_path / "s" / "images" / "a.tif", deep)
    write_scene(tmp_path / "s" / "masks" / "a.tif", (label(IMAGE) % 4).astype(np.uint8))
    rules = ImportRules(windows=Windows(60), bands=BandChoice())
    import_dataset(tmp_path / "s", tmp_path / "set", "set", rules)
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.bands is not None
    learned = LearnedBands(dataset.bands, (0.0,) * 4, (1.0,) * 4)
    for batch in epoch(CropReader(dataset, SIZE, bands=learned)):
        ignored = batch.masks == dataset.label_set.ignore_index
        values = batch.images[~ignored]
        assert values.dtype == np.float32
        np.testing.assert_array_equal(batch.masks[~ignored], values[:, 0] % 4)
        np.testing.assert_array_equal(values[:, 3], values[:, 0] * 4)


def test_an_image_smaller_than_the_crop_is_filled_up_with_ignored_pixels(dataset: Dataset) -> None:
    reader = CropReader(dataset, (128, 160))
    (batch, *_) = epoch(reader)
    ignored = batch.masks == dataset.label_set.ignore_index
    assert ignored.any()
    assert (batch.images[ignored] == 0).all()
    assert (batch.images[~ignored][:, 2] == 7).all()


def test_a_network_trained_on_crops_is_asked_in_tiles() -> None:
    assert at_training_scale(PredictOptions(), 4).tile
    assert not at_training_scale(PredictOptions(), 0).tile
    kept = PredictOptions(tile=True, overlap=0.2)
    assert at_training_scale(kept, 4) is kept


def test_what_crops_cannot_do_is_refused() -> None:
    with pytest.raises(SegcoreError, match="cached features"):
        RecipeConfig(crops=4, cache_features=True, augmentation="none")
    with pytest.raises(SegcoreError, match="preprocessing"):
        TrainConfig("d", ModelConfig(preprocessing="clahe"), RecipeConfig(crops=4))
