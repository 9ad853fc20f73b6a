"""How alike the splits are, whether they differ by more than chance, and making others."""

from typing import Any

import streamlit as st

from segcore.catalog import BALANCE_MODES
from segcore.data.dataset import Dataset
from segcore.data.shift import Shift
from segcore.data.splits import GROUPINGS, METHODS
from segcore.ui import data_charts, state
from segcore.ui.measuring import stamp, table_behind
from segcore.workspace import Workspace


def show(dataset: Dataset, name: str) -> None:
    """Draw the tab.

    Args:
        dataset: The data set.
        name: Start of the names of files to download.
    """
    if len(dataset.splits) > 1:
        _shift(dataset, name)
    elif dataset.splits:
        st.caption(f"All samples are in {dataset.splits[0]}: make splits to have something to validate and test on.")
    else:
        st.caption("This data set has no splits yet: make some, so that there is something to learn from and something to judge by.")
    _make(dataset, name)


def _shift(dataset: Dataset, name: str) -> None:
    st.subheader("Do two splits hold the same?", anchor=False)
    one, two, three, four = st.columns([2, 2, 2, 3], vertical_alignment="bottom")
    with one:
        first = state.choose_from("Split", dataset.splits, "shift_first")
    with two:
        others = [s for s in dataset.splits if s != first]
        second = state.choose_from("Against", others, "shift_second")
    with three:
        mode = st.segmented_control(
            "Shares", list(BALANCE_MODES), default="pixel", format_func=lambda m: BALANCE_MODES[m].title, required=True, key="shift_mode"
        )
    with four:
        group_by = st.selectbox(
            "Deal out by chance",
            ["", *GROUPINGS],
            format_func=lambda g: {"": "single images", "folder": "whole folders", "prefix": "whole drives (name before the number)"}[g],
            key="shift_groups",
            help="Frames of one drive resemble each other, so dealing single images makes p too small: deal whole drives there.",
        )
    with state.errors_shown():
        found = _measure(state.workspace(), dataset.name, stamp(dataset), first, second, str(mode), str(group_by))
    cards = st.columns(3)
    cards[0].metric(
        "Distance", f"{found.distance:.4f}", border=True, help="Total variation of the class shares: 0 is the same, 1 nothing shared."
    )
    cards[1].metric("By chance", f"{found.expected:.4f}", border=True, help="Mean distance when the samples are dealt out at random.")
    cards[2].metric(
        "p-value",
        f"{found.p_value:.3f}",
        border=True,
        help="Share of 999 random deals that differ at least as much. Small: more than chance.",
    )
    st.markdown(_verdict(found))
    names = dataset.label_set.class_names
    figure = data_charts.shift_bars(names, found.differences, first, second)
    st.plotly_chart(figure, key="shift", config=state.CHART, alt=f"Difference of the class shares between {first} and {second}")
    table_behind(
        [{"class": n, "difference": d} for n, d in zip(names, found.differences, strict=True)],
        f"{name}-shift-{first}-{second}",
        difference=st.column_config.NumberColumn(format="percent"),
    )


def _verdict(found: Shift) -> str:
    first, second = state.plain(found.first), state.plain(found.second)
    if found.p_value > 0.05:
        return f"**{first}** and **{second}** differ no more than random halves would."
    ratio = found.distance / max(found.expected, 1e-9)
    return f"**{first}** and **{second}** differ by more than chance: {ratio:.1f} times the distance of a random deal."


@st.cache_data(max_entries=100, show_spinner="Dealing the samples out 999 times ...")
def _measure(_workspace: Workspace, dataset: str, stamp: str, first: str, second: str, mode: str, group_by: str) -> Shift:
    return _workspace.datasets.shift(dataset, first, second, mode, group_by)


@st.cache_data(max_entries=20, show_spinner="Making splits ...")
def _propose(
    _workspace: Workspace, dataset: str, stamp: str, method: str, group_by: str, shares: tuple[float, float, float], seed: int
) -> dict[str, Any]:
    fractions = dict(zip(("train", "validation", "test"), shares, strict=True))
    return _workspace.datasets.make_splits(dataset, method, fractions, seed, group_by=group_by, save=False)


def _make(dataset: Dataset, name: str) -> None:
    st.subheader("Make splits", anchor=False)
    workspace = state.workspace()
    with st.form("make_splits", border=True):
        one, two, three, four, five = st.columns([3, 3, 2, 2, 2])
        st.session_state.setdefault("split_method", "stratified")
        method = one.selectbox("Method", list(METHODS), format_func=str.capitalize, key="split_method")
        group_by = two.selectbox(
            "Groups",
            ["", *GROUPINGS],
            format_func=lambda g: {"": "found by themselves", "folder": "folders", "prefix": "drives (name before the number)"}[g],
            key="split_groups",
            help="Only for grouped: what is never parted.",
        )
        validation = three.number_input("Validation, %", 0, 90, 15, key="split_validation")
        test = four.number_input("Test, %", 0, 90, 15, key="split_test")
        seed = five.number_input("Seed", 0, 2**31 - 1, 0, key="split_seed")
        st.caption("  \n".join(f"**{known.capitalize()}**: {told}" for known, told in METHODS.items()))
        asked = st.form_submit_button("Propose", icon=":material/call_split:")
    request = (dataset.name, str(method), str(group_by), int(validation), int(test), int(seed))
    if asked:
        st.session_state["proposed_splits"] = request
    if st.session_state.get("proposed_splits") != request:
        return
    shares = (1 - (validation + test) / 100, validation / 100, test / 100)
    with state.errors_shown():
        told = _propose(workspace, dataset.name, stamp(dataset), str(method), str(group_by), shares, int(seed))
    names = dataset.label_set.class_names
    report = told["report"]
    st.dataframe(
        [{"split": r["split"], "images": r["num_samples"], "share": r["share"], "distance from the whole": r["shift"]} for r in report],
        hide_index=True,
        column_config={
            "share": st.column_config.NumberColumn(format="percent"),
            "distance from the whole": st.column_config.NumberColumn(
                format="%.4f", help="Total variation between its class shares and those of the whole data set."
            ),
        },
        alt="The proposed splits",
    )
    figure = data_charts.split_shares(names, report)
    st.plotly_chart(figure, key="split_shares", config=state.CHART, alt="Share of each class in the proposed splits")
    rows = [{"class": n, **{r["split"]: r["pixel_share"][c] for r in report}} for c, n in enumerate(names)]
    table_behind(rows, f"{name}-proposed-splits")
    learned = [r["run"] for r in workspace.runs.rows() if r["dataset"] == dataset.name and r["kind"] == "train"]
    if learned:
        st.warning(
            f"{len(learned)} training runs of this data set learned from the splits of today; after this, their scores on the new "
            "validation and test splits would include images that they have seen.",
            icon=":material/warning:",
        )
    if st.button("Keep these splits", type="primary", icon=":material/check:"):
        fractions = dict(zip(("train", "validation", "test"), shares, strict=True))
        with state.errors_shown():
            workspace.datasets.make_splits(dataset.name, str(method), fractions, int(seed), group_by=str(group_by))
        del st.session_state["proposed_splits"]
        st.toast("The splits are kept.")
        st.rerun()
