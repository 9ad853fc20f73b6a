"""Values of each class: frequencies, scores with intervals, several series side by side."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from segcore.formatting import frequency
from segcore.ui.shared.charts.layout import (
    ACCENT,
    QUIET,
    WARM,
    cycle_color,
    every_tick,
    lay_out,
    row_height,
    rows_from_the_top,
)

FEW = 20
"""Up to so many classes bars stand side by side; more are listed from top to bottom."""

WIDE_SPAN = 50
"""From this ratio of the largest to the smallest value on, bars are drawn on a logarithmic axis."""


def class_balance(
    names: Sequence[str], colors: Sequence[str], values: Sequence[float], unit: str
) -> go.Figure:
    """Draw one bar per class in its colour, largest at the top, on a log axis where they span much.

    Args:
        names: C class names.
        colors: C colours as ``#rrggbb``.
        values: C values, 0 for absent classes: those are listed at the foot as "none".
        unit: What the values are: "%" (0..100) or "images".
    """
    order = np.argsort(np.asarray(values, float), kind="stable")
    present = [float(v) for v in values if v > 0]
    log = bool(present) and max(present) > WIDE_SPAN * min(present)
    digits = ":.3g" if unit == "%" else ":,"
    text = [frequency(values[i] / 100) if unit == "%" else f"{values[i]:,}" for i in order]
    figure = go.Figure(
        go.Bar(
            x=[values[i] for i in order],
            y=[names[i] for i in order],
            orientation="h",
            marker={
                "color": [colors[i] for i in order],
                "line": {"color": "rgba(128,128,128,.6)", "width": 1},
            },
            text=[t if values[i] else "none" for i, t in zip(order, text, strict=True)],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}}: %{{x{digits}}} {unit}<extra></extra>",
        )
    )
    top = max(present, default=1.0)
    axis: dict[str, Any] = {"title": {"text": unit}, "range": [0, 1.14 * top]}
    if log:
        low, high = math.log10(min(present)), math.log10(top)
        axis = {
            "title": {"text": f"{unit}, log scale"},
            "type": "log",
            "range": [low - 0.25, high + 0.14 * (high - low)],
            "exponentformat": "none",
            "dtick": 1,
        }
    return lay_out(
        figure,
        60 + row_height(len(names)) * len(names),
        xaxis=axis,
        yaxis=every_tick(len(names)),
    )


def class_groups(
    names: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    colors: Sequence[str],
    title: str,
    *,
    log: bool = False,
) -> go.Figure:
    """Draw several percentages per class: bars side by side for few classes, rows of dots for many.

    Args:
        names: C class names.
        series: C fractions 0..1 or None by what they are ("before", "after").
        colors: One colour per series.
        title: What the axis says.
        log: Whether many classes are drawn on a logarithmic axis; those at 0 are then left out.
    """
    if len(names) <= FEW:
        return _bars_by_class(names, series, colors, title)
    return _dots_by_class(names, series, colors, title, log)


def _bars_by_class(
    names: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    colors: Sequence[str],
    title: str,
) -> go.Figure:
    """Draw bars side by side; see :func:`class_groups`."""
    figure = go.Figure()
    for (name, values), color in zip(series.items(), colors, strict=False):
        figure.add_trace(
            go.Bar(
                x=list(names),
                y=[None if v is None else 100 * v for v in values],
                name=name,
                marker={"color": color},
                hovertemplate=f"%{{x}}: %{{y:.3g}} %<extra>{name}</extra>",
            )
        )
    return lay_out(
        figure,
        320,
        yaxis={"title": {"text": title}},
        xaxis=every_tick(len(names)),
        barmode="group",
    )


def _dots_by_class(
    names: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    colors: Sequence[str],
    title: str,
    log: bool,
) -> go.Figure:
    """Draw a row of dots for each class, the first on top; see :func:`class_groups`."""
    figure = go.Figure()
    for (name, values), color in zip(series.items(), colors, strict=False):
        shown = [None if v is None else 100 * v for v in values]
        figure.add_trace(
            go.Scatter(
                x=[None if log and not v else v for v in shown],
                y=list(names),
                name=name,
                mode="markers",
                marker={"color": color, "size": 8},
                hovertemplate=f"%{{y}}: %{{x:.3g}} %<extra>{name}</extra>",
            )
        )
    axis: dict[str, Any] = {"title": {"text": title}}
    if log:
        axis |= {
            "type": "log",
            "dtick": 1,
            "exponentformat": "none",
            "title": {"text": f"{title}, log scale"},
        }
    return lay_out(
        figure,
        90 + row_height(len(names)) * len(names),
        xaxis=axis,
        yaxis=rows_from_the_top(names),
    )


def class_scores(
    names: Sequence[str],
    colors: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[Sequence[float | None]],
) -> go.Figure:
    """Draw the IoU of each class of one model with its interval, best at the top.

    Args:
        names: C class names.
        colors: C colours as ``#rrggbb``.
        values: C values 0..1, None for absent classes: those are left out.
        intervals: C pairs (low, high), None where there is no interval.
    """
    known = [i for i, v in enumerate(values) if v is not None]
    order = sorted(known, key=lambda i: float(values[i] or 0.0))
    at = np.array([100 * float(values[i] or 0.0) for i in order])
    # NaN, which draws no whisker where there is no interval; None would draw one of no length.
    ends = 100 * np.array([intervals[i] for i in order], np.float64).reshape(-1, 2)
    ranges = [
        f"{low:.1f} to {high:.1f}" if math.isfinite(low) and math.isfinite(high) else "no interval"
        for low, high in ends.tolist()
    ]
    figure = go.Figure(
        go.Bar(
            x=at.tolist(),
            y=[names[i] for i in order],
            orientation="h",
            marker={
                "color": [colors[i] for i in order],
                "line": {"color": "rgba(128,128,128,.6)", "width": 1},
            },
            error_x={
                "array": ends[:, 1] - at,
                "arrayminus": at - ends[:, 0],
                "color": "rgba(110,110,110,1)",
                "thickness": 1.5,
                "width": 3,
            },
            customdata=ranges,
            hovertemplate="%{y}: IoU %{x:.1f} % (%{customdata})<extra></extra>",
        )
    )
    return lay_out(
        figure,
        60 + row_height(len(order)) * max(1, len(order)),
        xaxis={"title": {"text": "IoU, %"}, "range": [0, 102]},
        yaxis=every_tick(len(order)),
        showlegend=False,
    )


def model_scores(names: Sequence[str], scores: Mapping[str, Sequence[float | None]]) -> go.Figure:
    """Draw the IoU of each class by several models.

    Args:
        names: C class names.
        scores: C values 0..1 or None (absent class) by model.
    """
    colors = [cycle_color(position) for position in range(len(scores))]
    figure = class_groups(names, scores, colors, "IoU, %")
    return lay_out(figure, figure.layout.height)


def before_after(names: Sequence[str], series: Mapping[str, Sequence[float]]) -> go.Figure:
    """Draw class frequencies before and after a plan, and the target.

    Args:
        names: C class names.
        series: C fractions 0..1 by what they are ("before", "after", "target").
    """
    return class_groups(names, series, [QUIET, ACCENT, WARM], "frequency, %", log=True)
