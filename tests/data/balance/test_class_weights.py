"""Class weights by hand, and the known median-frequency weights of CamVid."""

import numpy as np
import pytest

from segcore.catalog import CLASS_WEIGHTS
from segcore.data.balance.class_weights import RULES, class_weights
from segcore.errors import SegcoreError

COUNTS = np.array([[6, 2, 0], [8, 0, 0]])


def test_the_rules_are_those_of_the_catalogue():
    assert ["none", *RULES] == list(CLASS_WEIGHTS)


def test_rules_by_hand():
    # frequencies 14/16 and 2/8, median 9/16
    assert class_weights(COUNTS, "median_frequency").tolist() == pytest.approx([9 / 14, 9 / 4, 0])
    assert class_weights(COUNTS, "inverse_frequency").tolist() == pytest.approx(
        [16 / 42, 16 / 6, 0]
    )
    assert class_weights(COUNTS, "inverse_root").tolist() == pytest.approx(
        [(16 / 42) ** 0.5, (16 / 6) ** 0.5, 0]
    )
    assert class_weights(COUNTS, "enet")[1] == pytest.approx(1 / np.log(1.02 + 1 / 8))
    assert class_weights(COUNTS, "effective_number").tolist() == pytest.approx(
        [0.01 / (1 - 0.99**2), 1, 0]
    )


@pytest.mark.parametrize("rule", RULES)
def test_contract(rule):
    counts = np.random.default_rng(0).integers(0, 9, (20, 5)) * [100, 10, 1, 5, 0]
    weights = class_weights(counts, rule)
    assert weights.shape == (5,) and weights[4] == 0 and (weights[:4] > 0).all()
    scaled = class_weights(counts, rule, normalise=True)
    assert scaled[:4].mean() == pytest.approx(1) and scaled[4] == 0
    assert np.allclose(scaled / scaled[0], weights / weights[0])


def test_refusals():
    with pytest.raises(SegcoreError, match="enet"):
        class_weights(COUNTS, "ennet")
    with pytest.raises(SegcoreError):
        class_weights(np.zeros((2, 2)))


@pytest.mark.shared
def test_median_frequency_of_camvid(camvid_counts):
    known = [0.279, 0.202, 4.787, 0.149, 1, 0.422, 3.847, 1.974, 0.789, 6.375, 8.859]
    assert class_weights(camvid_counts).tolist() == pytest.approx(known, rel=0.01)
