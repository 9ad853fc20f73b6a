"""How is it going?"""

import streamlit as st

from segcore.ui import run_panel, run_queue, run_table, state

workspace = state.workspace()
state.header("Runs", "How is it going? Every run lives in its own process and folder; this page only looks.")

rows = workspace.runs.rows()
run_table.undo()
if not rows:
    state.empty("Nothing has been run yet. Choose a network and a recipe, and start.", "pages/train.py", "Train")

run_queue.under_way(rows)
chosen = run_table.table(rows)
if "run" not in st.session_state and "run" not in st.query_params:
    st.session_state["run"] = run_table.of_most_interest(rows)
with st.container(horizontal=True, vertical_alignment="bottom"):
    run = state.choose_from("Run", [r["run"] for r in rows], "run")
workspace.steps.note("watch", next(r["dataset"] for r in rows if r["run"] == run))
run_panel.details(run, chosen)
