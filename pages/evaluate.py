"""How good is it, how sure are we?"""

import numpy as np
import streamlit as st

from segcore.ui import charts, predictions, state

workspace = state.workspace()
state.header("Evaluate", "How good is it, how sure are we? Scores at each mask's own size, with intervals over images.")

one, two = st.columns([3, 2], vertical_alignment="bottom")
with one:
    run = state.choose_run()
with state.errors_shown():
    dataset = workspace.scenes.dataset_of(run)
with two:
    split = state.choose_split([s for s in dataset.splits if s])
if not predictions.offer((run,), split):
    st.stop()

with state.errors_shown():
    stages = workspace.scores.stages(run, split)
    stage = stages[0]
    if len(stages) > 1:
        stage = st.segmented_control("Scored", stages, default=stages[0], key="stage", bind="query-params", required=True)
    report = workspace.scores.report(run, split, stage)
result = report.to_json()
label_set = workspace.scores.label_set(run)
low, high = result["interval"]["mean_iou"]

cards = st.columns(5)
cards[0].metric(
    "Mean IoU",
    state.percent(result["mean_iou"]),
    border=True,
    help="Intersection over union of each class over the whole split, averaged over the classes that occur.",
)
cards[1].metric(
    "95 % interval, %",
    f"{100 * low:.1f} – {100 * high:.1f}",
    border=True,
    help="Percentile bootstrap of the mean IoU: images are drawn again with replacement, 1,000 times.",
)
cards[2].metric("Pixel accuracy", state.percent(result["pixel_accuracy"]), border=True, help="Share of the scored pixels that are right.")
cards[3].metric("Images", result["num_samples"], border=True, help=result["statement"])
cards[4].metric("Ignored pixels", state.percent(result["ignored_share"]), border=True, help="Pixels without a scored true class.")

classes = result["classes"]
tab_classes, tab_confusion, tab_images = st.tabs(["Classes", "Confusion", "Images, hardest first"])
with tab_classes:
    chart, table = st.columns([5, 4], gap="medium")
    with chart:
        figure = charts.class_scores(label_set.class_names, state.hex_colors(label_set), {run: [c["iou"] for c in classes]})
        st.plotly_chart(figure, key="class_iou", config=state.CHART, alt="IoU of each class")
    share = st.column_config.NumberColumn
    with table:
        st.dataframe(
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
            hide_index=True,
            height=38 + 35 * min(len(classes), 14),
            column_config={
                "IoU": share(format="percent", help="Pixels right / pixels that are truly or predictedly of the class"),
                "Dice": share(format="percent", help="2 x right / (true + predicted)"),
                "precision": share(format="percent", help="Share of the predicted pixels that are right"),
                "recall": share(format="percent", help="Share of the true pixels that are found"),
                "pixels": share(format="localized", help="True pixels of the class in this split"),
            },
            alt="Scores of each class",
        )
    st.download_button(
        "Download label_scores.csv",
        report.label_scores().encode(),
        f"{run}-{split}-label_scores.csv",
        "text/csv",
        icon=":material/download:",
    )
with tab_confusion:
    normalise = st.segmented_control(
        "Percent of",
        ["row", "column", "all"],
        default="row",
        key="normalise",
        required=True,
        help="row: of the true class; column: of the predicted one",
    )
    figure = charts.confusion(np.asarray(result["confusion"]), label_set.class_names, str(normalise))
    st.plotly_chart(figure, key="confusion", config=state.CHART, alt="Confusion matrix, rows true, columns predicted")
with tab_images:
    st.caption("Click a row to look at that image.")
    images = result["images"]
    event = st.dataframe(
        [{"image": i["id"], "mean IoU": i["mean_iou"], "pixel accuracy": i["pixel_accuracy"]} for i in images],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="hardest",
        column_config={"mean IoU": share(format="percent"), "pixel accuracy": share(format="percent")},
        alt="Images with their scores, hardest first",
    )
    rows = event["selection"]["rows"]
    if rows:
        st.switch_page("pages/compare.py", query_params={"run": run, "split": split, "sample": images[rows[0]]["id"]})
st.caption(result["statement"])
