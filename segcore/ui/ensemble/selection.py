"""What all tabs of the Ensemble page share: members, aggregation and weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from segcore.catalog import ENSEMBLE_RULES
from segcore.ui.shared import session
from segcore.workspace.ensembles.ensembles import Group


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        dataset: Name of the dataset on which they are scored: of one fold alone the fold, of
            unlike folds what they are folds of.
        members: Ids of training runs, in the order in which they were made.
        rule: A name in ``catalog.ENSEMBLE_RULES``.
        weights: One a member; empty for equal ones.
    """

    dataset: str
    members: tuple[str, ...]
    rule: str = "mean"
    weights: tuple[float, ...] = ()


def choose() -> tuple[Choice, str]:
    """Let the user choose; ends the page with a link where there is nothing to choose from.

    Returns:
        The choice, and the split on which its members are combined and shown.
    """
    workspace = session.workspace()
    dataset = _dataset_with_models()
    one, two, three = st.columns([8, 2, 2.8], vertical_alignment="bottom", gap="small")
    candidates = workspace.ensembles.candidates(dataset)
    with session.errors_shown():
        groups = workspace.ensembles.groups(dataset)
    start = list(groups[0].members) if groups else candidates[-1:]
    session.prepare_many("members", candidates, start)
    chosen = one.multiselect(
        "Members",
        candidates,
        default=start,
        key="members",
        bind="query-params",
        persist_state="session",
        wrap=True,
    )
    with two:
        rule = st.selectbox(
            "Aggregation",
            list(ENSEMBLE_RULES),
            format_func=lambda r: ENSEMBLE_RULES[r].title,
            key="rule",
            persist_state="session",
            help=" ".join(f"{c.title}: {c.summary}" for c in ENSEMBLE_RULES.values()),
        )
    if len(groups) > 1 or (groups and tuple(chosen) != groups[0].members):
        _offer_groups(groups[:4])
    if not chosen:
        st.info("Select one or more members.", icon=":material/info:")
        st.stop()
    members = tuple(c for c in candidates if c in chosen)
    weights = _weights(members) if rule == "weighted" else ()
    with session.errors_shown():
        dataset = workspace.runs.dataset_of(members)
        splits = workspace.ensembles.splits(members)
    with three:
        split = session.choose_split(splits, key="combine_split")
    return Choice(dataset, members, str(rule), weights), split


def keep_test(split: str, splits: Sequence[str]) -> None:
    """Where test is shown, offer validation for what is searched for by its score."""
    if split != "test" or "validation" not in splits:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Search on validation, and keep test to check the result.", width="content")
        st.button(
            "Switch to validation",
            on_click=session.request,
            args=("combine_split", "validation"),
            key="to_validation",
            type="tertiary",
            icon=":material/swap_horiz:",
        )


def _dataset_with_models() -> str:
    """Return the current dataset; ends the page where no model was trained on it."""
    workspace = session.workspace()
    known = {
        r.dataset
        for r in workspace.runs.rows()
        if r.kind == "train" and r.status.state == "finished"
    }
    names = [n for n in workspace.datasets.names() if known & set(workspace.runs.kin(n))]
    if not names:
        session.no_runs(
            "There is no finished training run yet. Train some models, or open the demo, which "
            "includes five."
        )
    dataset = session.choose_dataset()
    if dataset not in names:
        session.no_runs("There is no finished training run yet. Train some models first.")
    return dataset


def _offer_groups(groups: Sequence[Group]) -> None:
    """Draw a button for each group of models that differ only by seed or fold, to select all."""
    with st.container(horizontal=True):
        for group in groups:
            label = f"Select all {len(group.members)} of {group.name}"
            st.button(
                label,
                on_click=_take,
                args=(group.members,),
                help=group.title,
                key=f"take_{group.name}",
                icon=":material/group_add:",
            )


def _take(members: tuple[str, ...]) -> None:
    st.session_state["members"] = list(members)


def take_weights(members: tuple[str, ...], weights: list[float]) -> None:
    """Set members, rule and weights; a callback of buttons on other tabs."""
    st.session_state["members"] = list(members)
    st.session_state["rule"] = "weighted"
    for member, weight in zip(members, weights, strict=True):
        st.session_state[f"weight_{member}"] = float(weight)


def _weights(members: tuple[str, ...]) -> tuple[float, ...]:
    columns = st.columns(min(len(members), 6))
    chosen_weights = []
    for number, member in enumerate(members):
        key = f"weight_{member}"
        st.session_state.setdefault(key, 1.0)
        with columns[number % len(columns)]:
            label = f"Weight of {number + 1}"
            chosen_weights.append(
                float(
                    st.number_input(
                        label,
                        0.0,
                        1000.0,
                        step=0.05,
                        format="%.3f",
                        key=key,
                        help=member,
                        persist_state="session",
                    )
                )
            )
    if not sum(chosen_weights):
        st.warning(
            "All weights are 0. Give at least one member a weight.", icon=":material/warning:"
        )
        st.stop()
    return tuple(chosen_weights)
