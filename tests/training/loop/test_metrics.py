"""Counts are those of numpy, and an epoch is scored once from all of them."""

import numpy as np
import pytest

from segcore.training.loop.metrics import EpochScores, batch_confusion

pytestmark = pytest.mark.tensorflow


def test_counts_agree_with_a_plain_loop():
    rng = np.random.default_rng(0)
    masks = rng.choice([0, 1, 2, 3, 255], (2, 5, 7)).astype(
        np.uint8
    )  # 3 is no class of three, 255 is ignored
    logits = rng.normal(size=(2, 5, 7, 3)).astype(np.float32)
    expected = np.zeros((3, 3), int)
    for true, predicted in zip(masks.flat, logits.argmax(-1).flat, strict=True):
        if true < 3:
            expected[true, predicted] += 1
    np.testing.assert_array_equal(batch_confusion(masks, logits, 3, 255), expected)


def test_the_mean_iou_of_an_epoch_is_not_the_mean_of_its_batches():
    scores = EpochScores(3)
    scores.add(1.0, np.array([[8, 0, 0], [0, 0, 0], [0, 0, 0]]))  # alone: IoU 1
    scores.add(2.0, np.array([[0, 2, 0], [0, 2, 0], [0, 0, 0]]))  # alone: IoU 0 and 1/2
    assert scores.loss == 1.5
    assert scores.class_iou[:2] == [8 / 10, 2 / 4] and np.isnan(scores.class_iou[2])
    assert scores.mean_iou == pytest.approx(0.65)


def test_nothing_seen_has_no_score():
    scores = EpochScores(2)
    assert np.isnan([scores.loss, scores.mean_iou, *scores.class_iou]).all()
