"""Repeat factors and ML-ROS against their definitions."""

import numpy as np
import pytest

from segcore.catalog import BALANCE_RULES
from segcore.data.balance.planner import BalanceGoal, plan_balance
from segcore.data.balance.plans import BalancePlan
from segcore.data.balance.rules import clone_minority, plan_by_rule, repeat_factors, round_factors
from segcore.data.statistics.imbalance import earth_mover_distance, label_imbalance, shares_of
from segcore.errors import SegcoreError

COUNTS = np.array([[5, 0, 0], [5, 0, 0], [5, 3, 0], [5, 0, 0], [0, 0, 0]])


def test_repeat_factors_by_hand():
    assert repeat_factors(COUNTS, 0.8).tolist() == pytest.approx([1, 1, 2, 1, 1])  # sqrt(.8 / .2)
    assert (repeat_factors(COUNTS, 0.2) == 1).all()
    with pytest.raises(SegcoreError):
        repeat_factors(COUNTS, 0)


def test_rounding_keeps_the_mean():
    factors = np.full(20000, 1.3)
    whole = round_factors(factors, np.random.default_rng(0))
    assert set(whole) == {1, 2} and whole.mean() == pytest.approx(1.3, abs=0.02)


def test_clones_are_of_minority_labels_and_stop_in_time():
    rng = np.random.default_rng(1)
    counts = (rng.random((200, 4)) < [0.9, 0.6, 0.1, 0.05]).astype(int)
    before = label_imbalance(counts.sum(0))
    repeats = clone_minority(counts, 0.05, np.random.default_rng(2))
    assert repeats.sum() - 200 == 10
    assert counts[repeats > 1][:, before > before.mean()].any(1).all()
    assert label_imbalance(repeats @ counts).mean() < before.mean()
    endless = clone_minority(counts, 50.0, np.random.default_rng(2))
    assert (
        label_imbalance(endless @ counts)[before > before.mean()].max() <= before.mean() + 0.5
    )  # then it stops by itself
    assert (clone_minority(np.zeros((3, 2)), 1.0, rng) == 1).all()
    with pytest.raises(SegcoreError):
        clone_minority(counts, -1, rng)


@pytest.mark.shared
def test_repeat_factors_do_little_for_camvid(camvid_counts):
    for threshold, pixel, count in ((0.5, 0.4847, 0.0772), (1.0, 0.4843, 0.0719)):
        factors = repeat_factors(camvid_counts, threshold)
        assert earth_mover_distance(shares_of(factors @ camvid_counts)) == pytest.approx(
            pixel, abs=2e-4
        )
        assert earth_mover_distance(shares_of(factors @ (camvid_counts > 0))) == pytest.approx(
            count, abs=2e-4
        )


@pytest.mark.parametrize("rule", [name for name in BALANCE_RULES if name != "nearest"])
@pytest.mark.parametrize("mode", ["pixel", "count"])
def test_a_rule_as_a_plan_is_judged_by_what_its_repeats_give(rule, mode):
    rng = np.random.default_rng(4)
    counts = rng.integers(1, 50, (80, 4)) * (rng.random((80, 4)) < [0.9, 0.6, 0.2, 0.1])
    plan = plan_by_rule(rule, counts, BalanceGoal(mode, max_repeats=3), seed=2, split="train")
    repeats = np.array(list(plan.repeats.values()))
    held = counts if mode == "pixel" else counts > 0
    assert (
        plan.after == pytest.approx(earth_mover_distance(shares_of(repeats @ held)))
        and repeats.max() <= 3
        and plan.copies > 0
    )
    assert plan.floor <= plan.after and plan.path[-1] == (plan.copies, plan.after)
    best = plan_balance(counts, BalanceGoal(mode, max_repeats=3, budget=plan.copies))
    assert plan.floor == pytest.approx(best.floor, abs=2e-6) and best.after <= plan.after
    assert (
        BalancePlan.from_json(plan.to_json())
        == plan
        == plan_by_rule(rule, counts, BalanceGoal(mode, max_repeats=3), seed=2, split="train")
    )
    with pytest.raises(SegcoreError, match="ml_ros"):
        plan_by_rule("ml_rose", counts)
