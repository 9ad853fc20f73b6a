"""Windows round rare classes: their shares against a case worked by hand."""

import numpy as np
import pytest

from segcore.data.balance.crop_shares import CropShares, balanced_from, measure_crops
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

LABELS = LabelSet(
    tuple(LabelClass(i, n, (i, i, i)) for i, n in enumerate(("ground", "pole", "never")))
)


def test_a_window_as_large_as_the_mask_changes_nothing_and_one_pixel_makes_classes_even(tmp_path):
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 7:9] = 1  # a twentieth of the pixels
    samples = [
        ArraySample(f"s{i}", np.zeros((40, 40, 3), np.uint8), mask, "train") for i in range(100)
    ]
    dataset = write_dataset(tmp_path / "d", "d", LABELS, samples)
    full = measure_crops(dataset, "train", 1.0)
    assert (
        full.whole.tolist()
        == full.anywhere.tolist()
        == full.round_class.tolist()
        == [0.95, 0.05, 0]
    )
    point = measure_crops(
        dataset, "train", 1 / 40
    )  # one pixel: that of the drawn class, each of the two as likely
    assert point.anywhere == pytest.approx(
        [0.95, 0.05, 0], abs=0.04
    )  # 400 draws: 3 standard errors
    assert point.round_class == pytest.approx([0.5, 0.5, 0], abs=0.08)
    assert point.masks == 100 and point.distances()["whole"] == pytest.approx(0.95 - 1 / 3)
    again = measure_crops(dataset, "train", 1 / 40)
    assert again.round_class.tolist() == point.round_class.tolist()
    with pytest.raises(SegcoreError, match="at most 1"):
        measure_crops(dataset, "train", 0)


def shares_of_two(whole: float, anywhere: float, round_class: float) -> CropShares:
    """Shares of two classes at these distances from equal ones."""
    parts = (np.array([0.5 + d, 0.5 - d]) for d in (whole, anywhere, round_class))
    return CropShares(*parts, masks=8)


def test_crops_balance_from_the_size_on_below_which_all_do() -> None:
    worse, better = shares_of_two(0.3, 0.25, 0.27), shares_of_two(0.3, 0.25, 0.1)
    assert balanced_from({0.5: worse, 0.25: worse, 0.125: better}) == 0.125
    assert balanced_from({0.5: better, 0.25: better, 0.125: better}) == 0.5
    assert balanced_from({0.5: better, 0.25: worse, 0.125: better}) == 0.125
    assert balanced_from({0.5: better, 0.25: better, 0.125: worse}) is None
