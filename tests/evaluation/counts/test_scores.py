"""Scores against plain loops over pixels, and on degenerate matrices."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcore.evaluation.counts import scores

MATRICES = st.integers(1, 6).flatmap(
    lambda n: st.lists(
        st.lists(st.sampled_from([0, 0, 1, 2, 5, 40]), min_size=n, max_size=n),
        min_size=n,
        max_size=n,
    )
)


def pixels(counts):
    """Write the matrix out as one (truth, prediction) pair for each pixel."""
    return [(t, p) for t, row in enumerate(counts) for p, n in enumerate(row) for _ in range(n)]


def plain(counts):
    """Score a list of pixels by counting sets; None where a denominator is 0."""
    pairs = pixels(counts)
    n = len(counts)
    out = {"iou": [], "dice": [], "precision": [], "recall": [], "specificity": []}
    for c in range(n):
        true = {i for i, (t, _) in enumerate(pairs) if t == c}
        found = {i for i, (_, p) in enumerate(pairs) if p == c}
        both, either, other = true & found, true | found, len(pairs) - len(true)
        out["iou"].append(len(both) / len(either) if either else None)
        out["dice"].append(2 * len(both) / (len(true) + len(found)) if either else None)
        out["precision"].append(len(both) / len(found) if found else None)
        out["recall"].append(len(both) / len(true) if true else None)
        out["specificity"].append((len(pairs) - len(either)) / other if other else None)
    return out


def plain_matthews(counts):
    """Correlation of one-hot truth and prediction, summed over classes (Gorodkin's definition)."""
    pairs = np.array(pixels(counts))
    if len(pairs) == 0:
        return None
    eye = np.eye(len(counts))
    x, y = eye[pairs[:, 0]], eye[pairs[:, 1]]
    x, y = x - x.mean(0), y - y.mean(0)
    bottom = math.sqrt((x * x).sum() * (y * y).sum())
    return (x * y).sum() / bottom if bottom > 1e-9 else None


def mean(values):
    kept = [v for v in values if v is not None]
    return sum(kept) / len(kept) if kept else None


def assert_same(received, wanted):
    np.testing.assert_allclose(
        received, np.array([np.nan if w is None else w for w in np.atleast_1d(wanted)]), rtol=1e-12
    )


@settings(max_examples=150, deadline=None)
@given(MATRICES)
def test_class_scores_equal_sets_of_pixels(counts):
    wanted = plain(counts)
    for name, function in scores.CLASS_SCORES.items():
        assert_same(function(np.array(counts)), wanted[name])
    assert_same(np.atleast_1d(scores.mean_iou(np.array(counts))), [mean(wanted["iou"])])
    assert_same(np.atleast_1d(scores.mean_dice(np.array(counts))), [mean(wanted["dice"])])
    assert_same(np.atleast_1d(scores.mean_accuracy(np.array(counts))), [mean(wanted["recall"])])
    pairs = pixels(counts)
    assert_same(
        np.atleast_1d(scores.pixel_accuracy(np.array(counts))),
        [mean([float(t == p) for t, p in pairs])],
    )


@settings(max_examples=100, deadline=None)
@given(MATRICES)
def test_matthews_equals_the_correlation_of_indicators(counts):
    received, wanted = float(scores.matthews(np.array(counts))), plain_matthews(counts)
    if wanted is None:
        assert math.isnan(received)
    else:
        assert received == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(MATRICES, st.integers(0, 1000))
def test_scores_do_not_depend_on_the_order_of_classes(counts, seed):
    counts = np.array(counts)
    order = np.random.default_rng(seed).permutation(len(counts))
    shuffled = counts[np.ix_(order, order)]
    for function in scores.SET_SCORES.values():
        np.testing.assert_allclose(function(shuffled), function(counts), rtol=1e-10, atol=1e-12)
    for function in scores.CLASS_SCORES.values():
        np.testing.assert_allclose(function(shuffled), function(counts)[order], rtol=1e-10)


def test_leading_axes_are_kept():
    counts = np.random.default_rng(1).integers(0, 9, (2, 3, 4, 4))
    for function in scores.SET_SCORES.values():
        assert function(counts).shape == (2, 3)
        np.testing.assert_allclose(function(counts)[1, 2], function(counts[1, 2]))
    for function in scores.CLASS_SCORES.values():
        assert function(counts).shape == (2, 3, 4)


def test_nothing_scored_is_nan_not_zero():
    nothing = np.zeros((3, 3))
    for function in [*scores.SET_SCORES.values(), *scores.CLASS_SCORES.values()]:
        assert np.isnan(function(nothing)).all()


def test_absent_class_leaves_the_mean():
    # class 2 is in neither truth nor prediction: the mean is over two perfect classes
    assert scores.mean_iou(np.diag([5, 5, 0])) == 1
    # predicted but never true: IoU 0 and it counts; recall undefined
    ghost = np.array([[5, 0, 1], [0, 5, 0], [0, 0, 0]])
    assert scores.iou(ghost)[2] == 0
    assert math.isnan(scores.recall(ghost)[2])


def test_one_class_has_no_chance_corrected_score():
    assert math.isnan(scores.kappa(np.array([[7]])))
    assert math.isnan(scores.matthews(np.array([[7]])))
    assert scores.mean_iou(np.array([[7]])) == 1


def test_random_predictions_have_no_skill():
    product = np.outer([10, 20, 30], [6, 3, 1])
    assert scores.kappa(product) == pytest.approx(0, abs=1e-12)
    assert scores.matthews(product) == pytest.approx(0, abs=1e-12)


def test_agrees_with_scikit_learn_where_it_is_installed():
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(3)
    true, predicted = draw.integers(0, 5, 4000), draw.integers(0, 5, 4000)
    predicted = np.where(draw.random(4000) < 0.6, true, predicted)
    counts = metrics.confusion_matrix(true, predicted)
    np.testing.assert_allclose(
        scores.iou(counts), metrics.jaccard_score(true, predicted, average=None)
    )
    np.testing.assert_allclose(scores.dice(counts), metrics.f1_score(true, predicted, average=None))
    np.testing.assert_allclose(scores.kappa(counts), metrics.cohen_kappa_score(true, predicted))
    np.testing.assert_allclose(scores.matthews(counts), metrics.matthews_corrcoef(true, predicted))
    np.testing.assert_allclose(
        scores.mean_accuracy(counts), metrics.balanced_accuracy_score(true, predicted)
    )
