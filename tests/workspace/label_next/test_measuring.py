"""What is measured of one image: hand-made probabilities."""

import numpy as np
import pytest

from segcore.workspace.label_next.measuring import Dispute, measure_image


def _sure(classes):
    """One-hot probabilities of a mask of classes."""
    return np.eye(3, dtype=np.float32)[np.asarray(classes)]


def test_members_that_agree_and_are_sure_have_nothing_to_ask():
    one = _sure([[0, 1], [2, 1]])
    row = measure_image([one, one, one])
    assert (row.disagreement, row.margin, row.entropy) == (0, 0, 0)
    assert row.dispute.share == 0 and row.shares.tolist() == [0.25, 0.5, 0.25]


def test_two_sure_members_that_contradict_each_other_disagree_as_far_as_can_be():
    row = measure_image([_sure([[0, 0]]), _sure([[1, 1]])])
    assert row.disagreement == pytest.approx(1)  # one bit of one bit
    assert row.margin == pytest.approx(1) and row.dispute == Dispute(0, 1, (1, 1), 1.0)


def test_one_member_has_no_disagreement_but_hesitates():
    half = np.full((1, 4, 3), [0.5, 0.45, 0.05], np.float32)
    half[0, 3] = [0.0, 0.0, 1.0]
    row = measure_image([half])
    assert np.isnan(row.disagreement)
    assert row.dispute == Dispute(0, 1, (1, 1), 0.75)
    assert row.margin == pytest.approx(1 - (3 * 0.05 + 1) / 4)


def test_the_dispute_names_the_pair_with_most_disagreement_and_its_votes():
    members = [_sure([[0, 0, 0, 2]])] * 3 + [_sure([[1, 1, 0, 1]])] * 2
    assert measure_image(members).dispute == Dispute(0, 1, (3, 2), 0.5)


def test_members_of_other_sizes_are_brought_to_one_grid():
    row = measure_image([_sure(np.zeros((4, 4), int)), _sure(np.zeros((2, 2), int))])
    assert row.disagreement == 0 and row.layout.shape == (48,)
