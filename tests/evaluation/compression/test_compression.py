"""Scores of label maps against the worked table, plain loops and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import (
    fold,
    merge_probabilities,
    score_maps,
    to_map,
)
from segcore.evaluation.compression.information import choose_prior, label_priors
from segcore.labels import LabelMap
from tests.evaluation.compression.random_merge import random_merge_accuracy

# Four labels, 200 pixels: 0 and 1 are confused 18 times, 2 and 3 too, 1 and 3 twice, 0 and 3 never.
TOY = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])

MATRICES = st.integers(2, 6).flatmap(
    lambda n: st.tuples(
        st.lists(
            st.lists(st.sampled_from([0, 0, 1, 3, 10, 200]), min_size=n, max_size=n),
            min_size=n,
            max_size=n,
        ),
        st.lists(st.integers(0, n - 1), min_size=n, max_size=n),
    )
)


def one(counts, label_map, **more):
    return score_maps(np.array(counts), [label_map], **more)[0]


def test_before_any_merge():
    row = one(TOY, LabelMap.identity(4))
    assert round(row.accuracy, 2) == 0.81
    assert round(row.mean_iou, 6) == 0.619867
    assert round(row.kappa, 6) == 0.729730
    assert round(row.entropy_bits, 6) == 1.846439
    assert round(row.information_bits, 6) == 1.167553
    assert round(row.itca, 6) == 0.994334
    assert round(row.honest_accuracy, 4) == 0.6323
    assert (
        row.lift,
        row.composition,
        row.resolved_confusion,
        row.lost_bits,
        row.retained_entropy,
    ) == (0, 0, 0, 0, 1)
    assert math.isnan(row.rate)


@pytest.mark.parametrize(
    (
        "pair",
        "accuracy",
        "lift",
        "mean_iou",
        "composition",
        "resolved",
        "kappa",
        "entropy",
        "information",
        "honest",
        "itca",
        "cost",
    ),
    [
        (
            (2, 3),
            0.90,
            0.368,
            0.7769,
            0.0564,
            0.1007,
            0.8397,
            1.4855,
            1.0926,
            0.7355,
            0.8981,
            0.07491,
        ),
        (
            (0, 1),
            0.90,
            0.368,
            0.7031,
            -0.0158,
            0.0990,
            0.8273,
            1.3610,
            1.0039,
            0.7376,
            0.7824,
            0.15133,
        ),
        ((1, 3), 0.82, -0.137, 0.6936, None, None, 0.7277, 1.5710, 0.8303, 0.5285, 0.8866, 0.22062),
        (
            (0, 3),
            0.81,
            -0.200,
            0.6744,
            0.0545,
            0.0,
            0.7050,
            1.5219,
            0.7567,
            0.4972,
            0.8531,
            0.28551,
        ),
    ],
)
def test_worked_table(
    pair,
    accuracy,
    lift,
    mean_iou,
    composition,
    resolved,
    kappa,
    entropy,
    information,
    honest,
    itca,
    cost,
):
    # resolved by 0+1, by hand: (100 / 102 - 82 / 120) / 3 = .09902
    row = one(TOY, LabelMap.merging(4, [pair]))
    assert round(row.accuracy, 2) == accuracy
    assert round(row.lift, 3) == lift
    assert round(row.mean_iou, 4) == mean_iou
    if composition is not None:
        assert (
            abs(row.composition - composition) < 0.6e-4
        )  # the table's .0564 is .05635 rounded half up
        assert round(row.resolved_confusion, 4) == resolved
    assert round(row.kappa, 4) == kappa
    assert round(row.entropy_bits, 4) == entropy
    assert abs(row.information_bits - information) < 0.6e-4
    assert abs(row.honest_accuracy - honest) < 0.6e-4
    assert abs(row.itca - itca) < 0.6e-4
    assert round(row.truth_cost_bits, 5) == cost
    assert round(row.expected_accuracy, 4) == 0.8417


def test_expected_accuracy_of_a_random_pair_is_the_mean_over_all_pairs():
    rows = score_maps(
        TOY, [LabelMap.merging(4, [(a, b)]) for a in range(4) for b in range(a + 1, 4)]
    )
    assert np.mean([row.accuracy for row in rows]) == pytest.approx(0.841666666666)
    assert random_merge_accuracy(0.81, [2, 1, 1]) == pytest.approx(0.841666666666)


def test_closed_form_of_the_random_merge_equals_simulation():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 50, (7, 7)) + 100 * np.eye(7, dtype=int)
    groups = np.array([0, 0, 0, 1, 1, 2, 3])
    drawn = [one(counts, to_map(rng.permutation(groups))).accuracy for _ in range(2000)]
    wanted = random_merge_accuracy(one(counts, LabelMap.identity(7)).accuracy, [3, 2, 1, 1])
    assert abs(np.mean(drawn) - wanted) < 4 * np.std(drawn) / math.sqrt(2000)
    assert one(counts, to_map(groups)).expected_accuracy == pytest.approx(wanted)


def slow_fold(counts, label_map):
    out = np.zeros((label_map.num_groups,) * 2, np.int64)
    for i, row in enumerate(counts):
        for j, n in enumerate(row):
            out[label_map.group_of[i], label_map.group_of[j]] += n
    return out


def slow_information(counts):
    """Sum over cells of p log2 (p / (row share times column share))."""
    p = np.array(counts) / max(np.sum(counts), 1)
    return sum(
        v * math.log2(v / (p[i].sum() * p[:, j].sum()))
        for i, row in enumerate(p)
        for j, v in enumerate(row)
        if v > 0
    )


@settings(max_examples=150, deadline=None)
@given(MATRICES)
def test_rows_equal_plain_formulas(case):
    counts, groups = np.array(case[0]), case[1]
    label_map = to_map(groups)
    row, merged, total = one(counts, label_map), slow_fold(counts, label_map), counts.sum()
    np.testing.assert_array_equal(fold(counts, label_map), merged)
    if total == 0:
        assert math.isnan(row.accuracy)
        assert math.isnan(row.honest_accuracy)
        return
    shares = [v for v in merged.sum(1) / total if v > 0]
    entropy = -sum(v * math.log2(v) for v in shares)
    assert row.accuracy == pytest.approx(np.trace(merged) / total)
    assert row.entropy_bits == pytest.approx(entropy, abs=1e-9)
    assert row.information_bits == pytest.approx(slow_information(merged), abs=1e-9)
    assert row.itca == pytest.approx(
        -sum(
            merged[g, g] / total * math.log(merged[g].sum() / total)
            for g in range(len(merged))
            if merged[g].sum()
        ),
        abs=1e-9,
    )
    half = np.array([counts[list(g)].sum(0) for g in label_map.groups])
    assert row.truth_cost_bits == pytest.approx(
        slow_information(counts) - slow_information(half), abs=1e-9
    )
    if entropy > 1e-9:
        assert row.honest_accuracy == pytest.approx(slow_information(merged) / entropy, abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(MATRICES)
def test_merging_never_lowers_accuracy_nor_raises_information(case):
    counts, groups = np.array(case[0]), case[1]
    before, after = score_maps(counts, [LabelMap.identity(len(counts)), to_map(groups)])
    if counts.sum() == 0:
        return
    assert after.accuracy >= before.accuracy
    assert after.information_bits <= before.information_bits + 1e-9
    assert after.entropy_bits <= before.entropy_bits + 1e-9
    assert after.truth_cost_bits >= 0
    assert after.composition + after.resolved_confusion == pytest.approx(
        after.mean_iou - before.mean_iou, nan_ok=True
    )
    assert after.resolved_confusion >= -1e-12
    assert np.isnan(after.honest_accuracy) or 0 <= after.honest_accuracy <= 1


@settings(max_examples=80, deadline=None)
@given(MATRICES, st.integers(0, 1000))
def test_scores_do_not_depend_on_the_order_of_labels(case, seed):
    counts, groups = np.array(case[0]), np.array(case[1])
    order = np.random.default_rng(seed).permutation(len(counts))
    straight = one(counts, to_map(groups)).to_json()
    shuffled = one(counts[np.ix_(order, order)], to_map(groups[order])).to_json()
    for key, value in straight.items():
        if key == "retained":
            assert shuffled[key] == pytest.approx(value, abs=1e-9)
        elif key != "groups":
            assert shuffled[key] == pytest.approx(value, abs=1e-9), key


def test_one_group_is_always_right_and_tells_nothing():
    row = one(TOY, LabelMap(((0, 1, 2, 3),)))
    assert (
        row.accuracy,
        row.entropy_bits,
        row.information_bits,
        row.retained_entropy,
        row.itca,
    ) == (1, 0, 0, 0, 0)
    json = row.to_json()
    assert json["honest_accuracy"] is None
    assert json["lift"] is None
    assert json["kappa"] is None
    assert json["groups"] == [[0, 1, 2, 3]]


def test_merging_in_two_steps_is_merging_at_once():
    first, second = LabelMap.merging(4, [(0, 1)]), LabelMap.merging(3, [(0, 2)])
    np.testing.assert_array_equal(
        fold(fold(TOY, first), second), fold(TOY, LabelMap(((0, 1, 3), (2,))))
    )
    stack = np.stack([TOY, TOY.T])
    np.testing.assert_array_equal(fold(stack, first)[1], fold(TOY.T, first))


def test_ids_of_the_user_in_rows():
    assert one(TOY, LabelMap.merging(4, [(2, 3)])).to_json([10, 20, 30, 40])["groups"] == [
        [10],
        [20],
        [30, 40],
    ]


def test_probability_sums_agree_with_the_label_map():
    rng = np.random.default_rng(4)
    probabilities = rng.dirichlet(np.ones(4), (5, 6)).astype(np.float32)
    merged = merge_probabilities(probabilities, LabelMap(((0, 3), (1,), (2,))))
    np.testing.assert_allclose(
        merged[..., 0], probabilities[..., 0] + probabilities[..., 3], rtol=1e-6
    )
    np.testing.assert_allclose(merged.sum(-1), 1, rtol=1e-5)
    sure = np.eye(4, dtype=np.float32)[rng.integers(0, 4, (5, 6))]
    label_map = LabelMap(((0, 3), (1,), (2,)))
    np.testing.assert_array_equal(
        merge_probabilities(sure, label_map).argmax(-1), label_map.group_of[sure.argmax(-1)]
    )


def test_four_priors():
    images = np.stack([np.diag([9, 1, 0, 0]), np.diag([9, 0, 1, 0])])
    priors = label_priors(images.sum(0), images, np.array([1, 1, 2, 0]))
    np.testing.assert_allclose(priors["pixel"], [0.9, 0.05, 0.05, 0])
    np.testing.assert_allclose(priors["image"], [0.5, 0.25, 0.25, 0])
    np.testing.assert_allclose(priors["uniform"], [0.25] * 4)
    np.testing.assert_allclose(priors["importance"], [0.25, 0.25, 0.5, 0])
    row = score_maps(images.sum(0), [LabelMap.merging(4, [(1, 2)])], priors, "uniform")[0]
    assert row.entropy_bits == pytest.approx(1.5)
    assert row.retained["uniform"] == row.retained_entropy == pytest.approx(0.75)
    assert row.retained["image"] == pytest.approx(1 / 1.5)
    assert row.retained["importance"] == pytest.approx(
        -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75)) / 1.5
    )
    with pytest.raises(SegcoreError, match="importance"):
        label_priors(TOY, importance=np.array([1, 1, 1, -1]))
    with pytest.raises(SegcoreError, match="counts for each image"):
        choose_prior(label_priors(TOY), "image")
    with pytest.raises(SegcoreError, match="pixel"):
        choose_prior(label_priors(TOY), "pixels")


def test_maps_of_another_size_are_refused():
    for function in (lambda m: one(TOY, m), lambda m: fold(TOY, m)):
        with pytest.raises(SegcoreError, match="over 4 classes"):
            function(LabelMap.identity(3))


def test_many_labels_are_folded_another_way_with_the_same_result():
    rng = np.random.default_rng(6)
    counts = rng.integers(0, 9, (40, 40))
    maps = [to_map(rng.integers(0, k, 40)) for k in (2, 7, 39)]
    for row, label_map in zip(score_maps(counts, maps), maps, strict=True):
        merged = slow_fold(counts, label_map)
        assert row.accuracy == pytest.approx(np.trace(merged) / merged.sum())
        assert row.information_bits == pytest.approx(slow_information(merged), abs=1e-9)
        half = np.array([counts[list(g)].sum(0) for g in label_map.groups])
        assert row.truth_cost_bits == pytest.approx(
            slow_information(counts) - slow_information(half), abs=1e-9
        )
