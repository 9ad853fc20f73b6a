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
    (
        "Is it fair to every class? Which images to repeat in every epoch, and what no "
        "repeating can reach."
    ),
)

with st.container(horizontal=True, vertical_alignment="bottom"):
    name = session.choose_dataset()
with session.errors_shown():
    dataset = workspace.datasets.open(name)
    with st.spinner("Counting pixels ...", show_time=True):
        statistics = workspace.datasets.statistics(name)
if not dataset.splits:
    session.empty(
        "This dataset has no splits yet. Copies must never cross them, so make splits first.",
        "pages/dataset.py",
        "Make splits",
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
    "Half the sum of |share - target share| over the classes (earth-mover): 0 is met, 1 far off.",
)
card(
    cards[1],
    "After",
    f"{plan.after:.4f}",
    "The same distance with every image counted as often as the plan repeats it.",
    f"{plan.after - plan.before:+.4f}",
)
floor = (
    "What no plan with this cap and budget can beat, not even with fractions of images: found "
    "by linear programming."
)
card(cards[2], "Floor", "–" if plan.floor is None else f"{plan.floor:.4f}", floor)
card(
    cards[3],
    "Copies",
    f"{plan.copies:,}",
    f"Beside the {len(plan.repeats):,} images; an epoch takes longer by as much.",
)
evidence = (
    "(sum of repeats)² / sum of squares: so many equally repeated images carry the same "
    "evidence (Kish, 1965)."
)
card(cards[4], "Effective sample size", f"{plan.effective_sample_size:,.0f}", evidence)
helpless = plan.helpless
if request.rule != "nearest" and plan.after >= plan.before:
    told = (
        "This rule looks at images, not at this distance, and does not lower it here. Choose "
        "copies nearest to the target instead."
    )
    st.warning(told, icon=":material/trending_flat:")
(st.warning if helpless else st.info)(
    session.plain(plan.verdict()), icon=":material/block:" if helpless else ":material/lightbulb:"
)

left, right = st.columns(2, gap="large")
stem = f"{name}-{request.split}-{request.mode}"
with left:
    st.subheader("Shares of the classes", anchor=False)
    shares = {"before": plan.shares_before, "after": plan.shares_after, "target": plan.target}
    figure = charts.before_after(label_set.class_names, shares)
    st.plotly_chart(
        figure,
        key="shares",
        config=session.CHART,
        alt="Share of each class before, after, and as aimed at",
    )
    rows = [
        {"class": n, "before": b, "after": a, "target": t}
        for n, b, a, t in zip(
            label_set.class_names, plan.shares_before, plan.shares_after, plan.target, strict=True
        )
    ]
    table_behind(rows, f"{stem}-shares")
with right:
    st.subheader("Distance as copies are added", anchor=False)
    figure = dataset_charts.distance_path(plan.path, plan.floor)
    st.plotly_chart(
        figure,
        key="path",
        config=session.CHART,
        alt="Distance from the target as copies are added, and the floor",
    )
    table_behind([{"copies": c, "distance": d} for c, d in plan.path], f"{stem}-path")

with st.expander("What else could help", icon=":material/healing:", expanded=helpless):
    alternatives.show(dataset, part, request.split, stem)
    if part.num_samples <= COMPARED or st.button(
        "Compare rules for repeating", icon=":material/compare_arrows:"
    ):
        alternatives.rules(compare_rules(workspace, stamp(dataset), request), stem)

repeated = repeated_images(workspace, stamp(dataset), request, plan)
st.subheader("Which images repeat, and why", anchor=False)
if repeated:
    balance_repeated_images.table(dataset, repeated, stem)
else:
    st.caption("None: no copy brings the classes nearer to the target.")
st.subheader("What training will see", anchor=False)
balance_repeated_images.preview(
    dataset, plan, request.key, ([row["sample"] for row in repeated] or list(plan.repeats))[:LISTED]
)

st.subheader("Keep the plan", anchor=False)
with st.container(horizontal=True, vertical_alignment="bottom"):
    suggested = f"{request.mode}-{request.max_repeats}"
    plan_name = st.text_input(
        "Name of the plan", suggested, max_chars=64, key=f"plan_{request.key}", width=280
    ).strip()
    if st.button("Save the plan", type="primary", icon=":material/save:", disabled=not plan_name):
        with session.errors_shown():
            workspace.datasets.save_plan(name, plan_name, plan)
        st.toast(f"Saved {plan_name}: choose it on the train page.")
    st.page_link("pages/train.py", label="Train with it", icon=":material/model_training:")
with session.errors_shown():
    saved = saved_plans(dataset)
if saved:
    tables.draw(saved, alt="Balance plans saved with this dataset")
    st.caption(
        "A plan of the same name is replaced. On the train page: Recipe, splits and "
        "device, Balance plan."
    )
with st.expander("The same from the shell", icon=":material/terminal:"):
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
