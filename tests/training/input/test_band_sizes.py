"""Images of any number of bands are resized and warped as each band alone."""

import numpy as np
import pytest

from segcore.data.augmentation.geometry import warp
from segcore.training.input.reader import resize_image


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7, 16])
@pytest.mark.parametrize("size", [(11, 13), (40, 40), (15, 90), (30, 20), (90, 60)])
def test_each_band_as_if_it_were_alone(channels, size):
    image = np.random.default_rng(0).normal(size=(40, 60, channels)).astype(np.float32)
    together = resize_image(image, size)
    assert together.shape == (*size, channels) and together.dtype == np.float32
    for band in range(channels):
        alone = resize_image(np.ascontiguousarray(image[..., band : band + 1]), size)
        np.testing.assert_allclose(together[..., band : band + 1], alone, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 5, 16])
def test_a_turn_moves_each_band_alike(channels):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(40, 60, channels)).astype(np.float32)
    mask = rng.integers(0, 3, (40, 60)).astype(np.uint8)
    turn = np.array([[0.9, -0.3, 8], [0.3, 0.9, -4], [0, 0, 1]])
    bent = rng.normal(size=(32, 48, 2)).astype(np.float32)
    for field in (None, bent):
        moved, labels = warp(image, mask, turn, (32, 48), 255, field)
        assert moved.shape == (32, 48, channels)
        for band in range(channels):
            one, same = warp(image[..., band : band + 1], mask, turn, (32, 48), 255, field)
            np.testing.assert_allclose(moved[..., band : band + 1], one, atol=1e-4)
            np.testing.assert_array_equal(same, labels)
