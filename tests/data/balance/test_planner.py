"""Balance plans: hand-worked, with their record, and the known figures of CamVid."""

import json

import numpy as np
import pytest

from segcore.data.balance import planner
from segcore.data.balance.planner import (
    BalanceGoal,
    BalancePlan,
    build_target,
    explain_repeats,
    plan_balance,
)
from segcore.data.statistics.imbalance import earth_mover_distance
from segcore.errors import SegcoreError

SPLIT = np.array([[10, 0], [10, 0], [10, 0], [0, 10]])


def test_a_plan_by_hand():
    plan = plan_balance(
        SPLIT, BalanceGoal(max_repeats=3), sample_ids=["a", "b", "c", "d"], split="train"
    )
    assert plan.repeats == {"a": 1, "b": 1, "c": 1, "d": 3}
    assert (plan.before, plan.after, plan.floor) == (0.25, 0, 0)
    assert plan.copies == 2 and plan.effective_sample_size == pytest.approx(36 / 12)
    assert plan.path == ((0, 0.25), (1, pytest.approx(0.1)), (2, 0))
    assert plan.shares_before == (0.75, 0.25) and plan.shares_after == (0.5, 0.5)
    assert plan.expand(["d", "a", "x"]) == ["d", "d", "d", "a", "x"]
    assert explain_repeats(plan, SPLIT, ["grass", "car"]) == {"d": ["car"]}
    assert "2 copies" in plan.verdict()


def test_a_plan_says_which_classes_below_the_target_it_makes_rarer():
    """The copies of the second image bring the car and take share from the pole, which is rare too."""
    counts = np.array([[90, 0, 4], [40, 50, 0]])
    plan = plan_balance(counts, BalanceGoal(max_repeats=2))
    assert plan.repeats == {"0": 1, "1": 2}
    assert plan.rarer(["grass", "car", "pole"]) == (
        "The plan makes a class that is below the target rarer still: pole (from 2.17 % to 1.46 %); "
        "raise it by class weights in the loss or by class-centred crops."
    )
    assert plan_balance(SPLIT, BalanceGoal(max_repeats=3)).rarer(["grass", "car"]) == ""


def test_cap_budget_and_mode():
    assert plan_balance(SPLIT, BalanceGoal(max_repeats=1)).copies == 0
    assert plan_balance(SPLIT, BalanceGoal(max_repeats=9, budget=1)).copies == 1
    counted = plan_balance(SPLIT * [1, 100], BalanceGoal("count", max_repeats=3))
    assert counted.before == 0.25 and counted.after == 0
    assert plan_balance(SPLIT, with_floor=False).floor is None


def test_targets():
    shares = np.array([0.64, 0.36, 0])
    assert build_target("uniform", shares).tolist() == pytest.approx([1 / 3] * 3)
    assert build_target("tempered", shares).tolist() == pytest.approx([8 / 14, 6 / 14, 0])
    assert build_target("tempered", shares, 1.0).tolist() == pytest.approx(shares.tolist())
    assert build_target("tempered", shares, 0.0).tolist() == [0.5, 0.5, 0]
    assert build_target([2, 1, 1], shares).tolist() == [0.5, 0.25, 0.25]
    plan = plan_balance(SPLIT, BalanceGoal(target=[0.75, 0.25]))
    assert plan.before == 0 and plan.copies == 0 and "already" in plan.verdict()


def test_a_plan_survives_json():
    for ground in ("nominal", "ordered", 1 - np.eye(2)):
        plan = plan_balance(SPLIT, BalanceGoal("count", ground=ground, budget=5))
        data = json.loads(json.dumps(plan.to_json()))
        assert BalancePlan.from_json(data) == plan
        assert data["copies"] == plan.copies and data["repeats"]["3"] == 3
    for wrong in (
        {},
        {**data, "version": 99},
        {**data, "repeats": {"a": 0}},
        {**data, "path": [1]},
    ):
        with pytest.raises(SegcoreError):
            BalancePlan.from_json(wrong)


def test_where_every_image_holds_every_class_the_verdict_says_so():
    counts = np.tile([97, 2, 1], (30, 1))
    plan = plan_balance(counts)
    assert plan.copies == 0 and plan.floor == pytest.approx(plan.before, abs=1e-6)
    assert "cannot" in plan.verdict() and "crops" in plan.verdict() and "3.0 of 3" in plan.verdict()
    assert "1 of 3 classes never occur" in plan_balance(counts * [1, 1, 0]).verdict()


def test_a_large_split_is_led_by_the_floor(monkeypatch):
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 99, (300, 12)) * (rng.random((300, 12)) < np.geomspace(0.9, 0.02, 12))
    small = plan_balance(counts, BalanceGoal(max_repeats=4))
    monkeypatch.setattr(planner, "_LARGE", 0)
    large = plan_balance(counts, BalanceGoal(max_repeats=4))
    assert large.floor == pytest.approx(small.floor, abs=2e-6)
    assert large.after <= small.after + 2e-3 and max(large.repeats.values()) <= 4
    assert large.path[0] == (0, large.before) and large.path[-1] == (large.copies, large.after)
    budgeted = plan_balance(counts, BalanceGoal(max_repeats=4, budget=20))
    assert budgeted.copies <= 20 and budgeted.after >= budgeted.floor


def test_a_plan_led_by_the_floor_still_shows_its_way():
    counts = (np.random.default_rng(0).random((12, 4)) ** 4 * 100).astype(int) + 1
    alone, led = (
        plan_balance(counts, BalanceGoal(max_repeats=5), with_floor=False),
        plan_balance(counts, BalanceGoal(max_repeats=5)),
    )
    assert led.after < alone.after - 0.01, "the floor's fractional plan leads here"
    copies, distances = zip(*led.path, strict=True)
    assert copies[:4] == (0, 1, 2, 3) and copies[-1] == led.copies and distances[-1] == led.after
    assert list(distances[:4]) == sorted(distances[:4], reverse=True)


def test_refusals():
    for arguments in (
        {"mode": "pixels"},
        {"target": "unifrom"},
        {"target": [1.0]},
        {"max_repeats": 0},
        {"budget": -1},
        {"ground": "near"},
        {"target": "tempered", "temper": 2.0},
    ):
        with pytest.raises(SegcoreError):
            plan_balance(SPLIT, BalanceGoal(**arguments))
    with pytest.raises(SegcoreError, match="4 sample ids"):
        plan_balance(SPLIT, sample_ids=["a"])
    for counts in (np.zeros((3, 2)), np.zeros((0, 2)), np.ones(3)):
        with pytest.raises(SegcoreError):
            plan_balance(counts)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("mode", "cap", "before", "after", "floor", "copies"),
    [
        ("pixel", 2, 0.4847, 0.4697, 0.4697, 126),
        ("pixel", 5, 0.4847, 0.4483, 0.4483, 312),
        ("pixel", 10, 0.4847, 0.4309, 0.4308, 456),
        ("count", 2, 0.0778, 0.0605, 0.0605, 94),
        ("count", 5, 0.0778, 0.0364, 0.0364, 376),
        ("count", 10, 0.0778, 0.0219, 0.0219, 819),
    ],
)
def test_known_figures_of_camvid(camvid_counts, mode, cap, before, after, floor, copies):
    plan = plan_balance(camvid_counts, BalanceGoal(mode, max_repeats=cap))
    assert (plan.before, plan.after, plan.floor) == pytest.approx((before, after, floor), abs=6e-5)
    assert plan.copies == pytest.approx(copies, abs=3)
    repeated = np.repeat(camvid_counts, list(plan.repeats.values()), axis=0)
    totals = repeated.sum(0) if mode == "pixel" else (repeated > 0).sum(0)
    assert earth_mover_distance(totals / totals.sum()) == pytest.approx(plan.after)
    assert ("cannot" in plan.verdict()) == (mode == "pixel")


@pytest.mark.shared
def test_floor_of_camvid_when_every_image_weighs_the_same(camvid_counts):
    """Shares of each image's labelled pixels instead of pixels: images with much void then count as much as others."""
    plan = plan_balance(
        camvid_counts / camvid_counts.sum(1, keepdims=True), BalanceGoal(max_repeats=5)
    )
    assert plan.floor == pytest.approx(0.4479, abs=6e-5)
