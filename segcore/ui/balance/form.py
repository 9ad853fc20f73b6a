"""The form of a balance plan, the plan it asks for, and the saved plans."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from typing import Any

import streamlit as st

from segcore.catalog import BALANCE_MODES, BALANCE_RULES
from segcore.data.balance.planner import MAX_REPEATS
from segcore.data.balance.plans import BalancePlan
from segcore.data.dataset.dataset import Dataset
from segcore.data.statistics.imbalance import shares_of
from segcore.data.statistics.statistics import ClassStatistics
from segcore.errors import SegcoreError
from segcore.ui.shared import session, tables
from segcore.workspace import Workspace
from segcore.workspace.datasets.datasets import RepeatedImage

GROUNDS = {"nominal": "Nominal", "ordered": "Ordinal"}
TARGETS = {"uniform": "Uniform", "tempered": "Softened", "custom": "Custom"}


@dataclass(frozen=True)
class Request:
    """A question to the planner.

    Attributes:
        dataset: Name of the dataset.
        split: Its split.
        mode: A name in ``catalog.BALANCE_MODES``.
        max_repeats: Most times that an image stands there.
        budget: Most copies in all; None for no limit.
        target: "uniform", "tempered", or a share for each class.
        temper: Exponent of "tempered".
        ground: "nominal" or "ordered".
        rule: A name in ``catalog.BALANCE_RULES``.
        amount: How much a rule other than "nearest" repeats.
        seed: Seed of its lots.
    """

    dataset: str
    split: str
    mode: str
    max_repeats: int
    budget: int | None
    target: str | tuple[float, ...]
    temper: float
    ground: str = "nominal"
    rule: str = "nearest"
    amount: float | None = None
    seed: int = 0

    @property
    def key(self) -> str:
        """A text that is another for another question."""
        return "-".join(map(str, astuple(self)))

    def how(self) -> dict[str, Any]:
        """Return the planner's named arguments."""
        lots = {} if self.rule == "nearest" else {"amount": self.amount, "seed": self.seed}
        return {
            "target": self.target,
            "temper": self.temper,
            "ground": self.ground,
            "rule": self.rule,
            **lots,
        }

    def arguments(self) -> list[str]:
        """Return the options of the shell's ``balance`` that ask the same."""
        words = ["--split", self.split, "--mode", self.mode, "--max-repeats", str(self.max_repeats)]
        if self.rule != "nearest":
            words += ["--rule", self.rule, "--amount", f"{self.amount:g}", "--seed", str(self.seed)]
        elif self.budget is not None:
            words += ["--budget", str(self.budget)]
        if self.target == "tempered":
            words += ["--target", "tempered", "--temper", f"{self.temper:g}"]
        elif self.target != "uniform":
            words += ["--target", ",".join(f"{value:g}" for value in self.target)]
        if self.ground != "nominal":
            words += ["--ground", self.ground]
        return words


def ask(dataset: Dataset, part: Callable[[str], ClassStatistics]) -> Request:
    """Draw the form over a dataset with splits and return what is asked.

    Args:
        dataset: The dataset.
        part: Returns the class counts of a split, to start a target of one's own from.
    """
    zero, one, two, three, four, five = st.columns(
        [4, 3, 4, 2.2, 2.4, 1.6], gap="small", vertical_alignment="bottom"
    )
    with zero:
        split = session.choose_split(dataset.splits, default="train", key="plan_split")
    with one:
        mode = _ask_mode()
    with two:
        target_kind = _ask_target_kind()
    with three:
        cap = st.number_input(
            "Max repeats",
            1,
            MAX_REPEATS,
            5,
            key="cap",
            help=(
                "How often an image may appear in an epoch at most, the original included (1 to "
                "100)."
            ),
        )
    with five, st.popover("More", icon=":material/tune:", width="stretch"):
        rule, amount, seed, ground = _ask_strategy()
    with four:
        help_text = "Most copies in total. Leave empty for no limit."
        budget = st.number_input(
            "Budget",
            0,
            None,
            None,
            key="budget",
            placeholder="no limit",
            disabled=rule != "nearest",
            help=help_text,
        )
    target: str | tuple[float, ...] = target_kind
    if target_kind == "custom":
        target = _own_target(dataset, part(split), mode)
    temper = _ask_power() if target_kind == "tempered" else 0.5
    limit = None if budget is None or rule != "nearest" else int(budget)
    return Request(
        dataset.name, split, mode, int(cap), limit, target, temper, ground, rule, amount, seed
    )


def _ask_mode() -> str:
    return str(
        st.segmented_control(
            "Balance by",
            list(BALANCE_MODES),
            default="pixel",
            format_func=lambda m: BALANCE_MODES[m].title,
            required=True,
            key="mode",
            bind="query-params",
            help="  \n".join(
                f"{choice.title}: {choice.summary}" for choice in BALANCE_MODES.values()
            ),
        )
    )


def _ask_target_kind() -> str:
    return str(
        st.segmented_control(
            "Target",
            list(TARGETS),
            default="uniform",
            format_func=TARGETS.__getitem__,
            required=True,
            key="target",
            help=(
                "Uniform: equal frequencies. Softened: frequencies to a power below 1, so rare "
                "classes gain but stay rarer. Custom: a frequency for each class."
            ),
        )
    )


def _ask_power() -> float:
    """Ask for the exponent of a softened target."""
    return float(
        st.slider(
            "Power",
            0.0,
            1.0,
            0.5,
            0.05,
            key="temper",
            help="0: equal frequencies for the classes that occur; 1: the frequencies as they are.",
        )
    )


def _own_target(dataset: Dataset, part: ClassStatistics, mode: str) -> tuple[float, ...]:
    """Let the user write a share for each class; they start as they are."""
    shares = shares_of(part.totals(mode))
    names = dataset.label_set.class_names
    rows: list[tables.Row] = [
        {"class": n, "now": float(s), "wished": round(100 * float(s), 2)}
        for n, s in zip(names, shares, strict=True)
    ]
    edited = st.data_editor(
        rows,
        hide_index=True,
        key=f"own_target_{mode}_{dataset.fingerprint[:12]}",
        disabled=["class", "now"],
        height=min(420, 40 + 36 * len(rows)),
        column_config={
            "now": st.column_config.NumberColumn(
                format="percent", help="Frequency in the split as it is."
            ),
            "wished": st.column_config.NumberColumn(
                min_value=0, required=True, format="%.2f", help="Divided by the sum of the column."
            ),
        },
        alt="Target frequency of each class",
    )
    wished = tuple(float(row["wished"] or 0) for row in edited)
    total = sum(wished)
    if not total:
        st.error(
            "Expected at least one frequency above 0, received none: enter one.",
            icon=":material/error:",
        )
        st.stop()
    if abs(total - 100) > 0.5:
        st.caption(f"The frequencies sum to {total:.2f} and are divided by that.")
    return wished


def _ask_strategy() -> tuple[str, float | None, int, str]:
    """Ask for the strategy, its amount and seed, and the metric between classes."""
    rule = str(
        st.selectbox(
            "Strategy",
            list(BALANCE_RULES),
            format_func=lambda r: BALANCE_RULES[r].title,
            key="rule",
            bind="query-params",
            help="  \n".join(
                f"{choice.title}: {choice.summary}" for choice in BALANCE_RULES.values()
            ),
        )
    )
    ground = _ask_ground()
    if rule == "nearest":
        return rule, None, 0, ground
    amount = _ask_amount(rule)
    seed = st.number_input(
        "Seed",
        0,
        2**31 - 1,
        0,
        key="rule_seed",
        help="Seed of the random choices; the same seed gives the same copies.",
    )
    return rule, amount, int(seed), ground


def _ask_ground() -> str:
    """Ask for the metric between classes: a name in ``GROUNDS``."""
    return str(
        st.segmented_control(
            "Metric",
            list(GROUNDS),
            default="nominal",
            format_func=GROUNDS.__getitem__,
            required=True,
            key="ground",
            help=(
                "Nominal: any two classes are equally far apart (half the sum of the "
                "differences). Ordinal: the classes are steps of a scale, such as damage or "
                "depth, and moving a pixel costs the steps between, in the order of the Classes "
                "tab."
            ),
        )
    )


def _ask_amount(rule: str) -> float:
    """Ask for the threshold of LVIS, or how many copies another rule makes."""
    if rule == "lvis":
        help_text = "Classes in fewer than this fraction of the images count as rare."
        return float(
            st.number_input("Threshold", 0.01, 1.0, 0.5, 0.05, key="lvis_threshold", help=help_text)
        )
    help_text = "As a fraction of the images."
    return float(
        st.number_input("Copies", 0.0, 10.0, 0.25, 0.05, key="clone_share", help=help_text)
    )


def make_plan(workspace: Workspace, stamp: str, request: Request) -> BalancePlan:
    """Return the plan that answers a request; made once while the dataset stays.

    Args:
        workspace: Where the dataset lies.
        stamp: A text that changes with the dataset.
        request: What is asked.

    Raises:
        SegcoreError: The split has no masks.
    """
    return _plan(workspace, stamp, request.key, request)


@st.cache_data(max_entries=40, show_spinner="Computing the plan and its bound …")
def _plan(_workspace: Workspace, stamp: str, key: str, _request: Request) -> BalancePlan:
    return _workspace.datasets.plan_balance(
        _request.dataset,
        _request.split,
        _request.mode,
        _request.max_repeats,
        _request.budget,
        **_request.how(),
    )


def repeated_images(
    workspace: Workspace, stamp: str, request: Request, plan: BalancePlan
) -> list[RepeatedImage]:
    """Return which images a plan repeats and the classes they add, most repeats first; cached.

    Args:
        workspace: Where the dataset lies.
        stamp: A text that changes with the dataset.
        request: What was asked.
        plan: Its answer.
    """
    return _repeated(workspace, stamp, request.key, request.dataset, plan)


def compare_rules(workspace: Workspace, stamp: str, request: Request) -> list[tables.Row]:
    """Return what each strategy reaches with its usual amount, under the same target and limit.

    Args:
        workspace: Where the dataset lies.
        stamp: A text that changes with the dataset.
        request: What is asked; its rule is left aside.
    """
    rows = []
    for rule, choice in BALANCE_RULES.items():
        amount = {"lvis": 0.5, "ml_ros": 0.25}.get(rule)
        plan = make_plan(
            workspace, stamp, replace(request, rule=rule, amount=amount, seed=0, budget=None)
        )
        size = round(plan.effective_sample_size, 1)
        rows.append(
            {
                "rule": choice.title,
                "after": round(plan.after, 3),
                "copies": plan.copies,
                "effective sample size": size,
            }
        )
    return rows


@st.cache_data(max_entries=40, show_spinner=False)
def _repeated(
    _workspace: Workspace, stamp: str, key: str, dataset: str, _plan: BalancePlan
) -> list[RepeatedImage]:
    return _workspace.datasets.repeated(dataset, _plan)


def saved_plans(dataset: Dataset) -> list[tables.Row]:
    """Return a table row for each plan saved with a dataset; one that is no plan says so.

    Raises:
        SegcoreError: A plan's file cannot be read; the sentence names it.
    """
    rows: list[tables.Row] = []
    for name, data in dataset.plans().items():
        try:
            plan = BalancePlan.from_json(data)
        except SegcoreError:
            rows.append({"plan": name, "for": "damaged: create it again"})
            continue
        rows.append(
            {
                "plan": name,
                "for": f"{plan.split}, {BALANCE_MODES[plan.mode].title.lower()}"
                if plan.mode in BALANCE_MODES
                else plan.split,
                "max repeats": plan.max_repeats,
                "budget": plan.budget,
                "before": round(plan.before, 3),
                "after": round(plan.after, 3),
                "best achievable": None if plan.floor is None else round(plan.floor, 3),
                "copies": plan.copies,
            }
        )
    return rows
