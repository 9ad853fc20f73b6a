"""What does it look like? Image, true mask, predicted mask and CRF mask side by side; and which model is better, and where."""

import streamlit as st

from segcore.ui.compare import fixed_broken, import_predictions, score_table, viewer_tab
from segcore.ui.shared import session, split_predictions

workspace = session.workspace()
session.header(
    "Compare",
    "Compare predictions side by side. All panels zoom and pan together.",
)

candidates = session.finished_runs(session.SCORED)
if not candidates:
    if workspace.datasets.names():
        with st.expander("Import predictions", icon=":material/download:"):
            import_predictions.form(workspace.datasets.names())
    session.empty(
        ("There is no finished run to show. Train a model, or open the demo, which includes five."),
        "pages/home.py",
        "Go to Start",
    )

row = st.container(horizontal=True, vertical_alignment="bottom")
with row.container():
    run = session.choose_model("Model", candidates, "run")
with session.errors_shown():
    dataset = workspace.scenes.dataset_of(run)
with row.container():
    stands_for = session.once_a_question(session.finished_runs(session.SCORED, dataset.name))
    siblings = [r for r in dict.fromkeys(stands_for.values()) if r != run]
    others = st.multiselect(
        "Compare with",
        siblings,
        key="beside",
        bind="query-params",
        placeholder="add models",
        max_selections=5,
    )
with row:
    split = session.choose_split([s for s in dataset.splits if s])
runs = (run, *others)

pictures, scores, pixels, bring = st.tabs(
    ["Viewer", "Scores", "Improved / regressed pixels", "Import predictions"],
    key="view_of",
    bind="query-params",
)
if bring.open:
    with bring:
        import_predictions.form([dataset.name], split)
    st.stop()
if not split_predictions.offer(runs, split):
    st.stop()
if pictures.open:
    workspace.checklist.note("look", dataset.name)
    with pictures:
        viewer_tab.show(runs, split)
if scores.open:
    with scores:
        score_table.show(runs, split)
if pixels.open:
    with pixels:
        fixed_broken.show(runs, split)
