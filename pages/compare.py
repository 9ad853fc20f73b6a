"""What does it look like? Image, true mask, predicted mask and CRF mask side by side."""

import streamlit as st

from segcore.ui import predictions, scenes, state, viewer

workspace = state.workspace()
state.header("Compare", "What does it look like? All panels zoom and pan together; wheel, drag, or the keys + - 0 and the arrows.")

candidates = state.finished_runs(("train", "evaluate"))
if not candidates:
    state.empty(
        "There is no finished run to look at. Train one, or open the demo, which brings five.", "pages/home.py", "Go to the start page"
    )

one, two, three = st.columns([3, 2, 2], vertical_alignment="bottom")
with one:
    run = state.choose_from("Model or ensemble", candidates, "run")
with state.errors_shown():
    dataset = workspace.scenes.dataset_of(run)
with two:
    siblings = [r for r in state.finished_runs(("train", "evaluate"), dataset.name) if r != run]
    others = st.multiselect("Beside it", siblings, key="beside", bind="query-params", placeholder="further models", max_selections=5)
with three:
    split = state.choose_split([s for s in dataset.splits if s])

runs = (run, *others)
if not predictions.offer(runs, split):
    st.stop()
with state.errors_shown():
    samples = [s.id for s in workspace.scenes.predicted_samples(run, split)]
    for other in others:
        known = {s.id for s in workspace.scenes.predicted_samples(other, split)}
        samples = [s for s in samples if s in known]
if not samples:
    st.info("No image of this split was predicted by all chosen models.", icon=":material/info:")
    st.stop()

controls, picker = st.columns([5, 3], vertical_alignment="bottom")
with controls:
    shown = st.pills(
        "Panels",
        list(scenes.PANELS),
        selection_mode="multi",
        default=list(scenes.DEFAULT_PANELS),
        format_func=lambda p: scenes.PANELS[p],
        key="panels",
        persist_state="session",
    )
with picker:
    sample = state.choose_image(samples, "sample", f"Image, {len(samples)} predicted")
panels = tuple(p for p in scenes.PANELS if p in (shown or scenes.DEFAULT_PANELS))
missing = scenes.crf_missing(workspace) if "crf" in panels else ""
if missing:
    st.warning(missing, icon=":material/info:")
    panels = tuple(p for p in panels if p != "crf")

stamp = tuple(workspace.runs.open(r).status().finished or 0.0 for r in runs)
with state.errors_shown():
    scene = scenes.packed_scene(workspace, runs, split, sample, panels, stamp)
result = viewer.show(scene, key="compare", state=st.query_params.get("view"), listen=("step",))
if result.share:
    st.query_params["view"] = result.share
if result.step:
    state.step(samples, "sample", result.step)
with state.errors_shown():
    predictions.caption(runs, split)
