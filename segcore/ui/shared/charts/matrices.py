"""Matrices of classes as heat maps: confusion, its ticks, and texts in cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from segcore.ui.shared.charts.layout import every_tick, lay_out

MANY = 60
"""From so many classes on a matrix names its cells under the pointer only."""

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
