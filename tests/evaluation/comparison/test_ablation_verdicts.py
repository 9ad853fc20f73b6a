"""Verdicts over images and seeds, against numbers worked out by hand."""

import numpy as np
import pytest

from segcore.evaluation.comparison.ablation_verdicts import (
    DrawnDifference,
    Spread,
    Terms,
    compare_claim,
    difference_over_folds,
    draw_score,
    mean_by_fold,
    mean_over_pairs,
    pooled_spread,
    spread_of,
    spread_of_difference,
    unlike_terms,
)
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.counts.verdicts import holm, judge_difference, judge_many
from segcore.evaluation.metrics.report import Protocol

MANY = ("images", 10**7)
"""So many that expanding the percentiles changes nothing."""

PROTOCOL = Protocol("camvid", "test", 3, (360, 480), 255, ("road", "sky"), truth=(10, 20))


def test_the_spread_is_pooled_about_each_rows_own_mean():
    # about 2: 1 + 1; about 3: 1 + 1 + 4; a single value has no spread
    pool = pooled_spread([[1.0, 3.0], [2.0, 2.0, 5.0], [9.0]])
    assert pool.deviation == pytest.approx((8 / 3) ** 0.5) and pool.freedom == 3
    assert pooled_spread([[1.0], []]) == Spread(0.0, 0)
    assert spread_of([1.0, 2.0], pool) == pool
    assert spread_of([1.0, 3.0] * 3, pool) == pooled_spread([[1.0, 3.0] * 3])
    assert spread_of_difference(Spread(3.0, 5)) == Spread(pytest.approx(18**0.5), 5)  # 9 + 9


def test_an_interval_over_seeds_alone_is_students():
    still = [np.full(40_000, 0.02), np.full(40_000, 0.04)]
    found = mean_over_pairs([0.02, 0.04], still, Spread(0.01, 3), MANY)
    # 0.03 -+ t(3, 97.5 %) * 0.01 / sqrt(2) = 0.03 -+ 3.1824 * 0.0070711
    assert found.value == pytest.approx(0.03)
    assert (found.low, found.high) == (
        pytest.approx(0.0075, abs=1e-5),
        pytest.approx(0.0525, abs=1e-5),
    )


def test_images_and_seeds_add_up():
    rng = np.random.default_rng(1)
    images = rng.normal(0.05, 0.01, 40_000)
    alone = mean_over_pairs([0.05], [images], Spread(0.0, 0), MANY)
    both = mean_over_pairs([0.05], [images], Spread(0.01, 1000), MANY)
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * 0.01, rel=0.02)
    assert both.high - both.low == pytest.approx(2 * 1.96 * 0.01 * 2**0.5, rel=0.02)


def test_the_same_images_are_drawn_for_every_run_in_any_order():
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 50, (8, 3, 3))
    names = [f"drive/{i}" for i in range(8)]
    mine = draw_score(counts, names, 200)
    turned = draw_score(counts[::-1], names[::-1], 200)
    other = draw_score(counts, [f"tile/{i}" for i in range(8)], 200)
    assert np.array_equal(mine.draws, turned.draws) and mine.observed == turned.observed
    assert not np.array_equal(mine.draws, other.draws)  # other images fall by their own chance
    grouped = draw_score(counts, names, 200, groups=list("aabcdefg"))
    assert (len(grouped.drawn), grouped.unit) == (7, "groups") and not np.isnan(grouped.draws).any()
    assert np.isnan(draw_score(counts, names, 200, groups=["a"] * 8).draws).all()


def test_a_score_is_that_of_all_counts_together():
    counts = np.array([[[3, 1], [0, 4]], [[1, 1], [2, 0]]])
    # road: 4 right, 6 true, 6 predicted -> 4 / 8; sky: 4 right, 6 true, 6 predicted -> 4 / 8
    assert draw_score(counts, ["a", "b"], 100).observed == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.001, 0.02, "helps"),
        (-0.02, -0.001, "hurts"),
        (-0.01, 0.02, "cannot tell"),
        (0.0, 0.1, "cannot tell"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(low, high, verdict):
    assert judge_difference(Interval(0.0, low, high)) == verdict


def test_no_interval_no_verdict():
    assert judge_difference(Interval(0.1, float("nan"), float("nan"))) == "cannot tell"


def test_holm_by_hand():
    # ordered .01 <= .05 / 4, .015 <= .05 / 3, .03 > .05 / 2: the rest falls with it
    assert holm([0.03, 0.01, 0.04, 0.015]) == [False, True, False, True]
    assert holm([0.04, float("nan")]) == [True, False]
    assert holm([]) == []


def test_many_verdicts_are_harder_to_earn():
    nearly = Interval(0.02, 0.001, 0.04, p_value=0.03)
    sure = Interval(-0.2, -0.3, -0.1, p_value=0.0005)
    assert judge_many([nearly]) == ["helps"]
    assert judge_many([nearly, sure, nearly]) == ["cannot tell", "hurts", "cannot tell"]


def test_under_the_null_few_tables_hold_a_false_verdict():
    """Eight recipes that differ by their seeds only, 60 images, 4 seeds: any false verdict in at most 5 % of tables."""
    false_alone = false_holm = 0
    tables, rows, seeds, images = 150, 8, 4, 60
    for table in range(tables):
        rng = np.random.default_rng(table)
        noise = rng.normal(0, 0.02, (rows + 1, seeds))
        own = rng.normal(0, 0.01, (rows + 1, seeds, images))  # images fall apart by run
        weights = rng.multinomial(images, np.full(images, 1 / images), 300) / images
        score = noise + own.mean(2)
        pool = pooled_spread(score)
        intervals = []
        for row in range(1, rows + 1):
            gains = score[row] - score[0]
            draws = [noise[row, s] - noise[0, s] + weights @ (own[row, s] - own[0, s])
                     for s in range(seeds)]  # fmt: skip
            spread = spread_of_difference(pool)
            unit = ("images", images)
            intervals.append(mean_over_pairs(gains, draws, spread, unit, seed=table * 10 + row))
        false_alone += any(judge_difference(i) != "cannot tell" for i in intervals)
        false_holm += any(v != "cannot tell" for v in judge_many(intervals))
    error = (0.05 * 0.95 / tables) ** 0.5
    assert false_holm / tables <= 0.05 + 2 * error
    assert false_alone > false_holm


def test_a_difference_over_three_folds_is_students_over_their_means():
    # seeds averaged: .02, .04, .09; mean .05, s = sqrt((.0009 + .0001 + .0016) / 2) = .0360555
    # t(2, 97.5 %) = 4.302653: .05 -+ 4.302653 * .0360555 / sqrt(3) = .05 -+ .089567
    pairs = [("a", 0.01), ("a", 0.03), ("b", 0.04), ("c", 0.08), ("c", 0.10)]
    gains = [DrawnDifference(fold, value, np.full(40_000, value)) for fold, value in pairs]
    assert [(g.fold, round(g.observed, 9)) for g in mean_by_fold(gains)] == [
        ("a", 0.02),
        ("b", 0.04),
        ("c", 0.09),
    ]
    found, spread = difference_over_folds(gains, Spread(0.001, 50), MANY)
    assert (found.value, spread.freedom) == (pytest.approx(0.05), 2)
    assert (found.low, found.high) == (
        pytest.approx(0.05 - 0.089567, abs=1e-4),
        pytest.approx(0.05 + 0.089567, abs=1e-4),
    )
    two, used = difference_over_folds(gains[:3], Spread(0.001, 50), MANY)
    assert used == Spread(0.001, 50) and two.value == pytest.approx(0.08 / 3)


@pytest.mark.parametrize("interaction", [0.0, 0.05, 0.1, 0.2])
def test_a_recipe_that_helps_in_one_fold_by_chance_is_not_said_to_help(interaction):
    """Three folds, two seeds, a recipe whose effect differs by fold and is 0 on average.

    A seed has a standard deviation of .06; a recipe in a fold has one of ``interaction``.
    """
    rng = np.random.default_rng(17)
    tables, folds, seeds, seed_noise = 1000, 3, 2, 0.06
    wrong = 0
    for _ in range(tables):
        effect = rng.normal(0, interaction, folds)
        runs = rng.normal(0, seed_noise, (2, folds, seeds))
        gains = [
            DrawnDifference(
                f"fold-{f}", d := float(effect[f] + runs[0, f, s] - runs[1, f, s]), np.full(2000, d)
            )
            for f in range(folds)
            for s in range(seeds)
        ]
        pool = spread_of_difference(Spread(seed_noise, 30))
        wrong += judge_difference(difference_over_folds(gains, pool, MANY)[0]) != "cannot tell"
    assert wrong / tables <= 0.05 + 2 * (0.05 * 0.95 / tables) ** 0.5


@pytest.mark.parametrize(
    ("verdict", "claim", "found"),
    [
        ("helps", "helps", "agrees"),
        ("hurts", "helps", "contradicts"),
        ("hurts", "hurts", "agrees"),
        ("helps", "hurts", "contradicts"),
        ("hurts", "no gain", "agrees"),
        ("helps", "no gain", "contradicts"),
        ("cannot tell", "helps", "cannot tell"),
        ("helps", "", ""),
        ("", "helps", ""),
    ],
)
def test_what_was_said_is_set_beside_the_verdict(verdict, claim, found):
    assert compare_claim(verdict, claim) == found


def test_runs_on_unlike_terms_are_not_compared():
    terms = Terms(PROTOCOL, (96, 128), "whole")
    assert unlike_terms(terms, terms) == []
    other = Protocol("camvid", "validation", 3, (360, 480), 255, ("road", "sky"))
    assert (
        "different splits (test against validation)"
        in unlike_terms(terms, Terms(other, (96, 128), "whole"))[0]
    )
    larger = Terms(PROTOCOL, (192, 256), "whole")
    assert unlike_terms(terms, larger) == [
        "Not comparable: different training sizes (96 x 128 against 192 x 256)."
    ]
    assert unlike_terms(terms, larger, sizes_differ=True) == []
    assert (
        "different inference views"
        in unlike_terms(terms, Terms(PROTOCOL, (96, 128), "in tiles"))[0]
    )
