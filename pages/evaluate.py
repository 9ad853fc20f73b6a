"""How good is it, how sure are we?"""

import json

import streamlit as st

from segcore.ui.evaluate import (
    ab_comparison,
    boundary,
    calibration,
    confusion,
    label_errors,
    robustness,
    slices,
)
from segcore.ui.shared import cached_scores, charts, manual, session, split_predictions, tables

workspace = session.workspace()
session.header(
    "Evaluate",
    "How good is it, how sure are we? Scores at each mask's own size, with intervals over images.",
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
            "Scored", stages, default=stages[0], key="stage", bind="query-params", required=True
        )
    stage = str(stage)
    units = {
        "": "images",
        **{
            by: f"{number} {cached_scores.UNITS[by]}"
            for by, number in cached_scores.groupings(run, split, stage).items()
        },
    }
    by = ""
    if len(units) > 1:
        by = str(
            st.segmented_control(
                "Intervals over",
                list(units),
                default="",
                format_func=units.__getitem__,
                key="over",
                required=True,
                help="Frames of one drive or folder are alike, so drawing single images makes "
                "intervals too narrow. Drawing whole groups "
                "with all their images (clustered bootstrap) is the honest answer where "
                "new data will come from new drives.",
            )
        )
    report = cached_scores.report(run, split, stage, by)
workspace.checklist.note("judge", dataset.name)
result = report.to_json()
label_set = report.label_set
low, high = result["interval"]["mean_iou"]

cards = st.columns(5)
cards[0].metric(
    "Mean IoU",
    session.percent(result["mean_iou"]),
    border=True,
    height="stretch",
    help=manual.see(
        (
            "IoU of a class: right pixels / (true + predicted - right) pixels, over the whole "
            "split; averaged over classes."
        ),
        "metrics#scores",
    ),
)
cards[1].metric(
    "95 % interval, %",
    "–" if low is None else f"{100 * low:.1f}–{100 * high:.1f}",
    border=True,
    height="stretch",
    help=manual.see(
        f"Percentile bootstrap of the mean IoU: {units[by]} are drawn again with "
        "replacement, 1,000 times. One image has none; "
        "below about 20 it is too narrow.",
        "metrics#how-sure",
    ),
)
cards[2].metric(
    "Pixel accuracy",
    session.percent(result["pixel_accuracy"]),
    border=True,
    height="stretch",
    help=manual.see("Right pixels / scored pixels.", "metrics#scores"),
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
    session.percent(result["ignored_share"]),
    border=True,
    height="stretch",
    help=manual.see(
        "Pixels whose truth is no scored class / all pixels.", "metrics#what-is-counted"
    ),
)


def report_page() -> bytes:
    """The report as one HTML file, written when it is asked for."""
    written = workspace.reports.page([run], split).encode()
    workspace.checklist.note("report", dataset.name)
    return written


classes = result["classes"]
titles = ["Classes", "Confusion", "Images, hardest first", "A against B", "Parts of the split"]
titles += ["Borders", "Confidence", "Label errors", "Robustness", "Reliability"]
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
                }
                for c in classes
            ],
            height=38 + 35 * min(len(classes), 14),
            column_config={
                "IoU": share(
                    format="percent",
                    help="Pixels right / pixels that are truly or predictedly of the class",
                ),
                "Dice": share(format="percent", help="2 x right / (true + predicted)"),
                "precision": share(
                    format="percent", help="Share of the predicted pixels that are right"
                ),
                "recall": share(format="percent", help="Share of the true pixels that are found"),
                "pixels": share(format="localized", help="True pixels of the class in this split"),
            },
            alt="Scores of each class",
        )
    with st.container(horizontal=True):
        st.download_button(
            "Download label_scores.csv",
            report.label_scores().encode(),
            f"{run}-{split}-label_scores.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Download the report",
            report_page,
            f"{run}-{split}-report.html",
            "text/html",
            icon=":material/description:",
            on_click="ignore",
            help="One HTML file for a reviewer that opens offline: scores, confusion, the "
            "hardest images, config, versions, fingerprint; "
            "borders, confidence and robustness where they were measured.",
        )
        st.download_button(
            "Download JSON",
            lambda: json.dumps(workspace.reports.document([run], split), indent=1).encode(),
            f"{run}-{split}-report.json",
            "application/json",
            icon=":material/data_object:",
            on_click="ignore",
            help="The same as the report, for programs.",
        )
with tab_confusion, session.errors_shown():
    confusion.show(report, run, split, stage, picking=bool(tab_confusion.open))
with tab_images:
    st.caption("Click a row to look at that image.")
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
        alt="Images with their scores, hardest first",
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
        if title == "Borders":
            boundary.show(report, run, split, stage)
        elif title == "Confidence":
            calibration.show(report, run, split)
        elif title == "Label errors":
            label_errors.show(report, run, split)
        elif title == "Robustness":
            robustness.show(report, run, split)
        else:
            slices.repetitions(run, split)
st.caption(result["statement"])
