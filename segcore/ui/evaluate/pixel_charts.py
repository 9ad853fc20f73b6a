"""Plotly figures of pixel metrics: trimap, reliability, risk and coverage, corruptions."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from segcore.evaluation.metrics.pixel_metrics import ReliabilityBin, TrimapBand, worth_drawing
from segcore.evaluation.metrics.report import Summary
from segcore.evaluation.metrics.robustness import CorruptionEffect, CurvePoint
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
from segcore.ui.shared.charts.matrices import STRONG, write_in_cells

_FAINT = "rgba(128,128,128,.8)"


def _percent(values: Sequence[float | None]) -> list[float | None]:
    return [None if v is None else 100 * v for v in values]


def trimap_curve(
    bands: Sequence[TrimapBand], whole: Summary, names: Sequence[str], chosen: Sequence[int] = ()
) -> go.Figure:
    """Draw scores within a distance of a true boundary; dotted: over all pixels.

    Args:
        bands: Scores within each distance.
        whole: Scores over all pixels.
        names: C class names.
        chosen: Class indices to draw a line of its own for.
    """
    figure = go.Figure()
    widths = [band.width for band in bands]
    lines = [
        ("mean IoU", ACCENT, [band.mean_iou for band in bands]),
        ("pixel accuracy", WARM, [band.pixel_accuracy for band in bands]),
    ]
    lines += [
        (names[c], cycle_color(k + 2), [band.iou[c] for band in bands])
        for k, c in enumerate(chosen)
    ]
    pixels = [band.pixels for band in bands]
    for name, color, values in lines:
        figure.add_trace(
            go.Scatter(
                x=widths,
                y=_percent(values),
                customdata=pixels,
                name=name,
                mode="lines+markers",
                line={"color": color, "width": 2},
                hovertemplate="within %{x} px: %{y:.1f} % of %{customdata:,} pixels<extra>"
                + name
                + "</extra>",
            )
        )
    for value, color in ((whole.mean_iou, ACCENT), (whole.pixel_accuracy, WARM)):
        if value is not None:
            figure.add_hline(y=100 * value, line={"width": 1, "dash": "dot", "color": color})
    axis = {
        "title": {"text": "distance to a true boundary, px"},
        "type": "log",
        "tickvals": widths,
        "ticktext": [str(w) for w in widths],
    }
    return lay_out(figure, 380, xaxis=axis, yaxis={"title": {"text": "%"}})


def boundary_bars(
    names: Sequence[str], region: Sequence[float | None], boundary: Sequence[float | None]
) -> go.Figure:
    """Draw the IoU of each class over its region and over its boundary, side by side.

    Args:
        names: C class names.
        region: C values 0..1 or None.
        boundary: The same of the boundary.
    """
    series = {"whole region": region, "boundary": boundary}
    return class_groups(names, series, [QUIET, ACCENT], "IoU, %")


def reliability(series: Mapping[str, Sequence[ReliabilityBin]]) -> go.Figure:
    """Draw reliability diagrams: accuracy against confidence, pixels per bin below.

    Args:
        series: Bins by name.
    """
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.78, 0.22], vertical_spacing=0.04)
    figure.add_trace(
        go.Scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            line={"width": 1, "dash": "dot", "color": _FAINT},
            hoverinfo="skip",
            showlegend=False,
        ),
        row=1,
        col=1,
    )
    colors = (ACCENT, WARM, *(cycle_color(k) for k in range(2, 8)))
    for color, (name, bins) in zip(colors, series.items(), strict=False):
        bins = worth_drawing(bins)
        total = sum(one.pixels for one in bins)
        x = [100 * one.confidence for one in bins]
        share = [100 * one.pixels / total for one in bins]
        hover = (
            ("confidence %{x:.1f} %, accuracy %{y:.1f} %, %{customdata:.1f} % of the pixels<extra>")
            + name
            + "</extra>"
        )
        y = [100 * one.accuracy for one in bins]
        line = {"color": color, "width": 2}
        drawn = go.Scatter(
            x=x,
            y=y,
            name=name,
            mode="lines+markers",
            line=line,
            customdata=share,
            hovertemplate=hover,
        )
        figure.add_trace(drawn, row=1, col=1)
        below = "%{y:.1f} % of the pixels<extra>" + name + "</extra>"
        figure.add_trace(
            go.Bar(
                x=x,
                y=share,
                marker={"color": color},
                showlegend=False,
                hovertemplate=below,
                opacity=0.7,
            ),
            row=2,
            col=1,
        )
    figure.update_yaxes(title_text="accuracy, %", range=[0, 102], row=1, col=1)
    figure.update_yaxes(title_text="pixels, %", row=2, col=1)
    figure.update_xaxes(title_text="confidence (largest probability), %", row=2, col=1)
    return lay_out(figure, 440, barmode="overlay")


def risk_coverage(
    series: Mapping[str, tuple[Sequence[float], Sequence[float | None]]],
) -> go.Figure:
    """Draw the share of wrong pixels among the most confident ones, against how many are kept.

    Args:
        series: (coverage, risk), each 0..1, by name.
    """
    figure = go.Figure()
    for color, (name, (coverage, risk)) in zip((ACCENT, WARM), series.items(), strict=False):
        hover = "of the most confident %{x:.1f} %, %{y:.1f} % are wrong<extra>" + name + "</extra>"
        x, y = [100 * v for v in coverage], _percent(risk)
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                name=name,
                mode="lines",
                line={"color": color, "width": 2},
                hovertemplate=hover,
            )
        )
    x_axis = {"title": {"text": "pixels kept, most confident first, %"}, "range": [0, 100]}
    return lay_out(
        figure,
        320,
        xaxis=x_axis,
        yaxis={"title": {"text": "wrong, %"}, "rangemode": "tozero"},
        showlegend=len(series) > 1,
    )


def corruption_curves(
    curves: Sequence[CurvePoint], clean: float | None, titles: Mapping[str, str]
) -> go.Figure:
    """Draw mean IoU against the severity of each corruption; the band is the drop's interval.

    Args:
        curves: ``curves`` of :func:`segcore.evaluation.metrics.robustness.summarise`.
        clean: Mean IoU of the images as they are, 0..1.
        titles: Display name of each corruption.
    """
    figure = go.Figure()
    for position, name in enumerate(dict.fromkeys(row.corruption for row in curves)):
        own = sorted(
            (row for row in curves if row.corruption == name), key=lambda row: row.severity
        )
        color = cycle_color(position)
        x = [0, *(row.severity for row in own)]
        y = _percent([clean, *(row.mean_iou for row in own)])
        known = [
            (row.severity, low, high)
            for row in own
            for low, high in [row.interval]
            if low is not None and high is not None
        ]
        if known and clean is not None:
            band_x = [severity for severity, _, _ in known]
            low = [100 * (clean - most) for _, _, most in known]
            high = [100 * (clean - least) for _, least, _ in known]
            red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
            figure.add_trace(
                go.Scatter(
                    x=[*band_x, *band_x[::-1]],
                    y=[*low, *high[::-1]],
                    mode="lines",
                    fill="toself",
                    fillcolor=f"rgba({red},{green},{blue},.13)",
                    line={"width": 0},
                    hoverinfo="skip",
                    showlegend=False,
                )
            )
        title = titles[name]
        hover = title + ", severity %{x}: mean IoU %{y:.1f} %<extra></extra>"
        line = {"color": color, "width": 2}
        figure.add_trace(
            go.Scatter(x=x, y=y, name=title, mode="lines+markers", line=line, hovertemplate=hover)
        )
    ticks = {
        "tickvals": [0, 1, 2, 3, 4, 5],
        "ticktext": ["clean", "1", "2", "3", "4", "5"],
        "title": {"text": "severity"},
    }
    return lay_out(
        figure, 400, xaxis=ticks, yaxis={"title": {"text": "mean IoU, %"}, "rangemode": "tozero"}
    )


_CHANGES = [
    [0, "rgba(0,114,178,.95)"],
    [(1 - STRONG) / 2, "rgba(0,114,178,.8)"],
    [(1 - STRONG) / 2, "rgba(0,114,178,.28)"],
    [0.5, "rgba(128,128,128,.06)"],
    [(1 + STRONG) / 2, "rgba(213,94,0,.28)"],
    [(1 + STRONG) / 2, "rgba(213,94,0,.8)"],
    [1, "rgba(213,94,0,.95)"],
]
"""Blue for gains, orange for losses; full colours begin where texts turn white."""


def class_drops(
    parts: Sequence[CorruptionEffect], names: Sequence[str], titles: Mapping[str, str]
) -> go.Figure:
    """Draw how much IoU each class loses under each corruption, averaged over severities.

    Args:
        parts: ``corruptions`` of :func:`segcore.evaluation.metrics.robustness.summarise`.
        names: C class names.
        titles: Display name of each corruption.
    """
    values = np.array(
        [[np.nan if v is None else 100 * v for v in part.class_drop] for part in parts], float
    ).T
    most = max(
        1.0, float(np.nanmax(np.abs(values))) if values.size and not np.isnan(values).all() else 1.0
    )
    figure = go.Figure(
        go.Heatmap(
            z=[[None if np.isnan(v) else float(v) for v in row] for row in values],
            x=[titles[part.corruption] for part in parts],
            y=list(names),
            colorscale=_CHANGES,
            zmin=-most,
            zmax=most,
            showscale=False,
            hovertemplate="%{y} under %{x}: %{z:.1f} pp of IoU lost<extra></extra>",
        )
    )
    columns = [titles[part.corruption] for part in parts]
    texts = [["" if np.isnan(v) else f"{v:.0f}" for v in row] for row in values]
    write_in_cells(figure, columns, names, texts, np.abs(values) >= STRONG * most)
    quiet = {"showgrid": False, "zeroline": False}
    rows = {"autorange": "reversed", **every_tick(len(names)), **quiet}
    return lay_out(
        figure,
        max(220, 90 + row_height(len(names)) * len(names)),
        yaxis=rows,
        xaxis={"side": "top", **quiet},
    )
