"""Tiers of a merge: each difference is that of the images both have, and its interval draws their pairs."""

import json

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import fold
from segcore.evaluation.compression.tiers import TIER_SCORES, compare_tiers
from segcore.evaluation.counts import scores
from segcore.labels import LabelMap
from tests.evaluation.plain_loop import plain_interval

TOY = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])
MAP = LabelMap.merging(4, [(2, 3)])
IDS = [f"image {i}" for i in range(20)]


def images(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.multinomial(400, TOY.ravel() / 200).reshape(4, 4) for _ in IDS])


def better(counts: np.ndarray, label_map: LabelMap = MAP) -> np.ndarray:
    """Merged counts in which half of what was wrong is right."""
    merged = fold(counts, label_map)
    fixed = merged // 2 * (1 - np.eye(label_map.num_groups, dtype=int))
    return merged - fixed + np.eye(label_map.num_groups, dtype=int) * fixed.sum(-1, keepdims=True)


def test_the_promise_is_the_fold() -> None:
    counts = images()
    (tier,) = compare_tiers((IDS, counts), MAP, {})
    for name, function in TIER_SCORES.items():
        before, after = float(function(counts.sum(0))), float(function(fold(counts.sum(0), MAP)))
        assert tier.scores[name] == pytest.approx(after)
        assert tier.gain[name].value == pytest.approx(after - before)
        assert tier.gain[name].low <= after - before <= tier.gain[name].high
    assert tier.beyond is None
    assert tier.group_iou.tolist() == scores.iou(fold(counts.sum(0), MAP)).tolist()
    json.dumps(tier.to_json(), allow_nan=False)


def test_a_model_equal_to_the_promise_gives_nothing_beyond_it_in_any_resample() -> None:
    counts = images()
    _, tier = compare_tiers((IDS, counts), MAP, {"retrained": (IDS, fold(counts, MAP))})
    assert tier.beyond is not None
    for change in tier.beyond.values():
        assert (change.value, change.low, change.high) == (0, 0, 0)


def test_what_retraining_gave_has_the_interval_of_the_paired_bootstrap() -> None:
    counts = images()
    made = better(counts)
    _, tier = compare_tiers((IDS, counts), MAP, {"retrained": (IDS, made)}, seed=3)
    assert tier.beyond is not None
    for name, function in (("mean_iou", scores.mean_iou), ("accuracy", scores.pixel_accuracy)):
        wanted = plain_interval(
            [counts, made], lambda a, b, f=function: f(b) - f(fold(a, MAP)), seed=3
        )
        change = tier.beyond[name]
        assert (change.value, change.low, change.high) == pytest.approx(wanted)
        assert change.low > 0


def test_only_shared_images_are_compared_in_whatever_order_they_come() -> None:
    counts = images()
    made, some = better(counts), [7, 3, 11, 5]
    _, tier = compare_tiers(
        (IDS, counts), MAP, {"summed": ([IDS[i] for i in some] + ["stranger"], made[[*some, 0]])}
    )
    few = sorted(some)
    assert tier.images == 4
    assert tier.scores["accuracy"] == pytest.approx(float(scores.pixel_accuracy(made[few].sum(0))))
    assert tier.gain["accuracy"].value == pytest.approx(
        float(scores.pixel_accuracy(made[few].sum(0)) - scores.pixel_accuracy(counts[few].sum(0)))
    )


def test_whole_groups_are_drawn() -> None:
    counts = images()
    (apart,) = compare_tiers((IDS, counts), MAP, {})
    (together,) = compare_tiers((IDS, counts), MAP, {}, groups=dict.fromkeys(IDS, "one drive"))
    assert np.isfinite(apart.gain["accuracy"].low) and np.isnan(together.gain["accuracy"].low)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda c: (IDS, c), "over 3 merged labels"),
        (lambda c: (["a"] * len(c), fold(c, MAP)), "found none"),
        (lambda c: (IDS, fold(c, MAP) + 1), "same true pixels"),
    ],
)
def test_what_cannot_be_compared_is_told(other, words) -> None:
    counts = images()
    with pytest.raises(SegcoreError, match=words):
        compare_tiers((IDS, counts), MAP, {"retrained": other(counts)})
