"""Intervals and stability of a chosen merge, against plain loops over the same resamples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcore.evaluation.compression.compression import score_maps
from segcore.evaluation.compression.evidence import merge_support
from segcore.evaluation.compression.information import label_priors
from segcore.evaluation.compression.search import forbidden_pairs, greedy_path
from segcore.evaluation.compression.stability import choice_stability, greedy_groups, map_intervals
from segcore.evaluation.counts.scores import pixel_accuracy
from segcore.labels import LabelMap
from tests.evaluation.plain_loop import plain_interval

TOY = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])
PAIR = LabelMap.merging(4, [(2, 3)])


def images(count: int = 25, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.multinomial(300, TOY.ravel() / 200).reshape(4, 4) for _ in range(count)])


def test_intervals_are_those_of_scoring_every_resample() -> None:
    counts = images()
    found = map_intervals(counts, PAIR, resamples=60, seed=4)

    def score(name, change):
        def of(block):
            before, after = score_maps(block[0], [LabelMap.identity(4), PAIR])
            value = getattr(after, name) - (getattr(before, name) if change else 0)
            return np.array([value])

        return of

    for name in found:
        change = name not in ("composition", "resolved_confusion", "lift")
        wanted = plain_interval([counts], score(name, change), resamples=60, seed=4)
        assert (found[name].value, found[name].low, found[name].high) == pytest.approx(wanted)
    (lift,) = merge_support(counts, [PAIR], resamples=60, seed=4).lifts
    assert lift.ends() == pytest.approx(found["lift"].ends())


def test_accuracy_never_falls_in_any_resample_and_one_image_has_no_interval() -> None:
    accuracy = map_intervals(images(), PAIR)["accuracy"]
    assert 0 <= accuracy.low < accuracy.high
    assert not any(one.is_known for one in map_intervals(images()[:5], PAIR).values())
    whole = map_intervals(images(), LabelMap(((0, 1, 2, 3),)))
    assert not whole["lift"].is_known and not whole["kappa"].is_known
    gain = whole["accuracy"]
    _, low, high = plain_interval([images()], pixel_accuracy, resamples=500)
    assert (gain.low, gain.high) == pytest.approx((1 - high, 1 - low))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 7),
    st.integers(1, 6),
    st.integers(0, 10**6),
    st.sampled_from(["pixel", "uniform"]),
    st.booleans(),
)
def test_many_paths_at_once_are_each_the_greedy_path(size, target, seed, prior, banned) -> None:
    rng = np.random.default_rng(seed)
    stack = (
        rng.integers(0, 30, (4, size, size)) * (rng.random((4, size, size)) < 0.6)
        + np.eye(size, dtype=int) * 40
    )
    target = min(target, size)
    forbidden = forbidden_pairs(size, [(0, size - 1)] if banned else [])
    weights = np.stack([label_priors(c)[prior] for c in stack])
    found = greedy_groups(stack.astype(float), weights, target, forbidden)
    for counts, own, groups in zip(stack, weights, found, strict=True):
        label_map = greedy_path(counts, own, forbidden=forbidden, target=target)[-1].label_map
        assert groups.tolist() == [label_map.groups[g][0] for g in label_map.group_of]


def test_a_clear_choice_is_stable_and_a_strange_one_is_never_made() -> None:
    counts = images()
    sure, strange = (
        choice_stability(counts, LabelMap.merging(4, [(0, 1), (2, 3)])),
        choice_stability(counts, LabelMap.merging(4, [(0, 3)])),
    )
    assert sure.same > 0.9 and sure.pairs >= sure.same
    assert strange.same == 0 == strange.pairs
    apart = forbidden_pairs(4, [(0, 1)])
    assert (
        choice_stability(counts, LabelMap.merging(4, [(0, 1), (2, 3)]), forbidden=apart).same == 0
    )


def test_a_coin_flip_between_two_merges_is_told() -> None:
    one, other = np.diag([50, 50, 50, 50]), np.diag([50, 50, 50, 50])
    one[0, 1], other[2, 3] = 10, 10
    found = choice_stability(
        np.stack([one, other] * 8),
        LabelMap.merging(4, [(0, 1)]),
        prior="uniform",
        priors={"uniform": np.full(4, 0.25)},
    )
    assert 0.3 < found.same < 0.75


def test_image_weights_are_those_of_the_drawn_images() -> None:
    # 0 and 1 are confused as often as 2 and 3; labels 2 and 3 are in few images, so that merge
    # sells less under image weights
    often, rare = np.zeros((4, 4), int), np.zeros((4, 4), int)
    often[:2, :2] = [[90, 10], [10, 90]]
    rare[2:, 2:] = [[90, 10], [10, 90]]
    counts = np.stack([often] * 12 + [rare * 3] * 4)
    assert choice_stability(counts, LabelMap.merging(4, [(2, 3)]), prior="image").same > 0.9
    groups = [f"a{i % 5}" for i in range(12)] + ["b"] * 4
    assert (
        choice_stability(counts, LabelMap.merging(4, [(2, 3)]), prior="image", groups=groups).same
        < 0.9
    )


def test_where_nothing_can_be_said() -> None:
    assert np.isnan(choice_stability(images(), LabelMap.identity(4)).same)
    assert np.isnan(choice_stability(images()[:1], PAIR).same)
    many = np.tile(np.eye(30, dtype=int), (3, 1, 1))
    assert np.isnan(choice_stability(many, LabelMap.merging(30, [(0, 1)])).pairs)
