"""Plotly figures of a search."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from segcore.ui.shared.charts.layout import ACCENT, QUIET, WARM, lay_out
from segcore.ui.tune.names import TRIAL_STATES, choice, setting, settings
from segcore.workspace.searches import TrialRow

Trials = Sequence[TrialRow]
SYMBOLS = {"complete": "circle", "running": "circle-open", "pruned": "x-thin"}
GREY = "rgba(128,128,128,.9)"
MAX_LINES = 60


def history(trials: Trials, planned: int) -> go.Figure:
    """Draw the score of each trial in order, and the best finished score so far.

    Args:
        trials: Rows of a search (see :class:`segcore.workspace.searches.Search`); those without a
            score are left out.
        planned: How many there will be.
    """
    figure = go.Figure()
    steps: list[tuple[int, float]] = []
    for row in trials:
        if row.state == "complete" and (not steps or row.percent > steps[-1][1]):
            steps.append((row.trial, row.percent))
    if steps:
        ends = [*steps, (max(row.trial for row in trials), steps[-1][1])]
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in ends],
                y=[y for _, y in ends],
                mode="lines",
                name="best so far",
                line={"color": WARM, "width": 2, "shape": "hv"},
                hoverinfo="skip",
            )
        )
    for state, color in (("complete", ACCENT), ("pruned", GREY), ("running", ACCENT)):
        rows = [row for row in trials if row.state == state and row.score is not None]
        if not rows:
            continue
        figure.add_trace(
            go.Scatter(
                x=[row.trial for row in rows],
                y=[row.percent for row in rows],
                customdata=[settings(row.values) for row in rows],
                mode="markers",
                name=TRIAL_STATES[state].lower(),
                marker={
                    "color": color,
                    "size": 9,
                    "symbol": SYMBOLS[state],
                    "line": {"color": color, "width": 2},
                },
                hovertemplate="trial %{x}: %{y:.2f} %<br>%{customdata}<extra>"
                + TRIAL_STATES[state].lower()
                + "</extra>",
            )
        )
    lay_out(
        figure,
        300,
        xaxis={
            "title": {"text": "trial"},
            "dtick": 1 if planned <= 20 else None,
            "range": [0.5, planned + 0.5],
        },
        yaxis={"title": {"text": "validation mean IoU, %"}},
        showlegend=True,
    )
    return figure


def epochs(trials: Trials, best: int | None) -> go.Figure:
    """Draw every trial's score by epoch; the best stands out, pruned ones are dotted.

    Args:
        trials: Rows of a search.
        best: Number of the best trial, or None.
    """
    figure = go.Figure()
    parts: dict[str, list[TrialRow]] = {"pruned": [], "others": [], "best": []}
    for row in trials:
        parts[
            "best" if row.trial == best else "pruned" if row.state == "pruned" else "others"
        ].append(row)
    for name, rows in parts.items():
        x: list[int | None] = []
        y: list[float | None] = []
        labels: list[str] = []
        for row in (
            rows
        ):  # one trace for all lines of a kind, parted by gaps: hundreds of traces would be slow
            points = sorted(
                (int(epoch), 100 * score)
                for epoch, score in row.scores.items()
                if math.isfinite(score)
            )
            x += [*(epoch for epoch, _ in points), None]
            y += [*(score for _, score in points), None]
            labels += [f"trial {row.trial}<br>{settings(row.values)}"] * (len(points) + 1)
        if not any(x):
            continue
        line = {"color": WARM if name == "best" else QUIET, "width": 3 if name == "best" else 1.5}
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                customdata=labels,
                name=name,
                mode="lines+markers",
                line={**line, "dash": "dot" if name == "pruned" else "solid"},
                marker={"size": 5},
                hovertemplate="%{customdata}<br>epoch %{x}: %{y:.2f} %<extra></extra>",
            )
        )
    y_axis = {"title": {"text": "validation mean IoU, %"}}
    return lay_out(
        figure,
        300,
        xaxis={"title": {"text": "epoch"}, "rangemode": "tozero"},
        yaxis=y_axis,
        showlegend=False,
    )


def importances(shares: Mapping[str, float]) -> go.Figure:
    """Draw the share of each setting in reaching the better trials, largest at the top.

    Args:
        shares: Shares 0..1 by name.
    """
    names = sorted(shares, key=lambda name: shares[name])
    figure = go.Figure(
        go.Bar(
            x=[100 * shares[name] for name in names],
            y=[setting(name) for name in names],
            orientation="h",
            marker={"color": ACCENT},
            text=[f"{100 * shares[name]:.0f} %" for name in names],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    )
    top = 100 * max(shares.values(), default=1.0)
    return lay_out(
        figure,
        90 + 30 * len(names),
        xaxis={"title": {"text": "share, %"}, "range": [0, 1.2 * top]},
        yaxis={"automargin": True},
    )


def parallel(trials: Trials, names: Sequence[str]) -> go.Figure:
    """Draw each finished trial as a line through its values to its score; better ones on top.

    Lines that share a choice are spread around it in the order of their scores, so that each can be
    followed.

    Args:
        trials: Rows of a search; the best sixty are drawn.
        names: What was varied, in order.
    """
    rows = [
        row
        for row in trials
        if row.state == "complete" and all(name in row.values for name in names)
    ]
    if not rows:
        return lay_out(go.Figure(), 320)
    rows = sorted(rows, key=lambda row: row.percent)[-MAX_LINES:]
    axes = [_axis(name, [row.values[name] for row in rows]) for name in names]
    axes.append(_score_axis([row.percent for row in rows]))
    figure = go.Figure()
    _draw_axes(figure, axes)
    for rank, row in enumerate(rows):
        share = (rank + 1) / len(rows)
        figure.add_trace(
            go.Scatter(
                x=list(range(len(axes))),
                y=[axis.heights[rank] for axis in axes],
                mode="lines+markers",
                line={
                    "color": WARM if rank == len(rows) - 1 else QUIET,
                    "width": 1 + 2.5 * share**2,
                },
                marker={"size": 4},
                opacity=0.35 + 0.65 * share,
                name=f"trial {row.trial}",
                hovertemplate=(
                    f"trial {row.trial}: {row.percent:.2f} "
                    f"%<br>{settings(row.values, names)}<extra></extra>"
                ),
            )
        )
    hidden = {"visible": False, "fixedrange": True}
    lay_out(
        figure,
        320,
        showlegend=False,
        xaxis={**hidden, "range": [-0.62, len(axes) - 0.62]},
        yaxis={**hidden, "range": [-0.06, 1.2]},
        hovermode="closest",
    )
    return figure


def _draw_axes(figure: go.Figure, axes: Sequence["_Axis"]) -> None:
    """Draw upright axes with their titles and ticks."""
    for place, axis in enumerate(axes):
        figure.add_shape(
            type="line",
            x0=place,
            x1=place,
            y0=0,
            y1=1,
            line={"color": GREY, "width": 1},
            layer="below",
        )
        figure.add_annotation(x=place, y=1.13, text=f"<b>{axis.title}</b>", showarrow=False)
        for height, text in axis.ticks:
            side = (
                {"xanchor": "left", "xshift": 8}
                if axis is axes[-1]
                else {"xanchor": "right", "xshift": -8, "yshift": 9 if place else 0}
            )
            figure.add_annotation(
                x=place, y=height, text=text, showarrow=False, font={"size": 11}, **side
            )


@dataclass(frozen=True)
class _Axis:
    """An axis: title, (height 0..1, text) of its ticks, and the height of each line."""

    title: str
    ticks: list[tuple[float, str]]
    heights: list[float]


def _axis(name: str, values: Sequence[Any]) -> _Axis:
    """Return a logarithmic axis for a learning rate, else one place per value."""
    if name == "learning_rate":
        powers = [math.log10(value) for value in values]
        low = math.floor(min(powers))
        high = max(math.ceil(max(powers)), low + 1)
        ticks = [
            ((power - low) / (high - low), f"{10.0**power:g}") for power in range(low, high + 1)
        ]
        return _Axis(setting(name), ticks, [(power - low) / (high - low) for power in powers])
    known = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    step = 1 / max(len(known) - 1, 1)
    places = {value: place * step if len(known) > 1 else 0.5 for place, value in enumerate(known)}
    seen = dict.fromkeys(known, 0)
    heights = []
    for value in values:
        count = values.count(value)
        spread = min(0.3 * step, 0.03 * count)
        heights.append(
            places[value] + spread * (seen[value] / (count - 1) - 0.5 if count > 1 else 0.0)
        )
        seen[value] += 1
    return _Axis(setting(name), [(places[value], choice(name, value)) for value in known], heights)


def _score_axis(scores: Sequence[float]) -> _Axis:
    """An axis from the lowest score to the highest, in %."""
    low, high = min(scores), max(scores)
    width = high - low or 1.0
    ticks = (
        [(share, f"{low + share * (high - low):.1f}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
        if high > low
        else [(0.5, f"{low:.1f}")]
    )
    return _Axis(
        "Mean IoU, %", ticks, [(score - low) / width if high > low else 0.5 for score in scores]
    )
