"""The first tab of the Evaluate page: classes with intervals, the worst images, downloads."""

import json
from collections.abc import Sequence

import numpy as np
import streamlit as st

from segcore import formatting
from segcore.errors import SegcoreError
from segcore.evaluation.metrics.report import ClassScores, ImageScores, Report, Summary
from segcore.ui.shared import cached_scores, manual, pictures, session, tables
from segcore.ui.shared.charts.classes import class_scores
from segcore.ui.shared.run_names import model_id
from segcore.workspace import Workspace

WORST = 8
"""Images that are shown as thumbnails."""

SIDE = 220
"""Longer side of a thumbnail, pixels."""


def show(report: Report, summary: Summary, run: str, split: str, stage: str) -> None:
    """Draw the tab.

    Args:
        report: Scores of the run.
        summary: The same as plain numbers.
        run: Id of the run.
        split: Name of the split.
        stage: What was scored.
    """
    chart, table = st.columns([2, 3], gap="medium")
    with chart:
        _bars(report, summary.classes)
    with table:
        _table(report, summary.classes, f"{model_id(run)}-{split}")
    _worst(summary.images, run, split, stage)


def _bars(report: Report, classes: Sequence[ClassScores]) -> None:
    label_set = report.label_set
    figure = class_scores(
        label_set.class_names,
        session.hex_colors(label_set),
        [c.iou for c in classes],
        [c.interval for c in classes],
    )
    st.plotly_chart(
        figure,
        key="class_iou",
        config=session.CHART,
        alt="IoU of each class with its 95 % interval, best at the top",
    )
    absent = [c.name for c in classes if c.iou is None]
    if absent:
        st.caption(
            f"{formatting.plural(len(absent), 'class')} without a true or predicted pixel here: "
            f"{session.plain(', '.join(absent[:12]))}{' …' if len(absent) > 12 else ''}."
        )


def _table(report: Report, classes: Sequence[ClassScores], name: str) -> None:
    total = max(1, sum(c.support for c in classes))
    rows = [
        {
            "class": c.name,
            "IoU": c.iou,
            "from": c.interval[0],
            "to": c.interval[1],
            "precision": c.precision,
            "recall": c.recall,
            "Dice": c.dice,
            "frequency": 100 * c.support / total if c.support else None,
            "pixels": c.support,
            report.interval().unit: c.units,
        }
        for c in classes
    ]
    share = st.column_config.NumberColumn
    tables.draw(
        rows,
        height=min(38 + 35 * len(rows), 1000),
        column_config={
            "class": st.column_config.TextColumn(pinned=True),
            "IoU": share(
                format="percent",
                help="Correct pixels / pixels that are or were predicted as the class",
            ),
            "from": share(format="percent", help="Lower end of the 95 % interval of the IoU"),
            "to": share(format="percent", help="Upper end of the 95 % interval of the IoU"),
            "Dice": share(format="percent", help="2 x correct / (true + predicted)"),
            "precision": share(
                format="percent", help="Fraction of the predicted pixels that are correct"
            ),
            "recall": share(format="percent", help="Fraction of the true pixels that are found"),
            "frequency": share(
                format=tables.FREQUENCY, help="Pixels of the class / scored pixels; – for none"
            ),
            "pixels": share(
                format="localized", help="Ground-truth pixels of the class in this split"
            ),
            report.interval().unit: share(
                format="localized",
                help="How many of them contain the class; below 3 its IoU has no interval",
            ),
        },
        alt="Scores of each class with intervals",
    )
    st.download_button(
        "Download class scores (CSV)",
        lambda: session.csv_bytes(rows),
        f"{name}-classes.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _worst(images: Sequence[ImageScores], run: str, split: str, stage: str) -> None:
    st.markdown(
        "**Worst images**",
        help="By the mean IoU of the image. It averages the classes in that image, while the score "
        "of the split adds up the pixels of all images first: so the two differ.",
    )
    workspace = session.workspace()
    st.caption("The overlay is the prediction. Click a score to open the image in Compare.")
    columns = st.columns(WORST, gap="small")
    for column, image in zip(columns, images[:WORST], strict=False):
        with column:
            picture = _thumbnail(
                workspace, run, split, stage, image.id, workspace.scores.stamp(run, split, stage)
            )
            if picture is not None:
                st.image(picture, width="stretch", alt=f"Image {image.id} with its prediction")
            if st.button(
                formatting.percent(image.mean_iou),
                key=f"worst_{image.id}",
                help=f"Open {image.id} in Compare",
                width="stretch",
            ):
                cached_scores.look_at(run, split, image.id)
    with st.expander(f"All {len(images):,} images", icon=":material/list:"):
        share = st.column_config.NumberColumn
        event = tables.draw(
            [
                {"image": i.id, "mean IoU": i.mean_iou, "pixel accuracy": i.pixel_accuracy}
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
        st.caption("Click a row to open that image in Compare.")
        chosen = event["selection"]["rows"]
        if chosen:
            cached_scores.look_at(run, split, images[chosen[0]].id)


@st.cache_data(max_entries=200, max_size="60MB", show_spinner=False)
def _thumbnail(
    _workspace: Workspace, run: str, split: str, stage: str, sample: str, stamp: str
) -> np.ndarray | None:
    """A thumbnail with the prediction laid over it where that is on disk; None without an image."""
    scenes = _workspace.scenes
    try:
        image = pictures.shrink(scenes.image(scenes.dataset_of(run).name, sample), SIDE)
    except SegcoreError:
        return None
    try:
        mask = _workspace.reports.predicted(run, split, sample, stage)
    except SegcoreError:  # counted, but not kept on disk
        return image
    painted = pictures.shrink(pictures.paint(mask, _workspace.scores.label_set(run)), SIDE)
    if painted.shape != image.shape:
        return image
    return (0.55 * image + 0.45 * painted).astype(np.uint8)


def downloads(run: str, split: str, stage: str, dataset: str) -> None:
    """Offer the report as one HTML file and as JSON, in a menu.

    Args:
        run: Id of the run.
        split: Name of the split.
        stage: The output that leads the report.
        dataset: Name of the dataset, for the checklist.
    """
    workspace, stem = session.workspace(), model_id(run)

    def page() -> bytes:
        written = workspace.reports.page([run], split, stage).encode()
        workspace.checklist.note("report", dataset)
        return written

    with st.popover("Report", icon=":material/description:", width="stretch"):
        st.download_button(
            "Download report (HTML)",
            page,
            f"{stem}-{split}-report.html",
            "text/html",
            icon=":material/description:",
            on_click="ignore",
            width="stretch",
            help="A single HTML file, readable offline: scores, confusion, worst images, config, "
            "versions and fingerprint; boundaries, calibration and robustness where they were "
            "measured.",
        )
        st.download_button(
            "Download report (JSON)",
            lambda: json.dumps(
                workspace.reports.document([run], split, stage).to_json(), indent=1
            ).encode(),
            f"{stem}-{split}-report.json",
            "application/json",
            icon=":material/data_object:",
            on_click="ignore",
            width="stretch",
            help="The same report for programs.",
        )
