"""Plotly figures about merging labels: trade-off, compression curve, label flow, IoU."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from segcore.evaluation.compression.compression import MapScore
from segcore.evaluation.compression.tiers import Tier
from segcore.ui.shared.charts.layout import ACCENT, QUIET, WARM, lay_out

Groups = Sequence[Sequence[int]]
"""Groups of class indices, each class in one."""

_FAINT = "rgba(128,128,128,.18)"


def trade_off(
    path: Sequence[MapScore],
    front: Sequence[MapScore],
    band: Sequence[tuple[float, float] | None],
    chosen: MapScore,
) -> go.Figure:
    """Draw accuracy against entropy kept: path, Pareto front, random merges, selected merge.

    Args:
        path: Rows of the path.
        front: Rows of the front.
        band: (low, high) accuracy of random maps for each row of the path, or None.
        chosen: Scores of the chosen map.
    """
    maps = [row.label_map.groups for row in path]
    on_path = chosen.label_map.num_groups if chosen.label_map.groups in maps else 0
    figure = compression_curve(path, on_path, front)
    rows = [
        (100 * row.retained_entropy, 100 * ends[0], 100 * ends[1])
        for row, ends in zip(path, band, strict=True)
        if ends is not None
    ]
    traces = []
    if rows:
        x, low, high = zip(*rows, strict=True)
        traces.append(
            go.Scatter(
                x=[*x, *x[::-1]],
                y=[*high, *low[::-1]],
                fill="toself",
                fillcolor=_FAINT,
                line={"width": 0},
                mode="lines",
                name="95 % of random merges",
                hoverinfo="skip",
            )
        )
    combined = go.Figure([*traces, *figure.data], figure.layout)
    combined.add_trace(
        go.Scatter(
            x=_known_percent([chosen.retained_entropy]),
            y=[100 * chosen.accuracy],
            mode="markers",
            name="chosen",
            marker={
                "symbol": "star",
                "size": 17,
                "color": WARM,
                "line": {"width": 1, "color": "white"},
            },
            hovertemplate="selected: accuracy %{y:.1f} % at %{x:.1f} % of the entropy<extra></extra>",
        )
    )
    return combined


def compression_curve(
    path: Sequence[MapScore], chosen: int, front: Sequence[MapScore] = ()
) -> go.Figure:
    """Draw accuracy against entropy kept, one point per number of labels.

    Args:
        path: Rows of the compression path.
        chosen: The number of labels that is looked at.
        front: Rows of the certified front, where it was asked for.
    """
    figure = go.Figure()
    if front:
        figure.add_trace(
            go.Scatter(
                x=_known_percent(r.retained_entropy for r in front),
                y=_known_percent(r.accuracy for r in front),
                customdata=[r.label_map.num_groups for r in front],
                mode="markers",
                name="Pareto front",
                marker={"color": QUIET, "size": 5},
                hovertemplate=(
                    "%{customdata} labels: accuracy %{y:.1f} % at %{x:.1f} % of the "
                    "entropy<extra>Pareto front</extra>"
                ),
            )
        )
    for key, name, color in (("accuracy", "accuracy", ACCENT), ("mean_iou", "mean IoU", WARM)):
        figure.add_trace(
            go.Scatter(
                x=_known_percent(r.retained_entropy for r in path),
                y=_known_percent(getattr(r, key) for r in path),
                customdata=[r.label_map.num_groups for r in path],
                mode="lines+markers",
                name=name,
                line={"color": color, "width": 1, "dash": "dot"},
                marker={
                    "size": [14 if r.label_map.num_groups == chosen else 7 for r in path],
                    "line": {"width": 1, "color": "white"},
                },
                hovertemplate="%{customdata} labels: %{y:.1f} % at %{x:.1f} % of the entropy<extra>"
                + name
                + "</extra>",
            )
        )
    return lay_out(
        figure,
        260,
        xaxis={"title": {"text": "entropy kept, %"}, "autorange": "reversed"},
        yaxis={"title": {"text": "%"}},
        hovermode="closest",
    )


def _known_percent(shares: Iterable[float]) -> list[float | None]:
    """Return shares as percentages; None, a gap in a line, where one is undefined."""
    return [100 * float(share) if np.isfinite(share) else None for share in shares]


def sankey(
    names: Sequence[str], colors: Sequence[str], weights: npt.NDArray[np.float64], groups: Groups
) -> go.Figure:
    """Draw which label goes to which group, as wide as it weighs.

    Args:
        names: C class names.
        colors: C colours as ``#rrggbb``.
        weights: (C,) shares 0..1 under the chosen prior, NaN where undefined.
        groups: The chosen groups.
    """
    size = len(names)
    known = np.nan_to_num(weights).tolist()
    sources = [i for group in groups for i in group]
    targets = [size + number for number, group in enumerate(groups) for _ in group]
    figure = go.Figure(
        go.Sankey(
            arrangement="snap",
            node={
                "label": [*names, *(" + ".join(names[i] for i in group) for group in groups)],
                "color": [*colors, *(colors[group[0]] for group in groups)],
                "pad": 10,
                "thickness": 16,
                "hovertemplate": "%{label}<extra></extra>",
            },
            link={
                "source": sources,
                "target": targets,
                "value": [max(100 * known[i], 0.2) for i in sources],
                "color": [_pale(colors[i]) for i in sources],
                "customdata": [100 * known[i] for i in sources],
                "hovertemplate": "%{source.label}: %{customdata:.2f} % of the weight<extra></extra>",
            },
        )
    )
    figure.update_layout(height=max(320, 90 + 30 * size), margin={"l": 8, "r": 8, "t": 8, "b": 8})
    return figure


def _pale(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},.35)"


def before_and_after(
    names: Sequence[str],
    before: npt.NDArray[np.float64],
    after: npt.NDArray[np.float64],
    groups: Groups,
) -> go.Figure:
    """Draw the IoU of each group as a bar, and of its labels before the merge as points.

    Args:
        names: C class names.
        before: (C,) IoU 0..1 of the labels, NaN where undefined.
        after: (K,) IoU 0..1 of the groups, NaN where undefined.
        groups: K groups.
    """
    titles = [" + ".join(names[i] for i in group) for group in groups]
    figure = go.Figure(
        go.Bar(
            x=titles,
            y=_known_percent(after),
            name="after",
            marker={"color": [ACCENT if len(group) > 1 else QUIET for group in groups]},
            hovertemplate="%{x}: IoU %{y:.1f} %<extra>after</extra>",
        )
    )
    known = [(k, i) for k, group in enumerate(groups) for i in group if np.isfinite(before[i])]
    if known:
        x, y, own = zip(
            *((titles[k], 100 * float(before[i]), names[i]) for k, i in known), strict=True
        )
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                customdata=[[name] for name in own],
                mode="markers",
                name="label before",
                marker={"color": WARM, "size": 9, "line": {"width": 1, "color": "white"}},
                hovertemplate="%{customdata[0]}: IoU %{y:.1f} %<extra>before</extra>",
            )
        )
    return lay_out(figure, 360, yaxis={"title": {"text": "IoU, %"}, "range": [0, 100]})


def tier_gains(tiers: Sequence[Tier], titles: Mapping[str, str]) -> go.Figure:
    """Draw what each variant gained over the unmerged model, in points, with intervals.

    Args:
        tiers: The variants, T0 first.
        titles: What each tier is called.
    """
    colors = {"merged": QUIET, "summed": ACCENT, "retrained": WARM}
    shown = {
        "mean_iou": "mean IoU",
        "accuracy": "accuracy",
        "honest_accuracy": "chance-adjusted accuracy",
    }
    figure = go.Figure()
    for tier in tiers:
        gains = {key: tier.gain[key] for key in shown if np.isfinite(tier.gain[key].value)}
        names = [shown[key] for key in gains]
        if tier.images < tiers[0].images and tier.beyond:  # what was predicted for these images
            figure.add_trace(
                go.Bar(
                    x=names,
                    y=[100 * (gain.value - tier.beyond[key].value) for key, gain in gains.items()],
                    name=f"{titles['merged']}, same {tier.images} images",
                    marker={"color": QUIET, "pattern": {"shape": "/"}},
                    hovertemplate="%{x}: %{y:+.1f} pp<extra>expected on the same images</extra>",
                )
            )
        known = gains.values()
        figure.add_trace(
            go.Bar(
                x=names,
                y=[100 * gain.value for gain in known],
                name=f"{titles[tier.name]}, {tier.images} images",
                marker={"color": colors[tier.name]},
                error_y={
                    "array": [100 * (g.high - g.value) if g.is_known else 0 for g in known],
                    "arrayminus": [100 * (g.value - g.low) if g.is_known else 0 for g in known],
                },
                hovertemplate="%{x}: %{y:+.1f} pp<extra>" + titles[tier.name] + "</extra>",
            )
        )
    axis = {"title": {"text": "gain over the unmerged model, pp"}, "zeroline": True}
    return lay_out(figure, 360, barmode="group", yaxis=axis)
