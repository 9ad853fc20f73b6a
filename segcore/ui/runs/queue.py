"""The runs page's card of what works and what waits: how far it is, and which goes next."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from segcore.errors import SegcoreError
from segcore.labels import list_names
from segcore.runs.folder.status import ACTIVE, QUEUED_OR_ACTIVE
from segcore.ui.shared import run_progress, session
from segcore.workspace.runs.queue import Waiting
from segcore.workspace.runs.rows import RunRow

SHOWN = 10
"""Waiting runs that are drawn one by one."""


def under_way(rows: Sequence[RunRow]) -> None:
    """Draw the live card of active and queued runs; the page follows when states change."""
    busy = _busy(rows)
    st.session_state["busy_runs"] = busy
    st.fragment(session.guarded(_card), run_every=2 if busy else 10)()


STEPS = 20
"""So many times a run's progress redraws the table: it never lags behind the card by more."""


def _busy(rows: Iterable[RunRow]) -> list[tuple[str, str, int]]:
    """Return active and queued runs with state and progress: on a change the table redraws."""
    return sorted(
        (r.run, r.status.state, int(STEPS * r.status.progress))
        for r in rows
        if r.status.state in QUEUED_OR_ACTIVE
    )


def _card() -> None:
    try:
        rows = {r.run: r for r in session.workspace().runs.rows()}
        waiting = session.workspace().queue.rows()
        paused = session.workspace().queue.is_paused
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    if _busy(rows.values()) != st.session_state.get("busy_runs"):
        st.rerun()
    active = [r for r in rows.values() if r.status.state in ACTIVE]
    follow = predictions_after(rows)
    folded = {run for runs in follow.values() for run in runs}
    queued = [r.run for r in rows.values() if r.status.state == "queued" and r.run not in folded]
    if not active and not queued:
        return
    jobs = [job for job in waiting if not job.works and job.run in queued]
    elsewhere = [job.run for job in waiting if job.works and job.run in queued]
    with st.container(border=True, key="under_way", gap="xsmall"):
        _headline(len(active), len(queued), paused)
        for row in active:
            _active(row)
            _then(row.run, follow)
        for run in elsewhere[:SHOWN]:
            _handed_over(rows[run])
            _then(run, follow)
        if len(elsewhere) > SHOWN:
            st.caption(f"and {len(elsewhere) - SHOWN} more on clusters")
        order = [job.run for job in jobs]
        for job in jobs[:SHOWN]:
            _waiting(job, order, rows[job.run].status.message)
            _then(job.run, follow)
        if len(jobs) > SHOWN:
            st.caption(f"and {len(jobs) - SHOWN} more")


def predictions_after(rows: Mapping[str, RunRow]) -> dict[str, list[str]]:
    """Return the queued predictions of each training that has not ended, by its id.

    Args:
        rows: All runs by id, newest first.
    """
    follow: dict[str, list[str]] = {}
    for row in reversed(list(rows.values())):
        first = rows.get(row.status.after[0]) if len(row.status.after) == 1 else None
        if (
            first is not None
            and row.run.startswith(f"{first.run}--")
            and row.status.state == "queued"
            and first.status.state in QUEUED_OR_ACTIVE
        ):
            follow.setdefault(first.run, []).append(row.run)
    return follow


def _headline(active: int, queued: int, paused: bool) -> None:
    """Draw how many runs work and wait, and the switch that pauses the queue."""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        words = [f"running {active}"] * bool(active) + [f"queued {queued}"] * bool(queued)
        st.markdown(f"**{', '.join(words).capitalize()}**")
        if (
            st.toggle(
                "Pause queue",
                value=paused,
                key=f"hold_queue_{paused}",
                help="No queued run starts while the queue is paused.",
            )
            != paused
        ):
            with session.errors_shown():
                session.workspace().queue.pause(not paused)
            st.rerun()


def _then(run: str, follow: Mapping[str, list[str]]) -> None:
    """Draw the predictions that follow a training in one line, and the button that cancels them."""
    predictions = follow.get(run, [])
    if not predictions:
        return
    splits = list_names([name.removeprefix(f"{run}--") for name in predictions], SHOWN)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"then predicts {session.plain(splits)}", width="stretch")
        if st.button(
            "",
            key=f"cancel_after_{run}",
            icon=":material/close:",
            help=f"Leave out the predictions of {run}",
            type="tertiary",
        ):
            with session.errors_shown():
                for name in predictions:
                    session.workspace().runs.stop(name)
            st.rerun()


def _active(row: RunRow) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        device = f" · {row.status.device}" if row.status.device else ""
        run_progress.bar(row.status, name=row.run + device)
        _open(row.run)


def _handed_over(row: RunRow) -> None:
    """Draw a run that waits on a cluster: what it waits for there."""
    with st.container(horizontal=True, vertical_alignment="center"):
        message = session.plain(row.status.message or "Handed to a cluster")
        st.markdown(f"`{row.run}` :gray[{message}]", width="stretch")
        _open(row.run)
        if st.button(
            "",
            key=f"cancel_{row.run}",
            icon=":material/close:",
            help=f"Take back: {row.run}",
            type="tertiary",
        ):
            with session.errors_shown():
                session.workspace().runs.stop(row.run)
            st.rerun()


def _open(run: str) -> None:
    if st.button("Show", key=f"watch_{run}", icon=":material/visibility:", type="tertiary"):
        session.request("run", run)
        st.rerun()


@dataclass(frozen=True)
class _Change:
    """What a button of a waiting run does.

    Attributes:
        name: Start of the button's key.
        icon: Its icon.
        title: Its tooltip, without the run.
        act: What it does.
        enabled: Whether it can be pressed.
    """

    name: str
    icon: str
    title: str
    act: Callable[[], object]
    enabled: bool = True


def _waiting(job: Waiting, order: Sequence[str], message: str) -> None:
    """Draw a waiting run: what it waits for, and a button for each change."""
    run = job.run
    with st.container(horizontal=True, vertical_alignment="center"):
        why = (
            ":material/pause: on hold"
            if job.held
            else _waits_for_runs(job.after)
            if job.after
            else session.plain(message) or _waits_for(job.request)
        )
        priority = f" · priority {job.priority}" if job.priority else ""
        st.markdown(f"{order.index(run) + 1}. `{run}` :gray[{why}{priority}]", width="stretch")
        buttons = st.container(horizontal=True, width="content")
        for change in _changes(job, order):
            if buttons.button(
                "",
                key=f"{change.name}_{run}",
                icon=change.icon,
                help=f"{change.title}: {run}",
                disabled=not change.enabled,
                type="tertiary",
            ):
                with session.errors_shown():
                    change.act()
                st.rerun()


def _changes(job: Waiting, order: Sequence[str]) -> tuple[_Change, ...]:
    """Return what can be done with a waiting run.

    Args:
        job: The run.
        order: Ids of the waiting runs that are drawn, in their order.
    """
    queue, run = session.workspace().queue, job.run
    place = order.index(run)
    first, last = place == 0, place == len(order) - 1

    def move(to: int) -> None:
        others = [other for other in order if other != run]
        queue.reorder([*others[:to], run, *others[to:]])

    return (
        _Change(
            "first",
            ":material/vertical_align_top:",
            "Move to front",
            lambda: move(0),
            not first,
        ),
        _Change("up", ":material/arrow_upward:", "Move up", lambda: move(place - 1), not first),
        _Change(
            "down", ":material/arrow_downward:", "Move down", lambda: move(place + 1), not last
        ),
        _Change(
            "plus",
            ":material/exposure_plus_1:",
            "Raise priority",
            lambda: queue.set_priority(run, job.priority + 1),
        ),
        _Change(
            "minus",
            ":material/exposure_neg_1:",
            "Lower priority",
            lambda: queue.set_priority(run, job.priority - 1),
        ),
        _Change(
            "hold",
            ":material/play_arrow:" if job.held else ":material/pause:",
            "Release" if job.held else "Hold",
            lambda: queue.hold(run, not job.held),
        ),
        _Change(
            "cancel",
            ":material/close:",
            "Remove from queue",
            lambda: session.workspace().runs.stop(run),
        ),
    )


def _waits_for_runs(after: Sequence[str]) -> str:
    return f"after {after[0]}" if len(after) == 1 else f"after {len(after)} others"


def _waits_for(request: str) -> str:
    return "waiting for a free device" if request in ("auto", "light") else f"waiting for {request}"
