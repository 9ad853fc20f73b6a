"""Corruptions: deterministic, each stronger than the one before, and by hand where a pixel can be worked out."""

import numpy as np
import pytest

from segcore.catalog import CORRUPTIONS
from segcore.data.augmentation import corruptions
from segcore.data.augmentation.corruptions import (
    BLUR,
    BLUR_SIDE,
    DARKNESS,
    NOISE,
    SEVERITIES,
    corrupt,
)
from segcore.errors import SegcoreError


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    y, x = np.mgrid[:96, :128]
    texture = np.random.default_rng(0).integers(-20, 20, (96, 128, 3))
    return (np.stack([60 + x, 200 - y, 40 + 120 * ((x // 12 + y // 10) % 2)], -1) + texture).astype(
        np.uint8
    )


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_is_repeatable_and_grows_with_its_severity(image, name) -> None:
    before = image.copy()
    made = [corrupt(image, name, severity, "a") for severity in SEVERITIES]
    assert all(m.shape == image.shape and m.dtype == np.uint8 for m in made)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(made[2], corrupt(image, name, 3, "a"))
    errors = [float(np.mean((m.astype(float) - image) ** 2)) for m in made]
    assert errors == sorted(errors) and errors[0] > 0 and len(set(errors)) == 5


def test_darkness_multiplies(image) -> None:
    grey = np.full((2, 2, 3), 200, np.uint8)
    assert (
        [int(corrupt(grey, "darkness", s)[0, 0, 0]) for s in SEVERITIES]
        == [round(200 * d) for d in DARKNESS]
        == [140, 100, 70, 44, 24]
    )


def test_noise_has_its_deviation_no_drift_and_a_field_of_its_own_for_each_image() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    noise = corrupt(grey, "noise", 1, "a").astype(float) - 128
    assert noise.std() == pytest.approx(255 * NOISE[0], rel=0.02)
    assert abs(noise.mean()) < 0.5
    other = corrupt(grey, "noise", 1, "b").astype(float) - 128
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.02
    stronger = corrupt(grey, "noise", 2, "a").astype(float) - 128
    assert np.corrcoef(noise.ravel(), stronger.ravel())[0, 1] > 0.99
    assert not np.array_equal(noise + 128, corrupt(grey, "noise", 1, "a", seed=1))


def test_blur_spreads_a_point_as_far_as_its_deviation_at_every_size() -> None:
    for side in (BLUR_SIDE, 2 * BLUR_SIDE):
        point = np.zeros((side, side + 8, 3), np.uint8)
        point[side // 2 - 20 : side // 2 + 20, side // 2 - 20 : side // 2 + 20] = (
            255  # a square: its variance adds to the blur's
        )
        row = corrupt(point, "blur", 3)[:, side // 2, 0].astype(float)
        x = np.arange(side)
        centre = (row * x).sum() / row.sum()
        variance = (row * (x - centre) ** 2).sum() / row.sum()
        assert variance - (40**2 - 1) / 12 == pytest.approx(
            (BLUR[2] * side / BLUR_SIDE) ** 2, rel=0.12
        )


def test_what_is_none_is_refused(image) -> None:
    with pytest.raises(SegcoreError, match="blur"):
        corrupt(image, "blurr", 1)
    with pytest.raises(SegcoreError, match="1 to 5"):
        corrupt(image, "blur", 0)
    assert (
        len(corruptions.JPEG_QUALITY) == len(DARKNESS) == len(NOISE) == len(BLUR) == len(SEVERITIES)
    )
