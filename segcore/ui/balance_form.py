"""What is asked of a balance plan: the form, the plan itself (made once for each question), and the plans kept."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from segcore.catalog import BALANCE_MODES
from segcore.data.balance import MAX_REPEATS
from segcore.data.dataset import Dataset
from segcore.data.plans import BalancePlan
from segcore.errors import SegcoreError
from segcore.ui import state
from segcore.workspace import Workspace


@dataclass(frozen=True)
class Request:
    """A question to the planner.

    Attributes:
        dataset: Name of the data set.
        split: Its split.
        mode: A name in ``catalog.BALANCE_MODES``.
        max_repeats: Most times that an image stands there.
        budget: Most copies in all; None for no limit.
        target: "uniform" or "tempered".
        temper: Exponent of "tempered".
    """

    dataset: str
    split: str
    mode: str
    max_repeats: int
    budget: int | None
    target: str
    temper: float

    @property
    def key(self) -> str:
        """A text that is another for another question."""
        return "-".join(map(str, (self.dataset, self.split, self.mode, self.max_repeats, self.budget, self.target, self.temper)))

    def arguments(self) -> list[str]:
        """Return the options of the shell's ``balance`` that ask the same."""
        words = ["--split", self.split, "--mode", self.mode, "--max-repeats", str(self.max_repeats)]
        if self.budget is not None:
            words += ["--budget", str(self.budget)]
        if self.target != "uniform":
            words += ["--target", self.target, "--temper", f"{self.temper:g}"]
        return words


def ask(dataset: str, splits: list[str]) -> Request:
    """Draw the form over the splits of a data set and return what is asked."""
    split = state.choose_split(splits, default="train", key="plan_split")
    one, two, three, four = st.columns([3, 4, 2, 2], gap="medium", vertical_alignment="bottom")
    with one:
        mode = str(
            st.segmented_control(
                "Balance",
                list(BALANCE_MODES),
                default="pixel",
                format_func=lambda m: BALANCE_MODES[m].title,
                required=True,
                key="mode",
                bind="query-params",
                help="  \n".join(f"{choice.title}: {choice.summary}" for choice in BALANCE_MODES.values()),
            )
        )
    with two:
        target = str(
            st.segmented_control(
                "Target",
                ["uniform", "tempered"],
                default="uniform",
                format_func=lambda t: {"uniform": "Every class alike", "tempered": "Only nearer"}[t],
                required=True,
                key="target",
                help="Every class alike: equal shares. Only nearer: shares to a power below 1, so that rare classes gain and stay rarer.",
            )
        )
        temper = 0.5
    with three:
        cap = st.number_input("Cap", 1, MAX_REPEATS, 5, key="cap", help="Most times that an image stands in an epoch, itself counted.")
    with four:
        budget = st.number_input("Budget", 0, None, None, key="budget", placeholder="no limit", help="Most copies in all; empty: no limit.")
    if target == "tempered":
        temper = float(
            st.slider("Power", 0.0, 1.0, 0.5, 0.05, key="temper", help="0: the classes that occur alike; 1: the shares as they are.")
        )
    return Request(dataset, split, mode, int(cap), None if budget is None else int(budget), target, temper)


def make_plan(workspace: Workspace, stamp: str, request: Request) -> BalancePlan:
    """Return the plan that answers a request; made once while the data set stays.

    Args:
        workspace: Where the data set lies.
        stamp: A text that changes with the data set.
        request: What is asked.

    Raises:
        SegcoreError: The split has no masks.
    """
    return _plan(workspace, stamp, request.key, request)


@st.cache_data(max_entries=40, show_spinner="Choosing copies and the floor ...")
def _plan(_workspace: Workspace, stamp: str, key: str, _request: Request) -> BalancePlan:
    return _workspace.datasets.plan_balance(
        _request.dataset,
        _request.split,
        _request.mode,
        _request.max_repeats,
        _request.budget,
        target=_request.target,
        temper=_request.temper,
    )


def repeated_images(workspace: Workspace, stamp: str, request: Request, plan: BalancePlan) -> list[dict[str, Any]]:
    """Return which images a plan repeats and what they bring, most repeats first; found once while the data set stays.

    Args:
        workspace: Where the data set lies.
        stamp: A text that changes with the data set.
        request: What was asked.
        plan: Its answer.
    """
    return _repeated(workspace, stamp, request.key, request.dataset, plan)


@st.cache_data(max_entries=40, show_spinner=False)
def _repeated(_workspace: Workspace, stamp: str, key: str, dataset: str, _plan: BalancePlan) -> list[dict[str, Any]]:
    return _workspace.datasets.repeated(dataset, _plan)


def saved_plans(dataset: Dataset) -> list[dict[str, Any]]:
    """Return a table row for each plan saved with a data set; one that is no plan says so.

    Raises:
        SegcoreError: A plan's file cannot be read; the sentence names it.
    """
    rows: list[dict[str, Any]] = []
    for name, data in dataset.plans().items():
        try:
            plan = BalancePlan.from_json(data)
        except SegcoreError:
            rows.append({"plan": name, "for": "damaged: make it again"})
            continue
        rows.append(
            {
                "plan": name,
                "for": f"{plan.split}, {BALANCE_MODES[plan.mode].title.lower()}" if plan.mode in BALANCE_MODES else plan.split,
                "cap": plan.max_repeats,
                "budget": plan.budget,
                "before": round(plan.before, 4),
                "after": round(plan.after, 4),
                "floor": None if plan.floor is None else round(plan.floor, 4),
                "copies": plan.copies,
            }
        )
    return rows
