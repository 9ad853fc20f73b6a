"""Labels that back off: a promise, what it costs by level, and where pixels get a group."""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from segcore import formatting
from segcore.evaluation.compression.back_off import STEPS
from segcore.evaluation.compression.back_off_report import (
    ALTERNATIVES,
    BackOffReport,
    LevelShare,
    NodeShare,
    threshold_words,
)
from segcore.evaluation.counts.bootstrap import counted_units
from segcore.evaluation.metrics.report import plain
from segcore.ui import viewer
from segcore.ui.compress import queries
from segcore.ui.shared import manual, session, split_predictions, tables
from segcore.ui.shared.charts.layout import lay_out
from segcore.workspace.compression.back_offs import BackOffOptions

TREE, FILE = "Merge tree", "Hierarchy file"
FINEST_COLOR, COARSEST_COLOR = (23, 138, 146), (214, 232, 233)
"""Colours of the finest level and of the highest below the root; those between are mixed."""

ROOT_COLOR = "#b3b3b3"


def show(run: str, split: str, splits: Sequence[str]) -> None:
    """Draw the promise, its shares by level, what is compared, and the masks.

    Args:
        run: Id of the run.
        split: The split that calibrates.
        splits: All splits.
    """
    with session.errors_shown():
        unseen = session.workspace().back_offs.unseen(run, splits)
    others = [s for s in unseen if s != split]
    if split not in unseen or not others:
        st.info(
            "A promise is calibrated on one split and reported on another, and the model was "
            f"trained on neither: choose another split than {session.plain(split)} above, or split "
            "the dataset on the Dataset page.",
            icon=":material/info:",
        )
        return
    chosen = _choose(run, split, others)
    if chosen is None or not split_predictions.offer((run,), chosen[0]):
        return
    reported, options = chosen
    with session.errors_shown():
        ready = session.workspace().back_offs.is_counted(run, reported, options)
    if not ready:
        with session.errors_shown():
            members = session.workspace().runs.members(run)
            needed = (options.calibrate, reported)
            if split_predictions.offer_missing(members, needed, "a promise"):
                _offer(run, reported, options)
        return
    with session.errors_shown():
        report = queries.back_off(run, reported, options)
    _draw(run, options.calibrate, report)
    _masks(run, reported, options)


def _choose(run: str, split: str, others: Sequence[str]) -> tuple[str, BackOffOptions] | None:
    """Let the user choose promise, hierarchy and the split that is reported."""
    one, two, three = st.columns([4, 3, 3], gap="medium", vertical_alignment="bottom")
    with one:
        promise = st.slider(
            "Promise: at most so many pixels wrong, %",
            0.5,
            30.0,
            5.0,
            0.5,
            "%.1f",
            key="promise",
            help=manual.see(
                "The expected share of wrong pixels of an image, averaged over images like those "
                f"of {session.plain(split)}. Lower is stricter: more pixels get a group.",
                "back-off#what-the-promise-assumes",
            ),
        )
    with two:
        saved = list(dict.fromkeys(m.name for m in session.workspace().merges.saved(run)))
        hierarchies = [TREE, *saved, FILE]
        session.prepare("back_off_tree", hierarchies)
        hierarchy = st.selectbox("Hierarchy", hierarchies, key="back_off_tree")
    with three:
        start = "test" if "test" in others else others[0]
        session.prepare("back_off_split", list(others), start)
        reported = st.segmented_control(
            "Report on", others, default=start, key="back_off_split", required=True
        )
    by_class = st.toggle(
        "For each class",
        key="back_off_by_class",
        help="Promise it of the pixels of each class, over the images that contain it, instead of "
        "all pixels.",
    )
    data = b""
    if hierarchy == FILE:
        uploaded = st.file_uploader(
            "Hierarchy file: class,parent,grandparent per row, or JSON",
            type=["csv", "json", "txt"],
            key="back_off_file",
            max_upload_size=2,
        )
        if uploaded is None:
            st.caption("Choose a file to continue.")
            return None
        data = uploaded.getvalue()
    name = "" if hierarchy in (TREE, FILE) else str(hierarchy)
    return str(reported), BackOffOptions(float(promise) / 100, split, by_class, name, data)


def _offer(run: str, split: str, options: BackOffOptions) -> None:
    """Offer the pass over both splits that every promise needs once."""
    st.caption(
        f"Every image of {session.plain(options.calibrate)} and {session.plain(split)} is read "
        "once; after that each promise is answered at once."
    )
    if not st.button("Calibrate", key="calibrate", type="primary", icon=":material/tune:"):
        return
    bar = st.progress(0.0, "Counting …")

    def progress(done: int, total: int, what: str) -> None:
        bar.progress(done / total, f"{done} of {total} images of {what.partition(':')[0]}")

    with session.errors_shown():
        session.workspace().back_offs.report(run, split, options, progress)
    st.rerun()


def _draw(run: str, calibrate: str, report: BackOffReport) -> None:
    st.markdown(f"#### {report.headline()}")
    st.markdown(report.outcome())
    st.plotly_chart(
        level_bar(report.levels),
        key="back_off_levels",
        config=session.CHART,
        alt="Share of the pixels by level of their label",
    )
    left, right = st.columns(2, gap="large")
    with left:
        rows = level_rows(report)
        share = st.column_config.NumberColumn(format="percent")
        tables.draw(
            rows,
            column_config={"pixels": share, "right": share},
            alt="Share and correctness of each label",
        )
        tables.download_csv(rows, f"{run}-back-off", "back_off_csv")
    with right:
        rows = alternative_rows(report)
        bits = st.column_config.NumberColumn(format="%.3f")
        tables.draw(
            rows,
            column_config={"wrong": share, "bits kept": bits},
            alt="Labels that back off beside plain merges",
        )
        whole = formatting.number(report.whole_bits, 3)
        st.caption(
            f"Bits kept: what the right answers say of the label, of {whole} bits a pixel in all. "
            "The merge is the finest of the same tree that errs no more."
        )
    if report.threshold.by_class:
        _classes(report)
    st.caption(" ".join([_calibrated(report, calibrate), *report.notes]))


def level_bar(levels: Sequence[LevelShare]) -> go.Figure:
    """Draw the share of the pixels by level as one bar, the finest labels first."""
    figure = go.Figure()
    for position, level in enumerate(levels):
        last = position == len(levels) - 1
        name = "finest label" if not position else "anything" if last else f"level {position}"
        share = 100 * level.share
        figure.add_bar(
            y=[""],
            x=[share],
            orientation="h",
            name=name,
            marker_color=ROOT_COLOR if last else _mixed(position / max(len(levels) - 2, 1)),
            text=[f"{share:.0f} %" if share >= 4 else ""],
            textposition="inside",
            insidetextanchor="middle",
            hovertemplate=f"{name}: %{{x:.1f}} % of the pixels<extra></extra>",
        )
    lay_out(figure, 130, xaxis={"range": [0, 100], "ticksuffix": " %"})
    figure.update_layout(barmode="stack", legend={"orientation": "h", "traceorder": "normal"})
    return figure


def _mixed(share: float) -> str:
    ends = zip(FINEST_COLOR, COARSEST_COLOR, strict=True)
    red, green, blue = (round(a + share * (b - a)) for a, b in ends)
    return f"#{red:02x}{green:02x}{blue:02x}"


def level_rows(report: BackOffReport) -> list[tables.Row]:
    """Return a row for each group that is an answer, and one for all classes together."""

    def row(label: str, share: LevelShare | NodeShare) -> tables.Row:
        right = plain(share.right)
        return {"level": share.level, "label": label, "pixels": share.share, "right": right}

    groups = [node for node in report.nodes if node.level and node.share]
    groups.sort(key=lambda node: node.level)
    return [row("the classes", report.levels[0]), *(row(node.title, node) for node in groups)]


def alternative_rows(report: BackOffReport) -> list[tables.Row]:
    """Return a row for each way of answering."""
    return [
        {
            "answer": ALTERNATIVES[one.name],
            "labels": one.labels,
            "wrong": plain(one.risk.value),
            "95 %": formatting.interval(*one.risk.ends()),
            "bits kept": plain(one.bits),
        }
        for one in report.alternatives
    ]


def _classes(report: BackOffReport) -> None:
    promised = report.threshold.promised.tolist()
    rows = [
        {
            "class": node.title,
            "promised": has,
            "wrong": plain(risk.value),
            "95 %": formatting.interval(*risk.ends()),
        }
        for node, has, risk in zip(report.nodes, promised, report.class_risk, strict=False)
    ]
    tables.draw(
        rows,
        column_config={"wrong": st.column_config.NumberColumn(format="percent")},
        alt="Risk of each class",
    )
    if not all(promised):
        st.caption(
            "A class in too few calibration images for this promise has none: one rare class "
            "would send every pixel to the root."
        )


def _calibrated(report: BackOffReport, calibrate: str) -> str:
    chosen = report.threshold
    return (
        f"Threshold {threshold_words(chosen.value / STEPS)}, from "
        f"{counted_units(chosen.units, chosen.unit)} of "
        f"{session.plain(calibrate)}; so many allow promises from "
        f"{formatting.percent(chosen.smallest)} on."
    )


def _masks(run: str, split: str, options: BackOffOptions) -> None:
    """Show the masks of one image: ground truth, plain prediction, labels that back off, errors."""
    workspace = session.workspace()
    with session.errors_shown():
        samples = [
            s.id for s in workspace.scenes.predicted_samples(run, split) if s.mask is not None
        ]
        sample = session.choose_image(
            samples, "back_off_sample", f"Image ({len(samples)} available)"
        )
        scene = queries.back_off_scene(run, split, sample, options)
    result = viewer.show(scene, key="back_off", listen=("step",))
    if result.step:
        session.step(samples, "back_off_sample", result.step)
