"""Entropy and disagreement: hand-worked pixels and bounds."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.uncertainty import entropy, measure_uncertainty


def _pixel(*p):
    return np.array([[p]], np.float32)


def test_entropy_of_known_pixels():
    for p, bits in [
        ((1, 0, 0, 0), 0),
        ((0.5, 0.5, 0, 0), 1),
        ((0.25,) * 4, 2),
        ((0.5, 0.25, 0.25, 0), 1.5),
    ]:
        np.testing.assert_allclose(entropy(_pixel(*p)), bits, atol=1e-6)


def test_members_that_are_sure_and_contradict_each_other():
    found = measure_uncertainty([_pixel(1, 0), _pixel(0, 1)])
    np.testing.assert_allclose(
        [found.total, found.disagreement, found.dissent],
        np.reshape([1, 1, 0.5], (3, 1, 1)),
        atol=1e-6,
    )


def test_members_that_are_equally_unsure_do_not_disagree():
    found = measure_uncertainty([_pixel(0.5, 0.5)] * 3)
    np.testing.assert_allclose(
        [found.total, found.disagreement, found.dissent],
        np.reshape([1, 0, 0], (3, 1, 1)),
        atol=1e-6,
    )


def test_maps_keep_their_bounds_and_read_members_one_by_one():
    rng = np.random.default_rng(0)
    members = [rng.dirichlet(np.full(6, 0.4), (20, 30)).astype(np.float32) for _ in range(5)]
    found = measure_uncertainty(m for m in members)
    for values in (found.total, found.disagreement, found.dissent):
        assert values.shape == (20, 30) and values.dtype == np.float32
    assert (
        (found.disagreement >= 0).all()
        and (found.disagreement <= found.total).all()
        and found.total.max() <= np.log2(6) + 1e-5
    )
    votes = np.stack([m.argmax(-1) for m in members])
    expected = 1 - np.max([(votes == c).sum(0) for c in range(6)], axis=0) / 5
    np.testing.assert_allclose(found.dissent, expected, atol=1e-6)
    divergence = entropy(np.mean(members, axis=0)) - np.mean([entropy(m) for m in members], axis=0)
    np.testing.assert_allclose(found.disagreement, divergence, atol=1e-5)


def test_refusals():
    with pytest.raises(SegcoreError, match="at least one"):
        measure_uncertainty([])
    with pytest.raises(SegcoreError, match="one shape"):
        measure_uncertainty([_pixel(1, 0), _pixel(1, 0, 0)])
