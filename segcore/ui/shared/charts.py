"""Plotly figures of the pages; without Streamlit, so each can be tested and saved alone."""

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from segcore.formatting import frequency

ACCENT = "#178a92"
"""Seen as well on a white page as on a dark one."""

QUIET = "#9fb3b5"
WARM = "#d55e00"


def lay_out(figure: go.Figure, height: int, **axes: Any) -> go.Figure:
    """Give a figure the margins, legend and height that all charts have.

    Args:
        figure: The figure; changed.
        height: Pixels.
        axes: Further layout settings.
    """
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": -1},
        **axes,
    )
    return figure


def signed_intervals(
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[Sequence[float | None]],
    kinds: Sequence[str],
    title: str,
    *,
    undetermined: Sequence[bool] = (),
) -> go.Figure:
    """Draw differences in points with their intervals; what is surely above or below 0 stands out.

    Args:
        names: One a row, the first on top.
        values: Differences -1..1, None where undefined.
        intervals: (low, high) of each.
        kinds: What is said of a row whose interval is above 0, below 0, and on both sides.
        title: What the axis says.
        undetermined: For each row whether it does not stand out after all, as it does not hold
            among many comparisons; () lets the intervals decide.
    """
    figure = go.Figure()
    known = [i for i, v in enumerate(values) if v is not None]
    sides = [_side(interval) for interval in intervals]
    sides = [
        2 if quiet else side for side, quiet in zip_longest(sides, undetermined, fillvalue=False)
    ]
    for number, (kind, color) in enumerate(zip(kinds, (ACCENT, WARM, QUIET), strict=True)):
        own = [i for i in known if sides[i] == number]
        if not own:
            continue
        shown = np.array([100 * float(values[i] or 0.0) for i in own])
        ends = np.array(
            [[shown[k] if e is None else 100 * e for e in intervals[i]] for k, i in enumerate(own)]
        )
        figure.add_trace(
            go.Scatter(
                x=shown,
                y=[names[i] for i in own],
                mode="markers",
                name=kind,
                marker={"color": color, "size": 9},
                error_x={
                    "array": ends[:, 1] - shown,
                    "arrayminus": shown - ends[:, 0],
                    "color": color,
                    "thickness": 2,
                    "width": 0,
                },
                customdata=ends,
                hovertemplate=(
                    "%{y}: %{x:+.1f} pp (%{customdata[0]:+.1f} to %{customdata[1]:+.1f})<extra>"
                )
                + kind
                + "</extra>",
            )
        )
    figure.add_vline(x=0, line={"width": 1, "color": "rgba(128,128,128,.8)"})
    order = {
        "categoryorder": "array",
        "categoryarray": [names[i] for i in known[::-1]],
        **every_tick(len(known)),
    }
    lay_out(
        figure,
        120 + row_height(len(known)) * len(known),
        xaxis={"title": {"text": title}},
        yaxis=order,
    )
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    return figure


def _side(ends: Sequence[float | None]) -> int:
    """0 where the whole interval is above 0, 1 where it is below, else 2."""
    low, high = ends
    return 2 if low is None or high is None or low <= 0 <= high else 0 if low > 0 else 1


FEW = 20
"""Up to so many classes bars stand side by side; more are listed from top to bottom."""

MANY = 60
"""From so many classes on a matrix names its cells under the pointer only."""

WIDE_SPAN = 50
"""From this ratio of the largest to the smallest value on, bars are drawn on a logarithmic axis."""


def every_tick(count: int) -> dict[str, Any]:
    """Return the settings of an axis that names each of ``count`` classes."""
    size = 12 if count <= 24 else 10 if count <= 40 else 9
    return {"dtick": 1, "tickfont": {"size": size}, "automargin": True}


def row_height(count: int) -> int:
    """Return the pixels of a row in a list of ``count`` classes."""
    return 26 if count <= 24 else 18


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
    few = len(names) <= FEW
    figure = go.Figure()
    for (name, values), color in zip(series.items(), colors, strict=False):
        shown = [None if v is None else 100 * v for v in values]
        hover = f"%{{{'x' if few else 'y'}}}: %{{{'y' if few else 'x'}:.3g}} %<extra>{name}</extra>"
        if few:
            figure.add_trace(
                go.Bar(
                    x=list(names), y=shown, name=name, marker={"color": color}, hovertemplate=hover
                )
            )
        else:
            dots = [None if log and not v else v for v in shown]
            figure.add_trace(
                go.Scatter(
                    x=dots,
                    y=list(names),
                    name=name,
                    mode="markers",
                    marker={"color": color, "size": 8},
                    hovertemplate=hover,
                )
            )
    if few:
        return lay_out(
            figure,
            320,
            yaxis={"title": {"text": title}},
            xaxis=every_tick(len(names)),
            barmode="group",
        )
    axis: dict[str, Any] = {"title": {"text": title}}
    if log:
        axis |= {
            "type": "log",
            "dtick": 1,
            "exponentformat": "none",
            "title": {"text": f"{title}, log scale"},
        }
    rows = {"autorange": "reversed", "categoryorder": "array", "categoryarray": list(names)}
    return lay_out(
        figure,
        90 + row_height(len(names)) * len(names),
        xaxis=axis,
        yaxis={**rows, **every_tick(len(names))},
    )


def cycle_color(position: int) -> str:
    """Return the colour of the n-th series of a chart; after eight they repeat."""
    colors = [
        "#0072b2",
        "#e69f00",
        "#009e73",
        "#cc79a7",
        "#56b4e9",
        "#d55e00",
        "#b79f00",
        "#7a5195",
    ]
    return colors[position % len(colors)]


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
    at = [100 * float(values[i] or 0.0) for i in order]
    ends = [
        [a if end is None else 100 * end for end in intervals[i]]
        for i, a in zip(order, at, strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            x=at,
            y=[names[i] for i in order],
            orientation="h",
            marker={
                "color": [colors[i] for i in order],
                "line": {"color": "rgba(128,128,128,.6)", "width": 1},
            },
            error_x={
                "array": [high - a for a, (_, high) in zip(at, ends, strict=True)],
                "arrayminus": [a - low for a, (low, _) in zip(at, ends, strict=True)],
                "color": "rgba(110,110,110,1)",
                "thickness": 1.5,
                "width": 3,
            },
            customdata=ends,
            hovertemplate=(
                "%{y}: IoU %{x:.1f} % (%{customdata[0]:.1f} to %{customdata[1]:.1f})<extra></extra>"
            ),
        )
    )
    return lay_out(
        figure,
        60 + row_height(len(order)) * max(1, len(order)),
        xaxis={"title": {"text": "IoU, %"}, "range": [0, 100]},
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


STRONG = 0.45
"""Where the colour of a heat map's cells goes from a tint to full, as a share of the largest."""

CELLS = [
    [0, "rgba(11,110,117,0)"],
    [STRONG, "rgba(11,110,117,.28)"],
    [STRONG, "rgba(11,110,117,.75)"],
    [1, "#0b6e75"],
]
"""No colour between the two that neither white nor the page's own colour can be read on."""


def matrix_ticks(count: int) -> dict[str, Any]:
    """Return the settings of an axis of a matrix of classes: all named, or none."""
    return every_tick(count) if count <= MANY else {"showticklabels": False}


def tilt(count: int) -> int:
    """Return the angle of the column titles of a matrix: upright where columns are narrow."""
    return -40 if count <= 24 else -90


def confusion(
    counts: npt.NDArray[np.int64], names: Sequence[str], normalise: str = "row"
) -> go.Figure:
    """Draw a confusion matrix as a heat map, rows true, columns predicted.

    Args:
        counts: (C, C) pixels.
        names: C class names.
        normalise: "row" (share of the true class), "column" (share of the predicted class) or
            "all".
    """
    matrix = counts.astype(float)
    if normalise == "row":
        total = matrix.sum(axis=1, keepdims=True)
    elif normalise == "column":
        total = matrix.sum(axis=0, keepdims=True)
    else:
        total = matrix.sum()
    share = 100 * np.divide(matrix, total, out=np.zeros_like(matrix), where=np.asarray(total) > 0)
    figure = go.Figure(
        go.Heatmap(
            z=np.sqrt(share),
            x=list(names),
            y=list(names),
            customdata=np.dstack([share, counts]),
            colorscale=CELLS,
            zmin=0,
            showscale=False,
            xgap=1,
            ygap=1,
            hovertemplate=(
                "true %{y}, predicted %{x}: %{customdata[0]:.1f} %, %{customdata[1]:,} "
                "px<extra></extra>"
            ),
        )
    )
    if len(names) <= 24:
        write_shares(figure, share, names)
    height = 120 + 30 * len(names) if len(names) <= 24 else 120 + min(16 * len(names), 900)
    quiet = {"showgrid": False, "zeroline": False, **matrix_ticks(len(names))}
    return lay_out(
        figure,
        height,
        xaxis={
            "title": {"text": "predicted"},
            "side": "top",
            "tickangle": tilt(len(names)),
            **quiet,
        },
        yaxis={"title": {"text": "true"}, "autorange": "reversed", **quiet},
    )


def write_shares(
    figure: go.Figure, share: npt.NDArray[np.float64], names: Sequence[Any], **subplot: int
) -> None:
    """Write (C, C) percentages into the cells of a matrix; none below half a percent."""
    texts = [[f"{v:.0f}" if v >= 0.5 else "" for v in row] for row in share]
    write_in_cells(
        figure, names, names, texts, np.sqrt(share) >= STRONG * np.sqrt(share.max()), **subplot
    )


def write_in_cells(
    figure: go.Figure,
    x: Sequence[Any],
    y: Sequence[Any],
    texts: Sequence[Sequence[str]],
    full: npt.NDArray[np.bool_],
    **subplot: int,
) -> None:
    """Write texts into the cells of a heat map: white on full colours, else in the page's ink.

    Args:
        figure: The figure; gets two traces.
        x: K names or places of columns.
        y: R names or places of rows.
        texts: R rows of K texts; empty ones are left out.
        full: (R, K) whether a cell has a full colour.
        subplot: "row" and "col" of the heat map in a figure of several.
    """
    for strong, font in ((False, None), (True, {"color": "white"})):
        cells = [
            (r, k)
            for r in range(len(y))
            for k in range(len(x))
            if texts[r][k] and full[r, k] == strong
        ]
        figure.add_trace(
            go.Scatter(
                x=[x[k] for _, k in cells],
                y=[y[r] for r, _ in cells],
                text=[texts[r][k] for r, k in cells],
                mode="text",
                textfont=font,
                hoverinfo="skip",
                showlegend=False,
            ),
            **subplot,
        )


def compression_curve(
    path: Sequence[Mapping[str, Any]], chosen: int, front: Sequence[Mapping[str, Any]] = ()
) -> go.Figure:
    """Draw accuracy against entropy kept, one point per number of labels.

    Args:
        path: Rows of the compression path.
        chosen: The number of labels that is looked at.
        front: Rows of the certified front, where it was asked for.
    """
    figure = go.Figure()
    if front:
        figure.add_trace(
            go.Scatter(
                x=[100 * r["retained_entropy"] for r in front],
                y=[100 * r["accuracy"] for r in front],
                customdata=[r["num_groups"] for r in front],
                mode="markers",
                name="Pareto front",
                marker={"color": QUIET, "size": 5},
                hovertemplate=(
                    "%{customdata} labels: accuracy %{y:.1f} % at %{x:.1f} % of the "
                    "entropy<extra>Pareto front</extra>"
                ),
            )
        )
    for key, name, color in (("accuracy", "accuracy", ACCENT), ("mean_iou", "mean IoU", WARM)):
        figure.add_trace(
            go.Scatter(
                x=[100 * r["retained_entropy"] for r in path],
                y=[None if r[key] is None else 100 * r[key] for r in path],
                customdata=[r["num_groups"] for r in path],
                mode="lines+markers",
                name=name,
                line={"color": color, "width": 1, "dash": "dot"},
                marker={
                    "size": [14 if r["num_groups"] == chosen else 7 for r in path],
                    "line": {"width": 1, "color": "white"},
                },
                hovertemplate="%{customdata} labels: %{y:.1f} % at %{x:.1f} % of the entropy<extra>"
                + name
                + "</extra>",
            )
        )
    return lay_out(
        figure,
        380,
        xaxis={"title": {"text": "entropy kept, %"}, "autorange": "reversed"},
        yaxis={"title": {"text": "%"}},
        hovermode="closest",
    )


def before_after(names: Sequence[str], series: Mapping[str, Sequence[float]]) -> go.Figure:
    """Draw class frequencies before and after a plan, and the target.

    Args:
        names: C class names.
        series: C fractions 0..1 by what they are ("before", "after", "target").
    """
    return class_groups(names, series, [QUIET, ACCENT, WARM], "frequency, %", log=True)
