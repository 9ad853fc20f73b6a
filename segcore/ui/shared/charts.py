"""Plotly figures of the pages; no app in here, so each can be tested and saved without one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

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
) -> go.Figure:
    """Draw differences in points with their intervals; what is surely above or below 0 stands out.

    Args:
        names: One a row, the first on top.
        values: Differences -1..1, None where undefined.
        intervals: (low, high) of each.
        kinds: What is said of a row whose interval is above 0, below 0, and on both sides.
        title: What the axis says.
    """
    figure = go.Figure()
    known = [i for i, v in enumerate(values) if v is not None]
    for number, (kind, color) in enumerate(zip(kinds, (ACCENT, WARM, QUIET), strict=True)):
        own = [i for i in known if _side(intervals[i]) == number]
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
        "automargin": True,
    }
    lay_out(figure, 120 + 27 * len(known), xaxis={"title": {"text": title}}, yaxis=order)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    return figure


def _side(ends: Sequence[float | None]) -> int:
    """0 where the whole interval is above 0, 1 where it is below, else 2."""
    low, high = ends
    return 2 if low is None or high is None or low <= 0 <= high else 0 if low > 0 else 1


def class_balance(
    names: Sequence[str], colors: Sequence[str], values: Sequence[float], unit: str
) -> go.Figure:
    """Draw one bar a class, in the class's colour, largest at the top.

    Args:
        names: C class names.
        colors: C colours as ``#rrggbb``.
        values: C values.
        unit: What the values are: "%" or "images".
    """
    order = np.argsort(np.asarray(values, float), kind="stable")
    digits = ":.3g" if unit == "%" else ":,"
    figure = go.Figure(
        go.Bar(
            x=[values[i] for i in order],
            y=[names[i] for i in order],
            orientation="h",
            marker={
                "color": [colors[i] for i in order],
                "line": {"color": "rgba(128,128,128,.6)", "width": 1},
            },
            text=[f"{values[i]:.2f} %" if unit == "%" else f"{values[i]:,}" for i in order],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"%{{y}}: %{{x{digits}}} {unit}<extra></extra>",
        )
    )
    top = max(values, default=1) or 1
    return lay_out(
        figure,
        60 + 26 * len(names),
        xaxis={"title": {"text": unit}, "range": [0, 1.14 * top]},
        yaxis={"automargin": True},
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
    names: Sequence[str], colors: Sequence[str], scores: Mapping[str, Sequence[float | None]]
) -> go.Figure:
    """Draw the IoU of each class; with several models one group of bars a class.

    Args:
        names: C class names.
        colors: C colours as ``#rrggbb``; used when there is one model.
        scores: C values 0..1 or None (absent class) by model.
    """
    figure = go.Figure()
    for position, (model, values) in enumerate(scores.items()):
        figure.add_trace(
            go.Bar(
                x=list(names),
                y=[None if v is None else 100 * v for v in values],
                name=model,
                marker={
                    "color": list(colors) if len(scores) == 1 else cycle_color(position),
                    "line": {"color": "rgba(128,128,128,.6)", "width": 1},
                },
                hovertemplate="%{x}: IoU %{y:.1f} %<extra>" + model + "</extra>",
            )
        )
    return lay_out(
        figure,
        320,
        yaxis={"title": {"text": "IoU, %"}, "range": [0, 100]},
        barmode="group",
        showlegend=len(scores) > 1,
    )


STRONG = 0.45
"""Where the colour of a heat map's cells goes from a tint to full, as a share of the largest."""

CELLS = [
    [0, "rgba(11,110,117,0)"],
    [STRONG, "rgba(11,110,117,.28)"],
    [STRONG, "rgba(11,110,117,.75)"],
    [1, "#0b6e75"],
]
"""No colour between the two that neither white nor the page's own colour can be read on."""


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
    height = 120 + 30 * len(names) if len(names) <= 24 else 840
    quiet = {"showgrid": False, "zeroline": False, "automargin": True}
    return lay_out(
        figure,
        height,
        xaxis={"title": {"text": "predicted"}, "side": "top", "tickangle": -40, **quiet},
        yaxis={"title": {"text": "true"}, "autorange": "reversed", **quiet},
    )


def write_shares(
    figure: go.Figure, share: npt.NDArray[np.float64], names: Sequence[Any], **subplot: int
) -> None:
    """Write (C, C) percentages into the cells of a confusion matrix; below half a percent nothing is written."""
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
    """Write texts into the cells of a heat map: white on full colours, else in the page's own colour, light or dark.

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
    """Draw accuracy against the information kept, one point a number of labels; the chosen one stands out.

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
    """Draw class shares before and after a plan, and the target, as grouped bars.

    Args:
        names: C class names.
        series: C shares 0..1 by what they are ("before", "after", "target").
    """
    figure = go.Figure()
    for color, (name, values) in zip([QUIET, ACCENT, WARM], series.items(), strict=False):
        figure.add_trace(
            go.Bar(x=list(names), y=[100 * v for v in values], name=name, marker={"color": color})
        )
    return lay_out(figure, 320, yaxis={"title": {"text": "frequency, %"}}, barmode="group")
