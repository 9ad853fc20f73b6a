"""The curves of one run or several: loss, mean IoU, classes, learning rate, speed."""

import time
from collections.abc import Sequence
from typing import Any

import streamlit as st

from segcore.errors import SegcoreError
from segcore.ui.runs import charts
from segcore.ui.shared import session

MOST = 12
"""Most runs in one chart; more cannot be distinguished."""


def curves(run: str, chosen: Sequence[str], active: bool) -> None:
    """Draw the curves of a run and of the selected runs; live while it is active."""
    with st.container(horizontal=True, vertical_alignment="center"):
        by_time = (
            st.segmented_control(
                "X axis", ["epochs", "time"], default="epochs", key="along", required=True
            )
            == "time"
        )
        smoothing = st.slider("Smoothing", 0.0, 0.95, 0.0, 0.05, key="smoothing", width=200)
        logarithmic = st.toggle("Log scale", key="log_loss")
        classes = st.toggle(
            "Per class",
            key="each_class",
            help="IoU of every class, on the validation split if there is one.",
        )
        more = st.toggle(
            "Learning rate and throughput",
            key="rate_speed",
            help="Learning rate, images per second, seconds per epoch.",
        )
    others = [name for name in dict.fromkeys(chosen) if name != run][: MOST - 1]
    drawn = st.fragment(_draw, run_every=2 if active else None)
    drawn(
        run, others, bool(by_time), float(smoothing), bool(logarithmic), bool(classes), bool(more)
    )


def _draw(
    run: str,
    others: list[str],
    by_time: bool,
    smoothing: float,
    logarithmic: bool,
    classes: bool,
    more: bool,
) -> None:
    workspace = session.workspace()
    histories: dict[str, list[dict[str, Any]]] = {}
    for name in [run, *others]:
        try:
            lines = workspace.runs.open(name).metrics()
        except SegcoreError:
            continue
        if lines:
            histories[name] = lines
    if run not in histories and not histories:
        st.caption(
            "Waiting for the first epoch."
            if not others
            else "None of these runs has finished an epoch."
        )
        return
    if len(histories) > 1:
        st.caption("Solid lines: training split. Dashed lines: validation split.")
    along: dict[str, Any] = {"smoothing": smoothing, "by_time": by_time}
    left, right = st.columns(2, gap="large")
    with left:
        _chart(
            "Loss", histories, ["loss", "val_loss"], "curve_loss", logarithmic=logarithmic, **along
        )
    with right:
        help = (
            "Intersection over union, averaged over classes, at the training size; exact "
            "over each epoch."
        )
        _chart("Mean IoU", histories, ["mean_iou", "val_mean_iou"], "curve_iou", help=help, **along)
    if classes and run in histories:
        _classes(run, histories[run], **along)
    if more:
        for column, (title, key) in zip(
            st.columns(3, gap="medium"),
            [
                ("Learning rate", "learning_rate"),
                ("Images per second", "images_per_second"),
                ("Seconds per epoch", "seconds"),
            ],
            strict=True,
        ):
            with column:
                _chart(
                    title,
                    histories,
                    [key],
                    f"curve_{key}",
                    logarithmic=key == "learning_rate",
                    by_time=by_time,
                )
    _foot(run, histories.get(run, []))


def _chart(
    title: str,
    histories: dict[str, Any],
    keys: list[str],
    key: str,
    help: str | None = None,
    **settings: Any,
) -> None:
    st.markdown(f"**{title}**", help=help)
    st.plotly_chart(
        charts.curves(histories, keys, **settings),
        key=key,
        config=session.CHART,
        alt=f"{title} of the runs",
    )


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
            "Download metrics (CSV)",
            lambda: _csv(run),
            f"{run}-metrics.csv",
            "text/csv",
            key="metrics_csv",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
        )


def _csv(run: str) -> bytes:
    rows = session.workspace().monitor.table(run)
    columns = dict.fromkeys(name for row in rows for name in row)
    return session.csv_bytes([{name: row.get(name) for name in columns} for row in rows])
