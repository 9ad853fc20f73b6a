"""Deleting a dataset, after a dialog that names what is lost."""

import streamlit as st

from segcore.formatting import plural
from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.ui.shared import confirm, session


def show(name: str) -> None:
    """Draw the button that deletes a dataset.

    Args:
        name: Its name in the workspace.
    """
    workspace = session.workspace()

    def lost() -> list[str]:
        dataset = workspace.datasets.open(name)
        rows = [row for row in workspace.runs.rows() if row.dataset == name]
        runs = [row.run for row in rows]
        going = [row.run for row in rows if row.status.state in QUEUED_OR_ACTIVE]
        own = [
            f"**{session.plain(name)}** is removed from the workspace with its "
            f"{plural(len(dataset.samples), 'sample')}, splits, tags, label maps and balance plans. "
            "This cannot be undone. Files that were imported by reference stay where they are."
        ]
        if going:
            verbs = "still runs or waits" if len(going) == 1 else "still run or wait"
            sentence = f"{plural(len(going), 'run')} of it {verbs}, and will fail:"
            own += [f":orange[:material/warning:] {sentence}", confirm.listed(going, 5)]
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
