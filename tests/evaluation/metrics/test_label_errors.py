import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.metrics.label_errors import LabelErrors


def scene(seed=0, wrong=0.05):
    """A network that is right and fairly sure, and masks in which some labels were changed."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (60, 60))
    probabilities = np.full((60, 60, 3), 0.05)
    np.put_along_axis(probabilities, truth[..., None], 0.9, -1)
    probabilities += rng.random(probabilities.shape) * 0.1
    probabilities /= probabilities.sum(-1, keepdims=True)
    changed = rng.random(truth.shape) < wrong
    labels = np.where(changed, (truth + 1) % 3, truth).astype(np.uint8)
    return probabilities.astype(np.float32), labels, truth, changed


def test_changed_labels_are_found_with_the_right_suggestion():
    probabilities, labels, truth, changed = scene()
    finder = LabelErrors(3, 255)
    finder.observe(probabilities, labels)
    found = finder.suspect(probabilities, labels)
    assert found.suspected[changed].mean() > 0.85
    assert found.suspected[~changed].mean() == 0
    np.testing.assert_array_equal(found.suggested[found.suspected], truth[found.suspected])
    assert (found.suggested[~found.suspected] == -1).all()
    assert found.pairs.sum() == found.suspected.sum()
    assert np.trace(found.pairs) == 0
    assert found.share == pytest.approx(found.suspected.mean())


def test_cleaner_masks_have_higher_quality():
    qualities = []
    for wrong in (0.0, 0.1, 0.3):
        probabilities, labels, _, _ = scene(wrong=wrong)
        finder = LabelErrors(3, 255)
        finder.observe(probabilities, labels)
        qualities.append(finder.suspect(probabilities, labels).quality)
    assert qualities == sorted(qualities, reverse=True)


def test_thresholds_equal_plain_means_over_several_images():
    finder = LabelErrors(4, 255)
    seen = [scene(1), scene(2)]
    for probabilities, labels, _, _ in seen:
        finder.observe(np.dstack([probabilities, np.zeros((60, 60, 1))]), labels)
    p, y = (np.concatenate([part[i].reshape(3600, -1) for part in seen]) for i in (0, 1))
    for c in range(3):
        assert finder.thresholds[c] == pytest.approx(p[y[:, 0] == c, c].mean(), rel=1e-5)
    assert np.isinf(finder.thresholds[3])


def test_ignored_pixels_are_never_suspected():
    probabilities, labels, _, _ = scene()
    finder = LabelErrors(3, 255)
    finder.observe(probabilities, labels)
    labels[:30] = 255
    found = finder.suspect(probabilities, labels)
    assert not found.suspected[:30].any()
    nothing = finder.suspect(probabilities, np.full((60, 60), 255))
    assert np.isnan(nothing.share)
    assert np.isnan(nothing.quality)


def test_order_of_use_and_classes_are_checked():
    probabilities, labels, _, _ = scene()
    with pytest.raises(SegcoreError, match="observe every image first"):
        LabelErrors(3, 255).suspect(probabilities, labels)
    with pytest.raises(SegcoreError, match="4 classes"):
        LabelErrors(4, 255).observe(probabilities, labels)
