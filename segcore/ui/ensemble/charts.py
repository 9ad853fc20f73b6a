"""Plotly figures of ensembles and of the CRF search; no app in here."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from segcore.postprocess.parameters import CRFParameters
from segcore.ui.shared.charts.intervals import signed_intervals
from segcore.ui.shared.charts.layout import ACCENT, QUIET, WARM, lay_out
from segcore.workspace.ensembles.results import CRFSearchResult, DistanceGain, SubsetsResult

_ZERO = {"width": 1, "color": "rgba(128,128,128,.8)"}


def subset_scores(result: SubsetsResult) -> go.Figure:
    """Draw the mean IoU of every subset over its size; the best of each size are joined.

    Args:
        result: The scores; a clicked point carries the subset's position.
    """
    rows = [(k, s, s.mean_iou) for k, s in enumerate(result.subsets) if s.mean_iou is not None]
    best = set(result.best)
    x = [len(s.members) for _, s, _ in rows]
    spread = [n + 0.16 * ((k * 0.618) % 1 - 0.5) for n, (k, _, _) in zip(x, rows, strict=True)]
    y = [100 * score for _, _, score in rows]
    texts = [" ".join(str(m + 1) for m in s.members) for _, s, _ in rows]
    chosen = [set(s.members) == best for _, s, _ in rows]
    figure = go.Figure()
    tops = {n: max(v for m, v in zip(x, y, strict=True) if m == n) for n in sorted(set(x))}
    figure.add_trace(
        go.Scatter(
            x=list(tops),
            y=list(tops.values()),
            mode="lines",
            name="best of each size",
            line={"color": ACCENT, "width": 1, "dash": "dot"},
        )
    )
    for title, wanted, color, size in (
        ("subset", False, QUIET, 8),
        ("best subset", True, WARM, 13),
    ):
        own = [i for i, c in enumerate(chosen) if c == wanted]
        figure.add_trace(
            go.Scatter(
                x=[spread[i] for i in own],
                y=[y[i] for i in own],
                mode="markers",
                name=title,
                marker={
                    "color": color,
                    "size": size,
                    "line": {"width": 1, "color": "white"},
                    "symbol": "star" if wanted else "circle",
                },
                customdata=[[rows[i][0], texts[i]] for i in own],
                hovertemplate="members %{customdata[1]}: %{y:.1f} %<extra></extra>",
            )
        )
    ticks = list(range(1, len(result.members) + 1))
    return lay_out(
        figure,
        360,
        xaxis={"title": {"text": "members"}, "tickvals": ticks},
        yaxis={"title": {"text": f"mean IoU on {result.split}, %"}},
    )


def gains(
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[Sequence[float | None]],
    title: str,
    *,
    undetermined: Sequence[bool] = (),
) -> go.Figure:
    """Draw differences in points with their intervals; what surely gains or loses stands out.

    Args:
        names: One a row, the first on top.
        values: Differences -1..1, None where undefined.
        intervals: (low, high) of each.
        title: What the axis says.
        undetermined: For each row whether it does not hold among many comparisons.
    """
    kinds = ("gains", "loses", "not significant")
    return signed_intervals(names, values, intervals, kinds, title, undetermined=undetermined)


def changes_by_distance(bands: Sequence[DistanceGain]) -> go.Figure:
    """Draw pixels fixed (up) and broken (down) by distance to a true boundary, and the net.

    Args:
        bands: What the CRF changed in each.
    """
    known = [b for b in bands if b.pixels]
    names = [
        f"{b.start:g} to {b.end:g} px" if b.end is not None else f"beyond {b.start:g} px"
        for b in known
    ]
    figure = go.Figure()
    fixed, broken = (
        [100 * (share or 0.0) for share in shares]
        for shares in ([b.fixed for b in known], [b.broken for b in known])
    )
    for title, shares, color, sign in (("fixed", fixed, ACCENT, 1), ("broken", broken, WARM, -1)):
        figure.add_trace(
            go.Bar(
                x=names,
                y=[sign * share for share in shares],
                name=title,
                marker={"color": color},
                customdata=[[b.pixels, share] for b, share in zip(known, shares, strict=True)],
                hovertemplate="%{x}: %{customdata[1]:.1f} % of %{customdata[0]:,} px<extra>"
                + title
                + "</extra>",
            )
        )
    figure.add_trace(_net_changes(names, known))
    figure.add_hline(y=0, line=_ZERO)
    axis = {
        "title": {"text": "distance to a true boundary"},
        "categoryorder": "array",
        "categoryarray": names,
    }
    return lay_out(
        figure, 320, xaxis=axis, yaxis={"title": {"text": "pixels, %"}}, barmode="relative"
    )


def _net_changes(names: Sequence[str], bands: Sequence[DistanceGain]) -> go.Scatter:
    """Return the net change of each band, in points, with its interval."""
    net = 100 * np.array([b.gain.value for b in bands], float)
    ends = np.array(
        [
            [n if e is None else 100 * e for e in b.gain.ends()]
            for n, b in zip(net, bands, strict=True)
        ]
    ).reshape(-1, 2)
    line = {"color": "rgba(128,128,128,1)", "thickness": 2, "width": 4}
    return go.Scatter(
        x=names,
        y=net,
        mode="markers",
        name="net, with 95 % interval",
        marker={
            "color": "white",
            "size": 9,
            "symbol": "diamond",
            "line": {"width": 2, "color": "rgba(90,90,90,1)"},
        },
        error_y={"array": ends[:, 1] - net, "arrayminus": net - ends[:, 0], **line},
        customdata=ends,
        hovertemplate=(
            "%{x}: %{y:+.1f} pp (%{customdata[0]:+.1f} to %{customdata[1]:+.1f})<extra>net</extra>"
        ),
    )


def candidate_gains(result: CRFSearchResult) -> go.Figure:
    """Draw each candidate's gain over no CRF: mean IoU to the right, boundary IoU upwards.

    Args:
        result: What the search found.
    """
    tried = [
        (c.images, c.parameters, (c.mean_iou_gain, c.boundary_iou_gain))
        for c in result.candidates
        if c.parameters and c.mean_iou_gain is not None and c.boundary_iou_gain is not None
    ]
    whole = result.num_samples
    figure = go.Figure()
    for title, wanted, marker in (
        (
            "dropped early, fewer images",
            False,
            {"color": QUIET, "size": 8, "symbol": "circle-open"},
        ),
        ("scored on every image", True, {"color": ACCENT, "size": 10}),
    ):
        own = [c for c in tried if (c[0] == whole) == wanted]
        figure.add_trace(
            _points(
                [gains for _, _, gains in own],
                title,
                marker,
                [describe(parameters) for _, parameters, _ in own],
                [images for images, _, _ in own],
            )
        )
    plain = [
        (a.title, (x, y))
        for a in result.alternatives
        for x, y in [(a.scores.mean_iou_gain.value, a.scores.boundary_iou_gain.value)]
        if np.isfinite([x, y]).all()
    ]
    figure.add_trace(
        _points(
            [gains for _, gains in plain],
            "plain filter",
            {"color": WARM, "size": 9, "symbol": "square"},
            [title for title, _ in plain],
            [whole] * len(plain),
        )
    )
    star = {"color": "rgba(128,128,128,1)", "size": 14, "symbol": "x"}
    figure.add_trace(_points([(0.0, 0.0)], "off", star, ["off"], [whole]))
    figure.add_vline(x=0, line=_ZERO)
    figure.add_hline(y=0, line=_ZERO)
    axes = {
        "xaxis": {"title": {"text": "mean IoU gain over no CRF, pp"}},
        "yaxis": {"title": {"text": "boundary IoU gain over no CRF, pp"}},
    }
    return lay_out(figure, 380, **axes)


def _points(
    gains: Sequence[tuple[float, float]],
    title: str,
    marker: dict[str, Any],
    texts: Sequence[str],
    images: Sequence[int],
) -> go.Scatter:
    return go.Scatter(
        x=[100 * x for x, _ in gains],
        y=[100 * y for _, y in gains],
        mode="markers",
        name=title,
        marker=marker,
        customdata=[[t, n] for t, n in zip(texts, images, strict=True)],
        hovertemplate=(
            "%{customdata[0]}<br>%{x:+.1f} and %{y:+.1f} pp on %{customdata[1]} "
            "images<extra></extra>"
        ),
    )


def describe(parameters: CRFParameters) -> str:
    """Return the parameters of a CRF as one short line."""
    p = parameters
    return (
        f"spatial {p.spatial_width:g} px x {p.spatial_weight:g}, colour {p.bilateral_width:g} px / "
        f"{p.color_width:g} x {p.bilateral_weight:g}, {p.iterations} steps, T {p.temperature:.2f}"
    )
