"""Steps that destroy something: a dialog names what is lost before anything is done."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import streamlit as st

from segcore.ui.shared import login, session

OPEN = "confirming"
"""Where the session keeps what is asked: the page, the button's key, and what it is about."""


def button(
    label: str,
    key: str,
    *,
    about: Hashable,
    title: str,
    lost: Callable[[], Sequence[str]],
    confirm: str,
    act: Callable[[], None],
    **options: Any,
) -> None:
    """Draw a button that asks in a dialog before it acts; a viewer cannot use it.

    Args:
        label: Text of the button.
        key: Its key; the button in the dialog that acts has the key ``confirm_<key>``.
        about: What it acts on, such as the ids of runs. Where that is not the same any more when
            the dialog is answered, because somebody else changed it meanwhile, nothing is done.
        title: Title of the dialog, a question such as "Delete 2 runs?".
        lost: Returns sentences in Markdown that say what is lost, and whether it can be restored;
            called when the dialog opens.
        confirm: Text of the button that acts.
        act: What it does; an error that the user can fix is shown in the dialog.
        options: Further arguments of ``st.button``.
    """
    place = (st.session_state.get("last_page"), key, about)
    only = login.editors_only(bool(options.pop("disabled", False)), options.pop("help", None))
    if st.button(label, key=key, **only, **options):
        st.session_state[OPEN] = place
    opened = st.session_state.get(OPEN)
    if opened != place:
        if opened is not None and opened[:2] == place[:2]:
            _close()
            st.warning(
                "What you were asked about has changed meanwhile, so nothing was done: look again.",
                icon=":material/info:",
            )
        return

    @st.dialog(title, on_dismiss=_close)
    def dialog() -> None:
        with session.errors_shown():
            sentences = lost()
        for sentence in sentences:
            st.markdown(sentence)
        with st.container(horizontal=True, horizontal_alignment="right"):
            if st.button("Cancel", key=f"cancel_{key}"):
                _close()
                st.rerun()
            pressed = st.button(confirm, key=f"confirm_{key}", type="primary")
        if pressed:
            with session.errors_shown():
                act()
            _close()
            st.rerun()

    dialog()


def _close() -> None:
    st.session_state.pop(OPEN, None)


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return names as a Markdown list; beyond ``most`` the number of the rest.

    Args:
        names: Names of the user's; nothing in them is read as markup.
        most: How many are named.
    """
    lines = [f"- {session.plain(name)}" for name in names[:most]]
    lines += [f"- and {len(names) - most:,} more"] if len(names) > most else []
    return "\n".join(lines)
