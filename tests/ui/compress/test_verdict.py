"""Advice on a merge is given only where the model, the classes and the scores can bear it."""

import pytest

from segcore.ui.compress import verdict

NAMES = {0: "background", 3: "forest", 5: "shrub", 8: "road"}
GROUPS = ((0,), (3, 5), (8,))


def found(**changes):
    """A merge that all figures speak for; with some of them changed."""
    report = {
        "before": {"kappa": 0.7, "honest_accuracy": 0.50, "accuracy": 0.80},
        "after": {"honest_accuracy": 0.60, "accuracy": 0.86, "retained_entropy": 0.92},
        "intervals": {"honest_accuracy": [0.05, 0.15]},
        "lift_interval": [0.2, 0.4],
        "stability": {"pairs": 0.88},
        "class_pixels": [900, 50, 40, 10],
        "how_sure": "No interval from 3 groups: at least 6 groups are needed.",
    }
    for name, value in changes.items():
        report[name] = {**report[name], **value} if isinstance(value, dict) else value
    return report


def judge(groups=GROUPS, **changes):
    return verdict.judge(found(**changes), groups, NAMES, "validation")


def test_a_merge_that_all_speaks_for_is_recommended_with_its_figures() -> None:
    given = judge()
    assert given.kind == "recommended"
    for words in ("forest + shrub", "+6.0 pp", "92.0 %", "88.0 %"):
        assert words in given.sentence


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"before": {"kappa": 0.15}}, "silent", "too weak"),
        ({"before": {"kappa": None}}, "silent", "too weak"),
        ({"class_pixels": [900, 50, 0, 10]}, "silent", "shrub does not occur"),
        ({"lift_interval": [None, None]}, "silent", "No interval from 3 groups"),
        # the walk's case: the lift is above 0 while chance-adjusted accuracy falls
        (
            {
                "before": {"honest_accuracy": 0.139},
                "after": {"honest_accuracy": 0.072},
                "intervals": {"honest_accuracy": [-0.1, -0.03]},
            },
            "rejected",
            "does not rise",
        ),
        ({"intervals": {"honest_accuracy": [-0.01, 0.2]}}, "undecided", "not significant"),
        ({"lift_interval": [-0.1, 0.3]}, "undecided", "not significant"),
    ],
)
def test_it_is_silent_or_against_it_otherwise(changes, kind, words) -> None:
    given = judge(**changes)
    assert given.kind == kind and words in given.sentence


def test_nothing_merged_is_nothing_to_judge() -> None:
    assert judge(((0,), (3,), (5,), (8,))).kind == "silent"


def test_pairs_with_background_or_absent_classes_are_not_suggested() -> None:
    pairs = [{"pair": pair} for pair in ([0, 3], [3, 5], [5, 8])]
    kept = verdict.suggestions(pairs, NAMES, [900, 50, 40, 0])
    assert [row["pair"] for row in kept] == [[3, 5]]


def test_the_first_selection_leaves_out_what_cannot_be_judged() -> None:
    path = [
        {"num_groups": 4, "groups": [[0], [3], [5], [8]]},
        {"num_groups": 3, "groups": [[0], [3, 5], [8]]},
        {"num_groups": 2, "groups": [[0, 8], [3, 5]]},
    ]
    assert verdict.first_merge(path, NAMES, [900, 50, 40, 10]) == 3
    assert verdict.first_merge(path, NAMES, [900, 50, 0, 10]) == 4
