"""Power laws: exact ones are found again, and the interval widens with fewer images."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.comparison.learning_curve import (
    fit_power_law,
    learning_curve,
    predict_score,
)

SIZES = np.array([20.0, 40, 80, 160])


@pytest.mark.parametrize(("a", "b", "c"), [(0.7, 1.2, 0.5), (0.9, 0.6, 0.2), (0.5, 2.0, 1.0)])
def test_an_exact_power_law_is_predicted_exactly(a, b, c):
    fits = fit_power_law(SIZES, (a - b * SIZES**-c)[None])
    assert predict_score(fits, 320.0)[0] == pytest.approx(a - b * 320**-c, abs=2e-3)


def test_a_falling_curve_is_flat_and_no_score_exceeds_one():
    flat = fit_power_law(SIZES, np.array([[0.6, 0.5, 0.5, 0.4]]))
    assert predict_score(flat, 320.0)[0] == pytest.approx(0.5)
    steep = fit_power_law(SIZES, np.array([[0.1, 0.4, 0.7, 0.99]]))
    assert steep[0, 0] <= 1 and predict_score(steep, 320.0)[0] <= 1


def _counts(right, images, rng):
    """Counts of images of 100 pixels, about ``right`` of them right, in two classes."""
    hits = rng.binomial(50, right, (images, 2))
    counts = np.zeros((images, 2, 2), np.int64)
    for n, (one, two) in enumerate(hits):
        counts[n] = [[one, 50 - one], [50 - two, two]]
    return counts


def _curve(images, more=80, seed=0):
    rng = np.random.default_rng(seed)
    rows = [[_counts(0.95 - 1.5 * n**-0.5, images, rng) for _ in range(3)] for n in SIZES]
    return learning_curve([int(n) for n in SIZES], rows, more, resamples=200)


def test_the_gain_has_an_interval_that_holds_the_true_gain_and_narrows_with_images():
    few, many = _curve(12), _curve(300)
    assert many.gain.low < many.gain.value < many.gain.high
    assert many.gain.high - many.gain.low < few.gain.high - few.gain.low
    rights = [0.95 - 1.5 * n**-0.5 for n in (160.0, 240.0)]
    truth = np.diff([right / (2 - right) for right in rights])[0]
    assert many.gain.low < truth < many.gain.high
    assert "80 more images should bring +" in many.sentence
    assert many.line[-1, 0] == 240 and len(many.scores[0]) == 3


@pytest.mark.parametrize("more", [0, 161])
def test_nothing_is_said_beyond_twice_the_data(more):
    with pytest.raises(SegcoreError, match="beyond twice"):
        _curve(12, more)


def test_three_sizes_are_needed():
    rng = np.random.default_rng(0)
    with pytest.raises(SegcoreError, match="3 numbers"):
        learning_curve([10, 20], [[_counts(0.5, 9, rng)], [_counts(0.6, 9, rng)]], 5)
