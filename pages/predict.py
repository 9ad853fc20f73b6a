"""What about my own image?"""

import streamlit as st

from segcore.ui import viewer
from segcore.ui.compare import panels as compare_panels
from segcore.ui.predict import back_off, gallery, inputs, results, scene
from segcore.ui.shared import prediction_options, session

workspace = session.workspace()
session.header(
    "Predict",
    "Run inference on your own images, one or many. They stay on this machine.",
)

own = session.finished_runs(("train", "evaluate"), session.current_dataset())
candidates = [
    run
    for run in dict.fromkeys([*own, *session.finished_runs(("train", "evaluate"))])
    if workspace.predictions.can_predict(run)
]
if not candidates:
    session.no_runs(
        "There is no trained model to predict with. Train one, or open the demo, which includes "
        "five."
    )

with st.container(horizontal=True, vertical_alignment="bottom"):
    run = session.choose_model("Model", candidates, "run")
    with st.popover("Options", icon=":material/tune:"):
        options = prediction_options.form("own")
    export = st.container(width="content")
said = prediction_options.sentence(options)
if said:
    st.caption(f"Options: {said}.")

inputs_side, answers = st.columns([1, 3], gap="medium")
with inputs_side:
    batch = inputs.choose()
    if batch is not None:
        inputs.refused(batch)
    wish = scene.ask(run, options) if inputs.is_scene() else None
if inputs.is_scene():
    with answers:
        scene.show_result(wish)
    st.stop()
if batch is None:
    with answers, st.container(border=True):
        st.markdown(
            "Upload images, or name a folder on this machine. Here you will see each image with "
            "its predicted mask, the classes in it, and the export as a ZIP."
        )
    st.stop()

names = {image.id: image.name for image in batch.images}
with inputs_side:
    image = session.choose_image(list(names), "own_image", f"Image ({len(names)})")
with answers:
    shown = st.pills(
        "Panels",
        list(results.PANELS),
        selection_mode="multi",
        default=list(results.DEFAULT_PANELS),
        format_func=lambda p: results.PANELS[p],
        key="own_panels",
        label_visibility="collapsed",
        persist_state="session",
    )
    facts = results.ensure(run, batch, image, options)
    panels = tuple(p for p in results.PANELS if p in (shown or results.DEFAULT_PANELS))
    missing = compare_panels.crf_missing(workspace) if "crf" in panels else ""
    if missing:
        st.warning(missing, icon=":material/info:")
        panels = tuple(p for p in panels if p != "crf") or results.DEFAULT_PANELS
    with session.errors_shown():
        place = workspace.predictions.answer_folder(run, batch, options).id
        packed = results.packed_scene(workspace, run, batch.id, image, options, panels, place)
    result = viewer.show(packed, key="own", state=st.query_params.get("view"), listen=("step",))
    if result.share:
        st.query_params["view"] = result.share
    if result.step:
        session.step(list(names), "own_image", result.step)
    found = batch.image(image)
    st.caption(
        f"{session.plain(found.name)}, {found.height} x {found.width} pixels (height x width)"
        + (f"; {facts.backend}, {facts.seconds:.2f} s" if facts.backend else "")
        + results.became(run, found)
        + f". The latest {inputs.KEPT} uploads are kept in the workspace."
    )
    with session.errors_shown():
        results.choose_bands(run)
    gallery.show(run, batch, options, "own_image")
    st.markdown("**Classes in this image**")
    results.show_shares(run, batch, image, options)
    promised = back_off.choose(run, options)
    if promised is not None:
        back_off.show(run, batch, image, options, promised)
with export, st.popover("Export", icon=":material/download:"):
    results.take_away(run, batch, options, promised)
