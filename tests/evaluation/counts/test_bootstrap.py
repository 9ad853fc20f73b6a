"""Intervals: the draws, the ends, and what they promise."""

import numpy as np
import pytest
from scipy.stats import norm, t

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import (
    MINIMUM,
    Resampling,
    bootstrap,
    draw_weights,
    expanded_tail,
    paired,
    percentiles,
    swap_p_value,
    zero_p_value,
)
from segcore.evaluation.counts.sample_counts import SampleCounts

rng = np.random.default_rng(5)


def image_counts(n=12, classes=4, skill=0.7):
    out = rng.integers(0, 30, (n, classes, classes))
    return out + (skill * 200 * np.eye(classes)).astype(int)


def one(counts, statistic=scores.mean_iou, **how):
    return bootstrap([counts], {"it": statistic}, **how)["it"][0]


def test_a_resample_is_the_sum_of_the_drawn_images():
    counts = image_counts()
    drawing = Resampling([counts], resamples=7, seed=3)
    assert (drawing.weights.sum(1) == 12).all()
    slow = [
        sum(w * counts[np.flatnonzero(drawing.unit_of == u)[0]] for u, w in enumerate(row))
        for row in drawing.weights
    ]
    for part in (counts, SampleCounts.of(counts)):
        np.testing.assert_array_equal(np.concatenate([b for (b,) in drawing.sums(part)]), slow)
    margins = SampleCounts.of(counts).margins()
    (block,) = next(drawing.sums(margins))
    np.testing.assert_array_equal(block.true, np.array(slow).sum(2))
    np.testing.assert_array_equal(block.right, np.array(slow).diagonal(axis1=1, axis2=2))


def test_whole_groups_are_drawn():
    counts, groups = image_counts(), ["a", "b", "c"] * 4
    drawing = Resampling([counts], groups, resamples=5)
    units = drawing.by_unit(counts)
    for name in "abc":
        unit = drawing.unit_of[groups.index(name)]
        own = counts[[g == name for g in groups]].sum(0)
        np.testing.assert_array_equal(units[unit], own)
        np.testing.assert_array_equal(drawing.by_unit(SampleCounts.of(counts))[int(unit)], own)
    assert (drawing.weights.sum(1) == 3).all()


def test_blocks_do_not_change_the_answer(monkeypatch):
    counts = image_counts()
    whole = one(counts, resamples=50)
    monkeypatch.setattr("segcore.evaluation.counts.bootstrap._BYTES", 8 * 16 * 3 + 8 * 12 * 50)
    assert one(counts, resamples=50).low == pytest.approx(whole.low)


def test_the_order_of_images_does_not_matter():
    counts, groups = image_counts(20), [f"g{i % 8}" for i in range(20)]
    order = rng.permutation(20)
    assert one(counts[order]) == one(counts)
    turned = [groups[i] for i in order]
    assert one(counts[order], groups=turned) == one(counts, groups=groups)


def test_seed_decides_and_may_be_a_generator():
    counts = image_counts()
    assert one(counts, seed=1) == one(counts, seed=np.random.default_rng(1))
    assert one(counts, seed=1) != one(counts, seed=2)


def test_the_tails_are_those_of_hesterberg():
    # Hesterberg 2015, table 1: at n = 10 the tail of a 95 % interval falls from 2.5 to about .9 %
    for n in (6, 10, 20, 1000):
        wanted = norm.cdf(-np.sqrt(n / (n - 1)) * t.ppf(0.975, n - 1))
        assert expanded_tail(0.95, np.array(n)) == pytest.approx(wanted)
    assert expanded_tail(0.95, np.array(10**7)) == pytest.approx(0.025, rel=1e-4)


def test_percentiles_leave_out_what_is_undefined():
    values = rng.normal(size=(200, 3))
    values[::3, 1] = np.nan
    values[:, 2] = np.nan
    low, high = percentiles(values, np.array([[0.1] * 3, [0.9] * 3]))
    np.testing.assert_allclose(low[:2], np.nanquantile(values[:, :2], 0.1, axis=0))
    np.testing.assert_allclose(high[:2], np.nanquantile(values[:, :2], 0.9, axis=0))
    assert np.isnan(low[2]) and np.isnan(high[2])


def test_the_p_value_is_where_the_interval_ends_at_zero():
    draws, n = rng.normal(0.5, 1, (4001, 1)), 15
    p = float(zero_p_value(draws, np.array([n]))[0])
    tail = expanded_tail(1 - p, np.array([n]))
    assert float(percentiles(draws, tail[None])[0, 0]) == pytest.approx(0, abs=5e-3)


def test_identical_images_leave_no_doubt():
    counts = np.repeat(image_counts(1), 9, axis=0)
    found = one(counts)
    assert found.low == pytest.approx(found.high)
    assert found.low == pytest.approx(float(scores.mean_iou(counts[0])))


def test_covers_the_truth_about_as_often_as_it_says():
    # images are wholly right or wholly wrong with probability .6: accuracy of the population is .6
    hits = 0
    for trial in range(200):
        right = np.random.default_rng(trial).random(60) < 0.6
        counts = np.where(right[:, None, None], [[10, 0], [0, 0]], [[0, 10], [0, 0]])
        found = one(counts, scores.pixel_accuracy, resamples=300, seed=trial)
        hits += found.low <= 0.6 <= found.high
    assert 0.90 <= hits / 200 <= 0.99


def test_drawing_groups_is_wider_when_images_repeat_each_other():
    distinct = image_counts(10, skill=0.3)
    counts = np.repeat(distinct, 8, axis=0)
    groups = [str(i // 8) for i in range(80)]
    apart, together = one(counts), one(counts, groups=groups)
    assert (together.groups, together.unit, apart.unit) == (10, "groups", "images")
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_too_few_units_have_a_value_and_a_reason():
    counts = image_counts()
    few = one(counts[: MINIMUM - 1])
    assert few.value == pytest.approx(float(scores.mean_iou(counts[: MINIMUM - 1].sum(0))))
    assert few.ends() == [None, None]
    assert "5 images" in few.reason() and "at least 6" in few.reason()
    assert one(counts, groups=list("aabbccddeeee")).ends() == [None, None]
    assert one(counts, groups=list("aabbccddeeff")).is_known


def test_a_class_is_as_sure_as_the_images_that_hold_it():
    counts = image_counts(30)
    counts[2:, 3, :] = counts[2:, :, 3] = 0  # two images hold class 3
    counts[5:, 2, :] = counts[5:, :, 2] = 0  # five hold class 2
    seen = counts.sum(2) > 0
    by_class = scores.by_class(scores.iou, seen.any(0))
    iou = bootstrap([counts], {"iou": by_class}, held={"iou": seen})["iou"]
    assert [i.groups for i in iou] == [30, 30, 5, 2]
    assert [i.is_known for i in iou] == [True, True, True, False]
    assert "2 images" in iou[3].reason()


def test_a_resample_without_a_class_says_nothing_of_it():
    """A class true in few images and predicted in many scored 0 wherever it was not drawn."""
    counts = np.zeros((20, 2, 2), np.int64)
    counts[:, 0] = [90, 10]
    counts[:3, 1] = [5, 80]
    held = np.array([True, True])
    seen = counts.sum(2) > 0
    (plain,) = bootstrap([counts], {"m": lambda c: scores.iou(c)[:, 1]})["m"]
    own = bootstrap(
        [counts], {"iou": scores.by_class(scores.iou, held)}, held={"iou": seen}, resamples=2000
    )["iou"][1]
    assert plain.low == 0
    assert own.low > 0
    mean = one(counts, scores.mean_by_class(scores.iou, held))
    assert mean.low > one(counts).low


def test_an_interval_says_how_it_was_made():
    found = one(image_counts())
    assert found.how().startswith("95 % interval by expanded percentiles: 12 images")
    assert "1,000 times" in found.how()
    assert found.range() == f"{100 * found.low:.1f} to {100 * found.high:.1f}"


def test_a_against_b():
    b = image_counts(30, skill=0.3)
    moved = np.minimum(b[:, 0, 1], 8)
    a = b.copy()  # A is right where B mistakes class 0 for 1
    a[:, 0, 1] -= moved
    a[:, 0, 0] += moved

    def against(x, y):
        difference = bootstrap([x, y], {"d": paired(scores.mean_iou)}, resamples=400)["d"][0]
        return difference, swap_p_value(x, y, scores.mean_iou, resamples=400)

    same, p = against(b, b)
    assert (same.value, same.low, same.high, p) == (0, 0, 0, 1)
    better, p = against(a, b)
    assert better.low > 0
    assert p == pytest.approx(1 / 401)
    worse, again = against(b, a)
    mirrored = (-better.value, -better.high, -better.low)
    assert (worse.value, worse.low, worse.high) == pytest.approx(mirrored)
    assert again == p
    sparse = against(SampleCounts.of(a).margins(), SampleCounts.of(b).margins())
    assert sparse[0].low == pytest.approx(better.low) and sparse[1] == p


def test_p_value_is_uniform_when_there_is_no_difference():
    small = 0
    for trial in range(120):
        draw = np.random.default_rng(trial)
        right = draw.integers(0, 50, (2, 20))
        a, b = (
            np.stack([np.diag([n, 0]) + np.array([[0, 50 - n], [0, 0]]) for n in row])
            for row in right
        )
        small += swap_p_value(a, b, scores.pixel_accuracy, resamples=99, seed=trial) <= 0.1
    assert 0.03 <= small / 120 <= 0.19


def test_unlike_things_are_not_compared():
    a = SampleCounts.of(image_counts())
    with pytest.raises(SegcoreError, match="12 images, received 1"):
        one(a, groups=["x"])
    with pytest.raises(SegcoreError, match="level"):
        one(a, level=1.0)


def test_weights_are_a_draw_with_replacement():
    weights = draw_weights(5, 4000, 1)
    assert weights.sum(1).tolist() == [5] * 4000
    np.testing.assert_allclose(weights.mean(0), 1, atol=0.06)


def test_counts_are_made_ready_once_for_the_whole_set_and_its_resamples(monkeypatch):
    counts, made = SampleCounts.of(image_counts()), []
    plain = Resampling([counts], resamples=30)
    (whole,) = next(plain.sums(counts, weights=np.ones((1, plain.units), np.int32)))
    fresh = Resampling([counts], resamples=30)
    (resamples,) = next(fresh.sums(counts))
    by_unit = Resampling.by_unit
    monkeypatch.setattr(
        Resampling, "by_unit", lambda self, part: made.append(part) or by_unit(self, part)
    )
    found = one(counts, resamples=30)
    assert made == [counts]
    expected = plain.intervals(scores.mean_iou(whole), scores.mean_iou(resamples)[:, None])
    assert found == expected[0]


def test_other_counts_are_never_answered_by_those_before():
    a, b = image_counts(), image_counts(skill=0.2)
    drawing = Resampling([a, b], resamples=5)
    ones = np.ones((1, drawing.units), np.int32)
    for part in (a, b, a):
        (whole,) = next(drawing.sums(part, weights=ones))
        np.testing.assert_array_equal(whole[0], part.sum(0))


def test_an_interval_without_width_claims_no_certainty():
    (alike,) = bootstrap([np.ones((9, 2, 2), int)], {"mean": scores.mean_iou})["mean"]
    assert alike.low == alike.high and alike.how().endswith("that is no certainty.")
    (other,) = bootstrap([np.arange(36).reshape(9, 2, 2)], {"mean": scores.mean_iou})["mean"]
    assert other.low < other.high and "no certainty" not in other.how()
