"""The train page's measure: a few real steps of these choices in the background, to know time and memory before a start."""

import time

import streamlit as st

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.ui import state
from segcore.workspace.paces import Pace

HELP = "Makes a few real steps of these choices in the background, in about half a minute; what they learn is thrown away."


def offer(config: TrainConfig, pace: Pace | None) -> None:
    """Draw the button that measures a config; while it is measured, how far that is, and how the last attempt failed.

    Args:
        config: What the form says.
        pace: What is known of it.
    """
    status = state.workspace().launch.measuring(config)
    if status is not None and not status.has_ended:
        st.fragment(_panel, run_every=1)(config)
        return
    known = pace is not None and pace.epoch_seconds is not None
    if st.button("Measure again" if known else "Measure a few steps", key="measure", icon=":material/timer:", help=HELP):
        try:
            state.workspace().launch.measure(config)
        except SegcoreError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.rerun()
    if status is not None and status.state != "finished":
        st.caption(f":orange[:material/warning:] Not measured: {state.plain(status.cause)}")


def _panel(config: TrainConfig) -> None:
    status = state.workspace().launch.measuring(config)
    if status is None or status.has_ended:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        words = {"starting": "Starting TensorFlow", "running": status.message or "Preparing"}.get(status.state, status.state)
        st.progress(min(max(status.progress, 0.0), 1.0), text=f"Measuring: {words}")
        if st.button("Stop", key="stop_measure", icon=":material/stop:", type="tertiary"):
            with state.errors_shown():
                state.workspace().launch.stop_measure(config)
            st.rerun()


def told(pace: Pace | None) -> str:
    """Say when and on what a pace was measured; "" where it was not."""
    if pace is None or pace.measured is None:
        return ""
    ago = max(0.0, time.time() - pace.measured)
    when = "just now" if ago < 60 else f"{state.duration(ago)} ago" if ago < 86_400 else f"{ago / 86_400:.0f} days ago"
    beside = f" while {len(pace.beside)} of your runs worked: alone it is faster" if pace.beside else ""
    return f"Measured {when} over {pace.steps} steps on {state.plain(pace.device)}{beside}."
