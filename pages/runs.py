"""Monitor and manage runs."""

import streamlit as st

from segcore.ui.compare import import_predictions
from segcore.ui.runs import actions, choice, detail, queue, table
from segcore.ui.shared import session

workspace = session.workspace()
session.header(
    "Runs",
    "Monitor and manage runs. Each run is a background process; you can close the browser.",
)


def _forget_dialog() -> None:
    st.query_params.pop("import", None)


@st.dialog("Import predictions", width="large", on_dismiss=_forget_dialog)
def import_dialog() -> None:
    """Let the user import predictions of another tool."""
    import_predictions.form(workspace.datasets.names(), dataset=session.current_dataset() or "")


rows = workspace.runs.rows()
actions.undo()
if workspace.datasets.names() and st.query_params.get("import") == "predictions":
    import_dialog()
if not rows:
    session.empty(
        "No runs yet. Choose a model and start training.",
        "pages/train.py",
        "Train",
    )

queue.under_way(rows)
st.html(table.STYLE)
left, right = st.columns([5.6, 6.4], gap="medium")
with left, st.container(key="runs_list"):
    listed, chosen = table.table(rows)
with right:
    run = choice.choose(rows, listed)
    workspace.checklist.note("watch", next(r.dataset for r in rows if r.run == run))
    detail.details(run, chosen)
