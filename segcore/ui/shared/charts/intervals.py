"""Differences with their intervals, one a row."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from segcore.ui.shared.charts.layout import (
    ACCENT,
    QUIET,
    WARM,
    lay_out,
    row_height,
    rows_from_the_top,
)


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
        kinds: Words for a row whose interval is above 0, below 0, and on both sides.
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
        if own:
            figure.add_trace(
                _points(
                    kind,
                    color,
                    [names[i] for i in own],
                    np.array([100 * float(values[i] or 0.0) for i in own]),
                    [intervals[i] for i in own],
                )
            )
    figure.add_vline(x=0, line={"width": 1, "color": "rgba(128,128,128,.8)"})
    return lay_out(
        figure,
        120 + row_height(len(known)) * len(known),
        xaxis={"title": {"text": title}},
        yaxis=rows_from_the_top([names[i] for i in known]),
    )


def _points(
    kind: str,
    color: str,
    names: Sequence[str],
    points: npt.NDArray[np.float64],
    intervals: Sequence[Sequence[float | None]],
) -> go.Scatter:
    """Return N points, in percentage points, with their intervals; no end: none is drawn."""
    ends = np.array(
        [
            [at if end is None else 100 * end for end in interval]
            for at, interval in zip(points, intervals, strict=True)
        ]
    )
    return go.Scatter(
        x=points,
        y=names,
        mode="markers",
        name=kind,
        marker={"color": color, "size": 9},
        error_x={
            "array": ends[:, 1] - points,
            "arrayminus": points - ends[:, 0],
            "color": color,
            "thickness": 2,
            "width": 0,
        },
        customdata=ends,
        hovertemplate=("%{y}: %{x:+.1f} pp (%{customdata[0]:+.1f} to %{customdata[1]:+.1f})<extra>")
        + kind
        + "</extra>",
    )


def _side(ends: Sequence[float | None]) -> int:
    """0 where the whole interval is above 0, 1 where it is below, else 2."""
    low, high = ends
    return 2 if low is None or high is None or low <= 0 <= high else 0 if low > 0 else 1
