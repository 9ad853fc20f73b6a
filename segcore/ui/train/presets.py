"""The values that the training form begins with, and buttons that change them all at once."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import streamlit as st

from segcore.config import TrainConfig, to_json
from segcore.errors import SegcoreError
from segcore.ui.shared import confirm, session
from segcore.ui.shared.dataset_scans import stamp
from segcore.workspace import Workspace
from segcore.workspace.launch.suggestions import Suggestion

_STATE = "train_form"


@dataclass
class _State:
    """The form of this session.

    Attributes:
        generation: Counts beginnings; part of each widget's key, so that all take new values.
        dataset: Name of the dataset that the widgets were drawn for.
        begun: What they began with.
        members: Size of the ensemble that they began with.
        last: Latest valid config and ensemble size by dataset; kept while other pages are open.
        recommended: The recommendation for the dataset, None where there is none.
        problem: Why there is none.
    """

    generation: int = 0
    dataset: str = ""
    begun: TrainConfig | None = None
    members: int = 1
    last: dict[str, tuple[TrainConfig, int]] = dataclasses.field(default_factory=dict)
    recommended: Suggestion | None = None
    problem: str = ""


def _state() -> _State:
    state: _State = st.session_state.setdefault(_STATE, _State())
    return state


def enter(dataset: str) -> None:
    """Begin the form: with the dataset's latest values in this session, else the recommendation.

    Args:
        dataset: Name of the dataset.
    """
    state, opened = _state(), session.workspace().datasets.open(dataset)
    state.recommended, state.problem = None, ""
    try:
        plans = tuple(opened.plans())
        state.recommended = _suggest(session.workspace(), dataset, stamp(opened), plans)
    except SegcoreError as error:
        state.problem = str(error)
    _from_link(dataset)
    if state.dataset != dataset or key("architecture") not in st.session_state:
        usual = state.recommended.config if state.recommended else TrainConfig(dataset)
        begun, members = state.last.get(dataset, (usual, 1))
        state.begun = dataclasses.replace(begun, dataset=dataset)
        state.members, state.dataset = members, dataset
        state.generation += 1


@st.cache_data(max_entries=20, ttl=60, show_spinner="Counting classes ...")
def _suggest(_workspace: Workspace, dataset: str, stamp: str, plans: tuple[str, ...]) -> Suggestion:
    return _workspace.launch.suggest(dataset)


def begun() -> TrainConfig:
    """Return the config that the widgets begin with."""
    state = _state()
    return state.begun or TrainConfig(state.dataset)


def members() -> int:
    """Return the ensemble size that the form begins with."""
    return _state().members


def recommended() -> Suggestion | None:
    """Return the recommendation for the dataset; None where it has no splits or masks to count."""
    return _state().recommended


def key(name: str) -> str:
    """Return the key of a field: another one after each beginning, so that it takes its value."""
    return f"{name}_{_state().generation}"


def keep(config: TrainConfig, members: int) -> None:
    """Keep the form's values for the session."""
    _state().last[config.dataset] = (config, members)


def begin(config: TrainConfig, dataset: str = "") -> None:
    """Let the form begin with a config on its next run.

    Args:
        config: The config.
        dataset: The dataset that it is for; "" for the chosen one.
    """
    state = _state()
    state.last[dataset or state.dataset] = (config, 1)
    state.dataset = ""


def _from_link(dataset: str) -> None:
    """Begin with the run, label map and balance plan that the page's link names, once."""
    state, opened = _state(), session.workspace().datasets.open(dataset)
    for name in ("from_run", "label_map", "balance_plan"):
        value = st.query_params.get(name)
        if not value or value == st.session_state.get(f"train_{name}"):
            continue
        st.session_state[f"train_{name}"] = value
        try:
            if name == "from_run":
                begin(session.workspace().configs.clone(value), dataset)
                continue
            load = opened.load_label_map if name == "label_map" else opened.load_plan
            load(value)
            usual = state.recommended.config if state.recommended else TrainConfig(dataset)
            config, _ = state.last.get(dataset, (usual, 1))
            link: dict[str, Any] = {name: value}
            begin(dataclasses.replace(config, **link), dataset)
        except SegcoreError as error:
            st.warning(str(error), icon=":material/warning:")


def banner(config: TrainConfig | None) -> None:
    """Say above the form which saved choices of the dataset it trains with, if any.

    Args:
        config: The form's values at this moment; None while they are refused.
    """
    if config is None:
        return
    parts = [f"the merged labels **{session.plain(config.label_map)}**"] * bool(config.label_map)
    parts += [f"the balance plan **{session.plain(config.balance_plan)}**"] * bool(
        config.balance_plan
    )
    if parts:
        st.info(f"Trains with {' and '.join(parts)}.", icon=":material/bookmark:")


def choices(config: TrainConfig | None) -> None:
    """Draw what fills the form: recommendation, saved configs, another run, JSON.

    Args:
        config: The form's values at this moment; None while they are refused.
    """
    state = _state()
    with st.container(horizontal=True, vertical_alignment="center"):
        if state.recommended and st.button(
            "Use recommended",
            icon=":material/recommend:",
            key="use_recommended",
            disabled=config == state.recommended.config,
            help="Fill the form with the values recommended for this dataset and machine.",
        ):
            begin(state.recommended.config)
            st.rerun()
        with st.popover("Saved configs", icon=":material/bookmarks:"):
            _saved(config)
        with st.popover("Copy from run", icon=":material/content_copy:"):
            _clone()
        with st.popover("JSON", icon=":material/data_object:"):
            _as_json(config)
    if state.problem:
        st.caption(f"No recommendation: {session.plain(state.problem)}")


def _saved(config: TrainConfig | None) -> None:
    configs = session.workspace().configs
    names = configs.names()
    if names:
        chosen = st.selectbox(
            "Saved config", names, key="saved_config", help="Configs saved in this workspace."
        )
        with st.container(horizontal=True):
            if st.button("Load", type="primary", key="load_config"):
                with session.errors_shown():
                    begin(configs.load(chosen))
                st.rerun()
            confirm.button(
                "Delete",
                "delete_config",
                about=chosen,
                title="Delete this saved config?",
                lost=lambda: [
                    f"**{session.plain(chosen)}** is removed. Runs keep their own configs."
                ],
                confirm="Delete config",
                act=lambda: configs.delete(chosen),
                icon=":material/delete:",
            )
    else:
        st.caption("No saved configs yet.")
    if config is None:
        return
    name = st.text_input(
        "Save as",
        key="save_as",
        placeholder="unet-for-roads",
        help="Letters, digits, dots and dashes. A config of that name is replaced.",
    )
    if st.button("Save config", key="save_these", disabled=not name):
        try:
            configs.save(name, config)
        except SegcoreError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.toast(f"Saved as {name}")
            st.rerun()


def _clone() -> None:
    runs = [row.run for row in session.workspace().runs.rows() if row.kind == "train"]
    if not runs:
        st.caption("No training runs yet.")
        return
    chosen = st.selectbox("Run", runs, key="clone_run", help="Copies all values but the dataset.")
    if st.button("Copy values", type="primary", key="clone"):
        with session.errors_shown():
            begin(session.workspace().configs.clone(chosen))
        st.rerun()


def _as_json(config: TrainConfig | None) -> None:
    saved = key("json")
    if config is not None:
        left_out = ("member", "group", "kind")
        values = {name: v for name, v in to_json(config).items() if name not in left_out}
        text = json.dumps(values, indent=2)
    else:
        text = st.session_state.get(saved, "{}")
    edited = st.text_area(
        "Config",
        text,
        height=420,
        key=f"{saved}_{hash(text)}",
        help="Missing keys take their defaults.",
    )
    if st.button("Use JSON", type="primary", key="use_json"):
        try:
            begin(session.workspace().configs.parse(json.loads(edited)))
        except (SegcoreError, ValueError, RecursionError) as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.rerun()
