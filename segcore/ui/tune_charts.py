"""Plotly figures of a study; no app in here."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from segcore.ui.charts import ACCENT, QUIET, WARM, lay_out
from segcore.ui.tune_words import TRIAL_STATES, choice, setting, settings

Trials = Sequence[Mapping[str, Any]]
SYMBOLS = {"complete": "circle", "running": "circle-open", "pruned": "x-thin"}
GREY = "rgba(128,128,128,.9)"


def history(trials: Trials) -> go.Figure:
    """Draw the score of each trial in the order in which they were tried, and the best of the finished ones so far.

    Args:
        trials: Rows of a study (see :class:`segcore.workspace.studies.Study`); those without a score are left out.
    """
    figure = go.Figure()
    steps: list[tuple[int, float]] = []
    for row in trials:
        if row["state"] == "complete" and (not steps or row["score"] > steps[-1][1]):
            steps.append((row["trial"], row["score"]))
    if steps:
        ends = [*steps, (max(row["trial"] for row in trials), steps[-1][1])]
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in ends],
                y=[100 * y for _, y in ends],
                mode="lines",
                name="best so far",
                line={"color": WARM, "width": 2, "shape": "hv"},
                hoverinfo="skip",
            )
        )
    for state, color in (("complete", ACCENT), ("pruned", GREY), ("running", ACCENT)):
        rows = [row for row in trials if row["state"] == state and row["score"] is not None]
        if not rows:
            continue
        figure.add_trace(
            go.Scatter(
                x=[row["trial"] for row in rows],
                y=[100 * row["score"] for row in rows],
                customdata=[settings(row["values"]) for row in rows],
                mode="markers",
                name=TRIAL_STATES[state].lower(),
                marker={"color": color, "size": 9, "symbol": SYMBOLS[state], "line": {"color": color, "width": 2}},
                hovertemplate="trial %{x}: %{y:.2f} %<br>%{customdata}<extra>" + TRIAL_STATES[state].lower() + "</extra>",
            )
        )
    return lay_out(
        figure,
        300,
        xaxis={"title": {"text": "trial"}, "dtick": 1 if len(trials) <= 20 else None, "range": [0.5, max(len(trials), 2) + 0.5]},
        yaxis={"title": {"text": "validation mean IoU, %"}},
        showlegend=True,
    )


def epochs(trials: Trials, best: int | None) -> go.Figure:
    """Draw the score of every trial by epoch; the best stands out, those that ended early are dotted.

    Args:
        trials: Rows of a study.
        best: Number of the best trial, or None.
    """
    figure = go.Figure()
    for row in sorted(trials, key=lambda r: r["trial"] == best):
        points = sorted((int(epoch), 100 * score) for epoch, score in row["scores"].items() if math.isfinite(score))
        if not points:
            continue
        is_best = row["trial"] == best
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in points],
                y=[y for _, y in points],
                mode="lines+markers" if len(points) < 3 or is_best else "lines",
                name=f"trial {row['trial']}",
                line={
                    "color": ACCENT if is_best else QUIET,
                    "width": 3 if is_best else 1.5,
                    "dash": "dot" if row["state"] == "pruned" else "solid",
                },
                marker={"size": 5},
                hovertemplate=f"trial {row['trial']}, epoch %{{x}}: %{{y:.2f}} %<br>{settings(row['values'])}<extra></extra>",
            )
        )
    return lay_out(
        figure,
        300,
        xaxis={"title": {"text": "epoch"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "validation mean IoU, %"}},
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
    return lay_out(figure, 90 + 30 * len(names), xaxis={"title": {"text": "share, %"}, "range": [0, 1.2 * top]}, yaxis={"automargin": True})


def parallel(trials: Trials, names: Sequence[str]) -> go.Figure:
    """Draw each finished trial as a line through its settings to its score; dragging on an axis picks lines.

    Args:
        trials: Rows of a study.
        names: What was varied, in order.
    """
    rows = [row for row in trials if row["state"] == "complete" and all(name in row["values"] for name in names)]
    scores = [100 * row["score"] for row in rows]
    axes = [_axis(name, [row["values"][name] for row in rows]) for name in names]
    figure = go.Figure(
        go.Parcoords(
            dimensions=[*axes, {"label": "mean IoU, %", "values": scores, "tickformat": ".1f"}],
            line={
                "color": scores,
                "colorscale": [[0, "#cfdcdc"], [0.5, "#56a5a5"], [1, ACCENT]],
                "showscale": False,
            },
            labelangle=0,
        )
    )
    lay_out(figure, 340)
    return figure.update_layout(margin={"l": 90, "r": 70, "t": 48, "b": 24})


def _axis(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """One axis: positions of names, powers of ten of a learning rate, numbers as they are."""
    if name == "learning_rate":
        powers = [math.log10(value) for value in values]
        low, high = math.floor(min(powers, default=-3)), math.ceil(max(powers, default=-2))
        ticks = list(range(low, high + 1))
        return {
            "label": setting(name),
            "values": powers,
            "range": [low, high],
            "tickvals": ticks,
            "ticktext": [f"{10.0**t:g}" for t in ticks],
        }
    known = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    places = {value: place for place, value in enumerate(known)}
    return {
        "label": setting(name),
        "values": [places[value] for value in values],
        "range": [-0.2, max(len(known) - 1, 1) + 0.2],
        "tickvals": list(places.values()),
        "ticktext": [choice(name, value) for value in known],
    }
