import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import (
    bootstrap,
    draw_weights,
    group_counts,
    interval,
    paired_difference,
    resample,
)

rng = np.random.default_rng(5)


def image_counts(n=12, classes=4, skill=0.7):
    out = rng.integers(0, 30, (n, classes, classes))
    return out + (skill * 200 * np.eye(classes)).astype(int)


def test_a_resample_is_the_sum_of_the_drawn_images():
    counts = image_counts()
    weights = draw_weights(12, 7, 3)
    assert (weights.sum(1) == 12).all()
    slow = [sum(w * c for w, c in zip(row, counts, strict=True)) for row in weights]
    np.testing.assert_array_equal(np.concatenate(list(resample(counts, weights))), slow)


def test_blocks_do_not_change_the_answer(monkeypatch):
    counts = image_counts()
    whole = interval(counts, scores.mean_iou, resamples=50)
    monkeypatch.setattr("segcore.evaluation.counts.bootstrap._BYTES", 8 * 16 * 3)
    assert interval(counts, scores.mean_iou, resamples=50) == whole


def test_seed_decides_and_may_be_a_generator():
    counts = image_counts()
    assert interval(counts, scores.mean_iou, seed=1) == interval(
        counts, scores.mean_iou, seed=np.random.default_rng(1)
    )
    assert interval(counts, scores.mean_iou, seed=1) != interval(counts, scores.mean_iou, seed=2)


def test_identical_images_leave_no_doubt():
    counts = np.repeat(image_counts(1), 9, axis=0)
    found = interval(counts, scores.mean_iou)
    assert found.low == found.high == pytest.approx(float(scores.mean_iou(counts[0])))


def test_covers_the_truth_about_as_often_as_it_says():
    # images are wholly right or wholly wrong with probability .6: accuracy of the population is .6
    hits = 0
    for trial in range(200):
        right = np.random.default_rng(trial).random(60) < 0.6
        counts = np.where(right[:, None, None], [[10, 0], [0, 0]], [[0, 10], [0, 0]])
        found = interval(counts, scores.pixel_accuracy, resamples=300, seed=trial)
        hits += found.low <= 0.6 <= found.high
    assert 0.90 <= hits / 200 <= 0.99


def test_drawing_groups_is_wider_when_images_repeat_each_other():
    distinct = image_counts(10, skill=0.3)
    counts = np.repeat(distinct, 8, axis=0)
    groups = [str(i // 8) for i in range(80)]
    apart, together = (
        interval(counts, scores.mean_iou),
        interval(counts, scores.mean_iou, groups=groups),
    )
    assert together.units == 10
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
    np.testing.assert_array_equal(group_counts(counts, groups), distinct * 8)


def test_a_class_in_no_resample_is_nan_and_one_image_has_no_interval():
    counts = image_counts()
    counts[:, 3, :] = counts[:, :, 3] = 0
    low, high = bootstrap(counts, {"iou": scores.iou})["iou"]
    assert np.isnan(low[3])
    assert np.isnan(high[3])
    assert not np.isnan(low[:3]).any()
    single = interval(counts[:1], scores.mean_iou)
    assert np.isnan(single.low)
    assert single.to_json() == [None, None]


def test_paired_difference():
    b = image_counts(30, skill=0.3)
    same = paired_difference(b, b, scores.mean_iou)
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    # A repairs some errors of B in every image: same true pixels, better everywhere
    moved = np.minimum(b[:, 0, 1], 8)
    a = b.copy()
    a[:, 0, 1] -= moved
    a[:, 0, 0] += moved
    better = paired_difference(a, b, scores.mean_iou, resamples=400)
    assert better.low > 0
    assert better.p_value == pytest.approx(1 / 401)
    worse = paired_difference(b, a, scores.mean_iou, resamples=400)
    assert worse.difference == -better.difference


def test_p_value_is_uniform_when_there_is_no_difference():
    small = 0
    for trial in range(120):
        draw = np.random.default_rng(trial)
        right = draw.integers(0, 50, (2, 20))
        a, b = (
            np.stack([np.diag([n, 0]) + np.array([[0, 50 - n], [0, 0]]) for n in row])
            for row in right
        )
        small += (
            paired_difference(a, b, scores.pixel_accuracy, resamples=99, seed=trial).p_value <= 0.1
        )
    assert 0.03 <= small / 120 <= 0.19


def test_unlike_things_are_not_compared():
    a = image_counts()
    with pytest.raises(SegcoreError, match="same images"):
        paired_difference(a, a[:5], scores.mean_iou)
    with pytest.raises(SegcoreError, match="same true pixels"):
        paired_difference(a, a + 1, scores.mean_iou)
    with pytest.raises(SegcoreError, match="12 images, received 1"):
        interval(a, scores.mean_iou, groups=["x"])
    with pytest.raises(SegcoreError, match="level"):
        interval(a, scores.mean_iou, level=1.0)
