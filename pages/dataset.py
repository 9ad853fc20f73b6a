"""What do I have? Import, browse, class balance."""

import streamlit as st

from segcore.ui import charts, importing, scenes, state, viewer

workspace = state.workspace()
state.header("Data set", "What do I have? Images and masks, classes by pixel and by image, and what does not fit.")

names = workspace.datasets.names()
with st.expander("Import images and masks", icon=":material/upload:", expanded=not names):
    importing.form()
if not names:
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    name = state.choose_dataset()
with state.errors_shown():
    dataset = workspace.datasets.open(name)
    splits = [s for s in dataset.splits if s]
    with st.spinner("Counting pixels ...", show_time=True):
        statistics = workspace.datasets.statistics(name)

choice = state.choose_split(["all", *splits], default="all", key="part") if splits else "all"
split = None if choice == "all" else choice
summary = statistics.summary(split)
classes = summary["classes"]
label_set = dataset.label_set
colors = state.hex_colors(label_set)
imbalance = summary["imbalance"]

cards = st.columns(5)
cards[0].metric("Images", f"{summary['num_samples']:,}", border=True)
cards[1].metric("Classes", label_set.num_classes, border=True)
cards[2].metric(
    "Ignored pixels", f"{100 * summary['ignored_share']:.2f} %", border=True, help="Pixels that are neither trained on nor scored."
)
cards[3].metric(
    "Distance, by pixel",
    f"{imbalance['pixel']['earth_mover_distance']:.4f}",
    border=True,
    help="Earth-mover distance between the classes' shares of the pixels and equal shares: the share of pixels that would have to "
    "change class. 0 is balanced.",
)
cards[4].metric(
    "Distance, by image",
    f"{imbalance['count']['earth_mover_distance']:.4f}",
    border=True,
    help="The same for shares of (image, class) pairs: in how many images each class occurs.",
)

by_pixel, by_image = st.columns(2, gap="large")
with by_pixel:
    st.subheader("Share of the pixels", anchor=False)
    figure = charts.class_balance(label_set.class_names, colors, [100 * c["pixel_share"] for c in classes], "%")
    st.plotly_chart(figure, key="by_pixel", config=state.CHART, alt="Share of the labelled pixels of each class")
with by_image:
    st.subheader("Images that hold the class", anchor=False)
    figure = charts.class_balance(label_set.class_names, colors, [c["images"] for c in classes], "images")
    st.plotly_chart(figure, key="by_image", config=state.CHART, alt="Number of images in which each class occurs")

with st.expander("As a table", icon=":material/table:"):
    st.dataframe(
        [
            {"id": c["id"], "class": c["name"], "pixels": c["pixels"], "share %": 100 * c["pixel_share"], "images": c["images"]}
            for c in classes
        ],
        hide_index=True,
        alt="Class balance as a table",
    )
    st.download_button("Download CSV", state.csv_bytes(classes), f"{name}-{choice}-classes.csv", "text/csv", icon=":material/download:")
    st.caption(
        f"Mean imbalance ratio: {imbalance['pixel']['mean_ir']:.3f} by pixel, {imbalance['count']['mean_ir']:.4f} by image. "
        f"SCUMBLE {imbalance['scumble']:.6f}."
    )

st.subheader("Browse", anchor=False)
holding, position = st.columns([2, 3], vertical_alignment="bottom")
wanted = holding.selectbox("Images that hold", ["any class", *label_set.class_names], key="holding", bind="query-params")
samples = workspace.datasets.holding(name, split, None if wanted == "any class" else wanted)
if not samples:
    st.caption("No image of this split holds that class.")
    st.stop()
with position:
    sample = state.choose_image(samples, "sample", f"Image ({len(samples)})")
with state.errors_shown():
    scene = scenes.truth_scene(workspace, name, sample)
result = viewer.show(scene, key="browse")
if result.step:
    state.step(samples, "sample", result.step)
