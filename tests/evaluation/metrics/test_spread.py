import math

import numpy as np
import pytest
from scipy import stats

from segcore.errors import SegcoreError
from segcore.evaluation.metrics.spread import reliability, spread


def test_spread_of_three_values():
    found = spread([0.5, 0.6, 0.7, float("nan")])
    assert found.mean == pytest.approx(0.6)
    assert found.deviation == pytest.approx(0.1)
    assert (found.low, found.high) == (0.5, 0.7)
    wanted = stats.t.interval(0.95, 2, loc=0.6, scale=0.1 / math.sqrt(3))
    assert found.interval == pytest.approx(wanted)


def test_one_value_has_no_deviation_and_none_is_refused():
    assert spread([0.5]).to_json()["deviation"] is None
    with pytest.raises(SegcoreError):
        spread([float("nan")])


def test_agreement_tells_shared_from_private_confusion():
    base = np.diag([80, 80, 80])
    shared = base.copy()
    shared[0, 1] = 20
    assert reliability(np.stack([shared, shared])).agreement == 1
    other = base.copy()
    other[1, 2] = 20
    assert reliability(np.stack([shared, other])).agreement == 0
    assert math.isnan(reliability(np.stack([base, base])).agreement)


def test_class_deviation_equals_numpy_and_is_nan_where_unknown():
    counts = np.random.default_rng(0).integers(1, 50, (4, 3, 3))
    counts[:3, 2, :] = counts[:3, :, 2] = 0
    found = reliability(counts)
    np.testing.assert_allclose(found.class_deviation[:2], found.class_iou[:, :2].std(0, ddof=1))
    assert np.isnan(found.class_deviation[2])
    assert set(found.to_json()) == {"scores", "class_deviation", "agreement"}
    with pytest.raises(SegcoreError):
        reliability(np.zeros((2, 3, 3)))
