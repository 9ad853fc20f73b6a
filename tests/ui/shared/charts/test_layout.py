"""Colours and ticks that all charts share."""

import itertools

from segcore.ui.shared.charts.layout import cycle_color


def test_neighbouring_series_have_other_colours() -> None:
    assert all(a != b for a, b in itertools.pairwise(cycle_color(i) for i in range(20)))
