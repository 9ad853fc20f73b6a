"""What can be done with the chosen runs: star, tag, archive, stop, resume, delete; and the trash."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from segcore import formatting
from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.ui.runs import history_dialog
from segcore.ui.shared import confirm, login, session
from segcore.workspace.runs.rows import RunRow

NAMED = 8
"""Runs that the question before a deletion describes."""


def show(rows: Mapping[str, RunRow], chosen: Sequence[str]) -> None:
    """Draw what can be done with the chosen rows, and the trash.

    Args:
        rows: The listed runs by id.
        chosen: Ids of the chosen ones.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        if chosen:
            st.caption(f"{len(chosen)} selected")
            _mark(rows, chosen)
            _stop_and_resume(rows, chosen)
            with st.popover("Tag", icon=":material/sell:", type="tertiary"):
                _tag_form(rows, chosen)
            delete_button(chosen, "delete_chosen")
        else:
            st.caption("Select rows to compare, stop, star, tag or delete.")
        _trash_popover()
        history_dialog.button()


def _mark(rows: Mapping[str, RunRow], chosen: Sequence[str]) -> None:
    starred = all(rows[run].annotations.star for run in chosen)
    if st.button(
        "Unstar" if starred else "Star",
        icon=":material/star:",
        key="star",
        type="tertiary",
        **login.editors_only(help="Starred runs stay at the top of the list."),
    ):
        _write(chosen, star=not starred)
    archived = all(rows[run].annotations.archived for run in chosen)
    words = ("Unarchive", ":material/unarchive:") if archived else ("Archive", ":material/archive:")
    if st.button(
        words[0],
        icon=words[1],
        key="archive",
        type="tertiary",
        **login.editors_only(help="Archived runs are kept, but hidden from the usual list."),
    ):
        _write(chosen, archived=not archived)


def _stop_and_resume(rows: Mapping[str, RunRow], chosen: Sequence[str]) -> None:
    """Draw buttons that stop those of the chosen runs that work or wait, and resume ended ones."""
    runs = session.workspace().runs
    states = {run: rows[run].status.state for run in chosen}
    going = [run for run, state in states.items() if state in QUEUED_OR_ACTIVE]
    ended = [run for run, state in states.items() if state in ("failed", "interrupted")]
    only = login.editors_only()
    if going and st.button(
        "Stop", icon=":material/stop:", key="stop_chosen", type="tertiary", **only
    ):
        _each(runs.stop, going)
    if ended and st.button(
        "Resume", icon=":material/resume:", key="resume_chosen", type="tertiary", **only
    ):
        _each(runs.resume, ended)


def _each(act: Callable[[str], None], runs: Sequence[str]) -> None:
    with session.errors_shown():
        for run in runs:
            act(run)
    st.rerun()


def delete_button(runs: Sequence[str], key: str) -> None:
    """Draw the button that moves runs with their predictions to the trash, after a question.

    Args:
        runs: Ids of one or more runs.
        key: Key of the button.
    """
    what = "run" if len(runs) == 1 else f"{len(runs)} runs"

    def lost() -> list[str]:
        known = session.workspace().runs.ids()
        derived = [
            name
            for name in known
            if name not in runs and name.startswith(tuple(f"{r}--" for r in runs))
        ]
        size = sum(session.workspace().annotations.bytes_of(run) for run in derived)
        predictions = (
            f" With {'it' if len(runs) == 1 else 'them'} go "
            f"{formatting.plural(len(derived), 'prediction')} ({formatting.size(size)})."
            if derived
            else ""
        )
        days = session.workspace().annotations.kept_days
        return [
            confirm.listed([_described(run) for run in runs[:NAMED]]),
            *([f"and {len(runs) - NAMED:,} more."] if len(runs) > NAMED else []),
            f"{predictions} The trash keeps deleted runs for {days:.0f} days; until then they can be restored.".strip(),
        ]

    def act() -> None:
        st.session_state["undo_delete"] = session.workspace().annotations.delete(runs)

    confirm.button(
        "Delete",
        key,
        about=tuple(runs),
        title=f"Delete {what}?",
        lost=lost,
        confirm=f"Delete {what}",
        act=act,
        icon=":material/delete:",
        type="tertiary",
    )


def _described(run: str) -> str:
    """Say what a run is worth: its epochs and its size on disk."""
    workspace = session.workspace()
    epochs = workspace.runs.open(run).status().epoch
    size = formatting.size(workspace.annotations.bytes_of(run))
    return f"{run} ({formatting.plural(epochs, 'epoch')}, {size})" if epochs else f"{run} ({size})"


def _write(runs: Sequence[str], **changes: Any) -> None:
    with session.errors_shown():
        for run in runs:
            session.workspace().annotations.write(run, **changes)
    st.rerun()


def _tag_form(rows: Mapping[str, RunRow], chosen: Sequence[str]) -> None:
    known = sorted({tag for row in session.workspace().runs.rows() for tag in row.annotations.tags})
    shared = sorted(set.intersection(*(set(rows[run].annotations.tags) for run in chosen)))
    wanted = st.multiselect(
        "Tags",
        known,
        default=shared,
        accept_new_options=True,
        key="tags_" + "_".join(chosen)[:200],
        placeholder="Choose or type",
    )
    if st.button("Set tags", type="primary", key="set_tags", **login.editors_only()):
        with session.errors_shown():
            session.workspace().annotations.tag(
                chosen, add=wanted, remove=set(shared) - set(wanted)
            )
        st.rerun()


def undo() -> None:
    """Offer to take the last deletion of this session back."""
    deletions = st.session_state.get("undo_delete")
    if not deletions:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(
            f":material/delete: {len(deletions)} runs and their predictions moved to trash."
            if len(deletions) > 1
            else ":material/delete: Run and its predictions moved to trash."
        )
        if st.button("Undo", icon=":material/undo:", key="undo", type="primary"):
            st.session_state.pop("undo_delete")
            with session.errors_shown():
                back = session.workspace().annotations.restore(deletions)
            session.request("run", back[0])
            st.rerun()
        if st.button("Dismiss", key="undo_dismiss", type="tertiary"):
            st.session_state.pop("undo_delete")
            st.rerun()


def _trash_popover() -> None:
    with st.popover("Trash", icon=":material/delete_sweep:", type="tertiary"):
        deletions = session.workspace().annotations.trash()
        if not deletions:
            st.caption("The trash is empty.")
            return
        annotations = session.workspace().annotations
        total = sum(d.bytes for d in deletions)
        st.caption(
            f"{len(deletions)} {'item' if len(deletions) == 1 else 'items'} ({formatting.size(total)}). "
            f"Deleted permanently after {annotations.kept_days:.0f} days."
        )
        for number, deletion in enumerate(deletions[:20]):
            with st.container(horizontal=True, vertical_alignment="center"):
                more = f" and {len(deletion.runs) - 1} more" if len(deletion.runs) > 1 else ""
                when = datetime.fromtimestamp(deletion.deleted).strftime("%d %b, %H:%M")
                by = f" by {session.plain(deletion.by)}" if deletion.by else ""
                st.markdown(
                    f"`{deletion.runs[0]}`{more} · {formatting.size(deletion.bytes)} · {when}{by}"
                )
                if st.button(
                    "Restore",
                    key=f"restore_{number}",
                    icon=":material/undo:",
                    **login.editors_only(),
                ):
                    with session.errors_shown():
                        annotations.restore([deletion.id])
                    st.session_state.pop("undo_delete", None)
                    st.rerun()

        def empty() -> None:
            annotations.empty()
            st.session_state.pop("undo_delete", None)

        confirm.button(
            f"Empty trash ({formatting.size(total)})",
            "empty_trash",
            about=tuple(deletion.id for deletion in deletions),
            title="Empty the trash?",
            lost=lambda: [
                confirm.listed([run for deletion in deletions for run in deletion.runs]),
                f"This frees {formatting.size(total)} and cannot be undone.",
            ],
            confirm="Empty trash",
            act=empty,
            icon=":material/delete_forever:",
        )
