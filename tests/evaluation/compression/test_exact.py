"""The subset search and the front against a list of all partitions made by plain recursion."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import score_maps, to_map
from segcore.evaluation.compression.exact import OBJECTIVES, exact_maps
from segcore.evaluation.compression.front import all_partitions, find_front, pareto
from segcore.evaluation.compression.information import label_priors
from segcore.evaluation.compression.search import forbidden_pairs
from segcore.labels import LabelMap


def partitions(items):
    """Yield every partition of a list of labels: put the first into each group of the rest, or alone."""
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]], *rest]
        for i in range(len(rest)):
            yield [*rest[:i], [items[0], *rest[i]], *rest[i + 1 :]]


def random_counts(n, seed, empty=False):
    rng = np.random.default_rng(seed)
    counts = (rng.dirichlet(np.ones(n) * 0.4, n) * rng.integers(10, 4000, n)[:, None]).astype(
        np.int64
    ) + np.diag(rng.integers(0, 3000, n))
    if empty:
        counts[n - 1] = counts[:, n - 1] = 0
        counts[0] = counts[:, 0] = 0
    return counts


def weights_of(counts):
    return label_priors(counts)["pixel"]


def test_bell_numbers_and_no_partition_twice():
    for n, bell in enumerate([1, 2, 5, 15, 52, 203, 877, 4140], start=1):
        groups, masks = all_partitions(n)
        assert len(groups) == bell
        assert len({tuple(row) for row in groups.tolist()}) == bell
        assert (masks.astype(np.int64).sum(0) == 2**n - 1).all()
    listed = {LabelMap(tuple(map(tuple, p))) for p in partitions(list(range(5)))}
    assert listed == {to_map(row) for row in all_partitions(5)[0]}
    with pytest.raises(SegcoreError, match="1 to 11"):
        all_partitions(12)


def value(row, objective, exchange=0.3):
    return {
        "accuracy": row.accuracy,
        "entropy": row.entropy_bits,
        "itca": row.itca,
        "mean_iou": row.mean_iou,
        "trade_off": row.accuracy + exchange * row.retained_entropy,
    }[objective]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("n", "empty"), [(2, False), (5, False), (6, True), (7, False)])
def test_subset_search_equals_brute_force(objective, n, empty):
    counts = random_counts(n, n, empty)
    best = {}
    maps = [LabelMap(tuple(map(tuple, p))) for p in partitions(list(range(n)))]
    for row in score_maps(counts, maps):
        if not np.isnan(value(row, objective)):
            k = row.label_map.num_groups
            best[k] = max(best.get(k, -np.inf), value(row, objective))
    found = exact_maps(counts, weights_of(counts), objective, trade_off_rate=0.3)
    assert sorted(found) == list(range(1, n + 1))
    for k, label_map in found.items():
        assert label_map.num_groups == k
        assert value(score_maps(counts, [label_map])[0], objective) == pytest.approx(
            best[k], abs=1e-9
        )


def test_eight_classes_accuracy_and_front_equal_brute_force():
    counts = random_counts(8, 80)
    maps = [LabelMap(tuple(map(tuple, p))) for p in partitions(list(range(8)))]
    rows = score_maps(counts, maps)
    found = exact_maps(counts, weights_of(counts))
    for k in range(1, 9):
        assert score_maps(counts, [found[k]])[0].accuracy == max(
            r.accuracy for r in rows if r.label_map.num_groups == k
        )
    points = np.array([(r.accuracy, r.retained_entropy) for r in rows])
    beaten = [
        bool(((points >= p - 1e-12).all(1) & (points > p + 1e-12).any(1)).any()) for p in points
    ]
    front = find_front(counts, weights_of(counts))
    assert front.certified
    assert front.compared == 4140
    assert set(front.maps) == {m for m, lost in zip(maps, beaten, strict=True) if not lost}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40))
def test_pareto_equals_its_definition(points):
    first, second = np.array(points).T
    wanted = [not any(a >= x and b >= y and (a > x or b > y) for a, b in points) for x, y in points]
    assert pareto(first, second.astype(float)).tolist() == wanted


@pytest.mark.parametrize("prior", ["pixel", "uniform"])
def test_front_with_unseen_labels_and_ties_equals_brute_force(prior):
    counts = random_counts(6, 3, empty=True)
    priors = label_priors(counts)
    maps = [LabelMap(tuple(map(tuple, p))) for p in partitions(list(range(6)))]
    rows = score_maps(counts, maps, priors, prior)
    points = np.array([(r.accuracy, r.retained_entropy) for r in rows])
    beaten = [
        bool(((points >= p - 1e-12).all(1) & (points > p + 1e-12).any(1)).any()) for p in points
    ]
    front = find_front(counts, priors[prior])
    assert set(front.maps) == {m for m, lost in zip(maps, beaten, strict=True) if not lost}


def test_front_runs_from_detail_to_accuracy():
    counts = random_counts(7, 1)
    rows = score_maps(counts, find_front(counts, weights_of(counts)).maps)
    assert rows[0].retained_entropy == 1
    assert all(
        a.accuracy < b.accuracy and a.retained_entropy > b.retained_entropy
        for a, b in pairwise(rows)
    )


def test_too_many_ties_are_thinned_and_counted():
    counts = np.zeros((9, 9), np.int64)
    counts[0, 0] = counts[1, 1] = 5  # seven unseen labels: merging them changes nothing
    front = find_front(counts, weights_of(counts))
    assert len(front.maps) == 1
    assert front.maps[0].num_groups == 9
    assert front.ties_left_out > 1000


def test_forbidden_pairs_never_meet():
    counts = random_counts(6, 9)
    counts[0, 1] = counts[1, 0] = 5000
    apart = forbidden_pairs(6, [(0, 1), (2, 3)])
    found = exact_maps(counts, weights_of(counts), forbidden=apart)
    assert 1 not in found
    assert 2 in found
    maps = [*found.values(), *find_front(counts, weights_of(counts), apart).maps]
    for label_map in maps:
        assert label_map.group_of[0] != label_map.group_of[1]
        assert label_map.group_of[2] != label_map.group_of[3]
    legal = [
        m
        for m in (to_map(row) for row in all_partitions(6)[0])
        if m in maps or m.group_of[0] != m.group_of[1]
    ]
    best = max(
        r.accuracy
        for r in score_maps(
            counts, [m for m in legal if m.num_groups == 3 and m.group_of[2] != m.group_of[3]]
        )
    )
    assert score_maps(counts, [found[3]])[0].accuracy == best


def test_beyond_enumeration_the_front_is_not_called_certified():
    counts = random_counts(13, 4)
    front = find_front(counts, weights_of(counts))
    assert not front.certified
    rows = score_maps(counts, front.maps)
    assert rows[0].label_map.num_groups == 13
    assert rows[-1].accuracy == 1
    assert all(
        a.accuracy < b.accuracy and a.retained_entropy > b.retained_entropy
        for a, b in pairwise(rows)
    )


def test_limits_are_told():
    counts = random_counts(15, 0)
    with pytest.raises(SegcoreError, match="at most 14"):
        exact_maps(counts, weights_of(counts))
    with pytest.raises(SegcoreError, match="accuracy"):
        exact_maps(counts[:3, :3], weights_of(counts[:3, :3]), "acuracy")


def test_nothing_scored():
    nothing = np.zeros((3, 3), np.int64)
    assert sorted(exact_maps(nothing, weights_of(nothing))) == [1, 2, 3]
    assert find_front(nothing, weights_of(nothing)).certified
