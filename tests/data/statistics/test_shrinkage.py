"""Classes that disappear where masks are resized, against masks whose remains are known."""

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import DatasetWriter
from segcore.data.files.masks import resize_mask
from segcore.data.statistics.shrinkage import Shrinkage, find_shrunken
from segcore.data.statistics.statistics import collect_statistics
from segcore.labels import LabelClass, LabelMap, LabelSet

NAMES = ("sky", "field", "wire", "post", "pond", "speck")
SIZE = (64, 64)


@pytest.fixture
def thin(tmp_path) -> Dataset:
    """Eight masks of 400 x 400 with a dotted wire, a post that is always hit, and a speck.

    Rows and columns that are kept at 64 x 64 are those at (2 n + 1) 400 // 128.
    """
    labels = LabelSet(tuple(LabelClass(i, name, (i, 0, 0)) for i, name in enumerate(NAMES)))
    kept = (2 * np.arange(64) + 1) * 400 // 128
    lost = np.setdiff1d(np.arange(400), kept)
    with DatasetWriter(tmp_path / "thin", "thin", labels, "drawn") as writer:
        samples = []
        for i in range(8):
            mask = np.zeros((400, 400), np.uint8)
            mask[200:] = 1
            mask[lost[20 + i], ::3] = 2  # never kept
            mask[:, kept[10 + i]] = 3  # always kept, one pixel wide
            mask[300:360, 300:360] = 4
            mask[100:102, 100:102] = 5  # 4 pixels, of which at most one is kept
            image = np.zeros((400, 400, 3), np.uint8)
            samples.append(writer.add(f"train/{i}", image, mask, "train", ""))
        return writer.finish(samples)


def shrunken(dataset: Dataset, size=SIZE, label_map=None) -> dict[str, Shrinkage]:
    found = find_shrunken(dataset, collect_statistics(dataset), size, label_map)
    return {one.name: one for one in found}


def test_what_a_mask_loses_is_named_and_nothing_else(thin) -> None:
    found = shrunken(thin)
    assert set(found) == {"wire", "speck"} and found["wire"].is_gone
    masks = [resize_mask(thin.read_mask(sample), SIZE) for sample in thin.samples]
    assert not any((mask == 2).any() for mask in masks)
    assert all((mask == 3).sum() >= 60 for mask in masks)


def test_a_larger_size_or_the_masks_own_loses_nothing(thin) -> None:
    assert set(shrunken(thin, (384, 384))) == set()
    assert shrunken(thin, (400, 400)) == {} and shrunken(thin, (800, 800)) == {}


def test_a_merge_saves_a_class(thin) -> None:
    assert set(shrunken(thin, SIZE, LabelMap.merging(6, [(0, 2), (1, 5)]))) == set()
    assert "wire + speck" in shrunken(thin, SIZE, LabelMap.merging(6, [(2, 5)]))


def test_a_mask_that_cannot_be_read_is_left_out(thin) -> None:
    counted = collect_statistics(thin)
    thin.mask_path(thin.samples[0]).write_bytes(b"no mask")
    (wire, *_) = find_shrunken(thin, counted, SIZE)
    assert wire.name == "wire" and wire.masks == 5 and wire.is_gone
