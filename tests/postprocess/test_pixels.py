"""Class by class is the same as all at once."""

import numpy as np
import pytest

from segcore.postprocess.ensemble import resize_probabilities
from segcore.postprocess.pixels import summarise
from segcore.postprocess.uncertainty import entropy


@pytest.mark.parametrize("size", [(6, 8), (13, 17), (3, 5)])
def test_it_equals_the_summary_of_enlarged_probabilities(size) -> None:
    probabilities = np.random.default_rng(0).dirichlet([0.3] * 5, (6, 8)).astype(np.float32)
    found, whole = summarise(probabilities, size), resize_probabilities(probabilities, size)
    np.testing.assert_array_equal(found.mask, whole.argmax(-1))
    np.testing.assert_allclose(found.confidence, whole.max(-1), rtol=1e-5)
    np.testing.assert_allclose(found.entropy, entropy(whole) / np.log2(5), atol=1e-5)


def test_extremes() -> None:
    sure = np.zeros((2, 2, 4), np.float32)
    sure[..., 2] = 1
    found = summarise(sure, (4, 4))
    assert (found.mask == 2).all() and found.mask.dtype == np.uint8
    np.testing.assert_allclose([found.confidence, 1 - found.entropy], 1, atol=1e-6)
    even = summarise(np.full((2, 2, 300), 1 / 300, np.float32), (2, 2))
    assert even.mask.dtype == np.uint16 and (even.mask == 0).all()
    np.testing.assert_allclose(even.entropy, 1, atol=1e-5)
