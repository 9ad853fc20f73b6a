"""Scores, calibration and curves against scikit-learn on random and degenerate masks; what is no count is refused."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.confusion import check_counts, count_confusion
from segcore.evaluation.metrics.calibration import Calibration

metrics = pytest.importorskip("sklearn.metrics")

DRAW = np.random.default_rng(11)
CASES = {
    "random": (DRAW.integers(0, 6, (40, 50)), DRAW.integers(0, 6, (40, 50)), 6),
    "a class that is never predicted": (
        DRAW.integers(0, 4, (30, 30)),
        DRAW.integers(0, 3, (30, 30)),
        4,
    ),
    "a class that is never true": (DRAW.integers(0, 3, (30, 30)), DRAW.integers(0, 4, (30, 30)), 4),
    "a class in neither": (DRAW.integers(0, 3, (30, 30)), DRAW.integers(0, 3, (30, 30)), 5),
    "one class": (np.zeros((9, 9), int), np.zeros((9, 9), int), 1),
    "all wrong": (np.zeros((9, 9), int), np.ones((9, 9), int), 2),
    "many classes": (DRAW.integers(0, 24, (60, 60)), DRAW.integers(0, 24, (60, 60)), 24),
}


@pytest.mark.parametrize("ignored", [0.0, 0.3])
@pytest.mark.parametrize("case", CASES)
def test_every_score_is_scikit_learns(case, ignored) -> None:
    true, predicted, number = CASES[case]
    mask = np.where(np.random.default_rng(5).random(true.shape) < ignored, 255, true).astype(
        np.uint8
    )
    counts = count_confusion(mask, predicted.astype(np.uint8), number, 255)
    kept = mask != 255
    t, p, labels = mask[kept], predicted[kept], list(range(number))
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(t, p, labels=labels))
    seen, found = np.isin(labels, t), np.isin(labels, p)
    for ours, theirs, defined in (
        (
            scores.iou(counts),
            metrics.jaccard_score(t, p, labels=labels, average=None, zero_division=0),
            seen | found,
        ),
        (
            scores.dice(counts),
            metrics.f1_score(t, p, labels=labels, average=None, zero_division=0),
            seen | found,
        ),
        (
            scores.precision(counts),
            metrics.precision_score(t, p, labels=labels, average=None, zero_division=0),
            found,
        ),
        (
            scores.recall(counts),
            metrics.recall_score(t, p, labels=labels, average=None, zero_division=0),
            seen,
        ),
    ):
        np.testing.assert_array_equal(~np.isnan(ours), defined)
        np.testing.assert_allclose(ours[defined], theirs[defined], atol=1e-12)
        np.testing.assert_array_equal(theirs[~defined], 0)  # what we call undefined, they call 0
    assert scores.pixel_accuracy(counts) == pytest.approx(metrics.accuracy_score(t, p))
    assert scores.mean_iou(counts) == pytest.approx(
        metrics.jaccard_score(t, p, labels=np.flatnonzero(seen | found), average="macro")
    )
    weighted = metrics.jaccard_score(t, p, average="weighted", zero_division=0)
    assert scores.frequency_weighted_iou(counts) == pytest.approx(weighted)
    specificity = scores.specificity(counts)
    for label in labels:
        others = t != label
        expected = (
            metrics.recall_score(others, p != label, zero_division=0) if others.any() else np.nan
        )
        np.testing.assert_allclose(specificity[label], expected)
    if number > 1 and seen.sum() > 1:
        assert scores.kappa(counts) == pytest.approx(metrics.cohen_kappa_score(t, p))
        assert scores.matthews(counts) == pytest.approx(metrics.matthews_corrcoef(t, p))


def test_log_loss_and_brier_are_scikit_learns() -> None:
    logits = np.random.default_rng(0).normal(size=(20, 30, 4))
    probabilities = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)).astype(np.float32)
    mask = np.random.default_rng(1).integers(0, 4, (20, 30))
    seen = Calibration(4)
    seen.observe(probabilities, mask, 255)
    flat = probabilities.reshape(-1, 4).astype(float)
    flat /= flat.sum(1, keepdims=True)
    assert seen.log_loss == pytest.approx(
        metrics.log_loss(mask.ravel(), flat, labels=range(4)), rel=1e-6
    )
    assert seen.brier == pytest.approx(
        np.mean(((flat - np.eye(4)[mask.ravel()]) ** 2).sum(1)), rel=1e-6
    )


def test_all_ignored_and_empty_have_no_score() -> None:
    nothing = np.full((4, 4), 255, np.uint8)
    for counts in (
        count_confusion(nothing, nothing * 0, 3, 255),
        count_confusion(nothing[:0], nothing[:0], 3, 255),
    ):
        assert not counts.any()
        assert all(
            np.isnan(function(counts)).all()
            for function in (scores.SET_SCORES | scores.CLASS_SCORES).values()
        )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([[1.5, 0], [0, 1]], "whole numbers"),
        ([[-1, 0], [0, 1]], "non-negative"),
        ([[-1.0, 0], [0, 1]], "non-negative"),
        ([[np.nan, 0], [0, 1]], "finite"),
        ([["a", "b"], ["c", "d"]], "whole numbers"),
    ],
)
def test_what_is_no_count_is_refused(counts, words) -> None:
    with pytest.raises(SegcoreError, match=words):
        check_counts(counts)


@pytest.mark.parametrize("kind", [np.float32, bool])
def test_masks_that_are_no_indices_are_refused(kind) -> None:
    with pytest.raises(SegcoreError, match="whole class indices"):
        count_confusion(np.zeros((2, 2), kind), np.zeros((2, 2), np.uint8), 2, 255)
