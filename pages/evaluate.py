"""Metrics with confidence intervals, and what is behind them."""

import streamlit as st

from segcore import formatting
from segcore.ui.evaluate import (
    ab_comparison,
    boundary,
    calibration,
    confusion,
    interval_groups,
    label_errors,
    overview,
    robustness,
    slices,
)
from segcore.ui.shared import cached_scores, manual, session, split_predictions

TABS = (
    "Overview",
    "Confusion",
    "A/B test",
    "Slices and robustness",
    "Calibration and label errors",
)

workspace = session.workspace()
session.header(
    "Evaluate",
    "Metrics with 95 % confidence intervals, at the native resolution of each mask.",
)

one, two, three, four = st.columns([5, 4, 4, 3], vertical_alignment="bottom", gap="small")
with one:
    run = session.choose_run()
with session.errors_shown():
    dataset = workspace.scenes.dataset_of(run)
with two:
    split = session.choose_split([s for s in dataset.splits if s])
if not split_predictions.offer((run,), split):
    st.stop()

with session.errors_shown():
    stages = workspace.scores.stages(run, split)
    start = workspace.scores.usual_stage(run, split)
    stage = start
    if len(stages) > 1:
        session.prepare("stage", stages, start)
        with three:
            stage = str(
                st.segmented_control(
                    "Output",
                    stages,
                    default=start,
                    key="stage",
                    bind="query-params",
                    required=True,
                    format_func=cached_scores.stage_title,
                )
            )
    interval_groups.choose(run, dataset.name, split, stage)
    report = cached_scores.report(run, split, stage)
with four:
    overview.downloads(run, split, stage, dataset.name)
workspace.checklist.note("judge", dataset.name)
summary = cached_scores.summary(run, split, stage)
low, high = summary.interval["mean_iou"]
span = "" if low is None or high is None else f" :gray[[{100 * low:.1f}, {100 * high:.1f}]]"
st.markdown(
    f"### Mean IoU {formatting.percent(summary.mean_iou)}{span}",
    help=manual.see(
        "IoU of a class: correct / (true + predicted - correct) pixels over the whole split; "
        "averaged over the classes. In brackets its 95 % interval. "
        f"{summary.how_sure} {summary.statement}",
        "metrics#scores",
    ),
)
st.caption(
    f"Pixel accuracy {formatting.percent(summary.pixel_accuracy)} · {summary.num_samples:,} "
    f"images · {formatting.frequency(summary.ignored_share)} of the pixels ignored"
)

session.prepare("tab", TABS)
tabs = dict(
    zip(TABS, st.tabs(TABS, key="tab", on_change="rerun", bind="query-params"), strict=True)
)
if tabs["Confusion"].open:
    with tabs["Confusion"], session.errors_shown():
        confusion.show(report, run, split, stage, picking=True)
elif tabs["A/B test"].open:
    with tabs["A/B test"]:
        ab_comparison.show(run, split, stage)
elif tabs["Slices and robustness"].open:
    with tabs["Slices and robustness"]:
        slices.show(report, run, split, stage)
        st.subheader("Robustness", anchor=False)
        robustness.show(report, run, split)
        st.subheader("Seed variance", anchor=False)
        slices.repetitions(run, split)
elif tabs["Calibration and label errors"].open:
    with tabs["Calibration and label errors"]:
        measured = boundary.present(report, run, split, "")
        if measured is not None:
            calibration.show(report, measured, run, split)
            st.subheader("Label errors", anchor=False)
            label_errors.show(report, run, split)
else:
    with tabs["Overview"]:
        overview.show(report, summary, run, split, stage)
        interval_groups.coverage(run, split, stage, report.label_set.class_names)
        st.subheader("Boundaries", anchor=False)
        boundary.show(report, summary, run, split, stage)
