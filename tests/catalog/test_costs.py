"""The cost column of the catalogue is what ``make costs`` measures: small rows, measured again."""

import pytest

from benchmarks.measure_costs import differs, measure, minus, width_of
from segcore.catalog import ARCHITECTURES, ENCODERS

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("encoder", ["tiny", "mobilenet_025"])
def test_an_encoder_is_measured_as_its_row_says(encoder) -> None:
    cost = measure("fcn_32s", encoder)
    assert not differs(cost, ENCODERS[encoder].cost), cost
    assert width_of(encoder) == ENCODERS[encoder].width


def test_an_architecture_is_measured_as_its_row_says() -> None:
    cost = minus(measure("linknet", "tiny"), measure("fcn_32s", "tiny"))
    assert not differs(cost, ARCHITECTURES["linknet"].costs[0]), cost
