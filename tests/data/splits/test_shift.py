"""The permutation test: small p for what differs, even p for what does not, and whole groups dealt together."""

import numpy as np
import pytest

from segcore.data.splits.shift import measure_shift
from segcore.data.statistics.statistics import ClassStatistics
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

LABELS = LabelSet(tuple(LabelClass(i, f"c{i}", (i, i, i)) for i in range(3)))


def statistics_of(train, test):
    rows = np.concatenate([train, test])
    ids = tuple(str(i) for i in range(len(rows)))
    splits = ("train",) * len(train) + ("test",) * len(test)
    return ClassStatistics("d", "", LABELS, ids, splits, rows, np.zeros(len(rows), np.int64))


def test_a_shift_by_hand():
    stats = statistics_of(np.array([[8, 2, 0]] * 3), np.array([[2, 8, 0]] * 3))
    shift = measure_shift(stats, "train", "test", np.random.default_rng(0))
    assert shift.distance == pytest.approx(0.6)
    assert shift.differences == pytest.approx((-0.6, 0.6, 0))
    assert shift.p_value == pytest.approx(
        2 / 20, abs=0.04
    )  # 2 of the 20 deals of six images are as far apart
    assert measure_shift(stats, "train", "test", np.random.default_rng(0), "count").distance == 0


def test_p_is_even_where_nothing_differs():
    rng = np.random.default_rng(1)
    values = []
    for _ in range(120):
        rows = rng.integers(0, 100, (24, 3))
        values.append(
            measure_shift(
                statistics_of(rows[:16], rows[16:]), "train", "test", rng, permutations=59
            ).p_value
        )
    assert np.mean(values) == pytest.approx(0.5, abs=0.1) and np.mean(
        np.array(values) < 0.25
    ) == pytest.approx(0.25, abs=0.13)


def test_groups_are_dealt_whole():
    rng = np.random.default_rng(2)
    drives = np.array([[90, 5, 5], [70, 20, 10], [20, 70, 10], [10, 80, 10]])
    train, test = np.repeat(drives[:2], 20, axis=0), np.repeat(drives[2:], 20, axis=0)
    stats = statistics_of(train, test)
    groups = {str(i): f"drive {i // 20}" for i in range(80)}
    alone = measure_shift(stats, "train", "test", rng)
    whole = measure_shift(stats, "train", "test", rng, groups=groups)
    assert alone.distance == whole.distance
    assert (
        alone.p_value < 0.05 < 0.3 < whole.p_value
    )  # of four drives only three different deals exist


def test_refusals():
    stats = statistics_of(np.ones((2, 3), int), np.ones((2, 3), int))
    for arguments in (("train", "train"), ("train", "tets")):
        with pytest.raises(SegcoreError):
            measure_shift(stats, *arguments, np.random.default_rng(0))
    with pytest.raises(SegcoreError):
        measure_shift(stats, "train", "test", np.random.default_rng(0), permutations=0)
