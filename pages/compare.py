"""What does it look like? Image, true mask, predicted mask and CRF mask side by side; and which model is better, and where."""

import streamlit as st

from segcore.ui import compared, exchanged, look, prediction_form, predictions, state

workspace = state.workspace()
state.header("Compare", "What does it look like, which model is better, and where? All panels zoom and pan together.")

candidates = state.finished_runs(state.SCORED)
if not candidates:
    if workspace.datasets.names():
        with st.expander("Import predictions of another tool", icon=":material/download:"):
            prediction_form.form(workspace.datasets.names())
    state.empty(
        "There is no finished run to look at. Train one, or open the demo, which brings five.", "pages/home.py", "Go to the start page"
    )

row = st.container(horizontal=True, vertical_alignment="bottom")
with row.container():
    run = state.choose_model("Model or ensemble", candidates, "run")
with state.errors_shown():
    dataset = workspace.scenes.dataset_of(run)
with row.container():
    stands_for = state.once_a_question(state.finished_runs(state.SCORED, dataset.name))
    siblings = [r for r in dict.fromkeys(stands_for.values()) if r != run]
    others = st.multiselect("Beside it", siblings, key="beside", bind="query-params", placeholder="further models", max_selections=5)
with row:
    split = state.choose_split([s for s in dataset.splits if s])
runs = (run, *others)

pictures, scores, pixels, bring = st.tabs(
    ["Pictures", "Scores side by side", "Fixed and broken", "Import predictions"], key="view_of", bind="query-params"
)
if bring.open:
    with bring:
        prediction_form.form([dataset.name], split)
    st.stop()
if not predictions.offer(runs, split):
    st.stop()
if pictures.open:
    workspace.steps.note("look", dataset.name)
    with pictures:
        look.show(runs, split)
if scores.open:
    with scores:
        compared.show(runs, split)
if pixels.open:
    with pixels:
        exchanged.show(runs, split)
