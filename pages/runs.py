"""How is it going?"""

import streamlit as st

from segcore.ui.runs import detail, queue, table
from segcore.ui.shared import session

workspace = session.workspace()
session.header(
    "Runs",
    ("Monitor and manage runs. Each run is a background process; you can close the browser."),
)

rows = workspace.runs.rows()
table.undo()
if not rows:
    session.empty(
        "No runs yet. Choose a model and start training.",
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
