"""Changes of values for bands: as strong as on pictures, on what they are meant for, nothing cut."""

import numpy as np
import pytest

from segcore.data.augmentation.band_changes import (
    BAND_CHANGES,
    change_bands,
    from_levels,
    to_levels,
)
from segcore.data.augmentation.corruptions import (
    BAND_CORRUPTIONS,
    NOISE,
    SEVERITIES,
    corrupt_bands,
)
from segcore.data.augmentation.photometry import PIXEL_CHANGES
from segcore.data.augmentation.transforms import PRESETS, TRANSFORMS, Augmentation, cut_mix, draw
from segcore.data.bands.band_set import BandSet
from segcore.data.bands.learned import LearnedBands
from segcore.errors import SegcoreError

NAMED = LearnedBands(
    BandSet((1, 2, 3, 4, 5), ("nir", "red", "green", "blue", "height"), 5, "float32"),
    (3000.0, 2000.0, 1500.0, 1000.0, -40.0),
    (800.0, 500.0, 400.0, 300.0, 12.0),
)
PIXELS = LearnedBands(
    BandSet((1, 2, 3), ("red", "green", "blue"), 3, "uint8"), (114.5,) * 3, (57.4,) * 3
)
"""Bands whose values are those of pictures: changes are those of pictures then."""
NAMELESS = LearnedBands(BandSet((1, 2, 3), ("a", "b", "c"), 3, "uint8"), (114.5,) * 3, (57.4,) * 3)
MASK = np.zeros((24, 32), np.uint8)


def image_of(bands, seed=0):
    drawn = np.random.default_rng(seed).normal(size=(24, 32, len(bands.mean)))
    return (drawn * bands.std + bands.mean).astype(np.float32)


def pixels(seed=0):
    return np.random.default_rng(seed).integers(60, 190, (24, 32, 3)).astype(np.uint8)


def test_levels_there_and_back():
    image = image_of(NAMED)
    levels = to_levels(image, NAMED)
    np.testing.assert_allclose(from_levels(levels, NAMED), image, rtol=1e-5)
    np.testing.assert_allclose(levels.mean(), 114.5 / 255, atol=0.02)
    np.testing.assert_allclose(levels.std((0, 1)), 57.4 / 255, atol=0.02)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("tone", {"brightness": 0.1, "contrast": 1.2, "gamma": 0.8}),
        ("color", {"hue": 15.0, "saturation": 0.7}),
        ("blur", {"sigma": 1.2}),
    ],
)
def test_bands_that_are_pixels_change_as_pictures_do(name, parameters):
    picture = pixels()
    changed = change_bands(picture.astype(np.float32), {name: parameters}, PIXELS)
    expected = PIXEL_CHANGES[name](picture, parameters).astype(np.float32)
    inside = (expected > 0) & (expected < 255)
    np.testing.assert_allclose(changed[inside], expected[inside], atol=1.01)


def test_noise_is_as_strong_against_each_band_as_on_pictures():
    image = image_of(NAMED)
    noisy = change_bands(image, {"noise": {"sigma": 12.0, "seed": 3}}, NAMED)
    np.testing.assert_allclose(((noisy - image) / NAMED.std).std((0, 1)), 12 / 57.4, rtol=0.1)
    drawn = ((noisy - image) / NAMED.std).reshape(-1, 5)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(5)).max() < 0.2


def test_hue_and_saturation_touch_red_green_and_blue_alone():
    image = image_of(NAMED)
    changed = change_bands(image, {"color": {"hue": 30.0, "saturation": 1.4}}, NAMED)
    np.testing.assert_allclose(changed[..., [0, 4]], image[..., [0, 4]], rtol=1e-4, atol=1e-3)
    assert np.abs(changed[..., 1:4] - image[..., 1:4]).max() > 10
    grey = np.repeat(to_levels(image, NAMED)[..., :1], 5, axis=2)
    level = from_levels(grey, NAMED)
    still = change_bands(level, {"color": {"hue": 30.0, "saturation": 1.4}}, NAMED)
    np.testing.assert_allclose(still, level, rtol=1e-3, atol=0.1)  # grey has no hue


def test_without_names_there_is_no_hue():
    image = image_of(NAMELESS)
    changed = change_bands(image, {"color": {"hue": 30.0, "saturation": 1.4}}, NAMELESS)
    np.testing.assert_allclose(changed, image, atol=1e-3)


@pytest.mark.parametrize("name", ["jpeg", "clahe"])
def test_what_is_of_pictures_does_nothing(name):
    assert name in TRANSFORMS and name not in BAND_CHANGES
    image = image_of(NAMED)
    drawn = Augmentation((24, 32), {name: {"quality": 20.0, "clip": 3.0}})
    assert drawn.apply(image, MASK, 255, NAMED)[0] is image


def test_nothing_is_cut_off():
    image = image_of(NAMED)
    image[0, 0] = np.asarray(NAMED.mean) + 9 * np.asarray(NAMED.std)
    changed = change_bands(image, {"tone": {"brightness": 0.2, "gamma": 1.3}}, NAMED)
    assert (changed[0, 0] > image[0, 0]).all()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("channels", [1, 5])
def test_every_preset_moves_all_bands_alike(preset, channels):
    """One plane in every band stays one plane, whatever moves, and the mask moves as with a picture."""
    names = tuple(f"b{n}" for n in range(channels))
    numbers = tuple(range(1, channels + 1))
    bands = LearnedBands(
        BandSet(numbers, names, channels, "float32"), (0.0,) * channels, (1.0,) * channels
    )
    plane = np.random.default_rng(1).normal(size=(24, 32, 1)).astype(np.float32)
    mask = (plane[..., 0] > 0).astype(np.uint8)
    for seed in range(6):
        drawn = draw(preset, np.random.default_rng(seed), (16, 20))
        moves = Augmentation(
            drawn.size, {k: v for k, v in drawn.parameters.items() if k not in PIXEL_CHANGES}
        )
        image, labels = moves.apply(np.repeat(plane, channels, axis=2), mask, 255, bands)
        assert image.shape == (16, 20, channels) and image.dtype == np.float32
        np.testing.assert_array_equal(image, np.repeat(image[..., :1], channels, axis=2))
        seen = drawn.apply(np.repeat(plane, channels, axis=2), mask, 255, bands)[0]
        assert seen.shape == image.shape and np.isfinite(seen).all()
        picture = moves.apply(np.zeros((24, 32, 3), np.uint8), mask, 255)
        np.testing.assert_array_equal(labels, picture[1])


def test_cut_mix_takes_all_bands_of_a_rectangle():
    one, other = (image_of(NAMED, seed) for seed in (0, 1))
    mixed, labels = cut_mix((one, MASK), (other, MASK + 1), np.random.default_rng(0))
    np.testing.assert_array_equal(mixed[labels == 1], other[labels == 1])
    np.testing.assert_array_equal(mixed[labels == 0], one[labels == 0])


def test_a_picture_where_bands_are_meant_is_refused():
    with pytest.raises(SegcoreError, match="float32"):
        Augmentation((8, 8)).apply(pixels(), MASK, 255, NAMED)


def test_corruptions_of_bands():
    image = image_of(NAMED)
    for severity in SEVERITIES:
        noisy = corrupt_bands(image, NAMED, "noise", severity, "a")
        strength = ((noisy - image) / NAMED.std).std() * 57.4 / 255
        assert strength == pytest.approx(NOISE[severity - 1], rel=0.05)
    blurred = corrupt_bands(image, NAMED, "blur", 3)
    assert (blurred.std((0, 1)) < image.std((0, 1))).all()
    np.testing.assert_array_equal(noisy, corrupt_bands(image, NAMED, "noise", 5, "a"))
    assert BAND_CORRUPTIONS == ("noise", "blur")
    for name in ("jpeg", "darkness"):
        with pytest.raises(SegcoreError, match="Expected noise or blur for bands"):
            corrupt_bands(image, NAMED, name, 1)
    with pytest.raises(SegcoreError, match="severity from 1 to 5"):
        corrupt_bands(image, NAMED, "noise", 6)
