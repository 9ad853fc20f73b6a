"""Imbalance measures against hand-worked cases, identities and slow twins."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from segcore.data.statistics.imbalance import (
    build_distance,
    earth_mover_distance,
    entropy_bits,
    label_imbalance,
    mean_imbalance,
    scumble,
    scumble_by_sample,
    shares_of,
)
from segcore.errors import SegcoreError

RNG = np.random.default_rng(7)


def random_shares(c):
    return RNG.dirichlet(np.ones(c))


def test_imbalance_ratios_by_hand():
    assert label_imbalance([8, 4, 1]).tolist() == [1, 2, 8]
    assert mean_imbalance([8, 4, 1]) == pytest.approx(11 / 3)
    assert np.isnan(label_imbalance([8, 0])[1]) and mean_imbalance([8, 0]) == 1
    assert np.isnan(mean_imbalance([0, 0]))


def test_scumble_by_hand():
    present = np.array([[1, 1], [1, 0], [1, 0], [1, 0]], bool)  # IRLbl 1 and 4
    by_sample = scumble_by_sample(present)
    assert by_sample.tolist() == pytest.approx([1 - 2 / 2.5, 0, 0, 0])
    assert scumble(present) == pytest.approx(0.05)
    assert scumble(np.ones((5, 3), bool)) == pytest.approx(0)
    assert scumble_by_sample(np.array([[0, 0], [1, 1]], bool)).tolist() == pytest.approx([0, 0])


def test_scumble_equals_its_definition():
    present = RNG.random((40, 6)) < [0.9, 0.5, 0.4, 0.2, 0.1, 0.3]
    ratios = label_imbalance(present.sum(0))
    slow = [
        1 - np.prod(ratios[row]) ** (1 / row.sum()) / ratios[row].mean() if row.any() else 0
        for row in present
    ]
    assert np.allclose(scumble_by_sample(present), slow)


def test_entropy():
    assert entropy_bits(np.full(8, 1 / 8)) == pytest.approx(3)
    assert entropy_bits([1, 0, 0]) == 0


def test_nominal_distance_is_total_variation_and_ignores_the_order():
    for c in (2, 5, 11):
        p, t, order = random_shares(c), random_shares(c), RNG.permutation(c)
        value = earth_mover_distance(p, t)
        assert value == pytest.approx(np.abs(p - t).sum() / 2)
        assert value == pytest.approx(earth_mover_distance(p[order], t[order]))
        assert earth_mover_distance(p, t, 1 - np.eye(c)) == pytest.approx(
            value
        )  # transport with cost 1 is the same


def test_ordered_distance_is_the_one_dimensional_wasserstein_distance():
    for c in (2, 5, 11):
        p, t = random_shares(c), random_shares(c)
        value = earth_mover_distance(p, t, "ordered")
        assert value == pytest.approx(
            wasserstein_distance(np.arange(c), np.arange(c), p, t) / (c - 1)
        )
        steps = np.abs(np.subtract.outer(np.arange(c), np.arange(c))) / (c - 1)
        assert earth_mover_distance(p, t, steps) == pytest.approx(value)
    assert earth_mover_distance([1, 0, 0], [0, 0, 1], "ordered") == pytest.approx(1)


MATRIX = np.array([[0, 1, 4], [1, 0, 2], [4, 2, 0.0]])


@pytest.mark.parametrize(
    "ground", ["nominal", "ordered", MATRIX], ids=["nominal", "ordered", "matrix"]
)
def test_slopes_bound_the_distance_from_below(ground):
    distance = build_distance(random_shares(3), ground)
    for _ in range(20):
        p, q = random_shares(3), random_shares(3)
        here, there = distance.values(np.stack([p, q]))
        assert (
            there >= here + distance.slopes(p) @ (q - p) - 1e-9
        )  # a convex function lies above its tangents


def test_shares_and_refusals():
    assert shares_of([1, 3]).tolist() == [0.25, 0.75] and shares_of([0, 0]).tolist() == [0, 0]
    assert np.isnan(earth_mover_distance([0, 0]))
    for target, ground in (
        ([0.5, 0.6], "nominal"),
        ([1.5, -0.5], "nominal"),
        ([0.5, 0.5], "near"),
        ([0.5, 0.5], np.ones((2, 2))),
    ):
        with pytest.raises(SegcoreError):
            earth_mover_distance([0.5, 0.5], target, ground)
