"""The versions of one mask: who, when, what changed, and the way back."""

import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.data.editing.differences import ClassChange
from segcore.data.editing.versions import MaskVersion
from segcore.labels import LabelSet
from segcore.ui import viewer
from segcore.ui.shared import session, tables
from segcore.workspace.masks import MaskHistory

PAIRS = 3
"""Pairs of classes that a row names."""


def show(dataset: Dataset, sample: str) -> None:
    """List the versions of a mask, compare two of them, and put one back in use."""
    workspace = session.workspace()
    with session.errors_shown():
        history = workspace.masks.history(dataset.name, sample)
        if len(history.versions) < 2:
            st.caption("This mask was never edited. Save once, and its versions are listed here.")
            return
        tables.draw(
            [_row(version, history, dataset.label_set) for version in reversed(history.versions)],
            alt=f"Versions of the mask of {sample}",
        )
        numbers = [version.number for version in reversed(history.versions)]
        others = [number for number in numbers if number != history.in_use]
        with st.container(horizontal=True, vertical_alignment="bottom"):
            key = f"version_{dataset.name}_{sample}"
            session.prepare(key, others)
            chosen = int(st.selectbox("Version", others, key=key, width=140))
            st.button(
                f"Restore version {chosen}",
                icon=":material/restore:",
                key="restore_version",
                on_click=_restore,
                args=(dataset, sample, chosen),
                help="It becomes a new version; none is lost.",
            )
        viewer.show(
            lambda: _comparison(dataset, sample, chosen, history.in_use),
            key=f"versions_{dataset.name}",
            listen=(),
        )


def _row(version: MaskVersion, history: MaskHistory, labels: LabelSet) -> dict[str, object]:
    state = "in use" if version.number == history.in_use else ""
    return {
        "version": version.number,
        "state": "put aside" if version.aside else state,
        "saved (UTC)": version.time[:16].replace("T", " "),
        "by": version.author,
        "made from": version.origin,
        "pixels changed": sum(change.pixels for change in version.changes),
        "most of them": _most(version, labels),
    }


def _most(version: MaskVersion, labels: LabelSet) -> str:
    """Name the largest changes; only where the classes are still those of that time."""
    if version.class_ids != tuple(labels.class_ids):
        return ""
    return ", ".join(_named(change, labels) for change in version.changes[:PAIRS])


def _named(change: ClassChange, labels: LabelSet) -> str:
    names = [*labels.class_names]
    before, after = (
        names[index] if index < len(names) else "ignored" for index in (change.before, change.after)
    )
    return f"{before} → {after} {change.pixels:,}"


def _restore(dataset: Dataset, sample: str, number: int) -> None:
    masks = session.workspace().masks
    with session.errors_shown():
        digest = masks.open(dataset.name, sample).digest
        masks.restore(dataset.name, sample, number, based_on=digest)


def _comparison(dataset: Dataset, sample: str, before: int, after: int) -> viewer.Scene:
    masks = session.workspace().masks
    return viewer.Scene(
        f"{dataset.name}:{sample}:{before}:{after}",
        dataset.read_image(dataset.sample(sample)),
        (
            viewer.Panel(f"Version {before}", mask=masks.version(dataset.name, sample, before)),
            viewer.Panel(f"Version {after}", mask=masks.version(dataset.name, sample, after)),
            viewer.Panel(
                "Changed",
                "difference",
                mask=masks.version(dataset.name, sample, after),
                versus=0,
            ),
        ),
        dataset.label_set,
    )
