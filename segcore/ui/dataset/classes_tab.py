"""Editing classes: names, colours, order, which are ignored."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.relabel import returnable
from segcore.data.statistics.statistics import ClassStatistics
from segcore.errors import SegcoreError
from segcore.labels import (
    LabelClass,
    LabelSet,
    color_to_hex,
    hex_to_color,
    list_names,
    near_twins,
    plural,
)
from segcore.palette import recolored
from segcore.ui.dataset import label_maps
from segcore.ui.shared import pictures, session, tables
from segcore.ui.shared.dataset_scans import stamp
from segcore.workspace import Workspace


def show(dataset: Dataset, statistics: ClassStatistics) -> None:
    """Draw the tab.

    Args:
        dataset: The dataset.
        statistics: Counts of the whole dataset.
    """
    st.caption(
        "Edit names, colours and order in the table. Ignored pixels are neither trained "
        "on nor scored; a class that was ignored here can be scored again."
    )
    labels = dataset.label_set
    restorable = _restorable(dataset)
    _ask_for_names(labels)
    rows = class_rows(labels, restorable, statistics, _ignored_pixels(dataset, restorable))
    edited = _editor(rows, f"classes_{dataset.fingerprint[:12]}")
    _ignored_at_import([c for c in labels.ignored if c not in restorable])
    try:
        wished = edited_labels(labels, edited)
    except SegcoreError as error:
        st.error(session.plain(str(error)), icon=":material/error:")
        wished = labels
    _warn_of_twins(wished)
    rewrites = wished.class_ids != labels.class_ids
    agreed = not rewrites or _agree(dataset, labels, wished)
    _buttons(dataset, wished, disabled=wished == labels or not agreed)
    label_maps.show(dataset)


def _restorable(dataset: Dataset) -> tuple[LabelClass, ...]:
    """Return the ignored classes that can be scored again; warn where that is unknown."""
    try:
        return returnable(dataset)
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return ()


def _ask_for_names(labels: LabelSet) -> None:
    """Name the classes that the masks contain and nobody declared."""
    unnamed = provisional(labels)
    if unnamed:
        st.info(
            (
                "These colours of the masks have no declared class: "
                f"{session.plain(list_names(unnamed, 12))}. Filter the Images tab by "
                "class to identify each, then enter its name or ignore it."
            ),
            icon=":material/edit:",
        )


def _warn_of_twins(labels: LabelSet) -> None:
    """Name classes that differ in case or spaces only."""
    twins = near_twins([one.name for one in labels.classes + labels.ignored])
    if twins:
        st.warning(
            f"{session.plain(list_names(twins))} differ in case or spaces only and stay different "
            "classes. Rename them, or merge them by a label map.",
            icon=":material/warning:",
        )


MOST_COUNTED = 2000
"""Images up to which the pixels of ignored classes are counted to show them."""


def _ignored_pixels(dataset: Dataset, restorable: tuple[LabelClass, ...]) -> dict[int, int]:
    if not restorable or len(dataset.samples) > MOST_COUNTED:
        return {}
    try:
        return _counted(session.workspace(), dataset.name, stamp(dataset))
    except SegcoreError as error:
        st.warning(session.plain(str(error)), icon=":material/warning:")
        return {}


@st.cache_data(max_entries=20, show_spinner="Counting ignored pixels …")
def _counted(_workspace: Workspace, dataset: str, stamp: str) -> dict[int, int]:
    return _workspace.datasets.ignored_pixels(dataset)


def class_rows(
    labels: LabelSet,
    restorable: tuple[LabelClass, ...],
    statistics: ClassStatistics,
    ignored: Mapping[int, int],
) -> list[dict[str, Any]]:
    """Return the rows of the editable table: scored classes, then those that may be scored again.

    Args:
        labels: The label set.
        restorable: Its ignored classes that can be scored again.
        statistics: Counts of the whole dataset.
        ignored: Pixels of the ignored classes by id, where they are known.
    """
    scored = max(1, int(statistics.pixels.sum()))
    pixels = {known.id: int(n) for known, n in zip(labels.classes, statistics.pixels, strict=True)}
    everything = scored + int(statistics.ignored.sum())
    shares = {i: 100 * n / scored for i, n in pixels.items()}
    shares |= {i: 100 * n / everything for i, n in ignored.items()}
    return [
        {
            "order": index + 1,
            "id": known.id,
            "": pictures.swatch(color_to_hex(known.color)),
            "name": known.name,
            "color": color_to_hex(known.color),
            "ignored": index >= labels.num_classes,
            "share": shares.get(known.id),
        }
        for index, known in enumerate(labels.classes + restorable)
    ]


def _editor(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Draw the table of classes and return its rows as edited."""
    edited: list[dict[str, Any]] = st.data_editor(
        rows,
        hide_index=True,
        key=key,
        height=min(38 + 35 * len(rows), 738),  # twenty classes; more scroll
        disabled=["id", "", "share"],
        column_config={
            "order": st.column_config.NumberColumn(
                "Order", min_value=1, max_value=len(rows), step=1, required=True, width="small"
            ),
            "id": st.column_config.NumberColumn(
                "Id", help="The value in your own mask files. It does not change.", width="small"
            ),
            "": st.column_config.ImageColumn(width="small"),
            "name": st.column_config.TextColumn("Name", required=True, max_chars=64),
            "color": st.column_config.TextColumn(
                "Colour", required=True, validate="^#[0-9a-fA-F]{6}$", help="#rrggbb", width="small"
            ),
            "ignored": st.column_config.CheckboxColumn("Ignored", width="small"),
            "share": st.column_config.NumberColumn(
                "Pixels",
                format=tables.FREQUENCY,
                width="small",
                help="Share of the scored pixels; of an ignored class, share of all pixels.",
            ),
        },
        alt="Editable table of classes",
    )
    return edited


def _ignored_at_import(classes: list[LabelClass]) -> None:
    if classes:
        st.caption(
            "Ignored at import: "
            + ", ".join(f"{session.plain(c.name)} (id {c.id})" for c in classes)
            + "."
        )


def _buttons(dataset: Dataset, wished: LabelSet, disabled: bool) -> None:
    """Draw the buttons that save the edited classes, or other colours."""
    with st.container(horizontal=True):
        if st.button("Save classes", type="primary", icon=":material/save:", disabled=disabled):
            _save(dataset, wished)
        safe = recolored(dataset.label_set)
        if st.button(
            "Use colour-blind-safe colours",
            icon=":material/palette:",
            disabled=safe == dataset.label_set,
            help=(
                "Replaces all class colours by a palette that stays distinct for colour-blind "
                "viewers, for up to 150 classes."
            ),
        ):
            _save(dataset, safe)
        _pick_color(dataset)


def provisional(labels: LabelSet) -> list[str]:
    """Return the names that are only a colour, as an import gives undeclared classes."""
    return [name for name in labels.class_names if re.fullmatch(r"#[0-9a-fA-F]{6}", name)]


def edited_labels(labels: LabelSet, edited: list[dict[str, Any]]) -> LabelSet:
    """Return the label set that the edited table asks for.

    Args:
        labels: The label set as it is.
        edited: Its classes in their order, then those ignored classes that may be scored again,
            each with ``order`` (from 1), ``id``, ``name``, ``color`` and ``ignored``.

    Returns:
        The label set; classes that were ignored and are not in the table stay so.

    Raises:
        SegcoreError: A name stands twice, a colour cannot be read, or every class is ignored.
    """
    rows_as_classes = [
        (
            row["order"],
            position,
            LabelClass(int(row["id"]), str(row["name"]).strip(), hex_to_color(str(row["color"]))),
            row["ignored"],
        )
        for position, row in enumerate(edited)
    ]
    if not all(known.name for _, _, known, _ in rows_as_classes):
        raise SegcoreError("Expected a name for every class, received an empty one: enter one.")
    before = {known.id: position for position, (_, _, known, _) in enumerate(rows_as_classes)}
    # a class that was moved to a place comes before the one that stood there, or after it when
    # moved down
    rows_as_classes.sort(
        key=lambda m: (m[0], -1 if m[0] - 1 < before[m[2].id] else int(m[0] - 1 > before[m[2].id]))
    )
    kept = tuple(known for _, _, known, ignored in rows_as_classes if not ignored)
    others = tuple(c for c in labels.ignored if c.id not in before)
    return LabelSet(
        kept, (*others, *(known for _, _, known, ignored in rows_as_classes if ignored))
    )


def _pick_color(dataset: Dataset) -> None:
    """A palette to pick the colour of one class from; kept at once."""
    labels = dataset.label_set
    with st.popover("Pick colour", icon=":material/colorize:"):
        name = st.selectbox("Class", labels.class_names, key="color_of")
        index = labels.class_names.index(name)
        before = color_to_hex(labels.classes[index].color)
        picked = st.color_picker("Colour", before, key=f"color_{name}_{before}")
        if st.button("Use this colour", key="use_color", disabled=picked == before):
            changed = replace(labels.classes[index], color=hex_to_color(picked))
            _save(
                dataset,
                replace(
                    labels, classes=(*labels.classes[:index], changed, *labels.classes[index + 1 :])
                ),
            )


def _agree(dataset: Dataset, before: LabelSet, after: LabelSet) -> bool:
    gone = [c.name for c in before.classes if c.id not in after.class_ids]
    runs = [r.run for r in session.workspace().runs.rows() if r.dataset == dataset.name]
    consequences = (
        f"Every mask of {session.plain(dataset.name)} will be rewritten: the copies in the "
        "workspace. Your own files stay as they are."
    )
    if gone:
        consequences += (
            f" The pixels of {session.plain(', '.join(gone))} are kept aside, so these "
            "classes can be scored again later."
        )
    if runs:
        consequences += (
            f" {plural(len(runs), 'run')} trained on the current classes will no longer fit. "
            "Consider importing the dataset again under another name."
        )
    consequences += " Existing balance plans and label maps may no longer fit."
    st.warning(consequences, icon=":material/warning:")
    return st.checkbox("Rewrite the masks (needed to save)", key="agree_rewrite")


def _save(dataset: Dataset, label_set: LabelSet) -> None:
    bar = st.progress(0.0, text="Saving …")

    def progress(done: int, total: int, what: str) -> None:
        bar.progress(done / max(total, 1), text=f"{done:,} of {total:,}: {what}")

    with session.errors_shown():
        session.workspace().datasets.relabel(dataset.name, label_set, progress)
    st.toast("Classes saved.")
    st.rerun()
