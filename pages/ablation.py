"""Which recipe helps?"""

import streamlit as st

from segcore.ui.ablation import form as ablation_form
from segcore.ui.ablation import results
from segcore.ui.shared import session

workspace = session.workspace()
session.header(
    "Ablation",
    (
        "Which change helps? Variants of a baseline, each with several seeds, with "
        "confidence intervals."
    ),
)
names = workspace.ablations.names()
if not workspace.datasets.names():
    session.empty(
        "There is no dataset yet. Import your images and masks, or open the demo.",
        "pages/home.py",
        "Go to Start",
    )
form = st.expander(
    "New ablation",
    icon=":material/add:",
    expanded=not names,
    key="new_recipe_study",
    on_change="rerun",
)
if form.open:  # what it shows needs every run to be read
    with form:
        ablation_form.show()
if names:
    results.show(session.choose_from("Ablation", names, "recipe_study"))
else:
    st.caption("No ablations yet. Choose a template and a dataset above to start one.")
