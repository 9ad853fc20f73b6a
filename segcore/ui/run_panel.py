"""The runs page's parts: the table of all runs, and one run as it goes."""

import re
import time
from datetime import datetime
from typing import Any

import streamlit as st

from segcore.catalog import RUN_KINDS, RUN_STATES
from segcore.config import to_json
from segcore.ui import charts, state

CHATTER = re.compile(r"WARNING: All log messages before absl|[IW]\d{4} \d\d:|E\d{4} .*failed call to cuInit")
ACTIVE = ("queued", "starting", "running", "stopping")
BADGES = {
    "queued": ("gray", ":material/schedule:"),
    "starting": ("blue", ":material/hourglass_top:"),
    "running": ("blue", ":material/play_circle:"),
    "stopping": ("orange", ":material/pause_circle:"),
    "finished": ("green", ":material/check_circle:"),
    "failed": ("red", ":material/error:"),
    "interrupted": ("orange", ":material/stop_circle:"),
}


def table() -> None:
    """Draw the table of all runs; it follows by itself while something is active."""
    active = any(r["state"] in ACTIVE for r in state.workspace().runs.rows())
    st.fragment(_table, run_every=2 if active else None)()


def _table() -> None:
    rows = state.workspace().runs.rows()
    kinds = st.segmented_control(
        "Kinds", list(RUN_KINDS), selection_mode="multi", default=["train"], format_func=lambda k: RUN_KINDS[k].title, key="kinds"
    )
    shown = [r for r in rows if r["kind"] in (kinds or list(RUN_KINDS)) or r["kind"] not in RUN_KINDS]  # a damaged run has no kind
    st.dataframe(
        [
            {
                "run": r["run"],
                "state": RUN_STATES[r["state"]].title,
                "done": r["progress"],
                "mean IoU": r["mean_iou"],
                "epoch": f"{r['epoch'] or 0} of {r['epochs']}" if r["epochs"] else "",
                "left": state.duration(r["seconds_left"]) if r["seconds_left"] and r["state"] == "running" else "",
                "data set": r["dataset"],
                "device": r["device"],
                "started": datetime.fromtimestamp(r["started"]) if r["started"] else None,
                "cause": r["cause"],
            }
            for r in shown
        ],
        hide_index=True,
        height=min(420, 38 + 35 * max(len(shown), 1)),
        column_config={
            "done": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent"),
            "mean IoU": st.column_config.NumberColumn(
                format="percent", help="Best on the validation split (training), or of the predicted split"
            ),
            "started": st.column_config.DatetimeColumn(format="distance"),
        },
        alt="All runs",
    )


def details(run: str) -> None:
    """Draw one run: state, buttons, curves, log; it follows by itself while the run is active."""
    with state.errors_shown():
        active = state.workspace().runs.open(run).status().state in ACTIVE
    st.fragment(_details, run_every=1 if active else None)(run, active)


def _details(run: str, was_active: bool) -> None:
    with state.errors_shown():
        folder = state.workspace().runs.open(run)
        status = folder.status()
        config = folder.config
    if was_active and status.state not in ACTIVE:
        st.rerun()
    color, icon = BADGES[status.state]
    with st.container(horizontal=True, vertical_alignment="center", key="run_head"):
        st.badge(RUN_STATES[status.state].title, color=color, icon=icon)  # type: ignore[arg-type]
        if status.message and status.state in ACTIVE:
            st.caption(status.message)
        _buttons(run, status.state, config.kind)
    if status.cause:
        st.warning(status.cause, icon=":material/info:")
    if status.state in ("starting", "running", "stopping"):
        left = f", {state.duration(status.seconds_left)} left" if status.seconds_left else ""
        epoch = f"epoch {status.epoch or 0} of {status.epochs}" if status.epochs else ""
        st.progress(min(max(status.progress, 0.0), 1.0), text=f"{epoch}{left}" or "working")
        if status.is_silent():
            st.warning(
                "Its process has not written for three minutes: it may hang. Stop it, or look at its log.", icon=":material/warning:"
            )
    history = folder.metrics()
    if history:
        _curves(run, history)
    tab_log, tab_config = st.tabs(["Log", "Config"])
    with tab_log:
        text = _without_chatter(folder.log_tail(400))
        st.code(text or "Nothing was written yet.", language=None, height=260)
    with tab_config:
        st.json(to_json(config))


def _without_chatter(log: str) -> str:
    """Leave out what TensorFlow says at every start on a machine without a GPU; the file keeps it."""
    return "\n".join(line for line in log.splitlines() if not CHATTER.match(line))


def _buttons(run: str, now: str, kind: str) -> None:
    runs = state.workspace().runs
    if now in ACTIVE and st.button(
        "Stop", icon=":material/stop:", key="stop", help="Saves a checkpoint and ends; asked again, it is killed."
    ):
        with state.errors_shown():
            runs.stop(run)
        st.rerun()
    if now in ("failed", "interrupted") and st.button(
        "Resume", icon=":material/resume:", key="resume", help="Goes on from its last checkpoint."
    ):
        with state.errors_shown():
            runs.resume(run)
        st.rerun()
    if now == "finished" and kind == "train":
        st.page_link("pages/compare.py", label="Look at its masks", icon=":material/view_column:", query_params={"run": run})
        st.page_link("pages/evaluate.py", label="Scores", icon=":material/fact_check:", query_params={"run": run})
    if now not in ACTIVE:
        with st.popover("Delete", icon=":material/delete:"):
            st.markdown("This removes the run and its predictions from the disk.")
            if st.button("Delete this run", type="primary", key="delete"):
                with state.errors_shown():
                    runs.delete(run)
                st.session_state.pop("run", None)
                st.rerun()


def _curves(run: str, history: list[dict[str, Any]]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Loss**")
        st.plotly_chart(charts.curves({run: history}, ["loss", "val_loss"]), key="curve_loss", config=state.CHART, alt="Loss by epoch")
    with right:
        st.markdown("**Mean IoU**", help="Intersection over union, averaged over classes, at the training size; exact over each epoch.")
        st.plotly_chart(
            charts.curves({run: history}, ["mean_iou", "val_mean_iou"]), key="curve_iou", config=state.CHART, alt="Mean IoU by epoch"
        )
    last = history[-1]
    facts = [f"learning rate {last['learning_rate']:.2e}"] if last.get("learning_rate") else []
    facts += [f"{last['images_per_second']:.1f} images/s"] if last.get("images_per_second") else []
    facts += [f"{last['seconds']:.1f} s an epoch"] if last.get("seconds") else []
    st.caption(" · ".join(facts) + f" · read at {time.strftime('%H:%M:%S')}")
