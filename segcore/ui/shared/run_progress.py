"""How far background runs are, and the panel of runs that a page waits for."""

from collections.abc import Sequence

import streamlit as st

from segcore import formatting
from segcore.catalog import RUN_STATES
from segcore.runs.folder.status import QUEUED_OR_ACTIVE, Status
from segcore.ui.shared import session
from segcore.ui.shared.run_names import called


def bar(status: Status, *, name: str = "") -> None:
    """Draw how far a run is: the same words wherever it is shown.

    Args:
        status: Its status.
        name: What stands before the words, such as its id.
    """
    st.progress(min(max(status.progress, 0.0), 1.0), text=words(status, name=name))


def words(status: Status, *, name: str = "") -> str:
    """Say how far a run is: "run · epoch 2 of 6 · 33.3 % · 4 min left"."""
    parts = [name, epochs(status)]
    parts.append(formatting.percent(status.progress) if status.progress else "")
    if status.state == "running" and status.seconds_left:
        parts.append(f"{formatting.duration(status.seconds_left)} left")
    if status.state != "running":
        parts.append(status.message)
    return " · ".join(part for part in parts if part) or "working"


def epochs(status: Status) -> str:
    """Return how many epochs are complete, "2 of 6"; "" for what has no epochs."""
    return f"epoch {status.epoch or 0} of {status.epochs}" if status.epochs else ""


def follow(runs: Sequence[str], what: str, key: str) -> bool:
    """Show runs that are in progress or ended early; return whether all are finished.

    Args:
        runs: Ids; those that do not exist are passed over.
        what: What is done, such as "Searching".
        key: Name of this place on its page.
    """
    workspace = session.workspace()
    rows = {r.run: r for r in workspace.runs.rows()}
    known = [rows[run] for run in runs if run in rows]
    waiting = list(dict.fromkeys(other for r in known for other in r.status.after if other in rows))
    needed = [rows[name] for name in waiting if rows[name].status.state != "finished"] + known
    active = [r.run for r in needed if r.status.state in QUEUED_OR_ACTIVE]
    if active:
        with st.container(border=True):
            st.fragment(session.guarded(_panel), run_every=1)(active, what, key)
        return False
    ended = [r for r in known if r.status.state != "finished"]
    if len(ended) > 1 and st.button(
        f"Resume all {len(ended)}", icon=":material/play_arrow:", key=f"{key}_resume_all"
    ):
        with session.errors_shown():
            for row in ended:
                workspace.runs.resume(row.run)
        st.rerun()
    for row in ended:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            title = RUN_STATES[row.status.state].title
            name = f"{session.plain(called(row.run))}: " if len(ended) > 1 else ""
            st.markdown(f"{name}**{title}.** {session.plain(row.status.cause or '')}")
            if st.button("Resume", icon=":material/play_arrow:", key=f"{key}_resume_{row.run}"):
                with session.errors_shown():
                    workspace.runs.resume(row.run)
                st.rerun()
    return bool(known) and not ended


def _panel(names: Sequence[str], what: str, key: str) -> None:
    workspace = session.workspace()
    workspace.runs.refresh()
    statuses = {name: workspace.runs.open(name).status() for name in names}
    if all(s.has_ended for s in statuses.values()):
        st.rerun()
    done = sum(1.0 if s.has_ended else s.progress for s in statuses.values()) / len(statuses)
    left = max((s.seconds_left or 0.0) for s in statuses.values())
    message = next(
        (s.message for s in statuses.values() if s.is_active and s.message),
        "waiting for a free device",
    )
    row = st.container(horizontal=True, vertical_alignment="center")
    row.progress(
        min(done, 1.0),
        text=f"{what}: {message}" + (f", {formatting.duration(left)} left" if left else ""),
    )
    if row.button(
        "Stop",
        icon=":material/stop:",
        key=f"{key}_stop",
        help="Finished work is kept.",
    ):
        for name, status in statuses.items():
            if not status.has_ended:
                workspace.runs.stop(name)
        st.rerun()
