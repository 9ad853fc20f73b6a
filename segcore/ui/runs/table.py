"""The runs page's table: find runs, and group those that were launched together."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import streamlit as st

from segcore import formatting
from segcore.catalog import ALL_ENCODERS, ARCHITECTURES, RUN_KINDS, RUN_STATES
from segcore.labels import list_names, plural
from segcore.runs.folder.status import Status
from segcore.ui.runs import actions
from segcore.ui.shared import run_progress, session, tables
from segcore.workspace.runs.rows import RunRow

ROW_PIXELS = 35
STYLE = """<style>
@media (max-width: 1100px) {
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .st-key-runs_list) { flex-wrap: wrap; }
  [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .st-key-runs_list)
    > [data-testid="stColumn"] { flex: 1 1 100%; width: 100%; }
}
</style>"""
"""Stacks list and detail in a narrow window."""


FILTERED_BY = "runs_filtered_by"
"""Key of the dataset that the filter was set to when the page was drawn last."""


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
    if architecture not in ARCHITECTURES or encoder not in ALL_ENCODERS:
        return network
    return f"{ARCHITECTURES[architecture].title} · {ALL_ENCODERS[encoder].title}"


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
        datasets: Datasets to show, all where empty; a damaged run may have none and is shown too.
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
        if (datasets and row.dataset and row.dataset not in datasets) or not set(tags) <= set(
            row.annotations.tags
        ):
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


@dataclass(frozen=True)
class Entry:
    """A line of the table.

    Attributes:
        rows: The run, or all listed runs that were launched together.
        heading: Whether the line stands for such a group, above its runs.
    """

    rows: tuple[RunRow, ...]
    heading: bool = False


def entries(rows: Sequence[RunRow], grouped: bool) -> list[Entry]:
    """Return the lines of the table: starred runs first, groups together under a heading.

    Args:
        rows: The listed runs, newest first.
        grouped: Whether runs that were launched together get a heading.
    """
    groups: dict[str, list[RunRow]] = {}
    for row in rows:
        groups.setdefault(row.group if grouped and row.group else f"run {row.run}", []).append(row)
    ordered = sorted(groups.values(), key=lambda own: not any(r.annotations.star for r in own))
    lines: list[Entry] = []
    for own in ordered:
        own = sorted(own, key=lambda row: not row.annotations.star)
        if len(own) > 1:
            lines.append(Entry(tuple(own), heading=True))
        lines += [Entry((row,)) for row in own]
    return lines


def table(rows: Sequence[RunRow]) -> tuple[list[RunRow], list[str]]:
    """Draw filters, table and actions; return the listed rows and the ids of the selected ones."""
    shown = _filtered(rows)
    lines = entries(shown, bool(st.session_state.get("runs_grouped", True)))
    # A choice holds row numbers: another list of lines is another table, so that no other run is
    # ever meant.
    listed = [f"{line.heading} {row.run}" for line in lines for row in line.rows]
    key = "runs_" + hashlib.sha256("\n".join(listed).encode()).hexdigest()[:12]

    def chosen_by(event: Any) -> list[str]:
        picked = [lines[i] for i in event["selection"]["rows"] if i < len(lines)]
        return list(dict.fromkeys(row.run for line in picked for row in line.rows))

    def follow() -> None:
        chosen = chosen_by(st.session_state[key])
        if chosen and st.session_state.get("run") not in chosen:
            session.request("run", chosen[-1])

    changed = session.workspace().mask_changes.since(shown)
    cells = [
        _heading(line, changed) if line.heading else _line(line.rows[0], changed) for line in lines
    ]
    event = tables.draw(
        cells,
        height=min(560, 38 + ROW_PIXELS * max(len(lines), 1)),
        column_config=COLUMNS,
        column_order=_columns(cells),
        key=key,
        on_select=follow,
        selection_mode="multi-row",
        alt="Runs",
        placeholder="–",
    )
    chosen = chosen_by(event)
    if not shown:
        st.caption("No run matches the filters.")
    elsewhere = {row.dataset for row in rows} - {row.dataset for row in shown}
    if elsewhere and st.session_state.get("runs_datasets"):
        st.caption(f"Runs of {list_names(sorted(elsewhere), 3)} are not listed: Filters, Dataset.")
    current = session.current_dataset()
    if current and current not in {row.dataset for row in rows}:
        st.caption(f"{session.plain(current)} has no runs yet; these are of other datasets.")
    actions.show({row.run: row for row in shown}, chosen)
    return shown, chosen


def _columns(cells: Sequence[dict[str, Any]]) -> list[str]:
    """Return the chosen columns; of the usual ones those that say something about these rows.

    A score in training says its split by its title; "scored on" would push others out of sight.
    """
    chosen = list(st.session_state.get("runs_columns") or USUAL_COLUMNS)
    if chosen != list(USUAL_COLUMNS):
        return chosen
    empty: tuple[Any, ...] = (None, "", [], ())
    shown = [name for name in chosen if any(row[name] not in empty for row in cells)]
    return [name for name in shown if name != "scored on" or "mean IoU" in shown]


def without_dependents(rows: Sequence[RunRow]) -> list[RunRow]:
    """Leave out runs that never started because a run that they waited for broke off."""
    broken = {row.run for row in rows if row.status.state in ("failed", "interrupted")}
    return [
        row
        for row in rows
        if row.run not in broken
        or row.status.started is not None
        or broken.isdisjoint(row.status.after)
    ]


COLUMNS = {
    "star": st.column_config.TextColumn("", width=28, help="Starred"),
    "run": st.column_config.TextColumn(
        help="A line with ▾ stands for the models of an ensemble: choose it to choose them all."
    ),
    "state": st.column_config.TextColumn(width=88),
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
    "data": st.column_config.TextColumn(
        help="Masks that were edited after the run read them, or after its score was counted: do not "
        "compare it with scores of today's masks before it is counted anew, or retrained"
    ),
    "started": st.column_config.DatetimeColumn(format="D MMM HH:mm", width=98),
    "tags": st.column_config.ListColumn(),
    "cause": st.column_config.TextColumn(width="medium"),
}


USUAL_COLUMNS = (
    "star",
    "run",
    "state",
    "in training",
    "mean IoU",
    "scored on",
    "epoch",
    "started",
    "data",
    "tags",
)
"""Columns that are shown unless others are chosen."""


def data_since(rows: Sequence[RunRow], changed: Mapping[str, int]) -> str:
    """Return what the table says of the masks that changed since runs; "" where none did."""
    most = max((changed.get(row.run, 0) for row in rows), default=0)
    return f"changed since: {plural(most, 'mask')}" if most else ""


def _heading(line: Entry, changed: Mapping[str, int]) -> dict[str, Any]:
    """Return the line above runs that were launched together, with the means of their scores."""
    rows = line.rows
    states = {shown_state(row.status) for row in rows}
    alike = len({row.scored_on for row in rows}) == 1
    return {
        **dict.fromkeys(_line(rows[0], {})),
        "star": "",
        "run": f"▾ {rows[0].group} ({len(rows)})",
        "state": states.pop() if len(states) == 1 else "Mixed",
        "done": sum(row.status.progress for row in rows) / len(rows),
        "mean IoU": _mean([row.own_size_mean_iou for row in rows]) if alike else None,
        "in training": _mean([row.training_mean_iou for row in rows]) if alike else None,
        "data": data_since(rows, changed),
        "scored on": f"mean of {rows[0].scored_on}" if alike and rows[0].scored_on else "",
        "epoch": "",
        "tags": sorted(set.intersection(*(set(row.annotations.tags) for row in rows))),
        "network": network_title(rows[0].network) if len({r.network for r in rows}) == 1 else "",
        "dataset": rows[0].dataset if len({row.dataset for row in rows}) == 1 else "",
        "took": "",
        "device": "",
        "cause": "",
        "note": "",
    }


def _mean(scores: Sequence[float | None]) -> float | None:
    """Return the mean; None unless every score is known."""
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


def _line(row: RunRow, changed: Mapping[str, int]) -> tables.Row:
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
        "data": data_since([row], changed),
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
            placeholder="Search name, model, tag, note",
            label_visibility="collapsed",
            icon=":material/search:",
        )
        with st.popover("Filters", icon=":material/filter_list:", type="tertiary"):
            filters = _ask_filters(rows)
            _ask_columns(rows)
        if st.button(
            "Import",
            icon=":material/download:",
            type="tertiary",
            key="import_predictions",
            help="Import predictions of another tool as a run.",
        ):
            st.query_params["import"] = "predictions"
            st.rerun()
    shown_kinds = st.segmented_control(
        "Kinds",
        kinds,
        selection_mode="multi",
        default=[k for k in kinds if k in ("train", "tune")] or kinds,
        format_func=kind_title,
        key="kinds",
        label_visibility="collapsed",
    )
    return matching(
        rows,
        text=text or "",
        kinds=shown_kinds,
        **filters,
    )


def _ask_filters(rows: Sequence[RunRow]) -> dict[str, Any]:
    """Ask which runs are listed; return arguments of :func:`matching`.

    The filter of the dataset follows the app's switch of the dataset.
    """
    datasets, current = sorted({r.dataset for r in rows if r.dataset}), session.current_dataset()
    if session.arrived() or st.session_state.get(FILTERED_BY) != current:
        st.session_state["runs_datasets"] = [current] if current in datasets else []
    st.session_state[FILTERED_BY] = current
    return {
        "states": st.multiselect(
            "State",
            [s for s in RUN_STATES if any(r.status.state == s for r in rows)],
            format_func=state_title,
            key="runs_states",
        ),
        "datasets": st.multiselect(
            "Dataset",
            datasets,
            key="runs_datasets",
        ),
        "tags": st.multiselect(
            "Tags", sorted({tag for r in rows for tag in r.annotations.tags}), key="runs_tags"
        ),
        "starred": st.toggle("Starred only", key="runs_starred"),
        "archived": st.toggle("Show archived runs", key="runs_archived"),
    }


def _ask_columns(rows: Sequence[RunRow]) -> None:
    """Ask for the table's columns, and whether ensembles are grouped; kept in the session."""
    st.toggle(
        "Group ensembles",
        True,
        key="runs_grouped",
        persist_state="session",
        help="One line above the models that were launched together.",
    )
    st.multiselect(
        "Columns",
        list(_line(rows[0], {})),
        default=list(USUAL_COLUMNS),
        key="runs_columns",
        persist_state="session",
    )


def best_score(rows: Sequence[RunRow], changed: Collection[str] = ()) -> str:
    """Return the best score with its split and size, ", best mean IoU 64.7 % (test, own size)".

    Scores of unlike splits or sizes do not compare, so it is the best of those like the newest
    one; "" without any score. Scores of masks that ``changed`` since (ids of runs) are left out.
    """
    scored = [r for r in rows if r.status.mean_iou is not None and r.run not in changed]
    if not scored:
        return ""
    alike = [r.status.mean_iou for r in scored if r.scored_on == scored[0].scored_on]
    best = max(score for score in alike if score is not None)
    return f", best mean IoU {formatting.percent(best)} ({scored[0].scored_on})"
