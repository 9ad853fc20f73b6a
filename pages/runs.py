"""How is it going?"""

import streamlit as st

from segcore.ui.runs import detail, queue, table
from segcore.ui.shared import session

workspace = session.workspace()
session.header(
    "Runs", "How is it going? Every run lives in its own process and folder; this page only looks."
)

rows = workspace.runs.rows()
table.undo()
if not rows:
    session.empty(
        "Nothing has been run yet. Choose a network and a recipe, and start.",
        "pages/train.py",
        "Train",
    )

queue.under_way(rows)
chosen = table.table(rows)
if "run" not in st.session_state and "run" not in st.query_params:
    st.session_state["run"] = table.of_most_interest(rows)
with st.container(horizontal=True, vertical_alignment="bottom"):
    run = session.choose_from("Run", [r.run for r in rows], "run")
workspace.checklist.note("watch", next(r.dataset for r in rows if r.run == run))
detail.details(run, chosen)
