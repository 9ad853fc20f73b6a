"""The answer of the Balance page: figures of the plan, its verdict, its charts, and where it is saved."""

from collections.abc import Sequence

import streamlit as st

from segcore.data.balance.plans import BalancePlan
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.installing import shell_command
from segcore.ui.balance.form import Request, saved_plans
from segcore.ui.dataset import charts as dataset_charts
from segcore.ui.shared import manual, run_links, session, tables
from segcore.ui.shared.charts.classes import before_after
from segcore.ui.shared.dataset_scans import table_behind

DOCS = "data-measures#balance-plans"


def cards(plan: BalancePlan) -> None:
    """Draw the plan's figures in one row."""
    floor = "–" if plan.floor is None else f"{plan.floor:.3f}"
    figures = (
        (
            "Imbalance before",
            f"{plan.before:.3f}",
            "Half the sum of |frequency - target| over the classes (total variation). 0 meets the "
            "target; lower is better.",
        ),
        (
            "After",
            f"{plan.after:.3f}",
            "The same measure with every image counted as often as the plan repeats it. Lower is "
            "better.",
        ),
        (
            "Best achievable",
            floor,
            "The lowest imbalance that any plan within this limit and budget can reach, even with "
            "fractions of images (a linear programming bound).",
        ),
        (
            "Copies",
            f"{plan.copies:,}",
            f"In addition to the {len(plan.repeats):,} images; an epoch takes longer in proportion.",
        ),
        (
            "Effective images",
            f"{plan.effective_sample_size:,.0f}",
            "(sum of repeats)² / sum of squares: the number of equally repeated images that carry "
            "the same evidence (Kish, 1965).",
        ),
    )
    with st.container(horizontal=True, gap="medium"):
        for label, value, help in figures:
            st.metric(label, value, help=manual.see(help, DOCS), width="content")


def save(dataset: str, plan: BalancePlan, request: Request) -> str:
    """Draw the plan's name, the button that saves it, then one to train with it; return the name.

    Args:
        dataset: Name of the dataset.
        plan: The plan.
        request: What it answers.
    """
    suggested = f"{request.mode}-{request.max_repeats}"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.text_input(
            "Plan name", suggested, max_chars=64, key=f"plan_{request.key}"
        ).strip()
        pressed = st.button(
            "Save plan", type="primary", icon=":material/save:", key="save_plan", disabled=not name
        )
        if pressed:
            with session.errors_shown():
                session.workspace().datasets.save_plan(dataset, name, plan)
            st.toast(f"Saved {session.plain(name)}.")
        if not _is_saved(dataset, name, plan):
            st.page_link("pages/train.py", label="Train", icon=":material/model_training:")
        elif st.button("Train with it", icon=":material/model_training:", key="train_plan"):
            run_links.train_with(balance_plan=name)
    return name


def _is_saved(dataset: str, name: str, plan: BalancePlan) -> bool:
    """Whether the plan that is shown is saved under a name."""
    opened = session.workspace().datasets.open(dataset)
    try:
        return name in opened.plans() and BalancePlan.from_json(opened.load_plan(name)) == plan
    except SegcoreError:
        return False


def verdict(plan: BalancePlan, request: Request, names: Sequence[str]) -> None:
    """Say in a sentence whether the plan helps, and in another which rare classes it makes rarer.

    Args:
        plan: The plan.
        request: What it answers.
        names: C class names.
    """
    if request.rule != "nearest" and plan.after >= plan.before:
        st.warning(
            "This strategy works on image counts and does not lower this imbalance. Choose the "
            "greedy strategy instead.",
            icon=":material/trending_flat:",
        )
    box = st.warning if plan.helpless else st.info
    icon = ":material/block:" if plan.helpless else ":material/lightbulb:"
    box(session.plain(plan.verdict()), icon=icon)
    if rarer := plan.rarer(names):
        st.warning(session.plain(rarer), icon=":material/trending_down:")


def figures(plan: BalancePlan, names: Sequence[str], stem: str) -> None:
    """Draw the class frequencies and the imbalance as copies are added, each with its table.

    Args:
        plan: The plan.
        names: C class names.
        stem: Start of the names of files to download.
    """
    left, right = st.columns([7, 5], gap="medium")
    shares = {"before": plan.shares_before, "after": plan.shares_after, "target": plan.target}
    with left:
        rows = [
            {"class": n, "before": b, "after": a, "target": t}
            for n, b, a, t in zip(names, *shares.values(), strict=True)
        ]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Class frequencies**", width="stretch")
            percent = st.column_config.NumberColumn(format="percent")
            table_behind(rows, f"{stem}-shares", before=percent, after=percent, target=percent)
        st.plotly_chart(
            before_after(names, shares),
            key="shares",
            config=session.CHART,
            alt="Frequency of each class before and after the plan, and the target",
        )
    with right:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Imbalance as copies are added**", width="stretch")
            table_behind([{"copies": c, "imbalance": d} for c, d in plan.path], f"{stem}-path")
        st.plotly_chart(
            dataset_charts.distance_path(plan.path, plan.floor),
            key="path",
            config=session.CHART,
            alt="Imbalance as copies are added, and the best achievable",
        )


def saved(dataset: Dataset, arguments: Sequence[str]) -> None:
    """Draw the plans saved with a dataset, and the command that makes this one.

    Args:
        dataset: The dataset.
        arguments: Options of ``segscope balance``.
    """
    with session.errors_shown():
        rows = saved_plans(dataset)
    if rows:
        tables.draw(rows, alt="Saved balance plans")
        st.caption(
            "Saving under an existing name replaces that plan. Choose a plan on the Train page."
        )
    else:
        st.caption("No plans are saved with this dataset yet.")
    st.markdown("**CLI command**")
    line = shell_command("balance", dataset.name, *arguments)
    st.code(line, language="bash", wrap_lines=True)
