import numpy as np
import pytest

from segcore.evaluation.compression.compression import score_maps
from segcore.evaluation.compression.evidence import (
    member_agreement,
    merge_support,
    pair_rates,
)
from segcore.evaluation.compression.search import forbidden_pairs
from segcore.labels import LabelMap

TOY = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])
FREE = forbidden_pairs(4)
rng = np.random.default_rng(0)
IMAGES = np.stack([rng.multinomial(400, TOY.ravel() / 200).reshape(4, 4) for _ in range(40)])


def test_interval_holds_the_lift_of_the_whole_set():
    maps = [LabelMap.merging(4, [pair]) for pair in [(2, 3), (0, 1), (0, 3)]]
    lifts = merge_support(IMAGES, maps, seed=1).lifts
    rows = score_maps(IMAGES.sum(0), maps)
    for one, row in zip(lifts, rows, strict=True):
        assert one.value == pytest.approx(row.lift)
        assert one.low - 1e-12 <= row.lift <= one.high + 1e-12
    assert lifts[0].low > 0
    assert lifts[2].high < 0


def test_identical_images_give_the_lift_itself():
    maps = [LabelMap.merging(4, [(2, 3)]), LabelMap(((0, 1, 2, 3),)), LabelMap.identity(4)]
    lifts = merge_support(np.stack([TOY] * 6), maps).lifts
    np.testing.assert_allclose(lifts[0].ends(), score_maps(TOY, maps)[0].lift)
    assert not lifts[1].is_known
    np.testing.assert_allclose(lifts[2].ends(), 0, atol=1e-12)


def test_gains_are_the_accuracy_added_with_an_interval():
    maps = [LabelMap.merging(4, [(2, 3)]), LabelMap.identity(4)]
    added, nothing = merge_support(IMAGES, maps, seed=1).gains
    before, after = score_maps(IMAGES.sum(0), maps[::-1])
    assert added.value == pytest.approx(after.accuracy - before.accuracy)
    assert 0 < added.low < added.value < added.high < 1
    np.testing.assert_allclose(nothing.ends(), 0, atol=1e-12)
    alike = merge_support(np.stack([TOY] * 6), maps).gains[0]
    np.testing.assert_allclose(alike.ends(), 18 / 200)


def test_few_units_have_no_interval_nor_stability():
    assert not merge_support(IMAGES[:5], [LabelMap.identity(4)]).lifts[0].is_known
    few = list("abcde") * 8
    assert not merge_support(IMAGES, [LabelMap.identity(4)], groups=few).lifts[0].is_known
    assert np.isnan(merge_support(IMAGES[:5], (), [(0, 1)], FREE).stability).all()


def test_stable_pairs_are_chosen_by_most_resamples():
    found = merge_support(IMAGES, (), [(2, 3), (0, 1)], FREE, seed=2).stability
    assert found[0] > 0.9
    assert found[1] > 0.9
    assert merge_support(IMAGES, (), [(0, 3)], FREE, seed=2).stability[0] == 0


def test_one_pass_gives_what_two_give():
    maps, pairs = [LabelMap.merging(4, [(2, 3)]), LabelMap.identity(4)], [(2, 3), (0, 1)]
    both = merge_support(IMAGES, maps, pairs, FREE, seed=3)
    assert both.lifts == merge_support(IMAGES, maps, seed=3).lifts
    alone = merge_support(IMAGES, (), pairs, FREE, seed=3)
    np.testing.assert_array_equal(both.stability, alone.stability)
    assert not alone.lifts


def test_a_coin_flip_between_pairs_is_told():
    # two pairs of equal mass; which is confused more depends on the images drawn
    one, other = np.diag([50, 50, 50, 50]), np.diag([50, 50, 50, 50])
    one[0, 1] = 10
    other[2, 3] = 10
    images = np.stack([one, other] * 10)
    found = merge_support(images, (), [(0, 1), (2, 3)], FREE, resamples=400).stability
    assert 0.3 < found[0] < 0.75
    assert found[1] == 1


def test_pair_rates_are_gain_over_cost():
    rates = pair_rates(TOY)
    row = score_maps(TOY, [LabelMap.merging(4, [(2, 3)])])[0]
    assert rates[2, 3] == rates[3, 2] == pytest.approx(0.09 / row.lost_bits)
    assert rates[0, 3] == 0
    assert pair_rates(np.array([[5, 1], [0, 0]]))[0, 1] == np.inf
    np.testing.assert_allclose(pair_rates(np.stack([TOY, TOY.T]))[0], rates)


def test_agreement_of_members():
    alike = member_agreement(np.stack([TOY] * 3), (0, 1))
    assert alike.share == 1
    assert alike.rates == (0.18,) * 3
    clean = np.diag([60, 40, 80, 20])
    assert member_agreement(np.stack([TOY, clean, clean, clean]), (0, 1)).share == 0.25
    assert np.isnan(member_agreement(np.stack([clean, clean]), (0, 1)).share)
