"""Component removal and smoothing: hand-worked masks and invariants."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.components import (
    majority_filter,
    median_filter,
    remove_small_components,
    small_components,
)


def _noisy(seed=0, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.integers(0, 4, (4, 5)), np.ones((12, 12), int)).astype(dtype)
    noise = rng.random(mask.shape) < 0.08
    mask[noise] = rng.integers(0, 4, noise.sum())
    return mask


def test_a_hand_worked_speck_goes_to_its_nearest_neighbour():
    mask = np.array([[0, 0, 0, 1, 1], [0, 2, 0, 1, 1], [0, 0, 0, 1, 3]])
    expected = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]])
    np.testing.assert_array_equal(remove_small_components(mask, 2), expected)
    np.testing.assert_array_equal(small_components(mask, 2), mask != expected)


def test_diagonal_neighbours_are_one_component():
    mask = np.zeros((6, 6), np.uint8)
    mask[[1, 2, 3], [1, 2, 3]] = 1
    np.testing.assert_array_equal(remove_small_components(mask, 3), mask)
    assert not remove_small_components(mask, 4).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("min_pixels", [2, 9, 40])
def test_no_small_component_is_left_no_class_is_new_and_the_rest_stays(dtype, min_pixels):
    mask = _noisy(dtype=dtype)
    before = mask.copy()
    cleaned = remove_small_components(mask, min_pixels)
    assert cleaned.dtype == dtype and not small_components(cleaned, min_pixels).any()
    assert set(np.unique(cleaned)) <= set(np.unique(mask))
    kept = ~small_components(mask, min_pixels)
    np.testing.assert_array_equal(cleaned[kept], mask[kept])
    np.testing.assert_array_equal(remove_small_components(cleaned, min_pixels), cleaned)
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("min_pixels", [0, 1, 10_000])
def test_where_nothing_or_everything_is_small_nothing_changes(min_pixels):
    np.testing.assert_array_equal(remove_small_components(_noisy(), min_pixels), _noisy())


def _majority_twin(mask, width):
    reach = width // 2
    out = mask.copy()
    for y, x in np.ndindex(mask.shape):
        window = mask[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        counts = np.bincount(window.ravel(), minlength=5)
        if counts[mask[y, x]] < counts.max():
            out[y, x] = counts.argmax()
    return out


@pytest.mark.parametrize("width", [1, 3, 7])
def test_the_majority_filter_counts_its_window(width):
    mask = _noisy()[:30, :41]
    np.testing.assert_array_equal(majority_filter(mask, width), _majority_twin(mask, width))


def test_the_median_filter_removes_a_speck_and_keeps_an_edge():
    p = np.zeros((9, 10, 2), np.float32)
    p[:, :5, 0] = p[:, 5:, 1] = 1
    clean = p.copy()
    p[4, 2] = [0, 1]
    np.testing.assert_array_equal(median_filter(p, 3), clean)
    np.testing.assert_array_equal(median_filter(p, 1), p)


@pytest.mark.parametrize("width", [3, 5])
def test_medians_are_probabilities_and_inner_ones_are_numpy_s(width):
    p = np.random.default_rng(0).dirichlet(np.full(7, 0.1), (16, 18)).astype(np.float32)
    out = median_filter(p, width)
    assert out.dtype == np.float32 and out.min() >= 0
    np.testing.assert_allclose(out.sum(-1), 1, atol=1e-6)
    reach = width // 2
    expected = np.median(p[8 - reach : 9 + reach, 9 - reach : 10 + reach].reshape(-1, 7), axis=0)
    if expected.sum() > 0:
        np.testing.assert_allclose(out[8, 9], expected / expected.sum(), atol=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: majority_filter(_noisy(), 2),
        lambda: majority_filter(_noisy(), 0),
        lambda: median_filter(np.ones((4, 4, 1), np.float32), 7),
        lambda: remove_small_components(_noisy(), -1),
        lambda: remove_small_components(np.zeros((2, 2, 2), int), 1),
    ],
)
def test_refusals(call):
    with pytest.raises(SegcoreError):
        call()
