"""Windows lie inside, and do what their kind says."""

import numpy as np
import pytest

from segcore.data.augmentation.crops import CROPS, choose_window
from segcore.errors import SegcoreError


def rare_mask():
    mask = np.zeros((60, 80), np.uint8)
    mask[50, 70] = 1
    mask[:30] = 255
    return mask


@pytest.mark.parametrize("kind", CROPS)
def test_windows_lie_inside(kind):
    mask = rare_mask()
    for seed in range(30):
        for size in ((10, 20), (60, 80), (100, 7)):
            window = choose_window(mask, size, 255, np.random.default_rng(seed), kind)
            assert window.cut(mask).shape == (min(size[0], 60), min(size[1], 80))
            assert (
                min(window.top, window.left) >= 0
                and window.top + window.height <= 60
                and window.left + window.width <= 80
            )
    assert (
        choose_window(
            np.full((5, 5), 255, np.uint8), (2, 2), 255, np.random.default_rng(0), kind
        ).height
        == 2
    )


def test_class_windows_hold_the_class():
    mask, rng = rare_mask(), np.random.default_rng(0)
    found = [
        (choose_window(mask, (8, 8), 255, rng, "class").cut(mask) == 1).any() for _ in range(200)
    ]
    assert 0.35 < np.mean(found) < 0.7  # each of the two classes is drawn half of the time
    only = np.array([0.0, 1.0])
    assert all(
        (choose_window(mask, (8, 8), 255, rng, "class", only).cut(mask) == 1).any()
        for _ in range(50)
    )
    places = {
        (w.top, w.left)
        for w in (choose_window(mask, (8, 8), 255, rng, "class", only) for _ in range(300))
    }
    assert len(places) > 50  # the class's pixel lies anywhere in the window


def test_void_windows_hold_less_void():
    mask, rng = rare_mask(), np.random.default_rng(0)
    shares = []
    for kind in ("void", "random"):
        windows = [choose_window(mask, (20, 20), 255, rng, kind) for _ in range(200)]
        shares.append(np.mean([(window.cut(mask) == 255).mean() for window in windows]))
    assert shares[0] < 0.1 < 0.3 < shares[1]


def test_refusals():
    with pytest.raises(SegcoreError, match="random"):
        choose_window(rare_mask(), (5, 5), 255, np.random.default_rng(0), "randm")
    with pytest.raises(SegcoreError):
        choose_window(rare_mask(), (5, 5), 255, np.random.default_rng(0), "void", np.ones(2))
