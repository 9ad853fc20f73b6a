"""What the training form begins with: the defaults, a suggested plan, a saved config, another run's, or JSON written by hand."""

import json
from typing import Any

import streamlit as st

from segcore.config import TrainConfig, to_json
from segcore.errors import SegcoreError
from segcore.ui.shared import session

_START = "train_start"


def begun() -> TrainConfig | None:
    """Return the config that the form begins with; None for the defaults."""
    config: TrainConfig | None = st.session_state.get(_START, (0, None))[1]
    return config


def key(name: str) -> str:
    """Return the key of a field of the form: another one after each new beginning, so that every field takes its value."""
    generation = st.session_state.get(_START, (0, None))[0]
    return f"{name}_{generation}" if generation else name


def is_default() -> bool:
    """Whether the form begins with the defaults."""
    return begun() is None


def begin(config: TrainConfig | None) -> None:
    """Let the form begin with a config, or with None with the defaults; what was chosen in it is forgotten."""
    generation = st.session_state.get(_START, (0, None))[0]
    st.session_state[_START] = (generation + 1, config)


def from_link() -> None:
    """Begin with the run that the link names (``from_run``), once."""
    run = st.query_params.get("from_run")
    if not run or run == st.session_state.get("train_from_run"):
        return
    st.session_state["train_from_run"] = run
    try:
        begin(session.workspace().configs.clone(run))
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")


def choices(config: TrainConfig | None) -> None:
    """Draw the ways to begin: saved configs, another run, JSON, the defaults.

    Args:
        config: What the form says at this moment, None where it is refused.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Saved configs", icon=":material/bookmarks:"):
            _saved(config)
        with st.popover("Like another run", icon=":material/content_copy:"):
            _clone()
        with st.popover("As JSON", icon=":material/data_object:"):
            _as_json(config)
        if not is_default() and st.button(
            "Back to the defaults",
            icon=":material/restart_alt:",
            key="train_defaults",
            type="tertiary",
        ):
            begin(None)
            st.rerun()


def _saved(config: TrainConfig | None) -> None:
    shelf = session.workspace().configs
    names = shelf.names()
    if names:
        chosen = st.selectbox(
            "Saved config",
            names,
            key="saved_config",
            help="Kept with the workspace under the name that it was given.",
        )
        with st.container(horizontal=True):
            if st.button("Load", type="primary", key="load_config"):
                with session.errors_shown():
                    begin(shelf.load(chosen))
                st.rerun()
            if st.button("Delete", key="delete_config", icon=":material/delete:"):
                with session.errors_shown():
                    shelf.delete(chosen)
                st.rerun()
    else:
        st.caption("Nothing was saved yet.")
    if config is not None:
        told = "A name of letters, digits, dots and dashes; a config of that name is replaced."
        name = st.text_input(
            "Save these choices as", key="save_as", placeholder="unet-for-roads", help=told
        )
        if st.button("Save", key="save_these", disabled=not name):
            try:
                shelf.save(name, config)
            except SegcoreError as error:
                st.error(str(error), icon=":material/error:")
            else:
                st.toast(f"Saved as {name}")
                st.rerun()


def _clone() -> None:
    runs = [row.run for row in session.workspace().runs.rows() if row.kind == "train"]
    if not runs:
        st.caption("No run was trained yet.")
        return
    chosen = st.selectbox(
        "Run",
        runs,
        key="clone_run",
        help="Everything but its dataset and its place among members is taken over.",
    )
    if st.button("Take its config", type="primary", key="clone"):
        with session.errors_shown():
            begin(session.workspace().configs.clone(chosen))
        st.rerun()


def _as_json(config: TrainConfig | None) -> None:
    generation = key("json")
    text = (
        json.dumps(_told(config), indent=2)
        if config is not None
        else st.session_state.get(generation, "{}")
    )
    edited = st.text_area(
        "Config",
        text,
        height=420,
        key=f"{generation}_{hash(text)}",
        help="Keys that are left out keep their defaults.",
    )
    if st.button("Use it", type="primary", key="use_json"):
        try:
            begin(session.workspace().configs.parse(json.loads(edited)))
        except (SegcoreError, ValueError) as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.rerun()


def _told(config: TrainConfig) -> dict[str, Any]:
    return {
        name: value
        for name, value in to_json(config).items()
        if name not in ("member", "group", "kind")
    }
