"""Deleting a dataset, after a dialog that names what is lost."""

import streamlit as st

from segcore.formatting import plural
from segcore.ui.shared import confirm, session


def show(name: str) -> None:
    """Draw the button that deletes a dataset.

    Args:
        name: Its name in the workspace.
    """
    workspace = session.workspace()

    def lost() -> list[str]:
        dataset = workspace.datasets.open(name)
        runs = [row.run for row in workspace.runs.rows() if row.dataset == name]
        own = [
            f"**{session.plain(name)}** is removed from the workspace with its "
            f"{plural(len(dataset.samples), 'sample')}, splits, tags, label maps and balance plans. "
            "This cannot be undone. Files that were imported by reference stay where they are."
        ]
        if runs:
            own.append(
                f"{plural(len(runs), 'run')} stay in the workspace, but can no longer be shown, "
                "predicted or resumed:"
            )
            own.append(confirm.listed(runs, 5))
        return own

    def act() -> None:
        workspace.datasets.delete(name)
        st.toast(f"Deleted {name}")

    confirm.button(
        "Delete",
        "delete_dataset",
        about=name,
        title="Delete this dataset?",
        lost=lost,
        confirm="Delete dataset",
        act=act,
        icon=":material/delete:",
        type="tertiary",
    )
