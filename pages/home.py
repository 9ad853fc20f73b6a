"""Where do I stand, what is next?"""

import streamlit as st

from segcore.ui import state

workspace = state.workspace()
state.header("Segscope", "Balance, train, ensemble, refine, look at and judge semantic segmentation, on your own images.")


def open_demo() -> None:
    """Draw the demo with a progress bar, then go and look at it."""
    bar = st.progress(0.0, text="Drawing scenes ...")

    def progress(done: int, total: int, what: str) -> None:
        bar.progress(done / total, text=f"Drawing scene {done} of {total}")

    with state.errors_shown():
        demo = workspace.demo.open(progress)
    st.switch_page("pages/compare.py", query_params={"run": demo["ensemble"]})


def train_further() -> None:
    """Queue one more member of the demo's ensemble and go to watch it."""
    with state.errors_shown():
        (run,) = workspace.demo.train_further()
    st.switch_page("pages/runs.py", query_params={"run": run})


with st.container(border=True):
    text, action = st.columns([3, 1], vertical_alignment="center", gap="large")
    if workspace.demo.is_open():
        with state.errors_shown():
            demo = workspace.demo.open()
        text.markdown(
            "**The demo is open**: a synthetic land-cover set with two pairs of near-duplicate labels, "
            "and an ensemble of five small U-Nets."
        )
        with text.container(horizontal=True):
            query = {"run": demo["ensemble"]}
            st.page_link("pages/compare.py", label="Look at the masks", icon=":material/view_column:", query_params=query)
            st.page_link("pages/evaluate.py", label="Scores", icon=":material/fact_check:", query_params=query)
            st.page_link("pages/compress.py", label="Merge labels", icon=":material/compress:", query_params=query)
        if action.button(
            "Train a further member", icon=":material/model_training:", width="stretch", help="On this machine, about a minute."
        ):
            train_further()
    else:
        text.markdown(
            "**See it before you bring your own images.** The demo is a synthetic land-cover set with five trained members: "
            "image, true mask, "
            "ensemble prediction and CRF mask side by side, scores, and the label-compression curve. Nothing is downloaded."
        )
        if action.button("Open the demo", type="primary", icon=":material/play_arrow:", width="stretch"):
            open_demo()

with state.errors_shown():
    rows = workspace.datasets.rows()
datasets = [d for d in rows if d["name"] != "demo"]
runs = [r for r in workspace.runs.rows() if r["dataset"] != "demo"]
trained = [r for r in runs if r["kind"] == "train"]
scored = [r for r in runs if r["kind"] in ("predict", "evaluate") and r["state"] == "finished"]

STEPS = [
    (
        "Bring your images",
        "Import a folder or archive of images and masks; what does not fit is listed.",
        "pages/dataset.py",
        bool(datasets),
    ),
    ("Train", "Choose a network and a recipe; it runs in the background and survives the browser.", "pages/train.py", bool(trained)),
    ("Watch", "Live curves, log, stop and resume.", "pages/runs.py", any(r["state"] == "finished" for r in trained)),
    ("Look", "Image, true mask, predicted mask and CRF mask, all zooming together.", "pages/compare.py", bool(scored)),
    ("Judge", "Scores of every class with intervals, and where classes are mistaken for each other.", "pages/evaluate.py", bool(scored)),
    ("Merge", "What if two labels were one? Accuracy gained against information lost.", "pages/compress.py", bool(scored)),
]

st.subheader("Your own data", anchor=False)
for title, sentence, page, done in STEPS:
    with st.container(horizontal=True, vertical_alignment="center"):
        mark = ":material/check_circle:" if done else ":material/radio_button_unchecked:"
        st.page_link(page, label=f"**{title}**", icon=mark, width=190)
        st.caption(sentence)

left, right = st.columns(2, gap="large")
with left:
    st.subheader("Data sets", anchor=False)
    if rows:
        st.dataframe(
            [{"data set": d["name"], "samples": d["num_samples"], "classes": d["num_classes"]} for d in rows],
            hide_index=True,
            alt="The data sets of this workspace",
        )
    else:
        st.caption("None yet.")
with right:
    st.subheader("Latest runs", anchor=False)
    recent = workspace.runs.rows()[:8]
    if recent:
        st.dataframe(
            [{"run": r["run"], "state": r["state"], "mean IoU": r["mean_iou"]} for r in recent],
            hide_index=True,
            column_config={
                "mean IoU": st.column_config.NumberColumn(format="percent", help="Best validation mean IoU, or the final score")
            },
            alt="The latest runs of this workspace",
        )
    else:
        st.caption("None yet.")
