"""Pixel measures: one pass equals its parts added up, survives the disk, and says what the plain formulas say."""

import numpy as np
import pytest

from segcore.evaluation.counts.scores import mean_present
from segcore.evaluation.metrics.boundary import boundary_iou, count_boundary
from segcore.evaluation.metrics.calibration import apply_temperature
from segcore.evaluation.metrics.pixel_metrics import PixelMetrics

CLASSES, IGNORED = 3, 255


@pytest.fixture(scope="module")
def scenes() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(3)
    made = []
    for _ in range(4):
        mask = np.kron(rng.integers(0, CLASSES, (4, 5)), np.ones((8, 8), int)).astype(np.uint8)
        logits = 2.0 * np.eye(CLASSES)[mask] + rng.normal(size=(*mask.shape, CLASSES))
        probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        mask[:2] = IGNORED
        made.append((mask, probabilities.astype(np.float32)))
    return made


def measure(scenes, draw: int = 0) -> PixelMetrics:
    whole = PixelMetrics(CLASSES, IGNORED)
    for number, (mask, probabilities) in enumerate(scenes):
        one = PixelMetrics(CLASSES, IGNORED)
        one.observe(str(number), mask, probabilities.argmax(-1), probabilities, draw, number)
        whole.add(one)
    return whole


def test_parts_added_up_equal_one_pass_and_survive_the_disk(scenes) -> None:
    direct = PixelMetrics(CLASSES, IGNORED)
    for number, (mask, probabilities) in enumerate(scenes):
        direct.observe(str(number), mask, probabilities.argmax(-1), probabilities)
    added = measure(scenes, 200)
    again, temperature = PixelMetrics.from_arrays(added.to_arrays(), IGNORED)
    assert direct.borders() == added.borders() == again.borders()
    assert again.confidence() == added.confidence()
    for name in ("pixels", "right", "confidence"):
        np.testing.assert_allclose(
            getattr(direct.calibration, name), getattr(added.calibration, name), rtol=1e-12
        )
    assert direct.calibration.surprise == pytest.approx(added.calibration.surprise)
    assert temperature == added.temperature()
    np.testing.assert_array_equal(again.labels.thresholds, direct.labels.thresholds)


def test_borders_are_the_counts_of_all_images(scenes) -> None:
    found = measure(scenes).borders()
    counts = sum(count_boundary(m, p.argmax(-1), CLASSES, IGNORED) for m, p in scenes)
    assert found.boundary == pytest.approx(boundary_iou(counts))
    assert found.mean_boundary == pytest.approx(float(mean_present(boundary_iou(counts))))
    assert found.interval == [None, None] and "4 images" in found.how_sure
    low, high = measure(list(scenes) * 3).borders().interval
    assert low < found.mean_boundary < high
    assert [row.pixels for row in found.trimap] == sorted(row.pixels for row in found.trimap)
    last = found.trimap[-1]  # 32 pixels from a border of 8-pixel blocks is everywhere
    right = sum(int(((p.argmax(-1) == m) & (m != IGNORED)).sum()) for m, p in scenes)
    assert last.pixel_accuracy == pytest.approx(right / last.pixels)
    many = measure(list(scenes) * 3)
    assert many.borders(groups=["one"] * 12).interval == [None, None]
    assert many.borders(groups=list("abcdefghijkl")).interval == pytest.approx([low, high])


def test_confidence_equals_a_plain_loop(scenes) -> None:
    found = measure(scenes).confidence()
    sure, hit = [], []
    for mask, probabilities in scenes:
        kept = mask != IGNORED
        sure.extend(probabilities.max(-1)[kept].tolist())
        hit.extend((probabilities.argmax(-1) == mask)[kept].tolist())
    ece = 0.0
    for low in range(15):
        inside = [(s, h) for s, h in zip(sure, hit, strict=True) if low <= 15 * s < low + 1]
        if inside:
            s, h = np.mean(inside, axis=0)
            ece += abs(s - h) * len(inside) / len(sure)
    assert found.ece == pytest.approx(ece, abs=1e-5)
    assert found.pixel_accuracy == pytest.approx(np.mean(hit))
    assert found.mean_confidence == pytest.approx(np.mean(sure), abs=1e-6)
    assert found.coverage[-1] == 1 and found.risk[-1] == pytest.approx(1 - np.mean(hit))
    order = np.argsort(-np.array(sure), kind="stable")
    area = np.mean(np.cumsum(1 - np.array(hit)[order]) / np.arange(1, len(hit) + 1))
    assert found.aurc == pytest.approx(area, abs=0.01)
    assert sum(c.pixels for c in found.classes) == len(sure)


def test_the_risk_of_pixels_that_cannot_be_ranked_is_that_of_a_random_order() -> None:
    """Half the pixels share a level without an error, the other half one with every fifth wrong.

    The risk is 0 up to a coverage of 1/2, then 0.2 (x - 1/2) / x; taken at the ends of the levels
    it is too high.
    """
    sure = np.repeat([0.9995, 0.998], 5000).reshape(100, 100)
    wrong = (sure < 0.999) & (np.arange(sure.size) % 5 == 0).reshape(sure.shape)
    probabilities = np.stack([sure, 1 - sure, np.zeros_like(sure)], -1).astype(np.float32)
    found = measure([(wrong.astype(np.uint8), probabilities)]).confidence().aurc
    assert found == pytest.approx(0.2 * (0.5 - 0.5 * np.log(2)), rel=1e-3)


def test_a_wrong_temperature_is_found_and_undone(scenes) -> None:
    honest = measure(scenes, 10_000).temperature()
    softened = [(mask, apply_temperature(p, 2.5)) for mask, p in scenes]
    assert measure(softened, 10_000).temperature() == pytest.approx(honest / 2.5, rel=0.01)
    assert measure(softened).confidence().ece > measure(scenes).confidence().ece


def test_masks_alone_have_borders_and_no_confidence(scenes) -> None:
    one = PixelMetrics(CLASSES, IGNORED)
    one.observe("a", scenes[0][0], scenes[0][1].argmax(-1))
    assert one.confidence() is None and one.borders().mean_boundary is not None
    assert np.isnan(PixelMetrics.from_arrays(one.to_arrays(), IGNORED)[1])
