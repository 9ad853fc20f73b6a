"""Counts of a CRF search are kept sparse, and read back like the arrays they stand for."""

import tracemalloc

import numpy as np

from segcore.light_worker.steps import StepCounts, outcome_of

BANDS = 6


def counts_of(rng, size):
    """Counts of one image in which few classes occur, (C, C + 2 + 4 bands)."""
    whole = np.zeros((size, size + 2 + 4 * BANDS), np.int64)
    held = rng.choice(size, 3, replace=False)
    whole[held[:, None], held] = rng.integers(0, 99, (3, 3))
    whole[held, size:] = rng.integers(0, 99, (3, 2 + 4 * BANDS))
    return whole


def test_counts_of_steps_are_those_of_the_arrays():
    rng = np.random.default_rng(0)
    dense = np.stack([counts_of(rng, 5) for _ in range(7)])
    packed = [StepCounts.of(one) for one in dense]
    np.testing.assert_array_equal([one.unpack() for one in packed], dense)
    found = outcome_of(packed)
    np.testing.assert_array_equal(np.asarray(found.confusion), dense[..., :5])
    np.testing.assert_array_equal(found.boundary, dense[..., 5:7])
    changes = dense[..., 7:].reshape(7, 5, BANDS, 4)
    np.testing.assert_array_equal(found.class_changes, changes.sum((0, 2)))
    np.testing.assert_array_equal(found.band_changes, changes.sum(1))


def test_a_search_over_many_images_and_classes_takes_little_memory():
    """2,000 images x 150 classes: 420 MB a step as arrays; kept cells are some kB an image."""
    rng = np.random.default_rng(0)
    tracemalloc.start()
    packed = [StepCounts.of(counts_of(rng, 150)) for _ in range(2_000)]
    kept = tracemalloc.get_traced_memory()[0]
    found = outcome_of(packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kept < 8e6 and peak < 40e6
    assert len(found.confusion) == 2_000
