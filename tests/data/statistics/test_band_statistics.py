"""Streamed figures equal those over all pixels at once; what is learned comes from train alone."""

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.statistics.band_statistics import FILE_NAME, collect_band_statistics, learn_bands
from segcore.errors import SegcoreError
from tests.data.bands.band_rasters import NAMES, make_dataset, planted, write_bands


def all_pixels(dataset, split):
    values = [dataset.read_values(s) for s in dataset.select(split)]
    return np.concatenate([v.reshape(-1, v.shape[2]) for v in values]).astype(np.float64)


def test_figures_equal_those_of_all_pixels_at_once(tmp_path):
    dataset = make_dataset(tmp_path, indices="ndvi")
    figures = collect_band_statistics(dataset, "train")
    pixels = all_pixels(dataset, "train")
    assert [one.name for one in figures] == [*NAMES, "ndvi"]
    for one, own in zip(figures, pixels.T, strict=True):
        np.testing.assert_allclose(
            (one.mean, one.std, one.minimum, one.maximum, one.missing),
            (own.mean(), own.std(), own.min(), own.max(), 0),
            rtol=1e-6,
        )
        np.testing.assert_allclose((one.low, one.high), np.percentile(own, (2, 98)), rtol=1e-6)


def test_gaps_do_not_count_but_are_told(tmp_path):
    dataset = make_dataset(tmp_path, (12, 16))
    values = planted(0, (12, 16))[0]
    values[0, :, :4], values[3] = 9, 9
    write_bands(dataset.image_path(dataset.select("train")[0]), values, NAMES, nodata=9)
    before = Dataset.open(dataset.folder)
    figures = collect_band_statistics(before, "train")
    own = all_pixels(before, "train")[:, 0]
    assert figures[0].missing == pytest.approx(12 * 4 / (4 * 12 * 16))
    assert figures[0].mean == pytest.approx(np.nanmean(own)) and figures[3].missing == 0.25
    assert figures[0].std == pytest.approx(np.nanstd(own))


def test_what_is_learned_comes_from_the_training_split_alone(tmp_path):
    dataset = make_dataset(tmp_path, (12, 16))
    learned = learn_bands(dataset, "train")
    for sample in dataset.samples:
        if sample.split != "train":
            write_bands(dataset.image_path(sample), 60_000 - planted(7, (12, 16))[0], NAMES)
    (dataset.folder / FILE_NAME).unlink()
    assert learn_bands(dataset, "train") == learned
    assert learn_bands(dataset, "validation") != learned
    np.testing.assert_allclose(learned.mean, all_pixels(dataset, "train").mean(0), rtol=1e-6)


def test_figures_are_kept_until_the_splits_change(tmp_path):
    dataset = make_dataset(tmp_path, (12, 16))
    figures = collect_band_statistics(dataset, "train")
    for sample in dataset.samples:
        dataset.image_path(sample).unlink()
    assert collect_band_statistics(Dataset.open(dataset.folder), "train") == figures
    moved = dataset.with_splits({sample.id: "train" for sample in dataset.samples})
    with pytest.raises(SegcoreError):
        collect_band_statistics(moved, "train")


def test_a_band_without_any_value_cannot_be_learned(tmp_path):
    dataset = make_dataset(tmp_path, (12, 16))
    for number, sample in enumerate(dataset.select("train")):
        values = planted(number, (12, 16))[0]
        values[4] = 5
        write_bands(dataset.image_path(sample), values, NAMES, nodata=5)
    with pytest.raises(SegcoreError, match=r"found none in height"):
        learn_bands(Dataset.open(dataset.folder), "train")
