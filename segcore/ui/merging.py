"""Choosing which labels to merge: along the path, by a cut of the tree, or by hand; and which never meet."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from segcore.ui import state

WAYS = ("along the path", "by the tree", "by hand")

Groups = tuple[tuple[int, ...], ...]
"""Groups of the user's class ids, each class in one."""


def apart_pairs(names: Mapping[int, str]) -> Groups:
    """Let the user name pairs of labels that never meet, and return them as pairs of class ids."""
    pairs: list[tuple[int, int]] = st.session_state.setdefault("apart", [])
    kept = [pair for pair in pairs if set(pair) <= set(names)]
    with st.popover(f"Never merge ({len(kept)})", icon=":material/block:"):
        st.multiselect("Two labels that stay apart", list(names), format_func=names.__getitem__, key="apart_pick", max_selections=2)
        st.button("Keep them apart", key="apart_add", on_click=_keep_apart, disabled=len(st.session_state["apart_pick"]) != 2)
        for pair in kept:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(" and ".join(state.plain(names[i]) for i in pair))
                st.button("Allow", key=f"allow_{pair[0]}_{pair[1]}", on_click=pairs.remove, args=(pair,), icon=":material/undo:")
    return tuple(kept)


def _keep_apart() -> None:
    first, second = sorted(st.session_state["apart_pick"])
    if (first, second) not in st.session_state["apart"]:
        st.session_state["apart"].append((first, second))
    st.session_state["apart_pick"] = []


def choose(study: Mapping[str, Any], names: Mapping[int, str], apart: Groups) -> Groups:
    """Let the user choose the groups.

    Args:
        study: What :func:`segcore.ui.scored.study` returned.
        names: Class names by id.
        apart: Pairs of class ids that never meet.
    """
    way = st.segmented_control(
        "Merge",
        WAYS,
        default=WAYS[0],
        key="way",
        bind="query-params",
        required=True,
        help="The path joins what gains most accuracy for each bit lost. The tree joins labels that are answered alike. "
        "By hand you choose, and may start from either.",
    )
    if way == WAYS[0]:
        rows = {row["num_groups"]: row["groups"] for row in study["path"]}
        groups = rows[_slider(min(rows), max(rows), "labels", "Along the greedy path: from no merge down to the fewest labels.")]
        st.session_state["start"] = groups
    elif way == WAYS[1]:
        joints = study["dendrogram"]["joints"]
        fewest = len(names) - len(joints)
        number = _slider(fewest, len(names), "tree_labels", "Where the tree is cut: labels that join below the cut are one.")
        groups = cut(joints, list(names), number)
        st.session_state["start"] = groups
    else:
        groups = _by_hand(names, apart)
    return tuple(tuple(group) for group in groups)


def _slider(fewest: int, most: int, key: str, help: str) -> int:
    if fewest == most:
        st.caption("The pairs that stay apart leave nothing to merge.")
        return most
    if not fewest <= st.session_state.get(key, most) <= most:  # chosen on a longer path
        del st.session_state[key]
    return int(st.slider("Number of labels", fewest, most, max(fewest, most - 2), key=key, bind="query-params", help=help))


def cut(joints: Sequence[Mapping[str, Any]], ids: Sequence[int], number: int) -> list[list[int]]:
    """Return the groups of a tree that is cut to so many labels, each in ascending order of position.

    Args:
        joints: The tree's joints in the order they are made, as a dendrogram's JSON holds them.
        ids: Class ids in index order.
        number: How many groups.
    """
    place = {name: index for index, name in enumerate(ids)}
    groups = {frozenset([i]) for i in ids}
    for joint in joints[: len(ids) - number]:
        left, right = (frozenset(part) for part in joint["groups"])
        groups = (groups - {left, right}) | {left | right}
    return sorted((sorted(group, key=place.__getitem__) for group in groups), key=lambda group: place[group[0]])


def _by_hand(names: Mapping[int, str], apart: Groups) -> list[list[int]]:
    merges: list[list[int]] = [m for m in st.session_state.get("by_hand", []) if set(m) <= set(names)]
    st.session_state["by_hand"] = merges
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.multiselect(
            "Labels to merge",
            list(names),
            format_func=names.__getitem__,
            key="merge_pick",
            placeholder="two or more",
            help="A label that is merged already brings its group along.",
        )
        st.button("Merge", key="merge_add", type="primary", icon=":material/merge:", on_click=_merge)
        if st.session_state.get("start"):
            st.button("Start from the last cut", key="merge_start", on_click=_start, help="Take over what the path or the tree had chosen.")
    for number, merge in enumerate(merges):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Undo", key=f"undo_{'_'.join(map(str, merge))}", on_click=_undo, args=(number,), icon=":material/undo:")
            st.markdown(" + ".join(state.plain(names[i]) for i in merge))
    for pair in apart:
        if any(set(pair) <= set(merge) for merge in merges):
            told = " and ".join(state.plain(names[i]) for i in pair)
            st.warning(f"{told} should stay apart, but are merged here.", icon=":material/warning:")
    merged = {i: merge for merge in merges for i in merge}
    return [merged.get(i, [i]) for i in names if merged.get(i, [i])[0] == i]


def _undo(number: int) -> None:
    del st.session_state["by_hand"][number]


def _merge() -> None:
    picked = list(st.session_state["merge_pick"])
    if len(picked) < 2:
        return
    merges: list[list[int]] = st.session_state["by_hand"]
    joined = set(picked).union(*(m for m in merges if set(m) & set(picked)))
    _set_by_hand([*(m for m in merges if not set(m) & joined), list(joined)])
    st.session_state["merge_pick"] = []


def _start() -> None:
    _set_by_hand([list(group) for group in st.session_state["start"] if len(group) > 1])


def _set_by_hand(merges: list[list[int]]) -> None:
    st.session_state["by_hand"] = sorted(sorted(merge) for merge in merges)
