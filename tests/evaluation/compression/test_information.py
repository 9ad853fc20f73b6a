"""Information from counts, against a plain double loop and worked cases."""

import math

import numpy as np
import pytest

from segcore.evaluation.compression.information import (
    honest_accuracy,
    mutual_information,
    truth_entropy,
)

TOY = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])


def test_the_worked_matrix() -> None:
    assert float(mutual_information(TOY)) == pytest.approx(1.167553, abs=5e-7)
    assert float(truth_entropy(TOY)) == pytest.approx(1.846439, abs=5e-7)
    assert float(honest_accuracy(TOY)) == pytest.approx(0.6323, abs=5e-5)


def test_stacks_are_scored_one_by_one() -> None:
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 9, (6, 5, 5))
    for counts, information in zip(stack, mutual_information(stack), strict=True):
        joint = counts / counts.sum()
        r, s = joint.sum(1), joint.sum(0)
        slow = sum(
            joint[i, j] * math.log2(joint[i, j] / (r[i] * s[j]))
            for i in range(5)
            for j in range(5)
            if joint[i, j]
        )
        assert information == pytest.approx(slow, abs=1e-12)


def test_a_perfect_a_constant_and_no_answer() -> None:
    assert float(honest_accuracy(np.diag([5, 7, 9]))) == pytest.approx(1)
    assert float(honest_accuracy(np.array([[5, 0], [7, 0]]))) == 0
    assert np.isnan(honest_accuracy(np.array([[5, 0], [0, 0]])))  # one label only: nothing to tell
    assert np.isnan(honest_accuracy(np.zeros((2, 2), int)))
