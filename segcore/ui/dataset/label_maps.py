"""Label maps: named merges of a dataset's classes, made and taken back step by step."""

import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.labels import LabelMap, LabelSet
from segcore.ui.shared import session


def show(dataset: Dataset) -> None:
    """Draw the saved maps of a dataset, each with its undo, and the form that merges classes."""
    st.subheader("Label maps", anchor=False)
    st.caption(
        "Named merges of classes. The masks do not change: a map is applied when a run "
        "trains with it (Train page) and when scores are merged (Compress labels, which "
        "also suggests merges)."
    )
    try:
        maps = dataset.label_maps()
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    for name, label_map in maps.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{session.plain(name)}**: {label_map.num_groups} labels; "
                f"{session.plain(described(label_map, dataset.label_set))}"
            )
            if st.button(
                "Undo last version", key=f"undo_{name}", type="tertiary", icon=":material/undo:"
            ):
                with session.errors_shown():
                    session.workspace().label_maps.undo(dataset.name, name)
                st.rerun()
    _merge(dataset, maps)


def described(label_map: LabelMap, labels: LabelSet) -> str:
    """Say in words what a map merges: "Car+Truck; Tree+Grass"."""
    if label_map.num_classes != labels.num_classes:
        return "no longer fits the classes"
    merged = [
        "+".join(labels.class_names[i] for i in group)
        for group in label_map.groups
        if len(group) > 1
    ]
    return "; ".join(merged) or "nothing merged"


def joined(label_map: LabelMap, chosen: list[int], name: str) -> LabelMap:
    """Return the map that also merges some classes, with all that are merged with them already.

    Args:
        label_map: The map so far.
        chosen: Class indices to merge.
        name: Name of the new map.
    """
    touched = [group for group in label_map.groups if set(group) & set(chosen)]
    rest = [group for group in label_map.groups if group not in touched]
    return LabelMap((tuple(i for group in touched for i in group), *rest), name)


def _merge(dataset: Dataset, maps: dict[str, LabelMap]) -> None:
    names = dataset.label_set.class_names
    if len(names) < 2:
        return
    with st.form("merge_classes", border=True, clear_on_submit=True):
        one, two = st.columns([3, 5], vertical_alignment="bottom")
        help_text = (
            "A new name creates a map. An existing name adds to that map as its next version."
        )
        name = one.text_input(
            "Label map", "merged", max_chars=64, key="map_name", help=help_text
        ).strip()
        chosen = two.multiselect("Classes to merge", names, key="map_classes")
        asked = st.form_submit_button("Merge classes", icon=":material/call_merge:")
    if not asked:
        return
    if len(chosen) < 2:
        st.error(
            "Expected two or more classes to merge, received fewer: select them.",
            icon=":material/error:",
        )
        return
    so_far = maps.get(name, LabelMap.identity(len(names)))
    if so_far.num_classes != len(names):
        so_far = LabelMap.identity(len(names))
    with session.errors_shown():
        merged = joined(so_far, [names.index(c) for c in chosen], name)
        session.workspace().label_maps.save(dataset.name, merged)
    st.toast(f"Saved {name}. Choose it on the Train page.")
    st.rerun()
