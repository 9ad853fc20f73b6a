"""Advice on a merge is given only where the model, the classes and the scores can bear it."""

from dataclasses import replace
from math import nan
from types import SimpleNamespace

import numpy as np
import pytest

from segcore.evaluation.compression import advice
from segcore.evaluation.compression.chosen_map import MapReport
from segcore.evaluation.compression.evidence import Evidence
from segcore.evaluation.compression.information import label_priors
from segcore.evaluation.compression.stability import Stability
from segcore.evaluation.compression.verdicts import ACTIONS, judge_pairs
from segcore.evaluation.compression.what_if import compress
from segcore.evaluation.counts.bootstrap import Interval
from tests.evaluation.compression.made_up_scores import map_score

CLASS_NAMES = ["background", "forest", "shrub", "road"]
MERGED = ((0,), (1, 2), (3,))


def found(before=None, after=None, honest=(0.05, 0.15), lift=(0.2, 0.4), class_pixels=None):
    """A merge that all figures speak for; with some of them changed."""
    kept = {"kappa": 0.7, "honest_accuracy": 0.50, "accuracy": 0.80, **(before or {})}
    gained = {"honest_accuracy": 0.60, "accuracy": 0.86, "retained_entropy": 0.92, **(after or {})}
    return MapReport(
        before=map_score(((0,), (1,), (2,), (3,)), **kept),
        after=map_score(MERGED, **gained),
        lift=Interval(0.3, *lift, unit="groups", groups=3),
        intervals={"honest_accuracy": Interval(0.1, *honest)},
        stability=Stability(same=0.5, pairs=0.88),
        percentile={"accuracy": 1.0},
        class_iou=np.full(4, nan),
        group_iou=np.full(3, nan),
        class_pixels=np.array(class_pixels or [900, 50, 40, 10]),
    )


def judge(pairs=(), **changes):
    return advice.judge(found(**changes), CLASS_NAMES, "validation", pairs)


def pair_advice(action, pair=(1, 2)):
    """The advice on a pair of class indices; only what the headline reads."""
    return SimpleNamespace(pair=pair, action=action, green=action == "merge")


def test_a_merge_that_all_speaks_for_is_recommended_with_its_figures() -> None:
    given = judge()
    assert given.kind == "recommended"
    for words in ("forest + shrub", "+6.0 pp", "92.0 %", "again in 50.0 %"):
        assert words in given.sentence
    assert "88.0 %" not in given.sentence  # of the pairs: not how often this very merge is chosen


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("collect", "Too little data to advise"),
        ("train", "before the labels are learned"),
        ("ensemble", "only some members"),
        ("keep", "distinct"),
    ],
)
def test_the_headline_is_never_greener_than_the_pairs_it_joins(action, words) -> None:
    given = judge(pairs=[pair_advice("merge", (0, 1)), pair_advice(action)])
    assert given.kind == "undecided" and words in given.sentence
    assert "forest + shrub: +6.0 pp accuracy" in given.sentence  # it still says what was found


def test_advice_on_other_pairs_leaves_the_headline_as_it_is() -> None:
    pairs = [pair_advice("merge"), pair_advice("collect", (0, 1)), pair_advice("keep", (2, 3))]
    assert judge(pairs=pairs).kind == "recommended"


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"before": {"kappa": 0.15}}, "silent", "too weak"),
        ({"before": {"kappa": nan}}, "silent", "kappa is undefined"),
        ({"class_pixels": [900, 50, 0, 10]}, "silent", "shrub does not occur"),
        ({"lift": (nan, nan)}, "silent", "No interval from 3 groups"),
        ({"honest": (nan, nan)}, "silent", "accuracy is undefined"),
        # the walk's case: the lift is above 0 while chance-adjusted accuracy falls
        (
            {
                "before": {"honest_accuracy": 0.139},
                "after": {"honest_accuracy": 0.072},
                "honest": (-0.1, -0.03),
            },
            "rejected",
            "does not rise",
        ),
        ({"honest": (-0.01, 0.2)}, "undecided", "not significant"),
        ({"lift": (-0.1, 0.3)}, "undecided", "not significant"),
        ({"lift": (-0.3, -0.1)}, "rejected", "a random merge gains more"),
    ],
)
def test_it_is_silent_or_against_it_otherwise(changes, kind, words) -> None:
    given = judge(**changes)
    assert given.kind == kind and words in given.sentence


def test_what_is_not_significant_names_the_intervals_that_hold_0_and_no_other() -> None:
    lift, change = "the lift over random merges", "the change in chance-adjusted accuracy"
    assert judge(lift=(-0.02, 0.33), honest=(0.04, 0.1)).text == (
        f" The 95 % interval of {lift} (-0.02 to +0.33) contains 0."
    )
    assert judge(honest=(-0.01, 0.2)).text == (
        f" The 95 % interval of {change} (-0.01 to +0.20) contains 0."
    )
    assert judge(lift=(-0.1, 0.3), honest=(-0.01, 0.2)).text == (
        f" The 95 % intervals of {lift} (-0.10 to +0.30) and of {change} (-0.01 to +0.20) "
        "contain 0."
    )


def test_nothing_merged_is_nothing_to_judge() -> None:
    alone = map_score(((0,), (1,), (2,), (3,)))
    given = advice.judge(replace(found(), after=alone), CLASS_NAMES, "validation")
    assert given.kind == "silent" and given.sentence == "No labels are merged."


def test_pairs_with_background_or_absent_classes_are_not_suggested() -> None:
    counts = np.array([[90, 5, 0, 0], [5, 30, 9, 0], [0, 8, 20, 4], [0, 0, 4, 10]])
    pairs = judge_pairs(counts, label_priors(counts)).verdicts
    assert {(0, 1), (1, 2), (2, 3)} <= {one.pair for one in pairs}
    kept = advice.suggestions(pairs, CLASS_NAMES, [900, 50, 40, 0])
    assert [one.pair for one in kept] == [(1, 2)]


def test_the_first_selection_leaves_out_what_cannot_be_judged() -> None:
    path = [map_score(groups) for groups in ([[0], [1], [2], [3]], MERGED, [[0, 3], [1, 2]])]
    assert advice.first_merge(path, CLASS_NAMES, [900, 50, 40, 10]) == 3
    assert advice.first_merge(path, CLASS_NAMES, [900, 50, 0, 10]) == 4


TOY = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])
NAMES = ["field", "grass", "road", "track"]


def answered(counts, **known):
    return advice.answer(compress(counts, class_names=NAMES, **known), NAMES, "on validation")


def test_an_answer_names_the_pairs_their_gain_with_its_interval_and_their_cost() -> None:
    images = np.repeat(TOY[None], 20, axis=0)
    first, *pairs, follows, others = answered(images.sum(0), evidence=Evidence(images))
    assert first == "Merging is worthwhile on validation for road + track; field + grass."
    # 18 of 200 pixels are confused; labels of 80 and 20 pixels: half of all, at h(.2) bits
    bits = compress(TOY).baseline.entropy_bits
    lost = 100 * 0.5 * 0.7219280948873623 / bits
    assert pairs[0].startswith(
        f"road + track: accuracy +9.0 pp (95 % interval +9.0 to +9.0 pp), {lost:.1f} % of the entropy lost, "
    )
    assert pairs[1].startswith("field + grass: accuracy +9.0 pp")
    assert follows == ACTIONS["merge"] and others == "Not advised: grass + track (keep apart)."


def test_without_counts_of_images_an_answer_is_not_certain() -> None:
    first, pair, *_ = answered(TOY)
    assert "not certain" in first and "pp)" not in pair


def test_an_answer_is_silent_or_says_why_not() -> None:
    assert answered(np.full((4, 4), 5))[0].startswith("No advice: the model is too weak.")
    assert answered(np.eye(4, dtype=int) * 9) == [
        "No two classes that occur are confused enough to merge on validation."
    ]
    rare = answered(TOY, evidence=Evidence(np.repeat(TOY[None], 9, axis=0)))
    assert rare[0] == "No merge is advised on validation." and "in 9 images only" in rare[1]


def test_confused_is_not_called_a_duplicate() -> None:
    said = " ".join([*ACTIONS.values(), *answered(TOY)])
    assert "uplicate" not in said and "beyond chance" in ACTIONS["merge"]
