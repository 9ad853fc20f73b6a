"""Plotly figures of runs: curves over epochs or time, classes, load of devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

from segcore.runs.folder.usage import Usage
from segcore.ui.shared.charts.layout import ACCENT, QUIET, WARM, cycle_color, lay_out

DASHES = ("solid", "dash", "dot", "dashdot")
TITLES = {
    "loss": "training",
    "mean_iou": "training",
    "val_loss": "validation",
    "val_mean_iou": "validation",
}
"""What a quantity is called in a chart that says above it of what."""

GIB = 1 << 30
WHOLE_TICKS = 12
"""Up to so many epochs each has a tick of its own: there is no epoch 1.5."""


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Return the exponential moving average, corrected for its start.

        s_t = (w s_(t-1) + (1 - w) x_t),  shown: s_t / (1 - w^t)     (Kingma, Ba: Adam, ICLR 2015, section 3)

    Args:
        values: T values.
        weight: w in 0..1 (1 excluded); 0 changes nothing.
    """
    shown, average = [], 0.0
    for step, value in enumerate(values, 1):
        average = weight * average + (1 - weight) * value
        shown.append(average / (1 - weight**step))
    return shown


def places(lines: Sequence[Mapping[str, Any]], by_time: bool) -> list[float]:
    """Return the x position of each line of a history: its epoch, or minutes of work."""
    if not by_time:
        return [line["epoch"] for line in lines]
    minutes, total = [], 0.0
    for line in lines:
        total += (line.get("seconds") or 0.0) / 60
        minutes.append(total)
    return minutes


@dataclass(frozen=True)
class Panel:
    """One of the charts that lie above each other over a common horizontal axis.

    Attributes:
        title: What stands at its vertical axis.
        keys: Quantities to draw, such as "loss" and "val_loss".
        logarithmic: Whether its vertical axis is logarithmic.
    """

    title: str
    keys: tuple[str, ...]
    logarithmic: bool = False


PANEL_PIXELS = 185
"""Height of a chart among those that lie above each other."""
GAP = 0.06
"""Room between two of them, as a share of the figure."""


def curves(
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    panels: Sequence[Panel],
    *,
    smoothing: float = 0.0,
    by_time: bool = False,
    best: Mapping[str, int | None] | None = None,
) -> go.Figure:
    """Draw training curves above each other, one pointer for all of them.

    One run has a colour a quantity, several have a colour a run; smoothed curves keep their values
    as faint lines. A star marks the epoch whose weights are kept.

    Args:
        histories: Lines of ``metrics.jsonl`` by run id.
        panels: The charts, from top to bottom; they share one horizontal axis, so the values of all
            are shown together.
        smoothing: Weight of :func:`smooth`.
        by_time: Whether the horizontal axis is minutes of work instead of epochs.
        best: Epoch of the best checkpoint by run id.
    """
    figure = go.Figure()
    each = (1 - GAP * (len(panels) - 1)) / len(panels)
    named: set[str] = set()
    for number, panel in enumerate(panels):
        axis = "" if number == 0 else str(number + 1)
        top = 1 - number * (each + GAP)
        figure.update_layout(
            {
                f"yaxis{axis}": {
                    "domain": [max(top - each, 0), top],
                    "type": "log" if panel.logarithmic else "linear",
                    "title": {"text": panel.title},
                    "tickformat": ".2~%" if all(k.endswith("iou") for k in panel.keys) else None,
                }
            }
        )
        for position, (run, recorded) in enumerate(histories.items()):
            lines = [line for line in recorded if isinstance(line.get("epoch"), int)]
            look = _Look(run, position, len(histories) == 1, f"y{axis}", smoothing)
            _draw_panel(figure, panel, lines, places(lines, by_time), look, named)
            _mark_best(figure, panel, lines, places(lines, by_time), look, (best or {}).get(run))
    bottom = "y" if len(panels) == 1 else f"y{len(panels)}"
    rows = len(histories) if len(histories) > 1 else 1
    _framed(figure, by_time, PANEL_PIXELS * len(panels) + 40 + 20 * rows)
    figure.update_layout(
        hoversubplots="axis",
        hoverdistance=-1,  # the nearest epoch, however far apart few of them stand
        xaxis={"anchor": bottom, "showspikes": True, "spikethickness": 1, "spikemode": "across"},
    )
    return figure


@dataclass(frozen=True)
class _Look:
    """How the curves of a run are drawn in a chart.

    Attributes:
        run: Its id.
        position: Its place among the runs.
        alone: Whether it is the only one.
        axis: Vertical axis of the chart.
        smoothing: Weight of :func:`smooth`.
    """

    run: str
    position: int
    alone: bool
    axis: str
    smoothing: float

    def color(self, number: int) -> str:
        """Return the colour of a quantity, counted from 0."""
        return cycle_color(number if self.alone else self.position)


def _draw_panel(
    figure: go.Figure,
    panel: Panel,
    lines: Sequence[Mapping[str, Any]],
    where: Sequence[float],
    look: _Look,
    named: set[str],
) -> None:
    """Add the curves of one run to a chart; ``named`` holds what the legend names already."""
    for number, key in enumerate(panel.keys):
        x, y = _points(lines, where, key)
        if not x:
            continue
        title = TITLES.get(key, key.replace("_", " "))
        name = title if look.alone else look.run
        color = look.color(number)
        if look.smoothing:
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=y,
                    mode="lines",
                    line={"width": 1, "color": color},
                    opacity=0.25,
                    hoverinfo="skip",
                    showlegend=False,
                    yaxis=look.axis,
                )
            )
        # one entry a run: with many runs the legend would be larger than the chart
        shown = name not in named and (look.alone or number == 0)
        named.add(name)
        few = len(x) < 40 and not look.smoothing and look.alone
        value = "%{y:.1%}" if key.endswith("iou") else "%{y:.4~g}"
        side = "" if title == panel.title.lower() else f", {title}"
        figure.add_trace(
            go.Scatter(
                x=x,
                y=smooth(y, look.smoothing),
                name=name,
                mode="lines+markers" if few else "lines",
                marker={"size": 4},
                line={"dash": DASHES[number % len(DASHES)], "width": 2, "color": color},
                legendgroup=name,
                showlegend=shown,
                yaxis=look.axis,
                hovertemplate=f"{panel.title}{side}: {value}<extra>{'' if look.alone else name}</extra>",
            )
        )


def _points(
    lines: Sequence[Mapping[str, Any]], where: Sequence[float], key: str
) -> tuple[list[float], list[float]]:
    """Return the places and values of a quantity where it is known."""
    known = [
        (x, line[key]) for x, line in zip(where, lines, strict=True) if line.get(key) is not None
    ]
    return [x for x, _ in known], [y for _, y in known]


def _mark_best(
    figure: go.Figure,
    panel: Panel,
    lines: Sequence[Mapping[str, Any]],
    where: Sequence[float],
    look: _Look,
    epoch: int | None,
) -> None:
    """Add a star to a chart at the epoch whose weights are kept, on validation if there is one."""
    key = next((k for k in panel.keys[::-1] if any(k in line for line in lines)), None)
    if key is None or not key.endswith(("loss", "iou")):
        return
    for x, line in zip(where, lines, strict=True):
        if line["epoch"] == epoch and line.get(key) is not None:
            figure.add_trace(
                go.Scatter(
                    x=[x],
                    y=[line[key]],
                    mode="markers",
                    name="best checkpoint",
                    marker={
                        "symbol": "star",
                        "size": 13,
                        "color": look.color(panel.keys.index(key)),
                        "line": {"width": 1, "color": "white"},
                    },
                    legendgroup="best checkpoint",
                    showlegend=look.alone and look.axis == "y",
                    yaxis=look.axis,
                    hoverinfo="skip",
                )
            )


def class_curves(
    lines: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    colors: Sequence[str],
    *,
    smoothing: float = 0.0,
    by_time: bool = False,
) -> go.Figure:
    """Draw the IoU of each class of one run, in the colours of the classes.

    Args:
        lines: Lines of ``metrics.jsonl``, those with ``class_iou`` (C values 0..1, None for an
            absent class).
        names: C class names.
        colors: C colours as ``#rrggbb``.
        smoothing: Weight of :func:`smooth`.
        by_time: Whether the horizontal axis is minutes of work instead of epochs.
    """
    figure = go.Figure()
    recorded = [line for line in lines if isinstance(line.get("epoch"), int)]
    where = places(recorded, by_time)
    for index, (name, color) in enumerate(zip(names, colors, strict=True)):
        scores = [(line.get("class_iou") or [])[index : index + 1] for line in recorded]
        points = [
            (x, score[0])
            for x, score in zip(where, scores, strict=True)
            if score and score[0] is not None
        ]
        if points:
            x, y = zip(*points, strict=True)
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=smooth(y, smoothing),
                    name=name,
                    mode="lines",
                    line={"color": color, "width": 2},
                )
            )
    figure.update_yaxes(tickformat=".2~%")
    return _framed(figure, by_time, 380)


def _framed(figure: go.Figure, by_time: bool, height: int) -> go.Figure:
    ticks = (
        {}
        if by_time or max((max(trace.x) for trace in figure.data), default=0) > WHOLE_TICKS
        else {"dtick": 1}
    )
    return lay_out(
        figure,
        height,
        xaxis={"title": {"text": "minutes" if by_time else "epoch"}, **ticks},
        hovermode="x unified",
    )


def load(records: Sequence[Usage]) -> go.Figure:
    """Draw how busy the processor and the run's GPUs were, in %.

    Args:
        records: In order of time.
    """
    figure = go.Figure()
    when = [datetime.fromtimestamp(r.time) for r in records]
    _line(
        figure,
        when,
        [_share(r.machine_load) for r in records],
        "machine, CPU",
        QUIET,
        1,
    )
    _line(
        figure,
        when,
        [_share(r.process_load) for r in records],
        "this run, CPU",
        ACCENT,
    )
    for number, (gpu, values) in enumerate(_gpus(records, "load").items()):
        _line(figure, when, [_share(v) for v in values], gpu, cycle_color(5 - number))
    return _over_time(figure, "%")


def memory(records: Sequence[Usage]) -> go.Figure:
    """Draw the memory of the run, the machine and the run's GPUs, in GiB."""
    figure = go.Figure()
    when = [datetime.fromtimestamp(r.time) for r in records]
    _line(figure, when, [_gib(r.machine_memory) for r in records], "machine", QUIET, 1)
    _line(figure, when, [_gib(r.process_memory) for r in records], "this run", ACCENT)
    for number, (gpu, values) in enumerate(_gpus(records, "memory").items()):
        _line(figure, when, [_gib(v) for v in values], gpu, cycle_color(5 - number))
    return _over_time(figure, "GiB")


def temperature(records: Sequence[Usage]) -> go.Figure | None:
    """Draw the temperature of the run's GPUs; None where none was noted."""
    series = {
        gpu: values
        for gpu, values in _gpus(records, "temperature").items()
        if any(v is not None for v in values)
    }
    if not series:
        return None
    figure = go.Figure()
    when = [datetime.fromtimestamp(r.time) for r in records]
    for values, color, gpu in zip(
        series.values(), [WARM, *map(cycle_color, range(8))], series, strict=False
    ):
        _line(figure, when, values, gpu, color)
    return _over_time(figure, "°C")


def _over_time(figure: go.Figure, unit: str) -> go.Figure:
    units = ((None, 59_999, "%H:%M:%S"), (60_000, 86_400_000, "%H:%M"), (86_400_000, None, "%d %b"))
    stops = [{"dtickrange": [least, most], "value": form} for least, most, form in units]
    axes = {
        "xaxis": {"tickformatstops": stops},
        "yaxis": {"title": {"text": unit}, "rangemode": "tozero"},
    }
    return lay_out(figure, 260, **axes, hovermode="x unified")


def _gpus(records: Sequence[Usage], key: str) -> dict[str, list[Any]]:
    names = dict.fromkeys(gpu.id for record in records for gpu in record.gpus)
    return {
        name: [
            next((getattr(gpu, key) for gpu in record.gpus if gpu.id == name), None)
            for record in records
        ]
        for name in names
    }


def _share(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _gib(value: float | None) -> float | None:
    return None if value is None else value / GIB


def _line(
    figure: go.Figure, x: Sequence[Any], y: Sequence[Any], name: str, color: str, width: int = 2
) -> None:
    figure.add_trace(
        go.Scatter(x=x, y=y, name=name, mode="lines", line={"color": color, "width": width})
    )
