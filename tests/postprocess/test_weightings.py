"""Many ensembles in one pass give what each gives alone."""

import itertools
import math

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import combine_to_size
from segcore.postprocess.weightings import (
    count_weightings,
    draw_weights,
    extended_subsets,
    first_subsets,
    marginal_shares,
    subset_weights,
)
from tests.postprocess.marginal_values import marginal_values


def _images(count=3, members=4, classes=5, grid=(12, 16), size=(25, 33), seed=0):
    """Members that lean to the truth, each with its own mistakes; some pixels of the truth are ignored."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        mask = np.kron(rng.integers(0, classes, (5, 7)), np.ones((5, 5), int))[
            : size[0], : size[1]
        ].astype(np.uint8)
        mask[:2] = 255
        coarse = mask[
            np.ix_(
                np.linspace(3, size[0] - 1, grid[0]).astype(int),
                np.linspace(0, size[1] - 1, grid[1]).astype(int),
            )
        ]
        predictions = []
        for _ in range(members):
            p = rng.dirichlet(np.full(classes, 0.7), grid) + 1.2 * np.eye(classes)[coarse]
            predictions.append((p / p.sum(-1, keepdims=True)).astype(np.float32))
        yield predictions, mask


def _count_slowly(members, mask, weights, classes):
    winner = combine_to_size(members, mask.shape, "weighted", list(weights)).argmax(-1)
    counts = np.zeros((classes, classes), np.int64)
    for true, predicted in zip(mask.ravel(), winner.ravel(), strict=True):
        if true < classes:
            counts[true, predicted] += 1
    return counts


def test_every_subset_counts_as_it_does_alone():
    for (members, mask), counts in zip(
        _images(), count_weightings(_images(), subset_weights(4), 5), strict=True
    ):
        assert counts.shape == (15, 5, 5) and counts.dtype == np.int64
        for weights, matrix in zip(subset_weights(4), counts, strict=True):
            np.testing.assert_array_equal(matrix, _count_slowly(members, mask, weights, 5))


def test_any_weights_count_as_they_do_alone():
    weights = draw_weights(4, 6, np.random.default_rng(0))
    for (members, mask), counts in zip(
        _images(), count_weightings(_images(), weights, 5), strict=True
    ):
        for row, matrix in zip(weights, counts, strict=True):
            np.testing.assert_array_equal(matrix, _count_slowly(members, mask, row, 5))


def test_many_weightings_are_split_into_blocks_without_a_trace(monkeypatch):
    whole = list(count_weightings(_images(), subset_weights(4), 5))
    monkeypatch.setattr("segcore.postprocess.weightings._VALUES_AT_ONCE", 1)
    for counts, blocks in zip(
        whole, count_weightings(_images(), subset_weights(4), 5), strict=True
    ):
        np.testing.assert_array_equal(blocks, counts)


def test_each_image_is_read_only_when_its_counts_are_asked_for():
    read = []

    def images():
        for number, pair in enumerate(_images()):
            read.append(number)
            yield pair

    counts = count_weightings(images(), subset_weights(4), 5)
    assert read == []
    next(counts)
    assert read == [0]


def test_every_scored_pixel_is_counted_once_in_every_subset():
    for (_, mask), counts in zip(
        _images(), count_weightings(_images(), subset_weights(4), 5), strict=True
    ):
        assert (counts.sum((1, 2)) == (mask < 5).sum()).all()
        assert (counts.sum(2) == counts[0].sum(1)).all()


def test_members_of_several_resolutions_and_a_single_one():
    images = [
        ([a[0], b[0]], mask)
        for (a, mask), (b, _) in zip(_images(), _images(grid=(7, 9)), strict=True)
    ]
    assert all(c.shape == (3, 5, 5) for c in count_weightings(images, subset_weights(2), 5))
    alone = list(count_weightings([([m[0]], mask) for m, mask in images], subset_weights(1), 5))
    np.testing.assert_array_equal(
        alone[0][0], next(count_weightings(images, subset_weights(2), 5))[0]
    )


def test_subsets_are_all_there_once():
    rows = {tuple(row) for row in subset_weights(5).astype(int).tolist()}
    assert rows == set(itertools.product([0, 1], repeat=5)) - {(0,) * 5}
    assert subset_weights(5)[-1].all()


def _shapley_twin(value, n):
    """Shapley's formula over all orders, orders that begin with the member left out (the empty ensemble has no score)."""
    gains = np.zeros(n)
    for member in range(n):
        found = []
        for order in itertools.permutations(range(n)):
            before = order[: order.index(member)]
            if before:
                found.append(value[frozenset(before) | {member}] - value[frozenset(before)])
        gains[member] = np.mean(found)
    return gains


def test_marginal_values_are_shapley_s():
    n = 4
    scores = np.random.default_rng(1).random(2**n - 1)
    value = {
        frozenset(i for i in range(n) if code >> i & 1): scores[code - 1] for code in range(1, 2**n)
    }
    gains, losses = marginal_values(scores)
    np.testing.assert_allclose(gains, _shapley_twin(value, n))
    everyone = frozenset(range(n))
    np.testing.assert_allclose(losses, [value[everyone] - value[everyone - {i}] for i in range(n)])


def test_marginal_values_of_an_additive_score_are_its_parts():
    parts = np.array([0.1, 0.0, 0.3])
    gains, losses = marginal_values(subset_weights(3) @ parts)
    np.testing.assert_allclose(gains, parts, atol=1e-7)
    np.testing.assert_allclose(losses, parts, atol=1e-7)
    assert all(math.isnan(v[0]) for v in marginal_values(np.array([0.5])))


@pytest.mark.parametrize("count", [0, 11])
def test_too_few_or_too_many_members_are_refused(count):
    with pytest.raises(SegcoreError, match="1 to 10 members"):
        subset_weights(count)


@pytest.mark.parametrize(
    "weights", [[[1, -1, 1, 1]], [[0, 0, 0, 0]], [1, 1, 1, 1], [[1, np.nan, 1, 1]]]
)
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(SegcoreError, match="rows of weights"):
        next(count_weightings(_images(), np.array(weights, float), 5))


def test_an_image_with_other_members_or_classes_is_refused():
    for members, classes in ((3, 5), (4, 6)):
        with pytest.raises(SegcoreError, match="members of"):
            next(count_weightings(_images(), subset_weights(members), classes))


def test_marginal_shares_are_the_marginal_values_of_all_subsets():
    scores = np.random.default_rng(3).random(15)
    np.testing.assert_allclose(
        marginal_shares(subset_weights(4)) @ scores, marginal_values(scores)[0]
    )
    some = first_subsets(5)
    assert np.allclose(marginal_shares(some).sum(1), 0)
    np.testing.assert_allclose(  # where a member adds the same everywhere, any pairs tell it
        marginal_shares(some) @ (some @ [1.0, 2, 3, 4, 5]), [1, 2, 3, 4, 5]
    )


def test_a_greedy_search_begins_with_each_alone_pairs_all_and_all_but_one_and_adds_one_or_two():
    rows = first_subsets(7)
    assert len(rows) == 7 + 21 + 1 + 7 and len({tuple(row) for row in rows.tolist()}) == len(rows)
    best = np.array([1, 1, 0, 0, 0, 0, 0], np.float32)
    more = extended_subsets(best, rows)
    assert len(more) == 5 + 10 and set(more.sum(1)) == {3, 4} and (more[:, :2] == 1).all()
    assert len(extended_subsets(best, np.vstack([rows, more]))) == 0
    assert extended_subsets(np.ones(7, np.float32), rows).shape == (0, 7)
