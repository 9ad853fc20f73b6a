"""Scores of merged labels against scikit-learn's and scipy's own, pixel by pixel, on random and degenerate matrices."""

import importlib
import itertools
import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import score_maps, to_map
from segcore.evaluation.compression.exact import OBJECTIVES, exact_maps
from segcore.evaluation.compression.front import find_front
from segcore.evaluation.compression.information import (
    honest_accuracy,
    label_priors,
    mutual_information,
)
from segcore.evaluation.counts.confusion import check_counts
from segcore.labels import LabelMap
from tests.evaluation.compression.random_merge import random_merge_accuracy

try:
    metrics = importlib.import_module("sklearn.metrics")
except ImportError:
    metrics = None

needs_peer = pytest.mark.skipif(
    metrics is None,
    reason="SCIKIT-LEARN ABSENT: pip install -r requirements-dev.txt compares with it",
)


def matrices() -> list[np.ndarray]:
    """Random counts, and such as have absent labels, a label that is never predicted, one that is only predicted, or one pixel."""
    rng = np.random.default_rng(11)
    found = [
        rng.integers(0, 12, (size, size)) + np.eye(size, dtype=int) * 20 for size in (2, 3, 5, 8)
    ]
    absent = found[2].copy()
    absent[1], absent[:, 1] = 0, 0
    unpredicted, invented = found[2].copy(), found[2].copy()
    unpredicted[:, 3] = 0
    invented[3] = 0
    one_label = np.zeros((3, 3), int)
    one_label[1, 1] = 7
    return [*found, absent, unpredicted, invented, one_label]


def pixels(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One truth and one prediction for each counted pixel."""
    true, predicted = np.indices(counts.shape).reshape(2, -1)
    return np.repeat(true, counts.ravel()), np.repeat(predicted, counts.ravel())


CASES = [(counts, seed) for counts in matrices() for seed in range(2)]


@needs_peer
@pytest.mark.parametrize(("counts", "seed"), CASES)
@pytest.mark.filterwarnings("ignore")
def test_scores_equal_those_of_scikit_learn_on_merged_pixels(counts, seed) -> None:
    label_map = to_map(
        np.random.default_rng(seed).integers(0, max(2, len(counts) - 1), len(counts))
    )
    (row,) = score_maps(counts, [label_map])
    true, predicted = (label_map.group_of[side] for side in pixels(counts))
    assert row.accuracy == pytest.approx(metrics.accuracy_score(true, predicted))
    present = np.union1d(true, predicted)
    assert row.mean_iou == pytest.approx(
        metrics.jaccard_score(true, predicted, labels=present, average="macro", zero_division=0)
    )
    assert row.information_bits == pytest.approx(
        metrics.mutual_info_score(true, predicted) / math.log(2), abs=1e-9
    )
    assert row.entropy_bits == pytest.approx(scipy_entropy(np.bincount(true), base=2), abs=1e-9)
    kappa, mcc = (
        metrics.cohen_kappa_score(true, predicted),
        metrics.matthews_corrcoef(true, predicted),
    )
    assert np.isnan(row.kappa) if len(present) < 2 else row.kappa == pytest.approx(kappa)
    if np.isnan(
        row.mcc
    ):  # where truth or prediction is constant scikit-learn says 0, we say undefined
        assert mcc == 0 or len(present) < 2
    else:
        assert row.mcc == pytest.approx(mcc)
    if np.isnan(row.honest_accuracy):
        assert len(np.unique(true)) == 1
    else:  # the share of the truth's entropy that the prediction explains is homogeneity
        assert row.honest_accuracy == pytest.approx(
            metrics.homogeneity_score(true, predicted), abs=1e-9
        )
        merged = np.array(
            [
                [np.sum((true == i) & (predicted == j)) for j in range(len(counts))]
                for i in range(len(counts))
            ]
        )
        assert row.honest_accuracy == pytest.approx(float(honest_accuracy(merged)), abs=1e-12)


@needs_peer
def test_information_of_a_random_prediction_is_what_chance_gives() -> None:
    """The adjusted mutual information of scikit-learn is near 0 where U is small but never negative: U carries a bias, told here."""
    rng = np.random.default_rng(3)
    true, predicted = rng.integers(0, 6, 3000), rng.integers(0, 6, 3000)
    counts = np.zeros((6, 6), int)
    np.add.at(counts, (true, predicted), 1)
    assert abs(metrics.adjusted_mutual_info_score(true, predicted)) < 0.01
    bias = (6 - 1) ** 2 / (
        2 * 3000 * math.log(2)
    )  # Miller and Madow: (R - 1)(C - 1) / (2 N ln 2) bits
    assert 0 < float(mutual_information(counts)) < 3 * bias


@pytest.mark.parametrize("counts", [c for c in matrices() if len(c) == 5])
def test_the_cost_of_a_pair_is_scipy_jensen_shannon_divergence(counts) -> None:
    total = counts.sum()
    for a, b in itertools.combinations(range(5), 2):
        (row,) = score_maps(counts, [LabelMap.merging(5, [(a, b)])])
        rows = counts[[a, b]].astype(float)
        if (rows.sum(1) == 0).any():
            assert row.truth_cost_bits == pytest.approx(0, abs=1e-12)
            continue
        weights, answers = rows.sum(1) / rows.sum(), rows / rows.sum(1, keepdims=True)
        divergence = scipy_entropy(weights @ answers, base=2) - weights @ scipy_entropy(
            answers, axis=1, base=2
        )
        assert row.truth_cost_bits == pytest.approx(rows.sum() / total * divergence, abs=1e-9)
        if rows[0].sum() == rows[1].sum():
            assert divergence == pytest.approx(jensenshannon(*answers, base=2) ** 2)


def partitions(size: int):
    """Every partition of 0..size-1, by plain recursion."""
    if size == 0:
        yield []
        return
    for smaller in partitions(size - 1):
        for k in range(len(smaller)):
            yield [*smaller[:k], (*smaller[k], size - 1), *smaller[k + 1 :]]
        yield [*smaller, (size - 1,)]


def test_exact_and_front_equal_brute_force_at_eight_labels() -> None:
    counts = matrices()[3]
    weights = label_priors(counts)["pixel"]
    maps = [LabelMap(tuple(groups)) for groups in partitions(8)]
    assert len(maps) == 4140  # the Bell number
    rows = score_maps(counts, maps)
    for objective, key in (
        ("accuracy", "accuracy"),
        ("mean_iou", "mean_iou"),
        ("itca", "itca"),
        ("entropy", "entropy_bits"),
    ):
        assert objective in OBJECTIVES
        found = exact_maps(counts, weights, objective)
        for number, label_map in found.items():
            best = max(getattr(row, key) for row in rows if row.label_map.num_groups == number)
            (mine,) = score_maps(counts, [label_map])
            assert getattr(mine, key) == pytest.approx(best)
    points = np.array([[row.accuracy, row.entropy_bits] for row in rows])
    beaten = (
        (points[:, None] <= points[None] + 1e-12).all(2)
        & (points[:, None] < points[None] - 1e-12).any(2)
    ).any(1)
    front = find_front(counts, weights)
    assert front.certified
    assert {m.groups for m in front.maps} == {
        rows[i].label_map.groups for i in np.flatnonzero(~beaten)
    }


@pytest.mark.parametrize("sizes", [(2, 1, 1, 1), (3, 2), (2, 2, 1), (5,), (1, 1, 1, 1, 1)])
def test_the_random_baseline_is_the_mean_over_all_deals(sizes) -> None:
    counts = matrices()[2]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    every = [
        score_maps(counts, [to_map(np.array(deal))])[0].accuracy
        for deal in itertools.permutations(groups.tolist())
    ]
    assert np.mean(every) == pytest.approx(
        random_merge_accuracy(np.trace(counts) / counts.sum(), sizes)
    )


@pytest.mark.parametrize(
    "counts",
    [[[1.5, 0], [0, 2]], [[-1, 0], [0, 2]], [[1, 2, 3]], [[float("nan"), 0], [0, 1]], "counts"],
)
def test_what_is_no_count_is_refused(counts) -> None:
    with pytest.raises(SegcoreError):
        check_counts(counts)


def test_an_empty_matrix_is_undefined_everywhere_and_never_zero() -> None:
    (row,) = score_maps(np.zeros((4, 4), int), [LabelMap.merging(4, [(0, 1)])])
    assert all(
        np.isnan(getattr(row, key))
        for key in (
            "accuracy",
            "mean_iou",
            "kappa",
            "mcc",
            "information_bits",
            "honest_accuracy",
            "itca",
        )
    )
