"""The two real sets beside the checkout come in by themselves, and right."""

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.formats.importers import import_dataset
from segcore.labels import color_to_hex

pytestmark = pytest.mark.shared


def test_camvid(camvid_folder, tmp_path):
    report = import_dataset(camvid_folder, tmp_path / "camvid", "camvid", copy=False)
    assert report.splits == {"train": 367, "validation": 101, "test": 233}
    assert report.problems == ()
    assert report.label_set.num_classes == 11
    assert [(c.id, c.name) for c in report.label_set.ignored] == [(11, "Unlabelled")]
    dataset = Dataset.open(tmp_path / "camvid")
    counts = sum(
        np.bincount(dataset.read_mask(s).ravel(), minlength=256) for s in dataset.select("train")
    )
    assert counts[255] / counts.sum() == pytest.approx(0.0395, abs=5e-5)
    shares = 100 * counts[:11] / counts[:11].sum()
    np.testing.assert_allclose(
        shares,
        [17.538, 24.215, 1.023, 32.960, 4.671, 10.124, 1.221, 1.173, 6.107, 0.666, 0.304],
        atol=6e-4,
    )
    assert dataset.read_image(dataset.samples[0]).shape == (360, 480, 3)


def test_aerial_where_declared_colours_are_wrong(aerial_folder, tmp_path):
    report = import_dataset(aerial_folder, tmp_path / "aerial", "aerial", copy=False)
    assert report.num_samples == 72 and report.splits == {}
    dataset = Dataset.open(tmp_path / "aerial")
    counts = sum(np.bincount(dataset.read_mask(s).ravel(), minlength=256) for s in dataset.samples)
    shares = {
        color_to_hex(c.color): 100 * n / counts.sum()
        for c, n in zip(dataset.label_set.classes, counts, strict=False)
    }
    expected = {
        "#8429f6": 52.36,
        "#e2a929": 13.61,
        "#3c1098": 13.31,
        "#fedd3a": 10.31,
        "#6ec1e4": 9.35,
        "#9b9b9b": 0.51,
        "#000000": 0.56,
    }
    assert shares == pytest.approx(expected, abs=0.006)
    assert counts[dataset.label_set.index_of("#000000")] == 552_156
    assert (
        "Unlabeled" in dataset.label_set.class_names
        and "Water" not in dataset.label_set.class_names
    )
    sentences = " ".join(p.sentence for p in report.problems)
    assert "classes.json does not declare" in sentences and "Water #50e3c2" in sentences
