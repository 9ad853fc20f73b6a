"""How alike the splits are, whether they differ by more than chance, and making others."""

from dataclasses import dataclass

import streamlit as st

from segcore.catalog import BALANCE_MODES
from segcore.data.dataset.dataset import Dataset
from segcore.data.health.split_groups import kept_whole
from segcore.data.splits.shift import Shift
from segcore.data.splits.splits import GROUPINGS, SplitPart
from segcore.ui.dataset import charts, split_form
from segcore.ui.shared import confirm, manual, session
from segcore.ui.shared.dataset_scans import stamp, table_behind
from segcore.workspace import Workspace


@dataclass(frozen=True)
class ShiftQuestion:
    """Which two splits are compared, and how.

    Attributes:
        first: A split.
        second: Another.
        mode: A name in ``catalog.BALANCE_MODES``: what frequencies are counted in.
        group_by: A name in ``splits.GROUPINGS``: what is permuted; "" for single images.
    """

    first: str
    second: str
    mode: str
    group_by: str


def show(dataset: Dataset, name: str) -> None:
    """Draw the tab.

    Args:
        dataset: The dataset.
        name: Start of the names of files to download.
    """
    if len(dataset.splits) > 1:
        _as_they_are(dataset, name)
        _shift(dataset, name)
    elif dataset.splits:
        st.caption(
            f"All samples are in {session.plain(dataset.splits[0])}. Create splits for "
            "validation and testing."
        )
    else:
        st.caption("Create train/validation/test splits to continue.")
    _way_back(dataset)
    split_form.show(dataset, name)


def _as_they_are(dataset: Dataset, name: str) -> None:
    st.subheader("Current splits", anchor=False)
    with session.errors_shown():
        report = _report(session.workspace(), dataset.name, stamp(dataset))
    split_form.report(dataset, report, f"{name}-splits", "Current splits")


@st.cache_data(max_entries=20, show_spinner=False)
def _report(_workspace: Workspace, dataset: str, stamp: str) -> list[SplitPart]:
    return _workspace.splits.report(dataset)


def _way_back(dataset: Dataset) -> None:
    workspace = session.workspace()
    with session.errors_shown():
        how, earlier = workspace.splits.history(dataset.name)
    if not earlier:
        return
    last = (
        ", ".join(f"{session.plain(k)} {v:,}" for k, v in earlier[-1].sizes.items()) or "no splits"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"Created by: **{session.plain(how)}**. Before: {session.plain(earlier[-1].how)} "
            f"({last})."
        )
        confirm.button(
            "Undo splits",
            "undo_splits",
            about=(dataset.name, dataset.fingerprint),
            title="Go back to the previous splits?",
            lost=lambda: [
                f"Every sample gets its split of before: {session.plain(earlier[-1].how)} ({last}).",
                *filter(None, [workspace.splits.trained_on(dataset.name)]),
            ],
            confirm="Undo splits",
            act=lambda: _undo(dataset.name),
            icon=":material/undo:",
            help="Restores the previous split of every sample, one step at a time.",
        )


def _undo(dataset: str) -> None:
    session.workspace().splits.undo(dataset)
    st.toast("Previous splits restored.")


def _shift(dataset: Dataset, name: str) -> None:
    """Compare two splits: what is asked, the test's figures, and the difference by class."""
    st.subheader("Compare two splits", anchor=False)
    question = _ask_shift(dataset)
    with session.errors_shown():
        shift = _measure(session.workspace(), dataset.name, stamp(dataset), question)
    _shift_cards(shift)
    st.markdown(_verdict(shift))
    names, first, second = dataset.label_set.class_names, question.first, question.second
    st.plotly_chart(
        charts.shift_bars(names, shift.differences, first, second),
        key="shift",
        config=session.CHART,
        alt=f"Difference of the class frequencies between {first} and {second}",
    )
    table_behind(
        [{"class": n, "difference": d} for n, d in zip(names, shift.differences, strict=True)],
        f"{name}-shift-{first}-{second}",
        difference=st.column_config.NumberColumn(format="percent"),
    )


def _ask_shift(dataset: Dataset) -> ShiftQuestion:
    one, two, three, four = st.columns([2, 2, 2, 3], vertical_alignment="bottom")
    with one:
        first = session.choose_from("Split", dataset.splits, "shift_first")
    with two:
        others = [s for s in dataset.splits if s != first]
        second = session.choose_from("Compared with", others, "shift_second")
    with three:
        mode = st.segmented_control(
            "Frequency by",
            list(BALANCE_MODES),
            default="pixel",
            format_func=lambda m: BALANCE_MODES[m].title,
            required=True,
            key="shift_mode",
        )
    with four:
        groupings = ["", *GROUPINGS]
        group_by = st.selectbox(
            "Permute",
            groupings,
            groupings.index(kept_whole(dataset)),
            format_func=lambda g: {
                "": "single images",
                "folder": "whole folders",
                "prefix": "whole drives (name before the number)",
                "scene": "whole scenes",
            }[g],
            key="shift_groups",
            help=(
                "Frames of one drive resemble each other, so permuting single images makes p "
                "too optimistic: treat drives as clusters."
            ),
        )
    return ShiftQuestion(first, second, str(mode), str(group_by))


def _shift_cards(shift: Shift) -> None:
    """Draw how far two splits differ, what chance would do, and the p-value."""
    cards = st.columns(3)
    cards[0].metric(
        "Difference",
        f"{shift.distance:.4f}",
        border=True,
        help=manual.see(
            (
                "Total variation: half the sum of |frequency here - frequency there| over the "
                "classes. 0 is identical, 1 has nothing in common."
            ),
            "data-measures#splits",
        ),
    )
    cards[1].metric(
        "Expected by chance",
        f"{shift.expected:.4f}",
        border=True,
        help=manual.see(
            "Mean difference when the samples are assigned at random.", "data-measures#splits"
        ),
    )
    cards[2].metric(
        "p-value",
        f"{shift.p_value:.3f}",
        border=True,
        help=manual.see(
            (
                "Fraction of 999 random assignments that differ at least as much. Small values "
                "are unlikely to be chance."
            ),
            "data-measures#splits",
        ),
    )


def _verdict(shift: Shift) -> str:
    first, second = session.plain(shift.first), session.plain(shift.second)
    if shift.p_value > 0.05:
        return f"**{first}** and **{second}** do not differ significantly."
    ratio = shift.distance / max(shift.expected, 1e-9)
    return (
        f"**{first}** and **{second}** differ significantly: {ratio:.1f} times the "
        "difference expected by chance."
    )


@st.cache_data(max_entries=100, show_spinner="Computing 999 random assignments …")
def _measure(_workspace: Workspace, dataset: str, stamp: str, question: ShiftQuestion) -> Shift:
    return _workspace.datasets.shift(
        dataset, question.first, question.second, question.mode, question.group_by
    )
