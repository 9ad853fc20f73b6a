"""The form of a grid: every combination of some values becomes a run."""

from typing import Any

import streamlit as st

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.ui.shared import run_links, session
from segcore.workspace.launch.grid import FIELDS, combine, read_values


def grid(config: TrainConfig, members: int) -> None:
    """Draw the form of a grid and how many runs it makes, and start them on request.

    Args:
        config: What all runs have in common.
        members: Models per combination.
    """
    with st.expander("Grid: many runs at once", icon=":material/grid_view:"):
        st.caption("List values for some fields; every combination becomes a run like the above.")
        searched = [name for name, one in FIELDS.items() if one.option.search]
        chosen = st.multiselect(
            "Fields",
            [*searched, *(name for name in FIELDS if name not in searched)],
            key="vary_fields",
            max_selections=4,
            format_func=lambda name: FIELDS[name].option.title,
            help="Fields that differ between the runs, up to four.",
        )
        choices: dict[str, list[Any]] = {}
        for name in chosen:
            field = FIELDS[name]
            text = st.text_input(
                field.option.title,
                field.write(field.get(config)),
                key=f"vary_{name}",
                help="Values, separated by commas.",
            )
            try:
                choices[name] = read_values(name, text)
            except SegcoreError as error:
                st.error(str(error), icon=":material/error:")
                return
        if chosen:
            _start(config, choices, members)


def _start(config: TrainConfig, choices: dict[str, list[Any]], members: int) -> None:
    tag = st.text_input("Tag", "grid", key="vary_tag", help="Finds the runs on the Runs page.")
    try:
        configs = combine(config, choices)
    except SegcoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    total = len(configs) * members
    counts = " x ".join(str(len(values)) for values in choices.values())
    models = f" x {members} models" if members > 1 else ""
    st.markdown(f"{counts}{models} = **{total} runs**")
    if st.button(
        f"Start {total} runs", icon=":material/playlist_play:", key="launch_grid", type="primary"
    ):
        with session.errors_shown():
            runs = session.workspace().launch.launch(config, choices, members, tag.strip())
        st.toast(f"{len(runs)} runs queued")
        run_links.watch(runs[0])
