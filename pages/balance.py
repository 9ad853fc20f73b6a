"""Is it fair to every class?"""

import streamlit as st

from segcore.ui.balance import alternatives, summary
from segcore.ui.balance import repeated_images as balance_repeated_images
from segcore.ui.balance.form import Request, ask, compare_rules, make_plan, repeated_images
from segcore.ui.shared import session
from segcore.ui.shared.dataset_scans import LISTED, stamp

TABS = ("Repeated images", "Alternatives", "Training preview", "Saved plans")

COMPARED = 5000
"""Up to so many images the rules for repeating are compared without being asked."""

workspace = session.workspace()
session.header(
    "Balance",
    ("Oversample images to balance classes, and see how far oversampling can go."),
)

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
        dataset=name,
        show="Splits",
    )

request: Request = ask(dataset, statistics.select)
with session.errors_shown():
    part = statistics.select(request.split)
    plan = make_plan(workspace, stamp(dataset), request)
workspace.checklist.note("balance", name)
label_set = dataset.label_set


head, save = st.columns([7, 5], gap="medium", vertical_alignment="bottom")
with head:
    summary.cards(plan)
with save:
    plan_name = summary.save(name, plan, request)
summary.verdict(plan, request, label_set.class_names)
stem = f"{name}-{request.split}-{request.mode}"
summary.figures(plan, label_set.class_names, stem)

session.prepare("balance_tab", TABS)
usual = "Alternatives" if plan.helpless else TABS[0]
tabs = dict(
    zip(
        TABS,
        st.tabs(TABS, default=usual, key="balance_tab", bind="query-params", on_change="rerun"),
        strict=True,
    )
)
repeated = repeated_images(workspace, stamp(dataset), request, plan)
if tabs["Repeated images"].open:
    with tabs["Repeated images"]:
        if repeated:
            balance_repeated_images.table(dataset, repeated, stem)
        else:
            st.caption("None: no copy brings the class frequencies closer to the target.")
if tabs["Alternatives"].open:
    with tabs["Alternatives"]:
        alternatives.show(dataset, part, request.split, stem)
        if part.num_samples <= COMPARED or st.button(
            "Compare oversampling strategies", icon=":material/compare_arrows:"
        ):
            alternatives.rules(compare_rules(workspace, stamp(dataset), request), stem)
if tabs["Training preview"].open:
    with tabs["Training preview"]:
        samples = [row.sample for row in repeated] or list(plan.repeats)
        balance_repeated_images.preview(dataset, plan, request.key, samples[:LISTED])
if tabs["Saved plans"].open:
    with tabs["Saved plans"]:
        summary.saved(dataset, [*request.arguments(), "--save", plan_name or "NAME"])
