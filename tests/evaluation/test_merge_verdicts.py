"""A verdict says in words what is known, and nothing of what is undefined."""

import numpy as np

from segcore.evaluation.merge_verdicts import judge_pairs
from segcore.evaluation.priors import label_priors


def test_merging_the_last_two_labels_is_told_without_nan():
    counts = np.array([[40, 10], [5, 45]])
    (verdict,) = judge_pairs(counts, label_priors(counts))
    assert "nan" not in verdict.reason
    assert not verdict.green


def test_a_confused_pair_is_told_with_lift_and_honest_accuracy():
    counts = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])
    verdicts = {v.pair: v for v in judge_pairs(counts, label_priors(counts))}
    assert "lift over a random merge +0.368" in verdicts[2, 3].reason
    assert "honest accuracy 0.632 to 0.736" in verdicts[2, 3].reason
