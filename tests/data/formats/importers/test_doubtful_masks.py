"""Masks that were smoothed, photographed or packed with loss: what is left of them is told, the rest refused."""

import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import import_dataset
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes


def test_smoothed_edges_are_ignored_and_told(tmp_path):
    rng = np.random.default_rng(1)
    mask = np.zeros((200, 300, 3), np.uint8)
    mask[:, 150:] = (250, 0, 0)
    mask[rng.integers(0, 200, 150), rng.integers(0, 300, 150)] = rng.integers(1, 200, (150, 3))
    write_bytes(tmp_path / "in/images/a.png", encode_png(np.zeros((200, 300, 3), np.uint8)))
    write_bytes(tmp_path / "in/masks/a.png", encode_png(mask))
    write_bytes(tmp_path / "in/classes.json", b'{"dark": "#000000", "red": [250, 0, 0]}')
    report = import_dataset(tmp_path / "in", tmp_path / "out", "out")
    assert report.label_set.class_names == ["dark", "red"]
    assert "smoothed edges" in report.problems[0].what
    dataset = Dataset.open(tmp_path / "out")
    assert 100 < (dataset.read_mask(dataset.samples[0]) == 255).sum() <= 150


def test_photographs_as_masks_are_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    write_bytes(tmp_path / "in/images/a.png", encode_png(noise))
    write_bytes(tmp_path / "in/masks/a.png", encode_png(noise))
    with pytest.raises(SegcoreError, match="is this a photograph"):
        import_dataset(tmp_path / "in", tmp_path / "out", "out")


def test_jpeg_masks_are_refused(tmp_path):
    write_bytes(tmp_path / "in/images/a.png", encode_png(np.zeros((12, 16, 3), np.uint8)))
    (tmp_path / "in/masks").mkdir()
    Image.fromarray(np.zeros((12, 16), np.uint8)).save(tmp_path / "in/masks/a.jpg")
    with pytest.raises(SegcoreError, match="export it as PNG"):
        import_dataset(tmp_path / "in", tmp_path / "out", "out")
