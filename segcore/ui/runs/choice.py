"""Which run the Runs page shows: the one to open first, and the box over all runs."""

from collections.abc import Sequence

import streamlit as st

from segcore.catalog import RUN_KINDS
from segcore.runs.folder.status import ACTIVE
from segcore.ui.shared import session
from segcore.workspace.runs.rows import RunRow

SHOWN_OF = "runs_shown_of"
"""Key of the dataset that the page showed runs of when it was drawn last."""


def choose(rows: Sequence[RunRow], listed: Sequence[RunRow]) -> str:
    """Draw the box over all runs and return the chosen one.

    The box follows the dataset: where it shows a run of another one after a switch, or one that the
    table does not list on arrival, it goes to the run of most interest.

    Args:
        rows: One or more rows of the workspace, newest first.
        listed: Those in the table.
    """
    state, dataset = st.session_state, session.current_dataset()
    switched = state.get(SHOWN_OF) not in (None, dataset)
    state[SHOWN_OF] = dataset
    own = [row for row in listed if row.dataset == dataset]
    shown = next((row for row in rows if row.run == state.get("run")), None)
    linked = "run" in st.query_params or "run:requested" in state
    if session.arrived() and not linked:
        stays = shown is not None and shown in listed
    else:
        stays = not (switched and own and shown is not None and shown.dataset != dataset)
    if not stays or (shown is None and not linked):
        state["run"] = of_most_interest(own or listed or rows)
    return session.choose_from("Run", [row.run for row in by_kind(rows, dataset)], "run")


def of_most_interest(rows: Sequence[RunRow]) -> str:
    """Return the run to open first: an active one, else the latest training, else the newest.

    Args:
        rows: One or more rows of the workspace, newest first.
    """
    working = [row for row in rows if row.status.state in ACTIVE]
    ended = sorted(
        (row for row in rows if row.status.finished),
        key=lambda row: (row.kind == "train", row.status.finished),
        reverse=True,
    )
    return next(iter([*working, *ended, *rows])).run


def by_kind(rows: Sequence[RunRow], dataset: str | None) -> list[RunRow]:
    """Return rows with trainings first, then kind by kind; of each those of the dataset first."""
    kinds = list(RUN_KINDS)
    place = {kind: number for number, kind in enumerate(kinds)}
    return sorted(rows, key=lambda r: (place.get(r.kind, len(kinds)), r.dataset != dataset))
