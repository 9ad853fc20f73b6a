"""The search and its floor against every plan there is, and against another linear program."""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from segcore.data.balance.search import Search, find_floor
from segcore.data.statistics.imbalance import build_distance

GROUNDS = {
    "nominal": "nominal",
    "ordered": "ordered",
    "matrix": np.array([[0, 1, 2], [1, 0, 1.5], [2, 1.5, 0]]),
}


def random_counts(seed, count=6, classes=3):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 50, (count, classes)) * (rng.random((count, classes)) < 0.8) + np.eye(
        count, classes
    )


def grown(counts, distance, cap, budget=10**6):
    search = Search(counts, distance, np.ones(len(counts), np.int64))
    path = list(search.grow(np.full(len(counts), cap), budget))
    search.swap(np.full(len(counts), cap))
    return search, path


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("seed", range(3))
def test_every_integer_plan_lies_above_the_floor_and_the_search_comes_near_the_best(ground, seed):
    counts = random_counts(seed)
    distance = build_distance(np.full(3, 1 / 3), GROUNDS[ground])
    plans = np.array(list(product((1, 2, 3), repeat=6)))
    sums = plans @ counts
    if ground == "matrix":
        sums = sums[:: len(sums) // 60]
    values = distance.values(sums / sums.sum(1, keepdims=True))
    search, path = grown(counts, distance, 3)
    floor = find_floor(counts, distance, 3, None, float(values[0]))
    assert floor.value <= values.min() + 1e-9 and floor.value <= search.value + 1e-9
    assert search.value <= values.min() + 0.02
    assert [c for c, _ in path] == list(range(1, len(path) + 1)) and all(
        np.diff([v for _, v in path]) < 0
    )


@pytest.mark.parametrize("cap", [2, 5])
def test_the_floor_equals_another_linear_program(cap):
    counts = random_counts(11, 30, 5)
    n, c = counts.shape
    target = np.full(c, 1 / c)
    scaled = counts / counts.sum(1).mean()
    eye = np.eye(n)
    above = np.block(
        [  # variables: w (n), their least value s, |difference| z (c)
            [scaled.T, np.zeros((c, 1)), -np.eye(c)],
            [-scaled.T, np.zeros((c, 1)), -np.eye(c)],
            [-eye, np.ones((n, 1)), np.zeros((n, c))],
            [eye, np.full((n, 1), -cap), np.zeros((n, c))],
        ]
    )
    limits = np.concatenate([target, -target, np.zeros(2 * n)])
    twin = linprog(
        np.r_[np.zeros(n + 1), np.full(c, 0.5)],
        above,
        limits,
        np.r_[scaled.sum(1), np.zeros(c + 1)][None],
        [1.0],
    )
    distance = build_distance(target)
    assert find_floor(counts, distance, cap, None, 1.0).value == pytest.approx(twin.fun, abs=2e-6)


def test_a_matrix_of_ones_or_steps_gives_the_floors_of_nominal_and_ordered():
    counts = random_counts(4, 12, 4)
    t = np.full(4, 0.25)
    steps = np.abs(np.subtract.outer(np.arange(4), np.arange(4))) / 3
    for name, matrix in (("nominal", 1 - np.eye(4)), ("ordered", steps)):
        floors = [
            find_floor(counts, build_distance(t, g), 4, None, 1.0).value for g in (name, matrix)
        ]
        assert floors[0] == pytest.approx(floors[1], abs=2e-6)


def test_the_budget_binds_search_and_floor():
    counts, distance = random_counts(2, 40, 4), build_distance(np.full(4, 0.25))
    floors = [find_floor(counts, distance, 5, budget, 1.0).value for budget in (0, 3, 10, None)]
    assert floors == sorted(floors, reverse=True) and floors[0] == pytest.approx(
        grown(counts, distance, 5, 0)[0].value, abs=2e-6
    )
    for budget in (0, 3, 10):
        search, _ = grown(counts, distance, 5, budget)
        assert search.copies <= budget and search.repeats.max() <= 5


def test_blocks_end_where_single_steps_would_go_on():
    counts, distance = random_counts(3, 200, 6), build_distance(np.full(6, 1 / 6))
    search = Search(counts, distance, np.ones(200, np.int64))
    steps = list(search.grow(np.full(200, 5), 10**6, block=32))
    assert search.value == pytest.approx(grown(counts, distance, 5)[0].value, abs=5e-3)
    assert steps[-1] == (search.copies, search.value)
    assert search.value == pytest.approx(float(distance.values(search.shares[None])[0]))
