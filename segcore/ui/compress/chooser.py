"""Choosing which labels to merge: greedy, by clustering, by a hierarchy file or manually."""

from collections.abc import Mapping

import streamlit as st

from segcore.evaluation.compression.dendrogram import Dendrogram
from segcore.evaluation.compression.what_if import WhatIf
from segcore.labels import LabelMap
from segcore.ui.compress import manual_merge
from segcore.ui.compress.queries import Groups, Importance
from segcore.ui.shared import session

WAYS = ("Greedy", "Clustering", "Hierarchy", "Manual")


def apart_pairs(names: Mapping[int, str]) -> Groups:
    """Let the user name pairs of labels that never meet, and return them as pairs of class ids."""
    pairs: list[tuple[int, int]] = st.session_state.setdefault("apart", [])
    kept = [pair for pair in pairs if set(pair) <= set(names)]
    with st.popover(f"Never merge ({len(kept)})", icon=":material/block:", width="stretch"):
        st.multiselect(
            "Two labels to keep apart",
            list(names),
            format_func=names.__getitem__,
            key="apart_pick",
            max_selections=2,
        )
        st.button(
            "Keep apart",
            key="apart_add",
            on_click=_keep_apart,
            disabled=len(st.session_state["apart_pick"]) != 2,
        )
        for pair in kept:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(" and ".join(session.plain(names[i]) for i in pair))
                st.button(
                    "Allow",
                    key=f"allow_{pair[0]}_{pair[1]}",
                    on_click=pairs.remove,
                    args=(pair,),
                    icon=":material/undo:",
                )
    return tuple(kept)


def _keep_apart() -> None:
    first, second = sorted(st.session_state["apart_pick"])
    if (first, second) not in st.session_state["apart"]:
        st.session_state["apart"].append((first, second))
    st.session_state["apart_pick"] = []


def importance(names: Mapping[int, str]) -> Importance:
    """Let the user weigh labels; return the weights by class id of those that do not weigh 1."""
    weights: dict[int, float] = st.session_state.setdefault("importance", {})
    kept = {i: weight for i, weight in weights.items() if i in names}
    with st.popover(f"Importance ({len(kept)})", icon=":material/balance:", width="stretch"):
        st.caption(
            "How much a label matters to you; labels that you do not name count 1. It "
            "applies when entropy is weighted by importance."
        )
        picked = st.multiselect(
            "Labels", list(names), format_func=names.__getitem__, key="importance_pick"
        )
        st.number_input("Weight", 0.0, 1000.0, 5.0, step=1.0, key="importance_weight")
        st.button("Set weight", key="importance_add", on_click=_weigh, disabled=not picked)
        for i, weight in kept.items():
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{session.plain(names[i])} {weight:g}")
                st.button(
                    "Reset to 1",
                    key=f"importance_drop_{i}",
                    on_click=_forget,
                    args=(i,),
                    icon=":material/undo:",
                )
    return tuple(sorted(kept.items()))


def _weigh() -> None:
    for i in st.session_state["importance_pick"]:
        st.session_state["importance"][i] = float(st.session_state["importance_weight"])
    st.session_state["importance_pick"] = []


def _forget(label: int) -> None:
    del st.session_state["importance"][label]


def choose(
    run: str,
    what_if: WhatIf,
    names: Mapping[int, str],
    colors: Mapping[int, str],
    apart: Groups,
    start: int,
) -> Groups:
    """Let the user choose the groups.

    Args:
        run: Id of the run whose labels are merged.
        what_if: All merges of the run's labels.
        names: Class names by id.
        colors: Their colours as ``#rrggbb``.
        apart: Pairs of class ids that never meet.
        start: Number of labels that the greedy path and the tree start from.
    """
    session.prepare("way", WAYS)
    way = st.segmented_control(
        "Merge",
        WAYS,
        default=WAYS[0],
        key="way",
        bind="query-params",
        required=True,
        help=(
            "Greedy joins the labels that gain most accuracy for each bit lost. Clustering "
            "joins labels that are confused alike. A hierarchy file names the parent of "
            "each class. Manual merges can start from any of these."
        ),
    )
    if way == WAYS[0]:
        groups = _on_path(what_if, start).in_ids(what_if.ids)
    elif way == WAYS[1]:
        groups = _below_cut(what_if.dendrogram, start).in_ids(what_if.ids)
    elif way == WAYS[2]:
        groups = _by_hierarchy(run, names)
    else:
        return manual_merge.choose(run, names, colors, apart)
    st.session_state["start"] = groups
    manual_merge.warn_apart(groups, names, apart)
    return tuple(tuple(group) for group in groups)


def _on_path(what_if: WhatIf, start: int) -> LabelMap:
    """Let the user choose a number of labels along the greedy path, and return its map."""
    maps = {row.label_map.num_groups: row.label_map for row in what_if.path}
    number = _slider(
        min(maps),
        max(maps),
        "labels",
        max(start, min(maps)),
        "Along the greedy path, from no merge down to the fewest labels.",
    )
    return maps[number]


def _below_cut(tree: Dendrogram, start: int) -> LabelMap:
    """Let the user choose where the tree is cut, and return the map of the cut."""
    fewest = tree.num_classes - len(tree.joints)
    number = _slider(
        fewest,
        tree.num_classes,
        "tree_labels",
        max(start, fewest),
        "Labels that join below the cut of the tree become one.",
    )
    return tree.cut(number)


def _slider(fewest: int, most: int, key: str, start: int, help: str) -> int:
    if fewest == most:
        st.caption("The pairs to keep apart leave nothing to merge.")
        return most
    session.prepare(key, range(fewest, most + 1), start)
    return int(
        st.slider(
            "Number of labels",
            fewest,
            most,
            start,
            key=key,
            bind="query-params",
            help=help,
        )
    )


def _by_hierarchy(run: str, names: Mapping[int, str]) -> list[list[int]]:
    """Read a hierarchy and let the user choose one of its levels."""
    uploaded = st.file_uploader(
        "Hierarchy file: class,parent,grandparent per row, or JSON",
        type=["csv", "json", "txt"],
        key="hierarchy",
        max_upload_size=2,
        help=(
            'CSV rows like "road,flat,ground", or JSON like '
            '{"road": ["flat", "ground"]} or '
            '{"ground": {"flat": ["road", "pavement"]}}. Classes by name or id; '
            "classes left out stay unmerged."
        ),
    )
    if uploaded is not None:
        st.session_state["hierarchy_data"] = uploaded.getvalue()
    data: bytes | None = st.session_state.get("hierarchy_data")
    if data is None:
        return [[i] for i in names]
    with session.errors_shown():
        levels = session.workspace().merges.hierarchy(run, data)
    titles = {
        n: f"{len(level.groups)} labels: {', '.join(level.titles[:6])}"
        for n, level in enumerate(levels)
    }
    session.prepare("level", list(titles))
    level = st.selectbox(
        "Level, fine to coarse", list(titles), format_func=titles.__getitem__, key="level"
    )
    return levels[level].groups
