"""The confusion matrix to click on: a cell leads to the images that hold most of its pixels."""

from typing import Any

import numpy as np
import streamlit as st

from segcore.evaluation.metrics.report import Report
from segcore.ui.evaluate import charts
from segcore.ui.shared import cached_scores, session, tables

ORDERS = ("dataset order", "clustered")


def show(report: Report, run: str, split: str, stage: str, *, picking: bool) -> None:
    """Draw the matrix of a report; with ``picking`` also the images of the selected cell.

    Args:
        report: Scores of the run.
        run: Id of the run.
        split: Name of the split.
        stage: What was scored.
        picking: Whether the images of a cell are shown: only while the user looks at the matrix.
    """
    names = report.label_set.class_names
    total = report.confusion.counts
    with st.container(horizontal=True):
        normalise = st.segmented_control(
            "Normalise by",
            ["row", "column", "all"],
            default="row",
            key="normalise",
            required=True,
            help="row: percent of the true class; column: percent of the predicted class",
        )
        order = st.segmented_control(
            "Order",
            ORDERS,
            default=ORDERS[0],
            key="order",
            required=True,
            help=(
                "Clustered: classes with similar confusion are adjacent, so confused classes "
                "form blocks."
            ),
        )
    chosen = cached_scores.similar_order(run, split, stage) if order == ORDERS[1] else None
    cell = _cell(names, total) if picking else None
    matrix, images = st.columns([3, 2], gap="large")
    with matrix:
        figure = charts.confusion_matrix(total, names, str(normalise), chosen, cell)
        st.plotly_chart(
            figure,
            key="confusion",
            on_select=_clicked,
            selection_mode="points",
            config=session.CHART,
            alt="Confusion matrix, rows true, columns predicted",
        )
    if cell is not None:
        with images:
            _images(report, cell, run, split)


def _clicked() -> None:
    points: list[dict[str, Any]] = st.session_state["confusion"]["selection"]["points"]
    if points and points[0].get("customdata"):
        true, predicted = points[0]["customdata"][-2:]
        st.session_state["cell"] = (int(true), int(predicted))


def _cell(names: list[str], total: np.ndarray) -> tuple[int, int]:
    """Return the cell that is looked into: the clicked one, else the largest confusion."""
    clicked: tuple[int, int] | None = st.session_state.get("cell")
    if clicked is not None and max(clicked) < len(names):
        return clicked
    wrong = np.where(np.eye(len(names), dtype=bool), -1, total) if len(names) > 1 else total
    true, predicted = divmod(int(wrong.argmax()), len(names))
    return true, predicted


def _images(report: Report, cell: tuple[int, int], run: str, split: str) -> None:
    """List the images with most pixels of a cell; a click on one goes there."""
    names = report.label_set.class_names
    places = list(range(len(names)))
    one, two = st.columns(2)
    true = one.selectbox(
        "True class",
        places,
        index=cell[0],
        format_func=lambda i: names[i],
        key=f"cell_true_{cell[0]}_{cell[1]}",
    )
    predicted = two.selectbox(
        "Predicted as",
        places,
        index=cell[1],
        format_func=lambda i: names[i],
        key=f"cell_predicted_{cell[0]}_{cell[1]}",
    )
    if (true, predicted) != cell:
        st.session_state["cell"] = (int(true), int(predicted))
        st.rerun()
    pixels = report.counts[:, true, predicted]
    of_class = report.counts[:, true].sum(-1)
    order = [int(i) for i in np.argsort(-pixels, kind="stable")[:50] if pixels[i]]
    what = "found" if true == predicted else "mistaken"
    st.caption(
        f"{int(pixels.sum()):,} pixels of {session.plain(names[true])} are {what}"
        + ("" if true == predicted else f" for {session.plain(names[predicted])}")
        + (
            f", in {int((pixels > 0).sum())} of {len(pixels)} images. Click a row to open "
            "the image, or another cell of the matrix."
        )
    )
    event = tables.draw(
        [
            {
                "image": report.sample_ids[i],
                "pixels": int(pixels[i]),
                "of class": pixels[i] / of_class[i],
            }
            for i in order
        ],
        on_select="rerun",
        selection_mode="single-row",
        key=f"cell_images_{true}_{predicted}",
        column_config={
            "pixels": st.column_config.NumberColumn(
                format="localized", help="Pixels of the selected cell in that image."
            ),
            "of class": st.column_config.NumberColumn(
                format="percent", help="Fraction of the true class's pixels in that image"
            ),
        },
        alt="Images with most pixels of the selected cell",
    )
    rows = event["selection"]["rows"]
    if rows:
        cached_scores.look_at(run, split, report.sample_ids[order[rows[0]]])
