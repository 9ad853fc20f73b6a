"""The matrix of fixed and broken pixels as a Plotly figure; no app in here."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

SCALE = [[0.0, "#d55e00"], [0.5, "rgba(128,128,128,0.06)"], [1.0, "#009e73"]]
MAX_WRITTEN = 24
"""Up to so many classes the pixels stand in the cells."""


def matrix(pixels: npt.NDArray[np.int64], names: Sequence[str], what: str) -> go.Figure:
    """Draw pixels by true class and the class it was mistaken for; a clicked point carries [true, other].

    Args:
        pixels: (C, C); fixed less broken, or either alone.
        names: C class names.
        what: "net", "fixed" or "broken"; broken pixels are drawn as losses.
    """
    signed = -pixels if what == "broken" else pixels
    size = len(names)
    span = float(np.sqrt(max(1, np.abs(signed).max())))
    shade = np.sign(signed) * np.sqrt(np.abs(signed)) / span  # small cells stay visible beside large ones
    places = list(range(size))
    figure = go.Figure(
        go.Heatmap(z=shade, x=places, y=places, colorscale=SCALE, zmin=-1, zmax=1, showscale=False, xgap=2, ygap=2, hoverinfo="skip")
    )
    cells = [(t, o) for t in places for o in places if pixels[t, o]]
    words = [f"{_short(int(signed[t, o]))}" if size <= MAX_WRITTEN else "" for t, o in cells]
    figure.add_trace(
        go.Scatter(
            x=[o for _, o in cells],
            y=[t for t, _ in cells],
            text=words,
            mode="markers+text" if size <= MAX_WRITTEN else "markers",
            textfont={"size": 11, "color": [_ink(shade[t, o]) for t, o in cells]},
            marker={"symbol": "square", "size": 24, "opacity": 0},
            selected={"marker": {"opacity": 0}},
            unselected={"marker": {"opacity": 0}},
            customdata=[[t, o, int(signed[t, o]), names[t], names[o]] for t, o in cells],
            hovertemplate="true %{customdata[3]}, taken for %{customdata[4]}<br>%{customdata[2]:+,} pixels<extra></extra>",
            showlegend=False,
        )
    )
    ticks = {
        "tickvals": places,
        "ticktext": [name if len(name) < 19 else name[:17] + "…" for name in names],
        "showgrid": False,
        "zeroline": False,
    }
    figure.update_xaxes(side="top", title="taken for", tickangle=-45, **ticks)
    figure.update_yaxes(autorange="reversed", title="true", **ticks)
    figure.update_layout(height=min(760, 150 + 34 * size), margin={"l": 8, "r": 8, "t": 8, "b": 8})
    return figure


def _ink(shade: float) -> str:
    """Colour of the words in a cell: white where it is strongly coloured, else a grey seen on light and dark."""
    return "#ffffff" if abs(shade) > 0.55 else "#7d8590"


def _short(value: int) -> str:
    """Write a signed number of pixels in at most five characters."""
    size = abs(value)
    text = (
        str(size)
        if size < 1000
        else f"{size / 1000:.1f}k"
        if size < 100_000
        else f"{size / 1000:.0f}k"
        if size < 10**6
        else f"{size / 10**6:.1f}M"
    )
    return f"{'+' if value > 0 else '−'}{text}"
