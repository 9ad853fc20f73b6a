"""A verdict says in words what is known, and nothing of what is undefined."""

import numpy as np

from segcore.evaluation.compression.evidence import Evidence
from segcore.evaluation.compression.information import label_priors
from segcore.evaluation.compression.verdicts import judge_pairs


def test_merging_the_last_two_labels_is_told_without_nan():
    counts = np.array([[40, 10], [5, 45]])
    (verdict,) = judge_pairs(counts, label_priors(counts)).verdicts
    assert "nan" not in verdict.reason
    assert not verdict.green


def test_a_confused_pair_is_told_with_lift_and_honest_accuracy():
    counts = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])
    verdicts = {v.pair: v for v in judge_pairs(counts, label_priors(counts)).verdicts}
    assert "lift over a random merge +0.368" in verdicts[2, 3].reason
    assert "chance-adjusted accuracy from 0.632 to 0.736" in verdicts[2, 3].reason


def judged(counts):
    """The verdict on the pair 0 + 1, with twenty images alike, so that every interval is a point."""
    images = np.repeat(counts[None], 20, axis=0)
    verdicts = judge_pairs(
        images.sum(0), label_priors(images.sum(0)), evidence=Evidence(images, resamples=50)
    )
    return next(v for v in verdicts.verdicts if v.pair == (0, 1))


def test_a_label_that_was_never_learned_is_no_duplicate():
    duplicates = np.array([[60, 20, 0], [15, 25, 0], [2, 0, 90]])
    never_answered = np.array(
        [[80, 0, 0], [40, 0, 0], [2, 0, 90]]
    )  # all of label 1 is taken for label 0
    assert (judged(duplicates).action, judged(duplicates).green) == ("merge", True)
    found = judged(never_answered)
    assert (found.action, found.green) == ("train", False)
    assert "label 1 is found on 0.0 % of its own pixels only" in found.reason
    assert found.lift_interval[0] > 0  # all else speaks for merging


def test_what_counts_as_learned_is_one_pixel_in_twenty():
    def with_hits(hits):
        return judged(np.array([[800, 0, 0], [400 - hits, hits, 0], [20, 0, 900]])).action

    assert (with_hits(19), with_hits(20)) == ("train", "merge")
