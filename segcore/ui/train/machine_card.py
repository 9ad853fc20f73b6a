"""The card of the machine: what the doctor found, in one line that unfolds into its checks."""

from datetime import datetime

import streamlit as st

from segcore.formatting import plural
from segcore.ui.shared import manual, session
from segcore.workspace.launch.doctor import STATES, Check, Diagnosis

MARKS = {
    "ok": ":green[:material/check_circle:]",
    "warning": ":orange[:material/warning:]",
    "fails": ":red[:material/error:]",
}
UNKNOWN = ":gray[:material/help:]"
HELP = "how-to/gpu-box"


def card() -> None:
    """Draw the card; a GPU that was never checked is checked in the background."""
    doctor = session.workspace().doctor
    doctor.start_where_unchecked(session.workspace().runs.devices())
    if doctor.progress is not None:
        with st.container(border=True, key="machine_progress"):
            st.fragment(_progress, run_every=1)()
        return
    diagnosis, current = doctor.kept(), doctor.last() is not None
    unfolded = st.session_state.get("machine_unfolded", False)
    with st.expander(_title(diagnosis, current), expanded=unfolded, key="machine_card"):
        if doctor.problem:
            st.markdown(f"{MARKS['fails']} {session.plain(doctor.problem)}")
        if diagnosis is None:
            st.caption(
                "The check lets each engine compute on each device and names what is missing. It "
                "takes up to a minute, a few where several engines are timed, in the background."
            )
        else:
            _checks(diagnosis)
        _footer(diagnosis, current)


def _title(diagnosis: Diagnosis | None, current: bool) -> str:
    """Return the one line: ok, or how many checks fail and how many warn."""
    if diagnosis is None:
        return f"{UNKNOWN} Machine: not checked yet"
    if not current:
        return f"{UNKNOWN} Machine: changed since the last check"
    states = [check.state for check in diagnosis.checks]
    fails, warnings = states.count("fails"), states.count("warning")
    words = [f"{plural(fails, 'check')} {'fails' if fails == 1 else 'fail'}"] * bool(fails)
    words += [plural(warnings, "warning")] * bool(warnings)
    return f"{MARKS[diagnosis.state]} Machine: {', '.join(words) or 'ok'}"


def _checks(diagnosis: Diagnosis) -> None:
    """Draw what fails first, then warnings, each with its fix; then what is well, in one list."""
    by_state = sorted(diagnosis.checks, key=lambda check: -STATES.index(check.state))
    for check in by_state:
        if check.state != "ok":
            _problem(check)
    well = [
        f"{MARKS['ok']} **{session.plain(check.name)}**: {session.plain(check.reason)}"
        for check in by_state
        if check.state == "ok"
    ]
    if well:
        st.caption("  \n".join(well))


def _problem(check: Check) -> None:
    st.markdown(
        f"{MARKS[check.state]} **{session.plain(check.name)}**: {session.plain(check.reason)}"
    )
    if check.fix:
        st.caption(f"To fix it, {session.plain(check.fix)}{':' if check.command else '.'}")
    if check.command:
        st.code(check.command, language="bash", wrap_lines=True)


def _footer(diagnosis: Diagnosis | None, current: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Check" if diagnosis is None else "Check again",
            key="check_machine",
            icon=":material/stethoscope:",
            help=manual.see(
                "Lets each engine compute a convolution, its gradient and a step on each device, "
                "in the background.",
                HELP,
            ),
        ):
            st.session_state["machine_unfolded"] = True
            session.workspace().doctor.start()
            st.rerun()
        if diagnosis is not None:
            when = datetime.fromtimestamp(diagnosis.checked).strftime("%d %B %Y, %H:%M")
            changed = "" if current else " Driver or packages have changed since."
            st.caption(f"Checked {when}.{changed}")


def _progress() -> None:
    progress = session.workspace().doctor.progress
    if progress is None:
        st.rerun()
    st.progress(progress.done / progress.total, text=f"Checking the machine: {progress.part}")
