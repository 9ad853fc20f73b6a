"""Is it fair to every class?"""

import shlex

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segcore.ui.balance import alternatives
from segcore.ui.balance import repeated_images as balance_repeated_images
from segcore.ui.balance.form import (
    Request,
    ask,
    compare_rules,
    make_plan,
    repeated_images,
    saved_plans,
)
from segcore.ui.dataset import charts as dataset_charts
from segcore.ui.shared import charts, manual, session, tables
from segcore.ui.shared.dataset_scans import LISTED, stamp, table_behind

COMPARED = 5000
"""Up to so many images the rules for repeating are compared without being asked."""

workspace = session.workspace()
session.header(
    "Balance",
    ("Oversample images to balance classes, and see how far oversampling can go."),
)

with st.container(horizontal=True, vertical_alignment="bottom"):
    name = session.choose_dataset()
with session.errors_shown():
    dataset = workspace.datasets.open(name)
    with st.spinner("Counting pixels …", show_time=True):
        statistics = workspace.datasets.statistics(name)
if not dataset.splits:
    session.empty(
        ("This dataset has no splits yet. Copies must stay in one split, so create splits first."),
        "pages/dataset.py",
        "Create splits",
    )

request: Request = ask(dataset, statistics.select)
with session.errors_shown():
    part = statistics.select(request.split)
    plan = make_plan(workspace, stamp(dataset), request)
workspace.checklist.note("balance", name)
label_set = dataset.label_set


def card(
    column: DeltaGenerator, label: str, value: str, help: str, change: str | None = None
) -> None:
    """Draw one figure; cards in a row are equally high."""
    column.metric(
        label,
        value,
        change,
        delta_color="inverse",
        border=True,
        height="stretch",
        help=manual.see(help, "data-measures#balance-plans"),
    )


cards = st.columns(5)
card(
    cards[0],
    "Before",
    f"{plan.before:.4f}",
    (
        "Imbalance before: half the sum of |frequency - target| over the classes (total "
        "variation). 0 meets the target; lower is better."
    ),
)
card(
    cards[1],
    "After",
    f"{plan.after:.4f}",
    ("The same measure with every image counted as often as the plan repeats it. Lower is better."),
    f"{plan.after - plan.before:+.4f}",
)
floor = (
    "The lowest imbalance that any plan within this limit and budget can reach, "
    "even with fractions of images (a linear programming bound)."
)
card(cards[2], "Best achievable", "–" if plan.floor is None else f"{plan.floor:.4f}", floor)
card(
    cards[3],
    "Copies",
    f"{plan.copies:,}",
    (f"In addition to the {len(plan.repeats):,} images; an epoch takes longer in proportion."),
)
evidence = (
    "(sum of repeats)² / sum of squares: the number of equally repeated images that "
    "carry the same evidence (Kish, 1965)."
)
card(cards[4], "Effective sample size", f"{plan.effective_sample_size:,.0f}", evidence)
helpless = plan.helpless
if request.rule != "nearest" and plan.after >= plan.before:
    sentence = (
        "This strategy works on image counts and does not lower this imbalance. Choose "
        "the greedy strategy instead."
    )
    st.warning(sentence, icon=":material/trending_flat:")
(st.warning if helpless else st.info)(
    session.plain(plan.verdict()), icon=":material/block:" if helpless else ":material/lightbulb:"
)

left, right = st.columns(2, gap="large")
stem = f"{name}-{request.split}-{request.mode}"
with left:
    st.subheader("Class frequencies", anchor=False)
    shares = {"before": plan.shares_before, "after": plan.shares_after, "target": plan.target}
    figure = charts.before_after(label_set.class_names, shares)
    st.plotly_chart(
        figure,
        key="shares",
        config=session.CHART,
        alt="Frequency of each class before and after the plan, and the target",
    )
    rows = [
        {"class": n, "before": b, "after": a, "target": t}
        for n, b, a, t in zip(
            label_set.class_names, plan.shares_before, plan.shares_after, plan.target, strict=True
        )
    ]
    table_behind(rows, f"{stem}-shares")
with right:
    st.subheader("Imbalance as copies are added", anchor=False)
    figure = dataset_charts.distance_path(plan.path, plan.floor)
    st.plotly_chart(
        figure,
        key="path",
        config=session.CHART,
        alt="Imbalance as copies are added, and the best achievable",
    )
    table_behind([{"copies": c, "distance": d} for c, d in plan.path], f"{stem}-path")

with st.expander("Alternatives", icon=":material/healing:", expanded=helpless):
    alternatives.show(dataset, part, request.split, stem)
    if part.num_samples <= COMPARED or st.button(
        "Compare oversampling strategies", icon=":material/compare_arrows:"
    ):
        alternatives.rules(compare_rules(workspace, stamp(dataset), request), stem)

repeated = repeated_images(workspace, stamp(dataset), request, plan)
st.subheader("Repeated images", anchor=False)
if repeated:
    balance_repeated_images.table(dataset, repeated, stem)
else:
    st.caption("None: no copy brings the class frequencies closer to the target.")
st.subheader("Training preview", anchor=False)
balance_repeated_images.preview(
    dataset, plan, request.key, ([row.sample for row in repeated] or list(plan.repeats))[:LISTED]
)

st.subheader("Save the plan", anchor=False)
with st.container(horizontal=True, vertical_alignment="bottom"):
    suggested = f"{request.mode}-{request.max_repeats}"
    plan_name = st.text_input(
        "Plan name", suggested, max_chars=64, key=f"plan_{request.key}", width=280
    ).strip()
    if st.button("Save plan", type="primary", icon=":material/save:", disabled=not plan_name):
        with session.errors_shown():
            workspace.datasets.save_plan(name, plan_name, plan)
        st.toast(f"Saved {plan_name}. Choose it on the Train page.")
    st.page_link("pages/train.py", label="Train with this plan", icon=":material/model_training:")
with session.errors_shown():
    saved = saved_plans(dataset)
if saved:
    tables.draw(saved, alt="Saved balance plans")
    st.caption(
        "Saving under an existing name replaces that plan. On the Train page, choose it "
        "as the balance plan."
    )
with st.expander("CLI command", icon=":material/terminal:"):
    words = [
        "python",
        "-m",
        "segcore",
        "balance",
        name,
        *request.arguments(),
        "--save",
        plan_name or suggested,
    ]
    st.code(shlex.join(words), language="bash")
