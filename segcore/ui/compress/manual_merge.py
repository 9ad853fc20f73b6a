"""Merging labels manually: on a board or from a list, with undo and saved starts."""

from collections.abc import Mapping, Sequence

import streamlit as st

from segcore.ui.compress import board
from segcore.ui.compress.queries import Groups
from segcore.ui.shared import session

Merges = list[list[int]]
"""The groups of two and more labels, by class id."""


def choose(run: str, names: Mapping[int, str], colors: Mapping[int, str], apart: Groups) -> Groups:
    """Let the user merge labels by hand.

    Args:
        run: Id of the run whose labels are merged.
        names: Class names by id.
        colors: Their colours as ``#rrggbb``.
        apart: Pairs of class ids that never meet.
    """
    merges = [m for m in _current() if set(m) <= set(names)]
    if merges != _current():
        _set(merges)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.multiselect(
            "Labels to merge",
            list(names),
            format_func=names.__getitem__,
            key="merge_pick",
            placeholder="two or more",
            help="A label that is already merged brings its group along.",
        )
        st.button(
            "Merge", key="merge_add", type="primary", icon=":material/merge:", on_click=_merge
        )
        past, future = _history()
        st.button(
            "Undo",
            key="merge_undo",
            icon=":material/undo:",
            on_click=_move,
            args=(-1,),
            disabled=not past,
        )
        st.button(
            "Redo",
            key="merge_redo",
            icon=":material/redo:",
            on_click=_move,
            args=(1,),
            disabled=not future,
        )
        _starts(run, names)
    for number, merge in enumerate(merges):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Unmerge",
                key=f"split_{'_'.join(map(str, merge))}",
                on_click=_split,
                args=(number,),
                icon=":material/call_split:",
            )
            st.markdown(" + ".join(session.plain(names[i]) for i in merge))
    groups = complete(merges, names)
    moved = board.show(groups, names, colors, key="board")
    if moved is not None and moved != groups:
        _set([group for group in moved if len(group) > 1])
        st.rerun()
    warn_apart(groups, names, apart)
    return tuple(tuple(group) for group in groups)


def take(pair: Sequence[int]) -> None:
    """Merge these labels and no others, by hand; a callback of buttons elsewhere on the page."""
    _current()
    _set([list(pair)])
    st.session_state["way"] = "Manual"


def complete(merges: Sequence[Sequence[int]], names: Mapping[int, str]) -> Merges:
    """Return every group in the order of the classes, also those of one label."""
    place = {i: position for position, i in enumerate(names)}
    merged = {i: sorted(merge, key=place.__getitem__) for merge in merges for i in merge}
    return [merged.get(i, [i]) for i in names if merged.get(i, [i])[0] == i]


def warn_apart(groups: Sequence[Sequence[int]], names: Mapping[int, str], apart: Groups) -> None:
    """Say which labels are merged that should stay apart."""
    for pair in apart:
        if any(set(pair) <= set(group) for group in groups):
            pair_names = " and ".join(session.plain(names[i]) for i in pair)
            st.warning(
                f"{pair_names} should stay apart but are merged here.", icon=":material/warning:"
            )


def _starts(run: str, names: Mapping[int, str]) -> None:
    """Offer to start from the last cut, or from any version of a merge that was saved."""
    saved = session.workspace().merges.saved(run)
    if not saved and not st.session_state.get("start"):
        return
    with st.popover("Start from", icon=":material/folder_open:"):
        if st.session_state.get("start"):
            st.button(
                "Last selection",
                key="merge_start",
                on_click=_start,
                help="The groups last selected by Greedy, Clustering or Hierarchy.",
            )
        for entry in saved:
            title = (
                entry.name
                + (f", version {entry.version} of {entry.versions}" if entry.versions > 1 else "")
                + (f", by {entry.by}" if entry.by else "")
            )
            key = f"saved_{entry.name}_{entry.version}"
            st.button(
                session.plain(title),
                key=key,
                on_click=_set,
                args=([g for g in entry.groups if len(g) > 1],),
            )


def _current() -> Merges:
    past: list[Merges] = st.session_state.setdefault("merge_history", [[]])
    return past[st.session_state.setdefault("merge_place", 0)]


def _history() -> tuple[int, int]:
    """How many steps can be undone and redone."""
    place = st.session_state["merge_place"]
    return place, len(st.session_state["merge_history"]) - 1 - place


def _set(merges: Merges) -> None:
    """Note a further step; what had been undone is forgotten."""
    wanted = sorted(sorted(merge) for merge in merges)
    if wanted == _current():
        return
    place = st.session_state["merge_place"]
    st.session_state["merge_history"] = [*st.session_state["merge_history"][: place + 1], wanted]
    st.session_state["merge_place"] = place + 1


def _move(by: int) -> None:
    st.session_state["merge_place"] += by


def _split(number: int) -> None:
    merges = _current()
    _set([*merges[:number], *merges[number + 1 :]])


def _merge() -> None:
    picked = list(st.session_state["merge_pick"])
    if len(picked) < 2:
        return
    merges = _current()
    joined = set(picked).union(*(m for m in merges if set(m) & set(picked)))
    _set([*(m for m in merges if not set(m) & joined), list(joined)])
    st.session_state["merge_pick"] = []


def _start() -> None:
    _set([list(group) for group in st.session_state["start"] if len(group) > 1])
