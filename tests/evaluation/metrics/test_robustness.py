"""Robustness: drops worked by hand, and refused where images are others."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.metrics.robustness import stage_name, summarise

CLEAN = np.array([[[8, 2], [0, 10]], [[10, 0], [2, 8]]] * 4)
HALF = np.array([[[5, 5], [0, 10]], [[5, 5], [0, 10]]] * 4)


def test_drops_by_hand() -> None:
    summary = summarise(CLEAN, {("blur", 1): CLEAN, ("blur", 2): HALF, ("noise", 1): HALF})
    # clean: both classes 18 right of 22 in union; halved: 10 of 20, and 20 of 30
    before, first, second = 18 / 22, 10 / 20, 20 / 30
    after = (first + second) / 2
    assert summary.num_samples == 8
    assert summary.clean.mean_iou == pytest.approx(before)
    same, half, noise = summary.curves
    assert same.drop == 0 and same.interval == [0, 0]
    assert half.mean_iou == pytest.approx(after) and half.drop == pytest.approx(before - after)
    assert half.severity == 2 and noise.corruption == "noise"
    blur, only = summary.corruptions
    assert blur.mean_iou == pytest.approx((before + after) / 2)
    assert blur.class_drop == pytest.approx([(before - first) / 2, (before - second) / 2])
    assert only.kept == pytest.approx(after / before)
    assert summary.mean_drop == pytest.approx((blur.drop + only.drop) / 2)
    low, high = half.interval
    assert low <= half.drop <= high


def test_an_absent_class_has_no_drop() -> None:
    counts = np.zeros((8, 3, 3), np.int64)
    counts[:, :2, :2] = CLEAN
    assert summarise(counts, {("jpeg", 5): counts}).corruptions[0].class_drop == [
        0.0,
        0.0,
        None,
    ]


def test_other_images_and_no_counts_are_refused() -> None:
    with pytest.raises(SegcoreError, match="same images"):
        summarise(CLEAN, {("blur", 1): CLEAN[:1]})
    with pytest.raises(SegcoreError, match="same images"):
        summarise(CLEAN, {("blur", 1): CLEAN + 1})
    with pytest.raises(SegcoreError, match="received none"):
        summarise(CLEAN, {})
    with pytest.raises(SegcoreError, match="whole numbers"):
        summarise(CLEAN / 3, {("blur", 1): CLEAN})
    assert stage_name("blur", 3) == "blur-3"
