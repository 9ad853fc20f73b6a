"""The headline of the Ensemble page: what the members score together, or the button that combines them."""

from typing import Any

import streamlit as st

from segcore import formatting
from segcore.errors import SegcoreError
from segcore.evaluation.metrics.report import plain
from segcore.ui.ensemble.selection import Choice
from segcore.ui.shared import manual, run_links, run_progress, session, split_predictions
from segcore.workspace import Workspace
from segcore.workspace.ensembles.ensembles import AgainstMembers

DOCS = "metrics#ensembles-and-the-crf"


def show(choice: Choice, split: str) -> None:
    """Draw the headline of the members on a split, and what combines or saves them."""
    words, action = st.columns([1, 1], vertical_alignment="center", gap="small")
    with action, st.container(horizontal=True, vertical_alignment="center", gap="small"):
        run = _combine(choice, split)
    with words:
        if not run:
            st.markdown(
                f"### :gray[{formatting.plural(len(choice.members), 'member')}, not combined on "
                f"{session.plain(split)} yet]"
            )
        elif run_progress.follow([run], "Combining", "combine"):
            _result(run, split)
        views = session.workspace().ensembles.mixed_views(choice.members, split)
        if views:
            st.warning(session.plain(views), icon=":material/warning:")


def _combine(choice: Choice, split: str) -> str | None:
    """Draw what combines and saves; return the run that combines the members on the split, if any."""
    ensembles, members = session.workspace().ensembles, choice.members
    how: dict[str, Any] = {"rule": choice.rule, "weights": choice.weights}
    try:
        run = ensembles.combined(members, split, **how)
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return None
    if not run and not choice.weights:  # with a CRF or a name, the members' mean is in it
        run = next((r for r in ensembles.names(members, split) if choice.rule in r), None)
    count = formatting.plural(len(members), "member")
    if not run and st.button(
        f"Combine on {split}",
        type="primary",
        icon=":material/join:",
        key="combine",
        disabled=len(members) < 2,
        help=f"Averages the probabilities of {count} over the split and scores them.",
    ):
        _start(choice, split, "")
    saved = _save(choice, split)
    if saved:
        return saved
    if run:
        query = {"run": run, "split": split}
        run_links.compare_masks(query)
        run_links.evaluate(query)
    return run


def _save(choice: Choice, split: str) -> str | None:
    """Draw the popover that saves the members under a name; return the run of that name, if any."""
    with st.popover("Save", icon=":material/save:", help="Save the ensemble as a model"):
        name = st.text_input(
            "Name", key="ensemble_name", max_chars=60, placeholder="letters, digits, . _ - only"
        ).strip()
        run = None
        if name:
            try:
                run = session.workspace().ensembles.combined(
                    choice.members, split, rule=choice.rule, weights=choice.weights, name=name
                )
            except SegcoreError as error:
                st.warning(str(error), icon=":material/warning:")
                return None
        if st.button(
            f"Save on {split}",
            type="primary",
            icon=":material/save:",
            key="save_ensemble",
            disabled=not name or run is not None,
            help="It then appears wherever a model is chosen.",
        ):
            _start(choice, split, name)
        twin = session.workspace().ensembles.unnamed_twin(run) if run else ""
        if twin:
            st.caption(
                f"The same ensemble is also listed without a name, as {session.plain(twin)}: delete "
                "that run on Runs if you do not need both."
            )
    return run


def _start(choice: Choice, split: str, name: str) -> None:
    with session.errors_shown():
        session.workspace().ensembles.combine(
            choice.members, split, rule=choice.rule, weights=choice.weights, name=name
        )
    st.rerun()


def _result(run: str, split: str) -> None:
    """Write the ensemble's score, and its gain over the best and the average member."""
    workspace = session.workspace()
    with session.errors_shown():
        split_predictions.offer_recount([run, *workspace.runs.members(run)], split)
        found = _against(workspace, run, split, workspace.runs.open(run).status().finished)
    gain = found.comparison.difference
    difference, (low, high) = plain(gain.value), gain.ends()
    best, average = formatting.points(difference), formatting.points(_over_average(found))
    surely = low is not None and high is not None and not low <= 0 <= high
    st.markdown(
        f"### Mean IoU {formatting.percent(found.ensemble)}{_brackets(found.interval)}",
        help=manual.see(
            f"{session.plain(run)} on {split}: IoU of each class, correct / (true + predicted - "
            "correct) pixels, averaged over the classes. In brackets its 95 % interval. "
            f"{gain.how()}",
            DOCS,
        ),
    )
    span = "" if low is None else f" ({formatting.points_interval(low, high)})"
    note = "" if surely else ", not significant: the interval contains 0"
    st.caption(
        f"**{best}** over the best member{span}{note} · **{average}** over the average member",
        help=manual.see(
            f"Mean IoU of the ensemble minus that of {session.plain(found.best)}, with its 95 % "
            "interval; and minus the average of the members' mean IoU.",
            DOCS,
        ),
    )


def _over_average(found: AgainstMembers) -> float | None:
    if found.mean_member is None or found.ensemble is None:
        return None
    return found.ensemble - found.mean_member


def _brackets(ends: tuple[float | None, float | None]) -> str:
    low, high = ends
    return "" if low is None or high is None else f" :gray[[{100 * low:.1f}, {100 * high:.1f}]]"


@st.cache_data(max_entries=32, show_spinner=False)
def _against(_workspace: Workspace, run: str, split: str, stamp: float | None) -> AgainstMembers:
    return _workspace.ensembles.against_members(run, split)
