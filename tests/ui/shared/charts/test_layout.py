"""Colours and ticks that all charts share."""

import itertools

import plotly.graph_objects as go
import pytest

from segcore.ui.shared.charts.layout import cycle_color, lay_out, rows_from_the_top


def test_neighbouring_series_have_other_colours() -> None:
    assert all(a != b for a, b in itertools.pairwise(cycle_color(i) for i in range(20)))


@pytest.mark.parametrize("height", [320, 1150])
def test_a_legend_stands_close_above_a_chart_of_any_height(height) -> None:
    figure = lay_out(go.Figure(), height, yaxis=rows_from_the_top(["a", "b"]))
    assert (figure.layout.legend.y - 1) * height == pytest.approx(8)
    assert figure.layout.yaxis.range == (1.5, -0.5)
