from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import fold, score_maps
from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.evaluation.compression.information import entropy, label_priors
from segcore.evaluation.compression.search import (
    GAINS,
    beam_maps,
    forbidden_pairs,
    greedy_path,
    pair_costs,
    pair_gains,
)
from segcore.labels import LabelMap

TOY = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])


def random_counts(n, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 40, (n, n)) * (rng.random((n, n)) < 0.5) + np.diag(
        rng.integers(0, 200, n)
    )


def weights_of(counts):
    return label_priors(counts)["pixel"]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 7), st.integers(0, 10**6))
def test_gain_and_cost_of_every_pair_equal_scoring_the_merge(n, seed):
    counts = random_counts(n, seed)
    counts[n - 1] = counts[:, n - 1] = 0 if seed % 3 == 0 else counts[:, n - 1]
    if counts.sum() == 0:
        return
    weights = weights_of(counts)
    base = score_maps(counts, [LabelMap.identity(n)])[0]
    for a in range(n):
        for b in range(a + 1, n):
            row = score_maps(counts, [LabelMap.merging(n, [(a, b)])])[0]
            for name in GAINS:
                wanted = getattr(row, name) - getattr(base, name)
                if not np.isnan(wanted):
                    assert pair_gains(counts, name)[a, b] == pytest.approx(wanted, abs=1e-9), name
            assert pair_costs(weights)[a, b] == pytest.approx(row.lost_bits, abs=1e-9)


def test_path_has_one_row_for_each_number_of_groups_and_only_merges():
    counts = random_counts(9, 2)
    for gain in GAINS:
        path = greedy_path(counts, weights_of(counts), gain=gain)
        assert [step.label_map.num_groups for step in path] == list(range(9, 0, -1))
        for before, after in pairwise(path):
            kept = [g for g in before.label_map.groups if g not in after.merged]
            assert sorted([*kept, tuple(sorted(after.merged[0] + after.merged[1]))]) == list(
                after.label_map.groups
            )


def test_each_step_is_the_best_pair_by_plain_search():
    counts = random_counts(7, 5)
    whole = float(entropy(weights_of(counts)))
    for before, after in pairwise(greedy_path(counts, weights_of(counts))):
        folded = fold(counts, before.label_map)
        k = len(folded)
        if k == 2:
            continue
        base = score_maps(folded, [LabelMap.identity(k)])[0]
        rows = score_maps(
            folded, [LabelMap.merging(k, [(a, b)]) for a in range(k) for b in range(a + 1, k)]
        )
        rates = [
            (r.accuracy - base.accuracy) / (r.lost_bits / whole) for r in rows if r.lost_bits > 0
        ]
        assert after.rate == pytest.approx(max(rates))


def test_toy_merges_the_duplicate_first():
    path = greedy_path(TOY, weights_of(TOY))
    assert path[1].label_map == LabelMap.merging(4, [(2, 3)])
    assert path[2].label_map == LabelMap(((0, 1), (2, 3)))
    assert path[1].rate == pytest.approx(0.09 / (1 - 1.485475 / 1.846439), rel=1e-5)


def test_unseen_labels_cost_nothing_and_come_after_gains():
    counts = np.zeros((4, 4), int)
    counts[:2, :2] = [[50, 20], [20, 50]]
    path = greedy_path(counts, weights_of(counts))
    assert path[1].label_map == LabelMap.merging(4, [(0, 1)])
    assert [s.bits for s in path[2:]] == [0, 0]
    predicted_only = np.array([[50, 0, 7], [0, 50, 0], [0, 0, 0]])
    assert greedy_path(predicted_only, weights_of(predicted_only))[1].label_map == LabelMap.merging(
        3, [(0, 2)]
    )


def test_path_stops_where_pairs_are_forbidden():
    apart = forbidden_pairs(4, [(2, 3), (0, 1)])
    path = greedy_path(TOY, weights_of(TOY), forbidden=apart)
    assert path[-1].label_map.num_groups == 2
    assert all(s.label_map.group_of[2] != s.label_map.group_of[3] for s in path)
    assert build_dendrogram(TOY, apart).joints[-1].height_bits > 0
    assert len(build_dendrogram(TOY, apart).joints) == 2
    assert all(
        m.group_of[0] != m.group_of[1] for m in beam_maps(TOY, weights_of(TOY), forbidden=apart)
    )
    for pair in [(1, 1), (0, 4), (-1, 2)]:
        with pytest.raises(SegcoreError, match="two different classes"):
            forbidden_pairs(4, [pair])
    with pytest.raises(SegcoreError, match="mean_iou"):
        greedy_path(TOY, weights_of(TOY), gain="mean_io")


def test_beam_holds_the_greedy_trade_off():
    counts = random_counts(12, 8)
    weights = weights_of(counts)
    beam = score_maps(counts, beam_maps(counts, weights))
    greedy = score_maps(counts, [s.label_map for s in greedy_path(counts, weights)])
    assert {r.label_map.num_groups for r in beam} == set(range(1, 13))
    better = sum(
        any(
            b.accuracy >= g.accuracy and b.retained_entropy >= g.retained_entropy - 1e-9
            for b in beam
        )
        for g in greedy
    )
    assert better >= 9


def test_dendrogram_of_the_toy():
    tree = build_dendrogram(TOY)
    assert tree.joints[0].cost_bits == pytest.approx(0.07491, abs=5e-6)
    assert tree.joints[1].cost_bits == pytest.approx(0.15133, abs=5e-6)
    assert tree.cut(2) == LabelMap(((0, 1), (2, 3)))
    assert tree.joints[-1].height_bits == pytest.approx(
        score_maps(TOY, [LabelMap(((0, 1, 2, 3),))])[0].truth_cost_bits
    )


def linkage(tree):
    """The tree as scipy's linkage matrix."""
    nodes, rows = {(i,): i for i in range(tree.num_classes)}, []
    for number, joint in enumerate(tree.joints):
        left, right = tuple(sorted(joint.left)), tuple(sorted(joint.right))
        both = tuple(sorted(left + right))
        rows.append([nodes[left], nodes[right], joint.height_bits, len(both)])
        nodes[both] = tree.num_classes + number
    return np.array(rows, np.float64).reshape(-1, 4)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(0, 10**6))
def test_heights_are_the_information_lost_and_never_fall(n, seed):
    counts = random_counts(n, seed)
    tree = build_dendrogram(counts)
    heights = [joint.height_bits for joint in tree.joints]
    assert heights == sorted(heights)
    assert sorted(tree.order) == list(range(n))
    if counts.sum():
        rows = score_maps(counts, [tree.cut(k) for k in range(n - 1, 0, -1)])
        np.testing.assert_allclose([r.truth_cost_bits for r in rows], heights, atol=1e-9)
    links = linkage(tree)
    assert hierarchy.is_valid_linkage(links)
    cut = hierarchy.fcluster(links, 2, "maxclust") if n > 2 and len(set(heights)) == n - 1 else None
    if cut is not None:
        assert len(set(zip(cut.tolist(), tree.cut(2).group_of.tolist(), strict=True))) == len(
            set(cut.tolist())
        )


def test_first_joint_is_the_cheapest_pair():
    counts = random_counts(8, 11)
    costs = {
        (a, b): score_maps(counts, [LabelMap.merging(8, [(a, b)])])[0].truth_cost_bits
        for a in range(8)
        for b in range(a + 1, 8)
    }
    first = build_dendrogram(counts).joints[0]
    assert first.cost_bits == pytest.approx(min(costs.values()))


def test_tree_order_puts_confused_labels_side_by_side():
    blocks = np.kron(np.eye(3, dtype=int), np.full((2, 2), 50)) + 1
    order = np.array([0, 2, 4, 1, 3, 5])
    place = build_dendrogram(blocks[np.ix_(order, order)]).order
    found = order[place] // 2
    assert [len(set(found[i : i + 2])) for i in (0, 2, 4)] == [1, 1, 1]


def test_cuts_that_do_not_exist():
    tree = build_dendrogram(TOY, forbidden_pairs(4, [(0, 1)]))
    for count in (0, 1, 5):
        with pytest.raises(SegcoreError, match="groups"):
            tree.cut(count)
    assert build_dendrogram(TOY).to_json([9, 8, 7, 6])["joints"][0]["groups"] == [[7], [6]]
