"""The runs page's table: find runs, mark them, put them away, delete them and take that back."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from segcore import formatting
from segcore.catalog import ARCHITECTURES, ENCODERS, RUN_KINDS, RUN_STATES
from segcore.runs.folder.status import ACTIVE, Status
from segcore.ui.shared import run_progress, session, tables
from segcore.workspace.runs.rows import RunRow

ROW_PIXELS = 35


def state_title(name: str) -> str:
    """Return how a state is called; one that this version does not know keeps its own name."""
    return RUN_STATES[name].title if name in RUN_STATES else name


def shown_state(status: Status) -> str:
    """Return the state as the table shows it; a run that was stopped in the queue was cancelled."""
    if status.state == "interrupted" and status.started is None:
        return "Cancelled"
    return state_title(status.state)


def kind_title(name: str) -> str:
    """Return the title of a kind of run; an unknown kind keeps its own name."""
    return RUN_KINDS[name].title if name in RUN_KINDS else name or "Damaged"


def network_title(network: str) -> str:
    """Return the title of a model; names that this version does not know stay."""
    architecture, _, encoder = network.partition(" · ")
    if architecture not in ARCHITECTURES or encoder not in ENCODERS:
        return network
    return f"{ARCHITECTURES[architecture].title} · {ENCODERS[encoder].title}"


def matching(
    rows: Sequence[RunRow],
    *,
    text: str = "",
    kinds: Collection[str] = (),
    states: Collection[str] = (),
    datasets: Collection[str] = (),
    tags: Collection[str] = (),
    starred: bool = False,
    archived: bool = False,
) -> list[RunRow]:
    """Return the rows that a filter lets through, in their order.

    Args:
        rows: As ``workspace.runs.rows`` returns them.
        text: Words that must all occur in the id, network, dataset, tags, note, device or cause;
            case does not matter.
        kinds: Kinds to show, all where empty; a damaged run, which has no kind, is always shown.
        states: States to show, all where empty.
        datasets: Datasets to show, all where empty.
        tags: Tags that a run must all have.
        starred: Whether to show starred runs only.
        archived: Whether to show those that were archived, and only those.
    """
    words = text.lower().split()

    def fits(row: RunRow) -> bool:
        if row.annotations.archived != archived or (starred and not row.annotations.star):
            return False
        if (kinds and row.kind and row.kind not in kinds) or (
            states and row.status.state not in states
        ):
            return False
        if (datasets and row.dataset not in datasets) or not set(tags) <= set(row.annotations.tags):
            return False
        if not words:
            return True
        searched = " ".join(
            [
                row.run,
                row.network,
                row.dataset,
                *row.annotations.tags,
                row.annotations.text,
                row.status.device,
                row.status.cause,
            ]
        ).lower()
        return all(word in searched for word in words)

    return [row for row in rows if fits(row)]


def table(rows: Sequence[RunRow]) -> tuple[list[RunRow], list[str]]:
    """Draw filters, table and actions; return the listed rows and the ids of the selected ones."""
    shown = _filtered(rows)
    ids = [row.run for row in shown]
    # A choice holds row numbers: another list of runs is another table, so that no other run is
    # ever meant.
    key = "runs_" + hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]

    def follow() -> None:
        chosen = [ids[i] for i in st.session_state[key]["selection"]["rows"] if i < len(ids)]
        if chosen and st.session_state.get("run") not in chosen:
            session.request("run", chosen[-1])

    event = tables.draw(
        [_line(row) for row in shown],
        height=min(420, 38 + ROW_PIXELS * max(len(shown), 1)),
        column_config=COLUMNS,
        key=key,
        on_select=follow,
        selection_mode="multi-row",
        alt="Runs",
        placeholder="–",
    )
    chosen = [ids[i] for i in event["selection"]["rows"] if i < len(ids)]
    if not shown:
        st.caption("No run matches the filters.")
    _actions({row.run: row for row in shown}, chosen)
    return shown, chosen


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


COLUMNS = {
    "star": st.column_config.TextColumn("", width=28, help="Starred"),
    "state": st.column_config.TextColumn(width=104),
    "done": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent"),
    "mean IoU": st.column_config.NumberColumn(
        format="percent", help="Of the predicted split, each image at its own size"
    ),
    "in training": st.column_config.NumberColumn(
        format="percent",
        help="Best mean IoU of the validation split during training, at the training size",
    ),
    "scored on": st.column_config.TextColumn(
        help="Split and image size of the score: scores at unlike sizes do not compare"
    ),
    "started": st.column_config.DatetimeColumn(format="distance", width=112),
    "tags": st.column_config.ListColumn(),
    "cause": st.column_config.TextColumn(width="medium"),
}


def _line(row: RunRow) -> dict[str, Any]:
    status = row.status
    took = status.finished - status.started if status.finished and status.started else None
    return {
        "star": "★" if row.annotations.star else "",
        "run": row.run,
        "state": shown_state(row.status),
        "done": row.status.progress,
        "mean IoU": row.own_size_mean_iou,
        "in training": row.training_mean_iou,
        "scored on": row.scored_on,
        "epoch": run_progress.epochs(row.status).removeprefix("epoch "),
        "tags": row.annotations.tags,
        "network": network_title(row.network),
        "dataset": row.dataset,
        "started": datetime.fromtimestamp(row.status.started) if row.status.started else None,
        "took": formatting.duration(took) if took and took > 0 else "",
        "device": row.status.device,
        "cause": row.status.cause,
        "note": row.annotations.text.partition("\n")[0],
    }


def _filtered(rows: Sequence[RunRow]) -> list[RunRow]:
    present = {row.kind for row in rows}
    kinds = [
        *(k for k in RUN_KINDS if k in present),
        *sorted(k for k in present if k and k not in RUN_KINDS),
    ]
    with st.container(horizontal=True, vertical_alignment="center"):
        text = st.text_input(
            "Search",
            key="runs_text",
            placeholder="Search name, network, tag, note",
            label_visibility="collapsed",
            width=280,
            icon=":material/search:",
        )
        shown_kinds = st.segmented_control(
            "Kinds",
            kinds,
            selection_mode="multi",
            default=[k for k in kinds if k in ("train", "tune")] or kinds,
            format_func=kind_title,
            key="kinds",
            label_visibility="collapsed",
        )
        with st.popover("Filters", icon=":material/filter_list:", type="tertiary"):
            states = st.multiselect(
                "State",
                [s for s in RUN_STATES if any(r.status.state == s for r in rows)],
                format_func=state_title,
                key="runs_states",
            )
            datasets = st.multiselect(
                "Dataset",
                sorted({r.dataset for r in rows if r.dataset}),
                key="runs_datasets",
            )
            tags = st.multiselect(
                "Tags", sorted({tag for r in rows for tag in r.annotations.tags}), key="runs_tags"
            )
            starred = st.toggle("Starred only", key="runs_starred")
            archived = st.toggle("Show archived runs", key="runs_archived")
        if st.button(
            "Import predictions",
            icon=":material/download:",
            type="tertiary",
            key="import_predictions",
        ):
            st.query_params["import"] = "predictions"
            st.rerun()
    return matching(
        rows,
        text=text or "",
        kinds=shown_kinds,
        states=states,
        datasets=datasets,
        tags=tags,
        starred=starred,
        archived=archived,
    )


def _actions(rows: Mapping[str, RunRow], chosen: Sequence[str]) -> None:
    """Draw what can be done with the chosen rows, and the trash."""
    annotations = session.workspace().annotations
    with st.container(horizontal=True, vertical_alignment="center"):
        if chosen:
            st.caption(f"{len(chosen)} selected")
            starred = all(rows[run].annotations.star for run in chosen)
            if st.button("Unstar" if starred else "Star", icon=":material/star:", key="star"):
                _write(chosen, star=not starred)
            archived = all(rows[run].annotations.archived for run in chosen)
            words = (
                ("Unarchive", ":material/unarchive:")
                if archived
                else ("Archive", ":material/archive:")
            )
            if st.button(
                words[0],
                icon=words[1],
                key="archive",
                help="Archived runs are kept, but hidden from the usual list.",
            ):
                _write(chosen, archived=not archived)
            with st.popover("Tag", icon=":material/sell:"):
                _tag_form(rows, chosen)
            with st.popover("Delete", icon=":material/delete:"):
                st.markdown(f"This moves {len(chosen)} runs and their predictions to the trash.")
                if st.button(f"Delete {len(chosen)} runs", type="primary", key="delete_chosen"):
                    delete(chosen)
        else:
            st.caption("Select rows to compare curves, star, tag, archive or delete.")
        _trash_popover(annotations.trash)


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
    if st.button("Set tags", type="primary", key="set_tags"):
        with session.errors_shown():
            session.workspace().annotations.tag(
                chosen, add=wanted, remove=set(shared) - set(wanted)
            )
        st.rerun()


def delete(runs: Sequence[str]) -> None:
    """Move runs to the trash, remember how to take that back, and draw the page again."""
    with session.errors_shown():
        deletions_made = session.workspace().annotations.delete(runs)
    st.session_state["undo_delete"] = deletions_made
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


def _trash_popover(trash: Any) -> None:
    with st.popover("Trash", icon=":material/delete_sweep:", type="tertiary"):
        deletions = trash()
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
                st.markdown(
                    f"`{deletion.runs[0]}`{more} · {formatting.size(deletion.bytes)} · {when}"
                )
                if st.button("Restore", key=f"restore_{number}", icon=":material/undo:"):
                    with session.errors_shown():
                        annotations.restore([deletion.id])
                    st.session_state.pop("undo_delete", None)
                    st.rerun()
        if st.button(
            f"Empty trash ({formatting.size(total)})",
            key="empty_trash",
            icon=":material/delete_forever:",
        ):
            with session.errors_shown():
                annotations.empty()
            st.session_state.pop("undo_delete", None)
            st.rerun()


def best_score(rows: Sequence[RunRow]) -> str:
    """Return the best score with its split and size, ", best mean IoU 64.7 % (test, own size)".

    Scores of unlike splits or sizes do not compare, so it is the best of those like the newest
    one; "" without any score.
    """
    scored = [r for r in rows if r.status.mean_iou is not None]
    if not scored:
        return ""
    alike = [r.status.mean_iou for r in scored if r.scored_on == scored[0].scored_on]
    best = max(score for score in alike if score is not None)
    return f", best mean IoU {formatting.percent(best)} ({scored[0].scored_on})"
