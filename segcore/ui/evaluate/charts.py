"""Plotly figures about scores: confusion, differences with intervals, spreads, slices."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from segcore.evaluation.metrics.slices import SliceScores
from segcore.ui.shared.charts.classes import class_groups
from segcore.ui.shared.charts.intervals import signed_intervals
from segcore.ui.shared.charts.layout import (
    ACCENT,
    QUIET,
    WARM,
    every_tick,
    lay_out,
    row_height,
    rows_from_the_top,
)
from segcore.ui.shared.charts.matrices import confusion

MAX_CLICKABLE = 48
"""Up to so many classes each cell of a confusion matrix carries a point that can be clicked."""

SIZES = ("small, below 32 × 32", "medium", "large, 96 × 96 and above")

Pair = Sequence[float | None]


def confusion_matrix(
    counts: npt.NDArray[np.int64],
    names: Sequence[str],
    normalise: str = "row",
    order: Sequence[int] | None = None,
    cell: tuple[int, int] | None = None,
) -> go.Figure:
    """Draw a confusion matrix to click on; a point carries [true, predicted] indices.

    Args:
        counts: (C, C) pixels, rows true.
        names: C class names.
        normalise: "row", "column" or "all", as :func:`segcore.ui.shared.charts.matrices.confusion`.
        order: Class indices from top to bottom; as they are by default.
        cell: (true, predicted) class indices of the cell to frame.
    """
    chosen = list(range(len(names))) if order is None else list(order)
    figure = confusion(counts[np.ix_(chosen, chosen)], [names[i] for i in chosen], normalise)
    if len(names) <= MAX_CLICKABLE:
        cells = [(t, p) for t in chosen for p in chosen]
        invisible = {"marker": {"opacity": 0}}
        figure.data[0].hoverinfo = "skip"
        template = figure.data[0].hovertemplate
        figure.data[0].hovertemplate = None
        figure.add_trace(
            go.Scatter(
                x=[names[p] for _, p in cells],
                y=[names[t] for t, _ in cells],
                customdata=[
                    [*share, t, p]
                    for (t, p), share in zip(
                        cells, figure.data[0].customdata.reshape(-1, 2), strict=True
                    )
                ],
                mode="markers",
                marker={"symbol": "square", "size": 22, "opacity": 0},
                selected=invisible,
                unselected=invisible,
                showlegend=False,
                hovertemplate=template,
            )
        )
    if cell is not None:
        row, column = chosen.index(cell[0]), chosen.index(cell[1])
        box = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", line={"color": WARM, "width": 3}, **box)
    return figure


def differences(
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[Pair],
    unit: str = "IoU",
) -> go.Figure:
    """Draw A minus B per class with its interval, in points; significant ones stand out.

    Args:
        names: C class names.
        values: Differences -1..1, None where undefined.
        intervals: (low, high) of each.
        unit: What was subtracted.
    """
    kinds = ("A is better", "B is better", "not significant")
    return signed_intervals(names, values, intervals, kinds, f"{unit} of A minus B, pp")


def image_pairs(names: Sequence[str], a: Pair, b: Pair) -> go.Figure:
    """Draw one point an image: its mean IoU by B to the right, by A upwards; above the line A wins.

    Args:
        names: N sample ids; a clicked point carries its own.
        a: N values 0..1 of A.
        b: N values 0..1 of B.
    """
    kept = [i for i in range(len(names)) if a[i] is not None and b[i] is not None]
    x, y = ([100 * float(values[i] or 0.0) for i in kept] for values in (b, a))
    low, high = (min([*x, *y]) - 2, max([*x, *y]) + 2) if kept else (0, 100)
    figure = go.Figure(
        go.Scatter(
            x=x,
            y=y,
            customdata=[[names[i]] for i in kept],
            mode="markers",
            marker={
                "color": [
                    ACCENT if v > u else WARM if u > v else QUIET for u, v in zip(x, y, strict=True)
                ],
                "size": 9,
                "opacity": 0.8,
            },
            hovertemplate="%{customdata[0]}: A %{y:.1f} %, B %{x:.1f} %<extra></extra>",
        )
    )
    figure.add_shape(
        type="line",
        x0=low,
        y0=low,
        x1=high,
        y1=high,
        line={"width": 1, "dash": "dot", "color": "rgba(128,128,128,.8)"},
    )
    return lay_out(
        figure,
        360,
        xaxis={"title": {"text": "mean IoU of an image by B, %"}, "range": [low, high]},
        yaxis={"title": {"text": "by A, %"}, "range": [low, high]},
        showlegend=False,
    )


def part_scores(rows: Sequence[SliceScores], whole: float | None) -> go.Figure:
    """Draw the mean IoU of each part of a split with its interval; a dotted line marks the whole.

    Args:
        rows: The parts.
        whole: Mean IoU of the whole split, 0..1.
    """
    known = [row for row in rows if row.mean_iou is not None]
    shown = 100 * np.array([row.mean_iou for row in known], float)
    ends = np.array(
        [
            [s if e is None else 100 * e for e in row.interval]
            for s, row in zip(shown, known, strict=True)
        ]
    ).reshape(-1, 2)
    figure = go.Figure(
        go.Scatter(
            x=shown,
            y=[row.name for row in known],
            mode="markers",
            marker={"color": ACCENT, "size": 10},
            error_x={
                "array": ends[:, 1] - shown,
                "arrayminus": shown - ends[:, 0],
                "color": ACCENT,
                "thickness": 2,
                "width": 0,
            },
            customdata=np.column_stack([ends, [row.num_samples for row in known]])
            if known
            else None,
            hovertemplate=(
                "%{y}: %{x:.1f} % (%{customdata[0]:.1f} to %{customdata[1]:.1f}), "
                "%{customdata[2]} images<extra></extra>"
            ),
        )
    )
    if whole is not None:
        figure.add_vline(
            x=100 * whole,
            line={"width": 1, "dash": "dot", "color": "rgba(128,128,128,.9)"},
            annotation_text="all",
        )
    axis = {"autorange": "reversed", **every_tick(len(known))}
    return lay_out(
        figure,
        110 + row_height(len(known)) * len(known),
        xaxis={"title": {"text": "mean IoU, %"}},
        yaxis=axis,
        showlegend=False,
    )


def recall_by_size(names: Sequence[str], counts: npt.NDArray[np.int64]) -> go.Figure:
    """Draw the recall of small, medium and large objects of each class.

    Args:
        names: C class names.
        counts: (C, 3, 3) correct pixels, true pixels and objects, from
            :func:`segcore.evaluation.metrics.slices.count_by_size`.
    """
    series: dict[str, list[float | None]] = {}
    for place, title in enumerate(SIZES):
        correct, true, _ = counts[:, place].T.astype(float)
        series[title] = [c / t if t else None for c, t in zip(correct, true, strict=True)]
    return class_groups(names, series, (WARM, QUIET, ACCENT), "recall, %")


def member_spread(
    names: Sequence[str], members: Sequence[str], class_iou: npt.NDArray[np.float64]
) -> go.Figure:
    """Draw the IoU of each class by each member as points, with a bar from the worst to the best.

    Args:
        names: C class names.
        members: R names.
        class_iou: (R, C) IoU 0..1, NaN where undefined.
    """
    figure = go.Figure()
    shares = 100 * np.asarray(class_iou, float)
    known = [
        (name, column[~np.isnan(column)])
        for name, column in zip(names, shares.T, strict=True)
        if not np.isnan(column).all()
    ]
    line = {"color": "rgba(128,128,128,.35)", "width": 7}
    y = [place for name, _ in known for place in (name, name, None)]
    x = [value for _, column in known for value in (column.min(), column.max(), None)]
    for row, member in enumerate(members):
        figure.add_trace(
            go.Scatter(
                y=list(names),
                x=[None if np.isnan(v) else float(v) for v in shares[row]],
                name=member,
                mode="markers",
                marker={"size": 8, "line": {"width": 1, "color": "white"}},
                hovertemplate="%{y}: IoU %{x:.1f} %<extra>" + member + "</extra>",
            )
        )
    figure.add_trace(
        go.Scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip", zorder=-1)
    )
    return lay_out(
        figure,
        110 + row_height(len(names)) * len(names),
        yaxis=rows_from_the_top(names),
        xaxis={"title": {"text": "IoU, %"}},
    )
