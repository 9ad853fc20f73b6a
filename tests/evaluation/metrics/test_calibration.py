import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.metrics.calibration import (
    Calibration,
    apply_temperature,
    fit_temperature,
    sample_pixels,
)

rng = np.random.default_rng(8)


def drawn(temperature=1.0, size=(120, 120), classes=4, seed=0):
    """Probabilities and labels drawn from them, then told with too much confidence (temperature below 1) or too little."""
    draw = np.random.default_rng(seed)
    logits = 1.5 * draw.standard_normal((*size, classes))
    honest = np.exp(logits)
    honest /= honest.sum(-1, keepdims=True)
    labels = (
        (honest.cumsum(-1) < draw.random((*size, 1))).sum(-1).clip(0, classes - 1).astype(np.uint8)
    )
    return apply_temperature(honest, temperature), labels


def measured(probabilities, labels, ignore=255):
    found = Calibration(probabilities.shape[-1])
    found.observe(probabilities, labels, ignore)
    return found


def slow_ece(probabilities, labels, bins):
    p, y = probabilities.reshape(-1, probabilities.shape[-1]).astype(np.float64), labels.ravel()
    top, hit = p.max(1), p.argmax(1) == y
    total = 0.0
    for b in range(bins):
        inside = (top >= b / bins) & ((top < (b + 1) / bins) | (b == bins - 1))
        if inside.any():
            total += inside.mean() * abs(top[inside].mean() - hit[inside].mean())
    return total


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_error_equals_a_plain_loop(bins):
    probabilities, labels = drawn(0.5)
    assert measured(probabilities, labels).reliability(bins).ece == pytest.approx(
        slow_ece(probabilities, labels, bins), abs=1e-6
    )


def test_honest_probabilities_are_calibrated_and_sharpened_ones_are_not():
    honest, sharp = (measured(*drawn(t)).reliability() for t in (1.0, 0.4))
    assert honest.ece < 0.015
    assert sharp.ece > 0.08
    assert sharp.mce >= sharp.ece


def test_images_add_up_and_ignored_pixels_do_not_count():
    probabilities, labels = drawn()
    labels[:40] = 255
    whole = measured(probabilities, labels)
    halves = Calibration(4)
    halves.observe(probabilities[:, :60], labels[:, :60], 255)
    halves.observe(probabilities[:, 60:], labels[:, 60:], 255)
    assert whole.total == halves.total == 80 * 120
    np.testing.assert_array_equal(whole.right, halves.right)
    assert whole.log_loss == pytest.approx(halves.log_loss)
    p, y = probabilities[40:].reshape(-1, 4).astype(float), labels[40:].ravel()
    assert whole.log_loss == pytest.approx(-np.log(p[np.arange(len(y)), y]).mean(), rel=1e-5)
    assert whole.brier == pytest.approx(((p - np.eye(4)[y]) ** 2).sum(1).mean(), rel=1e-5)


def test_by_class_sums_to_all_and_risk_ends_at_the_error():
    found = measured(*drawn(0.7))
    np.testing.assert_array_equal(
        found.reliability(by_class=True).pixels.sum(0), found.reliability().pixels
    )
    coverage, risk = found.risk_coverage()
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx(1 - found.right.sum() / found.total)
    kept = ~np.isnan(risk)
    assert risk[kept][len(risk[kept]) // 4] < risk[-1]


def test_nothing_scored_is_nan():
    found = Calibration(3)
    found.observe(np.full((2, 2, 3), 1 / 3), np.full((2, 2), 255), 255)
    assert np.isnan(found.reliability().ece)
    assert np.isnan(found.log_loss)
    assert np.isnan(found.brier)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_fitted_temperature_undoes_the_distortion(temperature):
    probabilities, labels = drawn(temperature)
    values, truth = sample_pixels(probabilities, labels, 255, 10_000, 1)
    found = fit_temperature(values, truth)
    assert found == pytest.approx(1 / temperature, rel=0.08)
    repaired = apply_temperature(probabilities, found)
    assert measured(repaired, labels).reliability().ece < 0.02
    np.testing.assert_array_equal(repaired.argmax(-1), probabilities.argmax(-1))
    np.testing.assert_allclose(repaired.sum(-1), 1, rtol=1e-5)


def test_temperature_one_changes_nothing_and_scaling_is_softmax_of_scaled_logits():
    logits = rng.standard_normal((5, 3))
    softmax = lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)  # noqa: E731
    np.testing.assert_allclose(apply_temperature(softmax(logits), 1), softmax(logits), rtol=1e-6)
    np.testing.assert_allclose(
        apply_temperature(softmax(logits), 3), softmax(logits / 3), rtol=1e-6
    )


def test_sampling_is_seeded_and_bounded():
    probabilities, labels = drawn(size=(10, 10))
    first, second = (sample_pixels(probabilities, labels, 255, 20, 5) for _ in range(2))
    np.testing.assert_array_equal(first[1], second[1])
    assert len(first[1]) == 20
    assert len(sample_pixels(probabilities, labels, 255, 1000, 5)[1]) == 100


def test_what_does_not_fit_is_refused():
    probabilities, labels = drawn(size=(4, 4))
    with pytest.raises(SegcoreError, match="mask's size"):
        Calibration(4).observe(probabilities, labels[:3], 255)
    with pytest.raises(SegcoreError, match="5 classes, received 4"):
        Calibration(5).observe(probabilities, labels, 255)
    with pytest.raises(SegcoreError, match="received 9"):
        Calibration(4).observe(probabilities, np.full((4, 4), 9), 255)
    with pytest.raises(SegcoreError, match="divides"):
        Calibration(4).reliability(7)
    with pytest.raises(SegcoreError, match="above 0"):
        apply_temperature(probabilities, 0)
    with pytest.raises(SegcoreError, match="none"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))


def test_the_area_under_risk_and_coverage_counts_a_level_in_random_order():
    """Two pixels of ten are wrong in the second of two levels: the mean over its random orders."""
    found = Calibration(2)
    found.pixels[0, 800], found.right[0, 800] = 6, 5
    found.pixels[0, 500], found.right[0, 500] = 4, 3
    draw, areas = np.random.default_rng(0), []
    for _ in range(4000):
        wrong = np.concatenate(
            [draw.permutation([1, 0, 0, 0, 0, 0]), draw.permutation([1, 0, 0, 0])]
        )
        areas.append((wrong.cumsum() / np.arange(1, 11)).mean())
    # the integral is that of many pixels: at ten, its steps are still to be seen
    assert found.risk_area() == pytest.approx(np.mean(areas), rel=0.06)
    found.pixels *= 10_000
    found.right *= 10_000
    wrong = np.concatenate(
        [draw.permutation(np.arange(60_000) < 10_000), draw.permutation(np.arange(40_000) < 10_000)]
    )
    fine = (wrong.cumsum() / np.arange(1, 100_001)).mean()
    assert found.risk_area() == pytest.approx(fine, rel=0.03)
