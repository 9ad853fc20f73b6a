"""Runs against their plain twins: of every length round a word, of every kind, from many threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from segcore.data.statistics import mask_runs
from segcore.data.statistics.mask_runs import count_values, runs_of

SHAPES = [(1, 1), (1, 7), (7, 1), (2, 4), (1, 9), (13, 29), (64, 64)]


def drawn(shape, values, dtype, seed=0):
    """Pieces of a few pixels: runs that end inside words, at their borders, and words without an end."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    return (
        np.repeat(rng.integers(0, values, size), rng.integers(1, 30, size))[:size]
        .astype(dtype)
        .reshape(shape)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("values", [1, 2, 200])
@pytest.mark.parametrize("shape", SHAPES)
def test_runs_put_together_again_are_the_mask(shape, values, dtype):
    for codes in (
        drawn(shape, values, dtype),
        np.random.default_rng(0).integers(0, values, shape).astype(dtype),
    ):
        found, lengths = runs_of(codes)
        np.testing.assert_array_equal(np.repeat(found, lengths).reshape(shape), codes)
        assert found.dtype == dtype and (lengths > 0).all() and (found[1:] != found[:-1]).all()
        np.testing.assert_array_equal(count_values(codes), np.bincount(codes.ravel()))


def test_runs_by_hand():
    found, lengths = runs_of(np.array([[5, 5, 2], [2, 2, 5]], np.uint8))
    assert (found.tolist(), lengths.tolist()) == ([5, 2, 5], [2, 3, 1])


@pytest.mark.parametrize("kept", [0, 100, 1 << 22])
def test_scratch_memory_of_threads_and_of_other_sizes_is_not_mixed_up(monkeypatch, kept):
    monkeypatch.setattr(mask_runs, "_KEPT", kept)
    masks = [drawn((1 + i % 17, 1 + 3 * i % 41), 5, np.uint8, i) for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        for mask, counts in zip(masks, pool.map(count_values, masks), strict=True):
            np.testing.assert_array_equal(counts, np.bincount(mask.ravel()))
