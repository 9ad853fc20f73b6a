"""What all charts share: colours, margins, legend, and the ticks and rows of lists of classes."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

ACCENT = "#178a92"
"""Seen as well on a white page as on a dark one."""

QUIET = "#9fb3b5"

WARM = "#d55e00"


ABOVE = 8
"""Pixels between a chart and its legend, however tall it is."""


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
        legend={"orientation": "h", "y": 1 + ABOVE / height, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": -1},
    )
    figure.update_layout(**axes)
    return figure


def rows_from_the_top(names: Sequence[str]) -> dict[str, Any]:
    """Return the settings of an axis with a row for each name, the first on top, and no margin.

    Plotly gives markers a margin of a twentieth of all rows, which is a blank band over many.
    """
    order = {"categoryorder": "array", "categoryarray": list(names)}
    return {**order, "range": [len(names) - 0.5, -0.5], **every_tick(len(names))}


def every_tick(count: int) -> dict[str, Any]:
    """Return the settings of an axis that names each of ``count`` classes."""
    size = 12 if count <= 24 else 10 if count <= 40 else 9
    return {"dtick": 1, "tickfont": {"size": size}, "automargin": True}


def row_height(count: int) -> int:
    """Return the pixels of a row in a list of ``count`` classes."""
    return 26 if count <= 24 else 18


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
