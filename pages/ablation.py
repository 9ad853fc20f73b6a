"""Which recipe helps?"""

import streamlit as st

from segcore.ui.ablation import form as ablation_form
from segcore.ui.ablation import results
from segcore.ui.shared import session

workspace = session.workspace()
session.header(
    "Study",
    (
        "Which recipe helps? Recipes that differ from a base in one thing each, run with "
        "several seeds, with intervals over images and seeds."
    ),
)
names = workspace.ablations.names()
if not workspace.datasets.names():
    session.empty(
        "There is no dataset yet. Import your own images and masks, or open the demo.",
        "pages/home.py",
        "Go to the start page",
    )
form = st.expander(
    "New study, or more of one",
    icon=":material/add:",
    expanded=not names,
    key="new_recipe_study",
    on_change="rerun",
)
if form.open:  # what it tells costs a look at every run
    with form:
        ablation_form.show()
if names:
    results.show(session.choose_from("Study", names, "recipe_study"))
else:
    st.caption(
        "No study was started here yet: the form above needs a study, a dataset and the "
        "weights files that its recipes name."
    )
