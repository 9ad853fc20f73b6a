"""Images, masks and class statistics: import, browse, balance, health, splits, classes."""

import streamlit as st

from segcore import formatting
from segcore.ui.dataset import (
    balance_tab,
    classes_tab,
    delete_button,
    export_form,
    gallery,
    health_tab,
    images_tab,
    import_form,
    label_next_tab,
    locations_tab,
    splits_tab,
)
from segcore.ui.shared import band_choice, login, session

TABS = (
    "Images",
    "Class balance",
    "Co-occurrence and location",
    "Image statistics",
    "Health",
    "Splits",
    "Classes",
    "Label next",
)

workspace = session.workspace()
session.header("Dataset", "Images, masks and class statistics.")

if not workspace.datasets.names():
    st.markdown("**Import images and masks**")
    import_form.form()
    st.stop()


def _forget_dialog() -> None:
    st.query_params.pop("import", None)


@st.dialog("Import images and masks", width="large", on_dismiss=_forget_dialog)
def import_dialog() -> None:
    """Let the user import a dataset; it ends on the dataset that was imported."""
    import_form.form()


name = session.choose_dataset()
import_form.outcome(name)
with session.errors_shown():
    dataset = workspace.datasets.open(name)
    with st.spinner("Counting pixels …", show_time=True):
        statistics = workspace.datasets.statistics(name)
with st.container(horizontal=True, vertical_alignment="bottom"):
    choice = "all"
    if dataset.splits:
        choice = session.choose_split(["all", *dataset.splits], default="all", key="part")
    split = None if choice == "all" else choice
    with session.errors_shown():
        part = statistics.select(split)
    summary = part.summary()
    st.markdown(
        f"**{session.plain(name)}** · {formatting.plural(summary.num_samples, 'image')} · "
        f"{formatting.plural(dataset.label_set.num_classes, 'class')} · "
        f"{formatting.frequency(summary.ignored_share)} of the pixels ignored",
        width="stretch",
    )
    with session.errors_shown():
        band_choice.choose(name, "dataset_bands")
    only = login.editors_only()
    if st.button("Import dataset", icon=":material/add:", key="open_import", **only):
        st.query_params["import"] = "dataset"
        st.rerun()
    with st.popover("Export", icon=":material/download:"):
        export_form.form(name)
    delete_button.show(name)
if st.query_params.get("import") == "dataset":
    import_dialog()

unnamed = classes_tab.provisional(dataset.label_set)
if unnamed:
    st.caption(
        f":material/edit: {formatting.plural(len(unnamed), 'class')} named by a colour only: enter "
        "names on the Classes tab."
    )

session.prepare("show", TABS)
tabs = dict(
    zip(TABS, st.tabs(TABS, key="show", on_change="rerun", bind="query-params"), strict=True)
)
stem = f"{name}-{choice}"
with next((tab for tab in tabs.values() if tab.open), tabs["Images"]):
    if tabs["Class balance"].open:
        balance_tab.show(part, summary, stem)
    elif tabs["Co-occurrence and location"].open:
        locations_tab.show(dataset, part, split, stem)
    elif tabs["Image statistics"].open:
        images_tab.show(dataset, split, stem)
    elif tabs["Health"].open:
        health_tab.show(dataset, name, "show")
    elif tabs["Splits"].open:
        splits_tab.show(dataset, name)
    elif tabs["Classes"].open:
        classes_tab.show(dataset, statistics)
    elif tabs["Label next"].open:
        label_next_tab.show(dataset)
    else:
        gallery.show(dataset, split)
