"""Which settings are best?"""

import streamlit as st

from segcore.ui.shared import session
from segcore.ui.shared.command_line import search_command
from segcore.ui.train import form
from segcore.ui.tune import form as tune_form
from segcore.ui.tune import results

workspace = session.workspace()
session.header(
    "Tune",
    (
        "Which settings are best? A study tries many, each by a training run of its own, and "
        "spends its time on those that promise most."
    ),
)

name = session.choose_dataset()
with session.errors_shown():
    dataset = workspace.datasets.open(name)
    studies = workspace.searches.ids(name)
if not [s for s in dataset.splits if s]:
    form.offer_splits(name)
    st.stop()

with st.expander("New study", icon=":material/add:", expanded=not studies, key="new_study"):
    with session.errors_shown():
        config = tune_form.form(dataset, name)
    with st.container(horizontal=True):
        begin = st.button(
            "Start the study", type="primary", icon=":material/play_arrow:", disabled=config is None
        )
        if config is not None:
            with st.popover("The same from the shell", icon=":material/terminal:"):
                command, space = search_command(config)
                st.code(command, language="bash", wrap_lines=True)
                st.caption("space.json")
                st.code(space, language="json")
    if begin and config is not None:
        with session.errors_shown():
            run = workspace.searches.start(config)
        st.session_state["study"] = run
        st.toast("The study waits in the queue")
        st.rerun()

if studies:
    results.show(session.choose_from("Study", studies, "study"))
else:
    st.caption("No study of this dataset yet: the one above needs three choices.")
