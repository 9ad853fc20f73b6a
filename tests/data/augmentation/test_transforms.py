"""One contract for every transform and preset: the mask gains no class, and image and mask move together."""

import json

import cv2
import numpy as np
import pytest

from segcore.catalog import AUGMENTATIONS
from segcore.data.augmentation.photometry import PIXEL_CHANGES
from segcore.data.augmentation.transforms import PRESETS, TRANSFORMS, Augmentation, cut_mix, draw
from segcore.errors import SegcoreError

ALONE = {name: {name: (1.0, {})} for name in TRANSFORMS}
EVERY = {**ALONE, **PRESETS}
GREYS = {0: 20, 1: 120, 2: 230}


def blocks(size=(48, 64), dtype=np.uint8):
    """Large blocks of three classes and an ignored one, painted in greys that tell the class."""
    mask = np.kron(
        np.random.default_rng(5).choice([0, 1, 2, 2], (3, 4)), np.ones((size[0] // 3, size[1] // 4))
    ).astype(dtype)
    mask[:6, :6] = np.iinfo(dtype).max
    grey = np.vectorize(lambda v: GREYS.get(v, 70))(mask)
    return np.repeat(grey[:, :, None], 3, 2).astype(np.uint8), mask


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", EVERY)
def test_contract(name, dtype):
    image, mask = blocks(dtype=dtype)
    ignore = int(np.iinfo(dtype).max)
    before = image.copy(), mask.copy()
    for seed in range(8):
        for size in ((48, 64), (32, 32)):
            augmentation = draw(EVERY[name], np.random.default_rng(seed), size)
            new_image, new_mask = augmentation.apply(image, mask, ignore)
            assert new_image.shape == (*size, 3) and new_image.dtype == np.uint8
            assert new_mask.shape == size and new_mask.dtype == dtype
            assert set(np.unique(new_mask)) <= {*np.unique(mask), ignore}
            again = draw(EVERY[name], np.random.default_rng(seed), size)
            assert again == augmentation and json.loads(json.dumps(augmentation.to_json()))[
                "size"
            ] == list(size)
            for one, two in zip(
                again.apply(image, mask, ignore), (new_image, new_mask), strict=True
            ):
                assert np.array_equal(one, two)
    assert np.array_equal(image, before[0]) and np.array_equal(mask, before[1])


@pytest.mark.parametrize("name", [n for n in TRANSFORMS if n not in PIXEL_CHANGES])
def test_image_and_mask_move_together(name):
    image, mask = blocks()
    for seed in range(12):
        new_image, new_mask = draw(ALONE[name], np.random.default_rng(seed), (48, 64)).apply(
            image, mask, 255
        )
        inside = (
            cv2.erode((new_mask != 255).astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0)
            > 0
        )
        flat = cv2.dilate(new_mask, np.ones((5, 5), np.uint8)) == cv2.erode(
            new_mask, np.ones((5, 5), np.uint8)
        )
        told = np.vectorize(lambda v: GREYS.get(v, 70))(new_mask)
        wrong = np.abs(new_image[..., 0].astype(int) - told)[inside & flat]
        assert len(wrong) > 50 and wrong.max() <= 1


@pytest.mark.parametrize("name", PIXEL_CHANGES)
def test_colour_changes_leave_the_mask_alone_and_do_something(name):
    rng = np.random.default_rng(1)
    image, mask = (
        rng.integers(0, 256, (32, 40, 3), dtype=np.uint8),
        rng.integers(0, 3, (32, 40), dtype=np.uint8),
    )
    new_image, new_mask = draw(ALONE[name], np.random.default_rng(3), (32, 40)).apply(
        image, mask, 255
    )
    assert np.array_equal(mask, new_mask) and not np.array_equal(image, new_image)


def test_neutral_parameters_change_nothing():
    image = np.random.default_rng(1).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    neutral = {
        "tone": {"brightness": 0, "contrast": 1, "gamma": 1},
        "color": {"hue": 0, "saturation": 1},
        "noise": {"sigma": 0, "seed": 1},
    }
    for name, parameters in neutral.items():
        assert np.array_equal(PIXEL_CHANGES[name](image, parameters), image), name
    grey = PIXEL_CHANGES["color"](image, {"saturation": 0.0})
    assert np.ptp(grey.astype(int), axis=2).max() <= 1


def test_flips_and_turns_are_exact():
    rng = np.random.default_rng(1)
    image, mask = (
        rng.integers(0, 256, (32, 32, 3), dtype=np.uint8),
        rng.integers(0, 9, (32, 32), dtype=np.uint8),
    )
    wanted = {
        "flip_horizontal": ({}, lambda a: a[:, ::-1]),
        "flip_vertical": ({}, lambda a: a[::-1]),
        **{f"quarter_turn {t}": ({"turns": t}, lambda a, t=t: np.rot90(a, -t)) for t in range(4)},
    }
    for name, (parameters, twin) in wanted.items():
        moved = Augmentation((32, 32), {name.split()[0]: parameters}).apply(image, mask, 255)
        assert np.array_equal(moved[0], twin(image)) and np.array_equal(moved[1], twin(mask)), name


def test_a_turn_in_an_oblong_frame_leaves_no_void():
    image, mask = blocks()
    mask[mask == 255] = 0
    for turns in range(4):
        _, moved = Augmentation((48, 64), {"quarter_turn": {"turns": turns}}).apply(
            image, mask, 255
        )
        assert (moved != 255).all()


def test_scale_enlarges_and_shift_moves_as_named():
    mask = np.zeros((40, 40), np.uint8)
    mask[15:25, 15:25] = 1
    image = np.zeros((40, 40, 3), np.uint8)
    _, larger = Augmentation((40, 40), {"affine": {"scale": 2.0}}).apply(image, mask, 255)
    assert abs((larger == 1).sum() - 400) <= 60
    _, moved = Augmentation((40, 40), {"affine": {"shift_x": 0.25, "shift_y": -0.1}}).apply(
        image, mask, 255
    )
    assert np.argwhere(moved == 1).mean(0) == pytest.approx([19.5 - 4, 19.5 + 10])
    assert (moved[:, :10] == 255).all() and (moved[-4:] == 255).all()


def test_presets_are_those_of_the_catalogue_and_none_changes_nothing():
    assert PRESETS.keys() == AUGMENTATIONS.keys()
    image, mask = blocks()
    same = draw("none", np.random.default_rng(0), (48, 64)).apply(image, mask, 255)
    assert same[0] is image and same[1] is mask


def test_aerial_takes_all_eight_symmetries():
    table = {name: PRESETS["aerial"][name] for name in ("flip_horizontal", "quarter_turn")}
    image, mask = blocks((48, 48))
    mask = np.random.default_rng(0).integers(0, 4, mask.shape, dtype=np.uint8)
    seen = {
        draw(table, np.random.default_rng(seed), (48, 48)).apply(image, mask, 255)[1].tobytes()
        for seed in range(200)
    }
    assert len(seen) == 8


def test_cut_mix_keeps_colour_and_label_of_one_sample():
    image, mask = blocks()
    other = 255 - image, (mask + 10).astype(np.uint8)
    for seed in range(5):
        mixed, labels = cut_mix((image, mask), other, np.random.default_rng(seed))
        second = labels == other[1]
        assert 0.1 < second.mean() < 0.7
        assert np.array_equal(mixed[second], other[0][second]) and np.array_equal(
            mixed[~second], image[~second]
        )


def test_refusals():
    rng, (image, mask) = np.random.default_rng(0), blocks()
    for preset in (
        "ligth",
        {"turn": (1.0, {})},
        {"blur": (1.0, {"sigm": (0, 1)})},
        {"crop": (1.0, {}), "class_crop": (1.0, {})},
    ):
        with pytest.raises(SegcoreError):
            draw(preset, rng, (8, 8))
    for wrong in (
        (image[:-1], mask),
        (image, mask.astype(np.int64)),
        (image.astype(np.float32), mask),
    ):
        with pytest.raises(SegcoreError):
            draw("light", rng, (48, 64)).apply(*wrong, 255)
