"""What was done in the workspace, and by whom, in a dialog."""

from datetime import datetime

import streamlit as st

from segcore.installing import shell_command
from segcore.ui.shared import session, tables

MOST = 200
"""Actions that are listed; ``segscope history`` has no such limit."""


def button() -> None:
    """Draw the button that opens it."""
    if st.button("History", key="open_history", icon=":material/history:", type="tertiary"):
        _dialog()


@st.dialog("History", width="large")
@session.guarded
def _dialog() -> None:
    text = st.text_input(
        "Search",
        key="history_text",
        placeholder="A person, a run, a dataset",
        icon=":material/search:",
    )
    actions = session.workspace().history.actions(MOST, text.strip())
    if not actions:
        st.caption("Nothing was noted yet." if not text.strip() else "No action matches.")
        return
    tables.draw(
        [
            {
                "when": datetime.fromtimestamp(action.time).strftime("%d %b %Y, %H:%M"),
                "who": action.who,
                "what": action.what,
            }
            for action in actions
        ],
        alt="What was done in this workspace",
        height=420,
    )
    if len(actions) == MOST:
        st.caption(
            f"The latest {MOST}. All of them: `{shell_command('history', '--last', '10000')}`"
        )
