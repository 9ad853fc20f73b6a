"""The curves of one run or several: loss, mean IoU, classes, learning rate, speed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from segcore.errors import SegcoreError
from segcore.ui.runs import charts
from segcore.ui.shared import session

MOST = 12
"""Most runs in one chart; more cannot be distinguished."""


RATES = (
    charts.Panel("Learning rate", ("learning_rate",), logarithmic=True),
    charts.Panel("Images per second", ("images_per_second",)),
    charts.Panel("Seconds per epoch", ("seconds",)),
)


@dataclass(frozen=True)
class Display:
    """How curves are drawn.

    Attributes:
        by_time: Over minutes of work instead of epochs.
        smoothing: Weight of the moving average.
        logarithmic: Whether the loss has a logarithmic axis.
        classes: Whether the IoU of each class is drawn.
        rates: Whether learning rate and throughput are drawn.
    """

    by_time: bool
    smoothing: float
    logarithmic: bool
    classes: bool
    rates: bool


def curves(run: str, chosen: Sequence[str], active: bool) -> None:
    """Draw the curves of a run and of the selected runs; live while it is active."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        by_time = st.segmented_control(
            "X axis",
            ["epochs", "time"],
            default="epochs",
            key="along",
            required=True,
            label_visibility="collapsed",
        )
        smoothing = st.slider("Smoothing", 0.0, 0.95, 0.0, 0.05, key="smoothing", width=100)
        logarithmic = st.toggle("Log scale", key="log_loss", help="Of the loss.")
        classes = st.toggle(
            "Per class",
            key="each_class",
            help="IoU of every class, on the validation split if there is one.",
        )
        rates = st.toggle(
            "Rates",
            key="rate_speed",
            help="Learning rate, images per second, seconds per epoch.",
        )
    others = [name for name in dict.fromkeys(chosen) if name != run][: MOST - 1]
    display = Display(
        by_time == "time", float(smoothing), bool(logarithmic), bool(classes), bool(rates)
    )
    st.fragment(session.guarded(_draw), run_every=2 if active else None)(run, others, display)


def _draw(run: str, others: list[str], display: Display) -> None:
    workspace = session.workspace()
    histories: dict[str, list[dict[str, Any]]] = {}
    for name in [run, *others]:
        try:
            lines = workspace.runs.open(name).metrics()
        except SegcoreError:
            continue
        if lines:
            histories[name] = lines
    if not histories:
        st.caption("None of these runs has finished an epoch." if others else _without_epoch(run))
        return
    panels = [
        charts.Panel("Loss", ("loss", "val_loss"), display.logarithmic),
        charts.Panel("Mean IoU", ("mean_iou", "val_mean_iou")),
        *(RATES if display.rates else ()),
    ]
    figure = charts.curves(
        histories,
        panels,
        smoothing=display.smoothing,
        by_time=display.by_time,
        best={name: workspace.monitor.best_epoch(name) for name in histories},
    )
    st.plotly_chart(figure, key="curves", config=session.CHART, alt="Training curves of the runs")
    several = "Solid: training split, dashed: validation split. " if len(histories) > 1 else ""
    st.caption(
        f"{several}★ marks the epoch whose weights are kept. Mean IoU at the training size.",
        help="Intersection over union, averaged over classes, exact over each epoch.",
    )
    if display.classes and run in histories:
        _classes(run, histories[run], smoothing=display.smoothing, by_time=display.by_time)
    _foot(run, histories.get(run, []))


def _without_epoch(run: str) -> str:
    """Say why a run has no curves yet, or never got any."""
    status = session.workspace().runs.open(run).status()
    if not status.has_ended:
        return "Waiting for the first epoch."
    ended = "failed" if status.state == "failed" else "ended"
    return f"No curves: the run {ended} before its first epoch was done; the cause is above."


def _classes(run: str, history: list[dict[str, Any]], **along: Any) -> None:
    labels = session.workspace().monitor.label_set(run)
    if labels is None or not any(line.get("class_iou") for line in history):
        st.caption("This run did not record its classes.")
        return
    st.markdown("**IoU per class**")
    figure = charts.class_curves(history, labels.class_names, session.hex_colors(labels), **along)
    st.plotly_chart(
        figure, key="curve_classes", config=session.CHART, alt="IoU of each class by epoch"
    )


def _foot(run: str, history: list[dict[str, Any]]) -> None:
    if not history:
        return
    last = history[-1]
    facts = [f"learning rate {last['learning_rate']:.2e}"] if last.get("learning_rate") else []
    facts += [f"{last['images_per_second']:.1f} images/s"] if last.get("images_per_second") else []
    facts += [f"{last['seconds']:.1f} s per epoch"] if last.get("seconds") else []
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(" · ".join([*facts, f"updated {time.strftime('%H:%M:%S')}"]))
        st.download_button(
            "Download CSV",
            lambda: _csv(run),
            f"{run}-metrics.csv",
            "text/csv",
            key="metrics_csv",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
        )


def _csv(run: str) -> bytes:
    rows = [row.values for row in session.workspace().monitor.table(run)]
    columns = dict.fromkeys(name for row in rows for name in row)
    return session.csv_bytes([{name: row.get(name) for name in columns} for row in rows])
