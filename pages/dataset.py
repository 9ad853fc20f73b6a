"""What do I have? Import, browse, class balance, places, health, splits, classes."""

import streamlit as st

from segcore.ui import viewer
from segcore.ui.compare import panels
from segcore.ui.dataset import (
    balance_tab,
    classes_tab,
    export_form,
    health_tab,
    images_tab,
    import_form,
    locations_tab,
    splits_tab,
)
from segcore.ui.shared import figures, manual, session, tags

TABS = (
    "Class balance",
    "Co-occurrence and location",
    "Image statistics",
    "Health",
    "Splits",
    "Classes",
)

LISTED = 2000
"""Images that a list offers at most."""

workspace = session.workspace()
session.header(
    "Dataset",
    "Images, masks and class statistics.",
)

names = workspace.datasets.names()
with st.expander(
    "Import images and masks", icon=":material/upload:", expanded=not session.own_datasets()
):
    import_form.form()
import_form.outcome()
if not names:
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    name = session.choose_dataset()
    with st.popover("Export", icon=":material/download:"):
        export_form.form(name)
with session.errors_shown():
    dataset = workspace.datasets.open(name)
    with st.spinner("Counting pixels …", show_time=True):
        statistics = workspace.datasets.statistics(name)
choice = (
    session.choose_split(["all", *dataset.splits], default="all", key="part")
    if dataset.splits
    else "all"
)
split = None if choice == "all" else choice
with session.errors_shown():
    part = statistics.select(split)
summary = part.summary()
imbalance = summary["imbalance"]


def written(value: float | None) -> str:
    """A distance with four digits; a dash where nothing is labelled."""
    return "–" if value is None else f"{value:.4f}"


cards = st.columns(5)
cards[0].metric(
    "Images",
    f"{summary['num_samples']:,}",
    border=True,
    help=manual.see(
        "Images with masks in the selected split.", "data-measures#shares-and-distance"
    ),
)
cards[1].metric(
    "Classes",
    dataset.label_set.num_classes,
    border=True,
    help=manual.see(
        "Scored classes; ignored ones are not counted.", "data-measures#shares-and-distance"
    ),
)
cards[2].metric(
    "Ignored pixels",
    figures.percent(summary["ignored_share"]),
    border=True,
    help=manual.see(
        "Pixels that are neither trained on nor scored / all pixels.",
        "data-measures#shares-and-distance",
    ),
)
cards[3].metric(
    "Class imbalance (pixels)",
    written(imbalance["pixel"]["earth_mover_distance"]),
    border=True,
    help=manual.see(
        (
            "Total variation between the class frequencies and equal frequencies, by pixel: "
            "the fraction of pixels that would have to change class. 0 is balanced; lower "
            "is better."
        ),
        "data-measures#shares-and-distance",
    ),
)
cards[4].metric(
    "Class imbalance (images)",
    written(imbalance["count"]["earth_mover_distance"]),
    border=True,
    help=manual.see(
        (
            "The same measure over (image, class) pairs, that is, over how many images "
            "contain each class."
        ),
        "data-measures#shares-and-distance",
    ),
)

unnamed = classes_tab.provisional(dataset.label_set)
if unnamed:
    st.caption(
        f":material/edit: {len(unnamed)} classes have a colour instead of a name. Name "
        "them on the Classes tab."
    )

tabs = dict(
    zip(TABS, st.tabs(TABS, key="show", on_change="rerun", bind="query-params"), strict=True)
)
stem = f"{name}-{choice}"
with next((tab for tab in tabs.values() if tab.open), tabs["Class balance"]):
    if tabs["Co-occurrence and location"].open:
        locations_tab.show(dataset, part, split, stem)
    elif tabs["Image statistics"].open:
        images_tab.show(dataset, split, stem)
    elif tabs["Health"].open:
        health_tab.show(dataset, name, "show")
    elif tabs["Splits"].open:
        splits_tab.show(dataset, name)
    elif tabs["Classes"].open:
        classes_tab.show(dataset, statistics)
    else:
        balance_tab.show(part, summary, stem)

st.subheader("Browse", anchor=False)
holding, position = st.columns([2, 3], vertical_alignment="bottom")
with holding:
    wanted = session.choose_from(
        "Contains class", ["any class", *dataset.label_set.class_names], "holding"
    )
samples = workspace.datasets.holding(name, split, None if wanted == "any class" else wanted)
if not samples:
    st.caption("No image of this split contains that class.")
    st.stop()
with holding, session.errors_shown():
    samples = tags.choose(name, samples, "tagged")
with position:
    if len(samples) > LISTED:
        found = st.text_input(
            "Search", key="named", placeholder=f"part of a name, among {len(samples):,}"
        ).strip()
        samples = [s for s in samples if found in s]
        asked = st.session_state.get("sample") or st.query_params.get("sample")
        listed = samples[:LISTED]
        samples = listed if asked in listed or asked not in samples else [asked, *listed]
        if not samples:
            st.caption("No image name matches.")
            st.stop()
    sample = session.choose_image(samples, "sample", f"Image ({len(samples):,})")
with session.errors_shown():
    scene = panels.truth_scene(workspace, name, sample)
result = viewer.show(scene, key="browse")
if result.step:
    session.step(samples, "sample", result.step)
tags.edit(name, sample)
