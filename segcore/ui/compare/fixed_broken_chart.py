"""The matrix of fixed and broken pixels as a Plotly figure; no app in here."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

STRONG = 0.45
"""Where a cell turns from a tint, read in the page's ink, to a full colour, read in white."""

SCALE = [
    [0.0, "#b34700"],
    [(1 - STRONG) / 2, "rgba(179,71,0,.8)"],
    [(1 - STRONG) / 2, "rgba(179,71,0,.28)"],
    [0.5, "rgba(128,128,128,.06)"],
    [(1 + STRONG) / 2, "rgba(0,115,79,.28)"],
    [(1 + STRONG) / 2, "rgba(0,115,79,.8)"],
    [1.0, "#00734f"],
]
MAX_WRITTEN = 24
"""Up to so many classes the pixels are in the cells."""


def matrix(pixels: npt.NDArray[np.int64], names: Sequence[str], what: str) -> go.Figure:
    """Draw pixels by true and predicted class; a clicked point carries [true, other].

    Args:
        pixels: (C, C); fixed less broken, or either alone.
        names: C class names.
        what: "net", "fixed" or "broken"; broken pixels are drawn as losses.
    """
    signed = -pixels if what == "broken" else pixels
    size = len(names)
    span = float(np.sqrt(max(1, np.abs(signed).max())))
    shade = (
        np.sign(signed) * np.sqrt(np.abs(signed)) / span
    )  # small cells stay visible next to large ones
    places = list(range(size))
    figure = go.Figure(
        go.Heatmap(
            z=shade,
            x=places,
            y=places,
            colorscale=SCALE,
            zmin=-1,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
            hoverinfo="skip",
        )
    )
    filled = [(t, o) for t in places for o in places if pixels[t, o]]
    for strong in (False, True):
        cells = [(t, o) for t, o in filled if bool(abs(shade[t, o]) > STRONG) is strong]
        figure.add_trace(_clickable_cells(cells, signed, names, "#ffffff" if strong else None))
    ticks = {
        "tickvals": places,
        "ticktext": [name if len(name) < 19 else name[:17] + "…" for name in names],
        "showgrid": False,
        "zeroline": False,
    }
    figure.update_xaxes(
        side="top", title="predicted as", tickangle=-45, ticklabeloverflow="allow", **ticks
    )
    figure.update_yaxes(autorange="reversed", title="true", **ticks)
    figure.update_layout(height=min(760, 150 + 34 * size), margin={"l": 8, "r": 56, "t": 8, "b": 8})
    return figure


def _clickable_cells(
    cells: Sequence[tuple[int, int]],
    signed: npt.NDArray[np.int64],
    names: Sequence[str],
    ink: str | None,
) -> go.Scatter:
    """Return an invisible point for each cell, to click on; few enough classes are written out.

    Args:
        cells: (true, other) class indices.
        signed: (C, C) pixels, broken ones below 0.
        names: C class names.
        ink: Colour of the numbers; the page's own by default.
    """
    written = len(names) <= MAX_WRITTEN
    return go.Scatter(
        x=[o for _, o in cells],
        y=[t for t, _ in cells],
        text=[_short(int(signed[t, o])) if written else "" for t, o in cells],
        mode="markers+text" if written else "markers",
        textfont={"size": 11, **({"color": ink} if ink else {})},
        marker={"symbol": "square", "size": 24, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=[[t, o, int(signed[t, o]), names[t], names[o]] for t, o in cells],
        hovertemplate=(
            "true %{customdata[3]}, predicted as %{customdata[4]}<br>%{customdata[2]:+,} "
            "pixels<extra></extra>"
        ),
        showlegend=False,
    )


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
