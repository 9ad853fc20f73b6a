"""Plotly figures about datasets: co-occurrence, location, sizes, splits, plans."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from segcore import formatting
from segcore.data.splits.splits import SplitPart
from segcore.ui.shared.charts.classes import class_groups
from segcore.ui.shared.charts.layout import (
    ACCENT,
    QUIET,
    WARM,
    cycle_color,
    every_tick,
    lay_out,
    row_height,
)
from segcore.ui.shared.charts.matrices import CELLS, STRONG, matrix_ticks, tilt, write_in_cells

INK = [[0, "rgba(11,110,117,0)"], [0.5, "rgba(11,110,117,.55)"], [1, "#0b6e75"]]
"""From nothing to the accent colour; readable on light and dark pages."""

_WRITTEN = 24
"""Up to so many classes the cells of a matrix carry their numbers."""


def distance_path(path: Sequence[tuple[int, float]], floor: float | None) -> go.Figure:
    """Draw the distance from the target as copies are added, and the floor that no plan can beat.

    Args:
        path: (copies, distance), copies ascending.
        floor: The floor, or None.
    """
    copies, distances = zip(*path, strict=True)
    figure = go.Figure(
        go.Scatter(
            x=copies,
            y=distances,
            mode="lines" if len(path) > 40 else "lines+markers",
            line={"color": ACCENT, "width": 2},
            name="distance",
            hovertemplate="%{x:,} copies: %{y:.3f}<extra></extra>",
        )
    )
    if floor is not None:
        figure.add_hline(
            y=floor,
            line={"color": WARM, "dash": "dash"},
            annotation={"text": f"best achievable {floor:.3f}"},
            annotation_position="bottom right",
        )
    low = min(*distances, floor if floor is not None else distances[0], distances[0])
    room = 0.12 * (distances[0] - low) or 0.05
    return lay_out(
        figure,
        320,
        xaxis={"title": {"text": "copies added"}},
        yaxis={
            "title": {"text": "imbalance"},
            "range": [max(0, low - 2 * room), distances[0] + room],
        },
        showlegend=False,
    )


def cooccurrence(counts: npt.NDArray[np.int64], names: Sequence[str]) -> go.Figure:
    """Draw co-occurrence: of the images with the row's class, how many contain the column's.

    Args:
        counts: (C, C) images that hold both classes; the diagonal counts images of the class.
        names: C class names.
    """
    images = np.diag(counts)[:, None]
    share = 100 * np.divide(counts, images, out=np.zeros(counts.shape), where=images > 0)
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=list(names),
            y=list(names),
            zmin=0,
            zmax=100,
            customdata=np.dstack([counts, np.broadcast_to(images, counts.shape)]),
            colorscale=CELLS,
            showscale=False,
            xgap=1,
            ygap=1,
            hovertemplate=(
                "of %{customdata[1]:,} images with %{y}, %{customdata[0]:,} (%{z:.1f} %) "
                "contain %{x}<extra></extra>"
            ),
        )
    )
    if len(names) <= _WRITTEN:
        texts = [[f"{value:.0f}" for value in row] for row in share]
        write_in_cells(figure, names, names, texts, share >= 100 * STRONG)
    return lay_out(
        figure,
        130 + 28 * len(names) if len(names) <= _WRITTEN else 130 + min(16 * len(names), 900),
        xaxis={
            "title": {"text": "also contain"},
            "side": "top",
            "tickangle": tilt(len(names)),
            **matrix_ticks(len(names)),
        },
        yaxis={
            "title": {"text": "images with"},
            "autorange": "reversed",
            **matrix_ticks(len(names)),
        },
    )


def class_places(heat: npt.NDArray[np.float64], name: str) -> go.Figure:
    """Draw where in the image a class lies.

    Args:
        heat: (rows, columns) share of the labelled pixels there that are of the class, 0..1.
        name: The class.
    """
    rows, columns = heat.shape
    figure = go.Figure(
        go.Heatmap(
            z=100 * heat,
            x=100 * (np.arange(columns) + 0.5) / columns,
            y=100 * (np.arange(rows) + 0.5) / rows,
            zmin=0,
            colorscale=INK,
            colorbar={"title": {"text": "%"}, "thickness": 12},
            hovertemplate=(
                f"{name}: %{{z:.1f}} % of the pixels at %{{x:.0f}} % from the left, %{{y:.0f}} "
                "% from the top<extra></extra>"
            ),
        )
    )
    return lay_out(
        figure,
        360,
        xaxis={"title": {"text": "% from the left"}, "showgrid": False},
        yaxis={"title": {"text": "% from the top"}, "autorange": "reversed", "showgrid": False},
    )


def instance_sizes(
    histogram: npt.NDArray[np.int64], edges: npt.NDArray[np.float64], names: Sequence[str]
) -> go.Figure:
    """Draw the sizes of each class's connected components, a column per doubling.

    Args:
        histogram: (C, B) components by size.
        edges: (B + 1,) edges in pixels, ascending.
        names: C class names.
    """
    used = np.flatnonzero(histogram.any(0))
    last = int(used[-1]) + 1 if len(used) else 1
    counts = histogram[:, :last]
    total = counts.sum(1, keepdims=True)
    share = 100 * np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    low = [f"{int(edge):,}" for edge in edges[:last]]
    high = [f"{int(edge) - 1:,}" for edge in edges[1 : last + 1]]
    spans = [a if a == b else f"{a} to {b}" for a, b in zip(low, high, strict=True)]
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=low,
            y=list(names),
            customdata=np.dstack([counts, np.broadcast_to(np.array(spans, object), counts.shape)]),
            colorscale=INK,
            colorbar={"title": {"text": "%"}, "thickness": 12},
            xgap=1,
            ygap=1,
            hovertemplate=(
                "%{y}: %{customdata[0]:,} of %{customdata[1]} pixels (%{z:.1f} %)<extra></extra>"
            ),
        )
    )
    return lay_out(
        figure,
        max(360, 90 + 22 * len(names)),
        xaxis={"title": {"text": "pixels, from"}, "type": "category"},
        yaxis={"autorange": "reversed", **every_tick(len(names))},
    )


def shift_bars(
    names: Sequence[str], differences: Sequence[float], first: str, second: str
) -> go.Figure:
    """Draw how far class frequencies differ between two splits, in points, largest on top.

    Args:
        names: C class names.
        differences: C shares in ``second`` minus shares in ``first``.
        first: Name of one split.
        second: Name of the other.
    """
    order = np.argsort(np.abs(differences), kind="stable")
    values = [100 * differences[i] for i in order]
    reach = max((abs(v) for v in values), default=0) or 1
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[names[i] for i in order],
            orientation="h",
            marker={"color": [ACCENT if v >= 0 else WARM for v in values]},
            text=[formatting.signed(v, 2) for v in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:+.2f} pp<extra></extra>",
        )
    )
    return lay_out(
        figure,
        80 + row_height(len(names)) * len(names),
        xaxis={
            "title": {"text": f"percentage points, {second} minus {first}"},
            "range": [-1.25 * reach, 1.25 * reach],
        },
        yaxis=every_tick(len(names)),
    )


def split_shares(names: Sequence[str], rows: Sequence[SplitPart]) -> go.Figure:
    """Draw how frequent every class is in each split.

    Args:
        names: C class names.
        rows: Rows of ``splits.split_report``: ``split`` and ``pixel_share``.
    """
    series = {row.split: row.pixel_share for row in rows}
    colors = [cycle_color(position) for position in range(len(series))]
    return class_groups(names, series, colors, "pixel frequency, %", log=True)


def brightness(values: Mapping[str, Sequence[float]]) -> go.Figure:
    """Draw how bright the images of each split are.

    Args:
        values: Mean luma of each image, 0..255, by split.
    """
    figure = go.Figure()
    edges = np.linspace(0, 255, 33)
    for position, (split, shades) in enumerate(values.items()):
        share = 100 * np.histogram(shades, edges)[0] / max(1, len(shades))
        figure.add_trace(
            go.Scatter(
                x=(edges[1:] + edges[:-1]) / 2,
                y=share,
                name=split,
                mode="lines",
                line={"shape": "hvh", "color": cycle_color(position), "width": 2},
                hovertemplate="luma %{x:.0f}: %{y:.1f} % of the images<extra>" + split + "</extra>",
            )
        )
    return lay_out(
        figure,
        320,
        xaxis={"title": {"text": "mean brightness, 0 to 255"}},
        yaxis={"title": {"text": "% of images"}},
        showlegend=True,
    )


def image_sizes(sizes: Mapping[tuple[int, int], int]) -> go.Figure:
    """Draw which sizes the images have, one bubble a size.

    Args:
        sizes: Images by (height, width).
    """
    most = max(sizes.values(), default=1)
    diameters = [10 + 26 * (n / most) ** 0.5 for n in sizes.values()]
    figure = go.Figure(
        go.Scatter(
            x=[width for _, width in sizes],
            y=[height for height, _ in sizes],
            mode="markers",
            marker={"size": diameters, "color": ACCENT, "opacity": 0.7, "line": {"color": QUIET}},
            customdata=list(sizes.values()),
            hovertemplate="%{y} x %{x} (height x width): %{customdata:,} images<extra></extra>",
        )
    )
    return lay_out(
        figure,
        320,
        xaxis={"title": {"text": "width, pixels"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "height, pixels"}, "rangemode": "tozero"},
    )
