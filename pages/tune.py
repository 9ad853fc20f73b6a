"""The Tune page: hyperparameter search."""

import streamlit as st

from segcore.ui.shared import session
from segcore.ui.train.form import offer_splits
from segcore.ui.tune import form, results

workspace = session.workspace()
session.header("Tune", "Hyperparameter search (Optuna, with pruning)")

name = session.choose_dataset()
with session.errors_shown():
    dataset = workspace.datasets.open(name)
    searches = workspace.searches.ids(name)
if not [split for split in dataset.splits if split]:
    offer_splits(name)
    st.stop()

with st.expander("New search", icon=":material/add:", expanded=not searches, key="new_search"):
    with session.errors_shown():
        config = form.form(dataset, name)
    if config is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            form.start(config)
            with st.popover("CLI command", icon=":material/terminal:"):
                command, space = workspace.configs.search_command(config)
                st.code(command, language="bash", wrap_lines=True)
                st.caption("space.json")
                st.code(space, language="json")

if searches:
    # links made by earlier versions call it "study"
    results.show(session.choose_from("Search", searches, "study"))
else:
    st.caption("No searches yet. Choose a search space above to start one.")
