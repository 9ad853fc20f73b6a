"""How good is it, how sure are we?"""

import json

import streamlit as st

from segcore.ui.evaluate import (
    ab_comparison,
    boundary,
    calibration,
    confusion,
    interval_groups,
    label_errors,
    robustness,
    slices,
)
from segcore.ui.shared import (
    cached_scores,
    charts,
    figures,
    manual,
    session,
    split_predictions,
    tables,
)

workspace = session.workspace()
session.header(
    "Evaluate",
    "Metrics with 95 % confidence intervals, at the native resolution of each mask.",
)

one, two = st.columns([3, 2], vertical_alignment="bottom")
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
    stage = stages[0]
    if len(stages) > 1:
        stage = st.segmented_control(
            "Output", stages, default=stages[0], key="stage", bind="query-params", required=True
        )
    stage = str(stage)
    interval_groups.choose(run, dataset.name, split, stage)
    report = cached_scores.report(run, split, stage)
    result = cached_scores.document(run, split, stage)
workspace.checklist.note("judge", dataset.name)
label_set = report.label_set
low, high = result["interval"]["mean_iou"]

cards = st.columns(5)
cards[0].metric(
    "Mean IoU",
    figures.percent(result["mean_iou"]),
    border=True,
    height="stretch",
    help=manual.see(
        (
            "IoU of a class: correct / (true + predicted - correct) pixels over the whole "
            "split; averaged over the classes. 0 to 100 %, higher is better."
        ),
        "metrics#scores",
    ),
)
cards[1].metric(
    "95 % CI",
    figures.interval(low, high),
    border=True,
    height="stretch",
    help=manual.see(result["how_sure"], "intervals#how-it-is-made"),
)
cards[2].metric(
    "Pixel accuracy",
    figures.percent(result["pixel_accuracy"]),
    border=True,
    height="stretch",
    help=manual.see("Correct pixels / scored pixels.", "metrics#scores"),
)
cards[3].metric(
    "Images",
    result["num_samples"],
    border=True,
    height="stretch",
    help=manual.see(result["statement"], "metrics#what-is-counted"),
)
cards[4].metric(
    "Ignored pixels",
    figures.percent(result["ignored_share"]),
    border=True,
    height="stretch",
    help=manual.see(
        "Pixels whose ground truth is not a scored class / all pixels.", "metrics#what-is-counted"
    ),
)


def report_page() -> bytes:
    """The report as one HTML file, written when it is asked for."""
    written = workspace.reports.page([run], split).encode()
    workspace.checklist.note("report", dataset.name)
    return written


classes = result["classes"]
titles = ["Classes", "Confusion", "Worst images", "A/B test", "Slices"]
titles += ["Boundaries", "Calibration", "Label errors", "Robustness", "Seed variance"]
tab_classes, tab_confusion, tab_images, tab_against, tab_parts, *further = st.tabs(
    titles, key="tab", bind="query-params"
)
with tab_classes:
    chart, table = st.columns([5, 4], gap="medium")
    with chart:
        figure = charts.class_scores(
            label_set.class_names, session.hex_colors(label_set), {run: [c["iou"] for c in classes]}
        )
        st.plotly_chart(figure, key="class_iou", config=session.CHART, alt="IoU of each class")
    share = st.column_config.NumberColumn
    with table:
        tables.draw(
            [
                {
                    "class": c["name"],
                    "IoU": c["iou"],
                    "Dice": c["dice"],
                    "precision": c["precision"],
                    "recall": c["recall"],
                    "pixels": c["support"],
                    report.interval().unit: c["units"],
                }
                for c in classes
            ],
            height=38 + 35 * min(len(classes), 14),
            column_config={
                "IoU": share(
                    format="percent",
                    help="Correct pixels / pixels that are or were predicted as the class",
                ),
                "Dice": share(format="percent", help="2 x correct / (true + predicted)"),
                "precision": share(
                    format="percent", help="Fraction of the predicted pixels that are correct"
                ),
                "recall": share(
                    format="percent", help="Fraction of the true pixels that are found"
                ),
                "pixels": share(
                    format="localized", help="Ground-truth pixels of the class in this split"
                ),
                report.interval().unit: share(
                    format="localized",
                    help="How many of them contain the class; below 3 its IoU has no interval",
                ),
            },
            alt="Scores of each class",
        )
    with st.container(horizontal=True):
        st.download_button(
            "Download class scores (CSV)",
            cached_scores.label_scores(run, split, stage).encode(),
            f"{run}-{split}-label_scores.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Download report (HTML)",
            report_page,
            f"{run}-{split}-report.html",
            "text/html",
            icon=":material/description:",
            on_click="ignore",
            help=(
                "A single HTML file, readable offline: scores, confusion, worst images, config, "
                "versions and fingerprint; boundaries, calibration and robustness where they "
                "were measured."
            ),
        )
        st.download_button(
            "Download report (JSON)",
            lambda: json.dumps(workspace.reports.document([run], split), indent=1).encode(),
            f"{run}-{split}-report.json",
            "application/json",
            icon=":material/data_object:",
            on_click="ignore",
            help="The same report for programs.",
        )
    interval_groups.coverage(run, split, stage, [c["name"] for c in classes])
with tab_confusion, session.errors_shown():
    confusion.show(report, run, split, stage, picking=bool(tab_confusion.open))
with tab_images:
    st.caption("Click a row to open that image in Compare.")
    images = result["images"]
    event = tables.draw(
        [
            {"image": i["id"], "mean IoU": i["mean_iou"], "pixel accuracy": i["pixel_accuracy"]}
            for i in images
        ],
        on_select="rerun",
        selection_mode="single-row",
        key="hardest",
        column_config={
            "mean IoU": share(format="percent", help=manual.MEAN_IOU),
            "pixel accuracy": share(format="percent", help=manual.PIXEL_ACCURACY),
        },
        alt="Images with their scores, worst first",
    )
    rows = event["selection"]["rows"]
    if rows:
        cached_scores.look_at(run, split, images[rows[0]]["id"])
if tab_against.open:
    with tab_against:
        ab_comparison.show(run, split, stage)
if tab_parts.open:
    with tab_parts:
        slices.show(report, run, split, stage)
for tab, title in zip(further, titles[5:], strict=True):
    if not tab.open:
        continue
    with tab:
        if title == "Boundaries":
            boundary.show(report, run, split, stage)
        elif title == "Calibration":
            calibration.show(report, run, split)
        elif title == "Label errors":
            label_errors.show(report, run, split)
        elif title == "Robustness":
            robustness.show(report, run, split)
        else:
            slices.repetitions(run, split)
st.caption(result["statement"])
