"""Plotly figures of the ensemble lab and the CRF lab; no app in here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from segcore.ui.shared.charts import ACCENT, QUIET, WARM, lay_out, signed_intervals

_ZERO = {"width": 1, "color": "rgba(128,128,128,.8)"}


def subset_scores(document: Mapping[str, Any]) -> go.Figure:
    """Draw the mean IoU of every subset over its size; the best of each size are joined.

    Args:
        document: What :func:`segcore.evaluation.comparison.subsets.score_subsets` gives; a clicked
            point carries the subset's position.
    """
    rows = [(k, s) for k, s in enumerate(document["subsets"]) if s["mean_iou"] is not None]
    best = {
        m
        for m in range(len(document["members"]))
        if document["members"][m] in document["best"]["members"]
    }
    x = [len(s["members"]) for _, s in rows]
    spread = [n + 0.16 * ((k * 0.618) % 1 - 0.5) for n, (k, _) in zip(x, rows, strict=True)]
    y = [100 * s["mean_iou"] for _, s in rows]
    texts = [" ".join(str(m + 1) for m in s["members"]) for _, s in rows]
    chosen = [set(s["members"]) == best for _, s in rows]
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
    ticks = list(range(1, len(document["members"]) + 1))
    return lay_out(
        figure,
        360,
        xaxis={"title": {"text": "members"}, "tickvals": ticks},
        yaxis={"title": {"text": f"mean IoU on {document['split']}, %"}},
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


def changes_by_distance(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Draw pixels fixed (up) and broken (down) by distance to a true boundary, and the net.

    Args:
        rows: What :func:`segcore.evaluation.comparison.crf_effect.by_distance` gives.
    """
    known = [r for r in rows if r["pixels"]]
    names = [
        f"{r['from']:g} to {r['to']:g} px" if r["to"] is not None else f"beyond {r['from']:g} px"
        for r in known
    ]
    figure = go.Figure()
    for title, key, color, sign in (("fixed", "fixed", ACCENT, 1), ("broken", "broken", WARM, -1)):
        figure.add_trace(
            go.Bar(
                x=names,
                y=[sign * 100 * r[key] for r in known],
                name=title,
                marker={"color": color},
                customdata=[[r["pixels"], 100 * r[key]] for r in known],
                hovertemplate="%{x}: %{customdata[1]:.1f} % of %{customdata[0]:,} px<extra>"
                + title
                + "</extra>",
            )
        )
    net = np.array([100 * r["difference"] for r in known])
    ends = np.array(
        [
            [n if e is None else 100 * e for e in r["interval"]]
            for n, r in zip(net, known, strict=True)
        ]
    ).reshape(-1, 2)
    line = {"color": "rgba(128,128,128,1)", "thickness": 2, "width": 4}
    figure.add_trace(
        go.Scatter(
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
                "%{x}: %{y:+.1f} pp (%{customdata[0]:+.1f} to "
                "%{customdata[1]:+.1f})<extra>net</extra>"
            ),
        )
    )
    figure.add_hline(y=0, line=_ZERO)
    axis = {
        "title": {"text": "distance to a true boundary"},
        "categoryorder": "array",
        "categoryarray": names,
    }
    return lay_out(
        figure, 320, xaxis=axis, yaxis={"title": {"text": "pixels, %"}}, barmode="relative"
    )


def candidate_gains(document: Mapping[str, Any]) -> go.Figure:
    """Draw each candidate's gain over no CRF: mean IoU to the right, boundary IoU upwards.

    Args:
        document: What a CRF search found.
    """
    tried = [
        c for c in document["candidates"] if c["parameters"] and None not in c["over_off"].values()
    ]
    whole = document["num_samples"]
    figure = go.Figure()
    for title, wanted, marker in (
        (
            "dropped early, fewer images",
            False,
            {"color": QUIET, "size": 8, "symbol": "circle-open"},
        ),
        ("scored on every image", True, {"color": ACCENT, "size": 10}),
    ):
        own = [c for c in tried if (c["images"] == whole) == wanted]
        figure.add_trace(
            _points(
                [c["over_off"] for c in own],
                title,
                marker,
                [describe(c["parameters"]) for c in own],
                [c["images"] for c in own],
            )
        )
    plain = [
        a
        for a in document["alternatives"]
        if None
        not in (a["gain"]["mean_iou"]["difference"], a["gain"]["boundary_iou"]["difference"])
    ]
    over = [
        {name: a["gain"][name]["difference"] for name in ("mean_iou", "boundary_iou")}
        for a in plain
    ]
    figure.add_trace(
        _points(
            over,
            "plain filter",
            {"color": WARM, "size": 9, "symbol": "square"},
            [a["title"] for a in plain],
            [whole] * len(plain),
        )
    )
    star = {"color": "rgba(128,128,128,1)", "size": 14, "symbol": "x"}
    figure.add_trace(
        _points([{"mean_iou": 0.0, "boundary_iou": 0.0}], "off", star, ["off"], [whole])
    )
    figure.add_vline(x=0, line=_ZERO)
    figure.add_hline(y=0, line=_ZERO)
    axes = {
        "xaxis": {"title": {"text": "mean IoU gain over no CRF, pp"}},
        "yaxis": {"title": {"text": "boundary IoU gain over no CRF, pp"}},
    }
    return lay_out(figure, 380, **axes)


def _points(
    over: Sequence[Mapping[str, float]],
    title: str,
    marker: dict[str, Any],
    texts: Sequence[str],
    images: Sequence[int],
) -> go.Scatter:
    return go.Scatter(
        x=[100 * o["mean_iou"] for o in over],
        y=[100 * o["boundary_iou"] for o in over],
        mode="markers",
        name=title,
        marker=marker,
        customdata=[[t, n] for t, n in zip(texts, images, strict=True)],
        hovertemplate=(
            "%{customdata[0]}<br>%{x:+.1f} and %{y:+.1f} pp on %{customdata[1]} "
            "images<extra></extra>"
        ),
    )


def describe(parameters: Mapping[str, Any]) -> str:
    """Return the parameters of a CRF as one short line."""
    p = parameters
    return (
        f"spatial {p['spatial_width']:g} px x {p['spatial_weight']:g}, colour "
        f"{p['bilateral_width']:g} px / {p['color_width']:g} x "
        f"{p['bilateral_weight']:g}, {p['iterations']} steps, T {p['temperature']:.2f}"
    )
