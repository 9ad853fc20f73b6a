"""Coverage against a plain loop over drawn sets, and how many images a difference needs."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import bootstrap
from segcore.evaluation.counts.coverage import coverage, plan_test, score_coverage
from segcore.evaluation.counts.sample_counts import SampleCounts


def population(images=60, seed=0, spread=0.1):
    rng = np.random.default_rng(seed)
    counts = np.zeros((images, 2, 2), np.int64)
    right = np.clip(rng.normal(0.7, spread, (images, 2)), 0.05, 0.98)
    counts[:, 0, 0], counts[:, 1, 1] = (100 * right).round().astype(int).T
    counts[:, 0, 1], counts[:, 1, 0] = 100 - counts[:, 0, 0], 100 - counts[:, 1, 1]
    return SampleCounts.of(counts)


def accuracy(held):
    return lambda counts, *_: scores.pixel_accuracy(counts)


def test_the_share_is_that_of_a_plain_loop_over_drawn_sets():
    counts = population()
    table = coverage([counts], {"accuracy": accuracy}, 12, draws=1500, resamples=200)
    (one,) = table.scores["accuracy"]
    value = float(scores.pixel_accuracy(counts.total))
    inside = 0
    for trial in range(400):
        chosen = np.random.default_rng(trial).integers(0, len(counts), 12)
        parts = [counts.select(chosen).margins()]
        (found,) = bootstrap(parts, {"a": scores.pixel_accuracy}, resamples=200, seed=trial)["a"]
        inside += found.low <= value <= found.high
    assert one.value == pytest.approx(value) and one.known == 1
    assert one.share == pytest.approx(inside / 400, abs=0.04)
    assert 0.9 < one.share < 0.98 and one.is_enough
    assert table.sentence("accuracy").startswith("95 % here means 9")


def test_drawing_images_of_few_drives_is_exposed_by_drawing_drives():
    """Six drives of ten like images: an interval over drives is worth less than it says."""
    alike = SampleCounts.of(np.repeat(np.asarray(population(6, 3)), 10, axis=0))
    groups = [f"drive {i // 10}" for i in range(60)]
    table = score_coverage(alike, groups=groups, draws=400)
    assert (table.units, table.unit) == (6, "groups")
    assert not table.scores["mean_iou"][0].is_enough
    assert "too few groups" in table.sentence()


def test_few_images_have_no_interval_to_check():
    table = score_coverage(population(5), draws=10)
    assert np.isnan(table.scores["mean_iou"][0].share) and "at least 6" in table.sentence()
    assert table.to_json()["scores"]["mean_iou"][0]["share"] is None
    alone = score_coverage(population(1))
    assert np.isnan(alone.scores["mean_iou"][0].share) and "1 image has no" in alone.sentence()


def test_a_rare_class_has_an_interval_in_some_sets_only():
    counts = np.asarray(population(40)).copy()
    counts[4:, 1] = 0  # four of forty images hold class 1
    table = score_coverage(SampleCounts.of(counts), draws=300)
    common, rare = table.scores["iou"]
    assert common.known == 1 and 0.5 < rare.known < 0.95  # 4 on average, 3 are needed


def test_a_difference_is_covered_too():
    a = population(80, 1)
    b = SampleCounts.of(np.asarray(a)[:, ::-1, ::-1])
    table = score_coverage(a, b, draws=300)
    assert table.scores["difference"][0].share > 0.88


def test_how_many_images_follows_the_square_of_the_difference():
    counts = population(100, spread=0.15)
    one, half = plan_test(counts, points=1), plan_test(counts, points=0.5)
    assert half.needed == pytest.approx(4 * one.needed, rel=0.01)
    assert plan_test(counts, points=one.smallest).needed == pytest.approx(100, abs=1)
    by_hand = np.sqrt(2) * 100 * np.std(scores.pixel_accuracy(counts)) / np.sqrt(100)
    assert one.deviation == pytest.approx(by_hand * 1.1, rel=0.5)  # IoU moves more than accuracy
    assert one.sentence() == (
        f"Telling two runs apart by 1 point takes about {one.needed:,} test images at "
        f"most; the 100 here show differences from {one.smallest:.1f} points on."
    )


def test_the_planned_number_of_images_does_what_it_says():
    """Of sets of the planned size about 80 of 100 tell the population's difference from chance."""
    rng = np.random.default_rng(4)
    a = np.asarray(population(400, 1, 0.12))
    b = a.copy()
    moved = np.clip(rng.normal(4, 12, 400).round().astype(int), -a[:, 0, 1], a[:, 0, 0])
    b[:, 0, 0] -= moved
    b[:, 0, 1] += moved
    a, b = SampleCounts.of(a), SampleCounts.of(b)
    true = 100 * float(scores.mean_iou(a.total) - scores.mean_iou(b.total))
    plan = plan_test(a, b, points=abs(true))
    assert 20 < plan.needed < 400
    told = 0
    statistic = {"d": lambda x, y: scores.mean_iou(x) - scores.mean_iou(y)}
    for trial in range(200):
        chosen = np.random.default_rng(trial).integers(0, 400, plan.needed)
        parts = [a.select(chosen).margins(), b.select(chosen).margins()]
        told += bootstrap(parts, statistic, resamples=300)["d"][0].excludes_zero
    assert told / 200 == pytest.approx(0.8, abs=0.1)


def test_no_difference_and_refusals():
    counts = population(20)
    assert plan_test(counts, counts).needed is None
    with pytest.raises(SegcoreError, match=r"at least 6 groups.*or draw single images"):
        plan_test(counts, groups=["a", "b"] * 10)
    with pytest.raises(SegcoreError, match=r"at least 6 images .* choose a larger split\.$"):
        plan_test(population(3))


@pytest.mark.parametrize("points", [0, -1, 1e-9, 101, float("nan"), float("inf")])
def test_a_difference_that_no_score_can_have_is_refused(points):
    with pytest.raises(SegcoreError, match=r"of 0\.01 to 100 points"):
        plan_test(SampleCounts.of(np.tile(np.eye(2, dtype=int), (9, 1, 1))), points=points)


def test_images_that_score_alike_plan_nothing():
    alike = np.tile([[90, 10], [10, 90]], (20, 1, 1))
    plan = plan_test(SampleCounts.of(alike))
    assert plan.needed is None and plan.sentence().startswith("All images score alike")


def test_without_a_scored_pixel_the_score_is_undefined():
    table = score_coverage(SampleCounts.of(np.zeros((8, 2, 2), int)))
    assert table.sentence() == "The score is undefined, so it has no interval."
    with pytest.raises(SegcoreError, match="labelled pixels to plan a test"):
        plan_test(SampleCounts.of(np.zeros((8, 2, 2), int)))
