"""Plotly figures of an ablation."""

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from segcore.ui.shared.charts.layout import ACCENT, QUIET, WARM, lay_out
from segcore.workspace.ablations.rows import RowResult

COLORS = {"helps": ACCENT, "hurts": WARM}


def score_and_cost(rows: Sequence[RowResult]) -> go.Figure:
    """Draw the mean IoU of each row over the seconds that its training took; the base is a star.

    Args:
        rows: Lines of the table; those without a score or a time are left out.
    """
    known = [row for row in rows if row.score is not None and row.seconds]
    figure = go.Figure(
        go.Scatter(
            x=[row.seconds for row in known],
            y=[100 * (row.score or 0.0) for row in known],
            mode="markers",
            marker={
                "color": [COLORS.get(row.verdict, QUIET) for row in known],
                "size": [14 if row.row == "base" else 10 for row in known],
                "symbol": ["star" if row.row == "base" else "circle" for row in known],
                "line": {"width": 1, "color": "rgba(90,90,90,1)"},
            },
            customdata=[row.row for row in known],
            hovertemplate="%{customdata}: %{y:.1f} % after %{x:.0f} s<extra></extra>",
        )
    )
    height = 120 + 27 * len([row for row in rows if row.difference is not None])
    return lay_out(
        figure,
        min(max(300, height), 460),
        xaxis={
            "title": {"text": "training time, s"},
            "type": "log",
            "tickvals": _ticks([row.seconds or 1.0 for row in known]),
        },
        yaxis={"title": {"text": "mean IoU, %"}},
        showlegend=False,
    )


def _ticks(values: Sequence[float]) -> list[float]:
    """Return ticks for a log axis: 1, and 2 and 5 where there is room, times powers of ten."""
    if not values:
        return []
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = (1, 2, 5) if high - low < 3 else (1,)
    return [step * 10.0**power for power in range(low, high + 1) for step in steps]
