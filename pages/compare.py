"""Compare predictions side by side: which model is better, and where."""

import streamlit as st

from segcore.ui.compare import fixed_broken, import_predictions, score_table, viewer_tab
from segcore.ui.shared import session, split_predictions

VIEWS = ("Viewer", "Scores", "Pixels")
"""What the page shows; "Pixels" are those that one model fixes and breaks of another."""

workspace = session.workspace()
session.header("Compare", "Compare predictions side by side. All panels zoom and pan together.")

candidates = session.finished_runs(session.SCORED, session.current_dataset())
if not candidates:
    if session.current_dataset():
        with st.expander("Import predictions", icon=":material/download:"):
            import_predictions.form(workspace.datasets.names())
    session.no_runs(
        "There is no finished run to show. Train a model, or open the demo, which includes five."
    )

model, others, splits, views, order, panels, images = st.columns(
    [322, 124, 112, 212, 88, 88, 185], vertical_alignment="bottom", gap="xxsmall"
)
with model:
    run = session.choose_model("Model", candidates, "run", label_visibility="collapsed")
with session.errors_shown():
    dataset = workspace.scenes.dataset_of(run)
with others:
    runs = (run, *viewer_tab.choose_others(run, candidates))
with splits:
    names = [s for s in dataset.splits if s]
    start = "test" if "test" in names else names[0]
    session.prepare("split", names, start)
    split = str(
        st.selectbox(
            "Split",
            names,
            index=names.index(start),
            key="split",
            bind="query-params",
            label_visibility="collapsed",
            help="Split",
        )
    )
with views:
    session.prepare("view_of", VIEWS)
    view = st.segmented_control(
        "View",
        VIEWS,
        default=VIEWS[0],
        key="view_of",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
if not split_predictions.offer(runs, split):
    st.stop()
if view == "Viewer":
    workspace.checklist.note("look", dataset.name)
    viewer_tab.show(runs, split, viewer_tab.Places(order, panels, images))
elif view == "Scores":
    score_table.show(runs, split)
else:
    fixed_broken.show(runs, split)
