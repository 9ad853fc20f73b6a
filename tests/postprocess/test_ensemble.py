"""Rules of an ensemble, and resizing, against identities and slow twins."""

import itertools
import tracemalloc

import numpy as np
import pytest

from segcore.catalog import ENSEMBLE_RULES
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import (
    RULES,
    combine,
    combine_to_size,
    resize_planes,
    resize_probabilities,
)


def _members(count, shape=(7, 9), classes=5, seed=0, sharpness=1.0):
    rng = np.random.default_rng(seed)
    return [
        rng.dirichlet(np.full(classes, sharpness), shape).astype(np.float32) for _ in range(count)
    ]


def _weights(rule, count):
    return [1.0] * count if rule == "weighted" else None


def test_the_catalogue_and_the_rules_are_the_same_names():
    assert set(RULES) == set(ENSEMBLE_RULES)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_probabilities_and_ignores_the_order(rule):
    members = _members(4)
    combined = combine(members, rule, _weights(rule, 4))
    assert combined.dtype == np.float32 and combined.shape == members[0].shape
    assert combined.min() >= 0
    np.testing.assert_allclose(combined.sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(combine(members[::-1], rule, _weights(rule, 4)), combined, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_one_member_and_copies_of_it_decide_as_it_does(rule):
    (member,) = _members(1)
    for count in (1, 3):
        combined = combine([member] * count, rule, _weights(rule, count))
        np.testing.assert_array_equal(combined.argmax(-1), member.argmax(-1))
        if rule != "majority":
            np.testing.assert_allclose(combined, member, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_where_all_members_agree_the_ensemble_agrees(rule):
    members = _members(5, shape=(60, 60), sharpness=0.3)
    winners = np.stack([m.argmax(-1) for m in members])
    agreed = (winners == winners[0]).all(0)
    assert agreed.any() and not agreed.all()
    np.testing.assert_array_equal(
        combine(members, rule, _weights(rule, 5)).argmax(-1)[agreed], winners[0][agreed]
    )


@pytest.mark.parametrize("rule", RULES)
def test_members_given_are_left_as_they_were(rule):
    members = _members(3)
    before = [m.copy() for m in members]
    combine(members, rule, _weights(rule, 3))
    for member, copy in zip(members, before, strict=True):
        np.testing.assert_array_equal(member, copy)


def test_hand_worked_pixel():
    # three members, two classes: one sure of class 0, two leaning to class 1
    members = [np.array([[p]], np.float32) for p in ([0.98, 0.02], [0.4, 0.6], [0.4, 0.6])]
    np.testing.assert_allclose(combine(members)[0, 0], [1.78 / 3, 1.22 / 3], atol=1e-6)
    assert combine(members).argmax() == 0 and combine(members, "majority").argmax() == 1
    odds = (0.98 * 0.4 * 0.4 / (0.02 * 0.6 * 0.6)) ** (1 / 3)
    np.testing.assert_allclose(
        combine(members, "geometric")[0, 0], [odds / (1 + odds), 1 / (1 + odds)], rtol=1e-5
    )
    np.testing.assert_allclose(combine(members, "weighted", [0, 1, 1])[0, 0], [0.4, 0.6], atol=1e-6)


def test_a_tie_of_votes_goes_to_the_higher_mean():
    members = [np.array([[p]], np.float32) for p in ([0.55, 0.45], [0.1, 0.9])]
    assert combine(members, "majority").argmax() == 1


def test_the_geometric_mean_is_the_softmax_of_the_mean_of_logits():
    logits = np.random.default_rng(3).normal(size=(4, 6, 6, 3))
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    mean = np.exp(logits.mean(0)) / np.exp(logits.mean(0)).sum(-1, keepdims=True)
    np.testing.assert_allclose(combine(softmax.astype(np.float32), "geometric"), mean, atol=1e-5)


@pytest.mark.parametrize("rule", ["weighted", "geometric", "majority"])
def test_whole_weights_are_repeated_members(rule):
    members = _members(3)
    repeated = [members[0]] * 3 + [members[2]]
    expected = combine(repeated, rule, _weights(rule, 4))
    np.testing.assert_allclose(combine(members, rule, [3, 0, 1]), expected, atol=1e-5)


def test_memory_does_not_grow_with_the_number_of_members():
    def peak(count):
        tracemalloc.start()
        combine(np.full((64, 64, 8), 1 / 8, np.float32) for _ in range(count))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(40) <= peak(4) * 1.05


@pytest.mark.parametrize(
    ("members", "rule", "weights", "words"),
    [
        ([], "mean", None, "at least one member"),
        (_members(1) + _members(1, shape=(7, 8)), "mean", None, "one shape"),
        (_members(2), "meen", None, "did you mean 'mean'"),
        (_members(2), "weighted", None, "weight for each member"),
        (_members(2), "mean", [1, 1], "no weights"),
        (_members(2), "weighted", [1, 1, 1], "2 weights"),
        (_members(3), "weighted", [1, 1], "3 weights"),
        (_members(2), "weighted", [1, -1], "at least 0"),
        (_members(2), "weighted", [0, 0], "positive sum"),
        (_members(2), "weighted", [np.nan, 1], "at least 0"),
    ],
)
def test_refusals_are_sentences(members, rule, weights, words):
    with pytest.raises(SegcoreError, match=words):
        combine(members, rule, weights)


def _half_pixel_bilinear(p, size):
    """tf.image.resize(p, size, "bilinear") written out in float64."""

    def taps(n, target):
        position = (np.arange(target) + 0.5) * n / target - 0.5
        low = np.floor(position).astype(int)
        return np.clip(low, 0, n - 1), np.clip(low + 1, 0, n - 1), position - low

    low, high, share = taps(p.shape[0], size[0])
    p = p.astype(np.float64)
    p = p[low] * (1 - share)[:, None, None] + p[high] * share[:, None, None]
    low, high, share = taps(p.shape[1], size[1])
    return p[:, low] * (1 - share)[:, None] + p[:, high] * share[:, None]


@pytest.mark.parametrize("classes", [1, 2, 5, 130])
@pytest.mark.parametrize("size", [(22, 30), (23, 41), (11, 13), (11, 50)])
def test_growing_matches_the_twin_of_tensorflow(classes, size):
    # one-hot pixels are the hardest case: neighbours differ by 1, so errors of the weights show in
    # full
    p = np.eye(classes, dtype=np.float32)[np.random.default_rng(1).integers(0, classes, (11, 13))]
    np.testing.assert_allclose(
        resize_probabilities(p, size), _half_pixel_bilinear(p, size), atol=1e-6
    )


def test_shrinking_by_a_whole_factor_is_the_mean_of_blocks():
    (p,) = _members(1, shape=(8, 12))
    np.testing.assert_allclose(
        resize_probabilities(p, (4, 4)), p.reshape(4, 2, 4, 3, -1).mean((1, 3)), atol=1e-6
    )


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3), (7, 9), (100, 100)])
def test_resized_rows_sum_to_one_and_stay_in_range(size):
    (p,) = _members(1)
    before = p.copy()
    out = resize_probabilities(p, size)
    assert out.shape == (*size, 5) and out.dtype == np.float32 and out.flags.c_contiguous
    np.testing.assert_allclose(out.sum(-1), 1, atol=1e-6)
    assert out.min() >= p.min() - 1e-6 and out.max() <= p.max() + 1e-6
    out[:] = 0
    np.testing.assert_array_equal(p, before)


def test_resizing_commutes_with_the_mean_only():
    members = _members(3, sharpness=0.3)
    for rule, rule_data in RULES.items():
        weights = _weights(rule, 3)
        late = combine_to_size(members, (30, 31), rule, weights)
        early = combine([resize_probabilities(m, (30, 31)) for m in members], rule, weights)
        assert np.allclose(late, early, atol=1e-5) == rule_data.linear


def test_members_of_other_resolutions_are_brought_to_the_first_one_s():
    first, second = _members(1)[0], _members(1, shape=(14, 18), seed=5)[0]
    expected = resize_probabilities(
        combine([first, resize_probabilities(second, (7, 9))]), (20, 20)
    )
    np.testing.assert_array_equal(combine_to_size(iter([first, second]), (20, 20)), expected)


def test_read_only_and_strided_arrays_are_taken():
    (p,) = _members(1, shape=(10, 12))
    view = p[::2, ::3]
    view.flags.writeable = False
    np.testing.assert_array_equal(
        resize_probabilities(view, (9, 9)), resize_probabilities(view.copy(), (9, 9))
    )
    np.testing.assert_array_equal(combine([view, view]), combine([view.copy()] * 2))


def test_planes_are_resized_one_by_one():
    planes = np.random.default_rng(0).random((4, 6, 5), np.float32)
    together = resize_planes(planes, (13, 9))
    for plane, out in itertools.zip_longest(planes, together):
        np.testing.assert_array_equal(resize_planes(plane[None], (13, 9))[0], out)


@pytest.mark.parametrize(
    ("shape", "size"), [((3, 3), (4, 4)), ((3, 3, 2), (0, 4)), ((0, 3, 2), (4, 4))]
)
def test_shapes_that_are_no_image_are_refused(shape, size):
    with pytest.raises(SegcoreError):
        resize_probabilities(np.ones(shape, np.float32), size)
