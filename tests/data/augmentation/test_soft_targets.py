"""Soft targets go where the mask goes: through every move, crop and hole, on any grid."""

import numpy as np
import pytest

from segcore.data.augmentation.soft_targets import move_targets
from segcore.data.augmentation.transforms import PRESETS, TRANSFORMS, Augmentation, draw

C, IGNORE = 3, 255
SIZE = (40, 56)
GEOMETRIC = ("crop", "flip_horizontal", "flip_vertical", "quarter_turn", "affine", "perspective")
MOVING = (*GEOMETRIC, "elastic", "cutout")


@pytest.fixture
def scene():
    """An image, and a mask of blobs with their one-hot planes."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    mask = ((x // 14 + y // 10) % C).astype(np.uint8)
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    return image, mask, one_hot(mask)


def one_hot(mask):
    return np.ascontiguousarray(np.eye(C, dtype=np.float32)[mask].transpose(2, 0, 1))


def agreement(moved, mask):
    """Share of the pixels shown whose most probable class is the moved mask's."""
    known = mask != IGNORE
    return (moved.argmax(0)[known] == mask[known]).mean()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", MOVING)
def test_each_move_takes_mask_and_targets_along(name, seed, scene):
    image, mask, planes = scene
    drawn = draw({name: (1.0, {})}, np.random.default_rng(seed), SIZE)
    _, moved_mask = drawn.apply(image, mask, IGNORE)
    moved = move_targets(drawn, planes, mask, IGNORE)
    assert moved.shape == (C, *SIZE) and moved.dtype == np.float32
    shown = moved_mask != IGNORE
    np.testing.assert_allclose(moved.sum(0)[shown], 1, atol=1e-6)
    assert (moved[:, ~shown] == 0).all()
    assert agreement(moved, moved_mask) > 0.97  # bilinear and nearest differ on edges alone
    if name.startswith("flip"):
        np.testing.assert_array_equal(moved, one_hot(moved_mask))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_with_crops_move_a_finer_sample_as_its_coarse_targets(preset):
    """Targets are stored at a third of the sample's size; the crop chooses by the whole mask."""
    y, x = np.mgrid[:120, :168]
    mask = ((x // 42 + y // 30) % C).astype(np.uint8)
    image = np.zeros((120, 168, 3), np.uint8)
    coarse = one_hot(mask[1::3, 1::3])
    for seed in range(5):
        drawn = draw(preset, np.random.default_rng(seed), SIZE)
        _, moved_mask = drawn.apply(image, mask, IGNORE)
        moved = move_targets(drawn, coarse, mask, IGNORE)
        assert agreement(moved, moved_mask) > 0.93
        np.testing.assert_array_equal(moved.sum(0) > 0, moved_mask != IGNORE)


def test_colours_leave_targets_alone(scene):
    _, mask, planes = scene
    colours = {name: (1.0, {}) for name in TRANSFORMS if name in ("tone", "color", "blur", "noise")}
    drawn = draw(colours, np.random.default_rng(0), SIZE)
    assert len(drawn.parameters) == 4
    np.testing.assert_allclose(move_targets(drawn, planes, mask, IGNORE), planes, atol=1e-6)


def test_soft_values_are_interpolated_and_sum_to_one():
    ramp = np.linspace(0, 1, SIZE[1], dtype=np.float32) * np.ones((SIZE[0], 1), np.float32)
    half = Augmentation(SIZE, {"affine": {"shift_x": 0.5 / SIZE[1]}})
    moved = move_targets(half, np.stack([ramp, 1 - ramp]), np.zeros(SIZE, np.uint8), IGNORE)
    step = 1 / (SIZE[1] - 1)
    np.testing.assert_allclose(moved[0, :, 1:], ramp[:, 1:] - step / 2, atol=1e-3)
    np.testing.assert_allclose(moved.sum(0)[:, 1:], 1, atol=1e-6)
