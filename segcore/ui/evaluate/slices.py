"""Scores of parts of a split, and the spread over seeds, folds or members."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from segcore import formatting
from segcore.evaluation.metrics.report import Report, plain
from segcore.evaluation.metrics.slices import SliceScores
from segcore.evaluation.metrics.spread import Reliability, Spread
from segcore.ui.evaluate import charts
from segcore.ui.shared import cached_scores, manual, session, tables
from segcore.ui.shared.run_names import short_name

KINDS = {
    "class": "class present",
    "tag": "tag",
    "folder": "group or folder",
    "prefix": "name prefix",
    "scene": "scene",
    "brightness": "brightness",
    "size": "object size",
}

SCORES = {
    "mean_iou": "mean IoU",
    "mean_iou_in_truth": "mean IoU, classes in the truth",
    "mean_dice": "mean Dice",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "kappa": "Cohen's kappa",
    "mcc": "MCC",
}
"""Scores in words, where their names say it otherwise."""

COEFFICIENTS = ("kappa", "mcc")
"""Scores from -1 to 1; all others are fractions, written as percentages."""

SPREAD = {
    "mean": "Mean over runs",
    "deviation": "Standard deviation over runs (n - 1)",
    "min": "Lowest of any run",
    "max": "Highest of any run",
}
"""Columns of the table of runs, with their tooltips."""


def show(report: Report, run: str, split: str, stage: str) -> None:
    """Show the scores of slices of the split, or recall by object size."""
    with session.errors_shown():
        known: set[str] = set(cached_scores.groupings(run, split, stage))
        if any(cached_scores.tags(run, split, stage)):
            known.add("tag")
    kinds = [
        title
        for kind, title in KINDS.items()
        if kind not in (*cached_scores.UNITS, "tag") or kind in known
    ]
    title = st.segmented_control(
        "Slice by",
        kinds,
        default=kinds[0],
        key="part",
        required=True,
        help="Brightness and object size read every image once.",
    )
    kind = next(k for k, t in KINDS.items() if t == title)
    if kind == "size":
        _sizes(report, run, split, stage)
        return
    with session.errors_shown():
        rows = cached_scores.parts(run, split, stage, kind)
    _slice_scores(rows, cached_scores.summary(run, split, stage).mean_iou)
    note = (
        "A slice may lack classes that others have; its mean leaves them out, so compare with care."
    )
    if "tag" not in known:
        note += " Tag images (night, rain) on the Images tab of the Dataset page to slice by tag."
    st.caption(note)


def _slice_scores(rows: Sequence[SliceScores], whole: float | None) -> None:
    """Draw the scores of slices, next to the mean IoU of the whole split."""
    chart, table = st.columns([5, 4], gap="medium")
    with chart:
        figure = charts.part_scores(rows, whole)
        st.plotly_chart(
            figure,
            key="parts",
            config=session.CHART,
            alt="Mean IoU of each slice of the split, with its interval",
        )
    with table:
        tables.draw(
            [
                {
                    "slice": r.name,
                    "images": r.num_samples,
                    "mean IoU": r.mean_iou,
                    "pixel accuracy": r.pixel_accuracy,
                }
                for r in rows
            ],
            column_config={
                "mean IoU": st.column_config.NumberColumn(
                    format="percent", help="Averaged over the classes that occur in this slice"
                ),
                "pixel accuracy": st.column_config.NumberColumn(
                    format="percent", help=manual.PIXEL_ACCURACY
                ),
            },
            alt="Scores of each slice",
        )


def _told_apart(runs: Sequence[str]) -> list[str]:
    """Return names that fit into a legend, or the runs' own where these would be alike."""
    short = [short_name(run) for run in runs]
    return short if len(set(short)) == len(short) else list(runs)


def _sizes(report: Report, run: str, split: str, stage: str) -> None:
    with session.errors_shown():
        object_counts, images = cached_scores.sizes(run, split, stage)
    if not images:
        st.info(
            "No probabilities of this split are on disk, so there are no masks to measure.",
            icon=":material/info:",
        )
        return
    counts = np.asarray(object_counts, np.int64)
    figure = charts.recall_by_size(report.label_set.class_names, counts)
    st.plotly_chart(
        figure,
        key="sizes",
        config=session.CHART,
        alt="Recall of each class by object size",
    )
    st.caption(
        "An object is a connected component of one class in the ground truth: "
        f"{int(counts[..., 2].sum()):,} objects in {images} of {len(report.sample_ids)} "
        "images, those with probabilities on disk."
    )


def repetitions(run: str, split: str) -> None:
    """Show the spread over runs with the same config: seeds, folds or members."""
    workspace = session.workspace()
    with session.errors_shown():
        alike = workspace.reports.repetitions(run, split)
        dataset = workspace.scenes.dataset_of(run).name
    others = [
        r
        for r in session.finished_runs(("train", "imported"), dataset)
        if workspace.scores.has_counts(r, split)
    ]
    chosen = st.multiselect(
        "Repeated runs",
        list(dict.fromkeys([*alike, *others])),
        alike,
        key=f"repetitions_{run}_{split}",
        help=(
            "Seeds, folds or members: runs with the same config. The spread shows how "
            "reproducible the config is, which is a different question from how precisely "
            "the images determine the score."
        ),
    )
    if len(chosen) < 2:
        st.info(
            (
                "Select at least two runs. Train an ensemble, or the same config with other "
                "seeds, to have some."
            ),
            icon=":material/info:",
        )
        return
    with session.errors_shown():
        spread, reasons = workspace.reports.reliability(chosen, split)
    if reasons:
        note = " ".join(session.plain(reason) for reason in reasons)
        st.warning(
            f"{note} They can be read as folds, not as repeated runs.",
            icon=":material/warning:",
        )
    _spread_cards(spread, len(chosen))
    names = workspace.scores.label_set(chosen[0]).class_names
    chart, table = st.columns([1, 1], gap="medium")
    with chart:
        figure = charts.member_spread(names, _told_apart(chosen), spread.class_iou)
        st.plotly_chart(
            figure, key="members", config=session.CHART, alt="IoU of each class for each run"
        )
    with table:
        _spread_table(spread.overall)


def _spread_cards(spread: Reliability, runs: int) -> None:
    iou, accuracy = spread.overall["mean_iou"], spread.overall["pixel_accuracy"]
    cards = st.columns(4)
    for card, title, one in (
        (cards[0], "Mean IoU per run", iou),
        (cards[1], "Pixel accuracy per run", accuracy),
    ):
        card.metric(
            title,
            f"{formatting.percent(one.mean)} ± {100 * (plain(one.deviation) or 0):.1f} pp",
            border=True,
            height="stretch",
            help=manual.see(
                (
                    f"Mean and standard deviation (n - 1) over {runs} runs, from "
                    f"{formatting.percent(one.low)} to {formatting.percent(one.high)}."
                ),
                "metrics#how-sure",
            ),
        )
    low, high = iou.interval
    cards[2].metric(
        "95 % CI of the mean",
        formatting.interval(low, high),
        border=True,
        height="stretch",
        help=manual.see(
            ("Student's t over runs: mean ± t × deviation / square root of their number."),
            "metrics#how-sure",
        ),
    )
    cards[3].metric(
        "Shared errors",
        formatting.percent(spread.agreement),
        border=True,
        height="stretch",
        help=manual.see(
            (
                "Over all confused class pairs: the smallest fraction of pixels that any run "
                "confuses, divided by the mean fraction. 100 %: every run confuses the same "
                "classes equally often, which points to the labels or images. 0 %: no confusion "
                "is shared, and averaging helps."
            ),
            "metrics#how-sure",
        ),
    )


def _spread_table(scores: Mapping[str, Spread]) -> None:
    number = st.column_config.NumberColumn
    rows = []
    for name, spread in scores.items():
        title, scale = SCORES.get(name, name.replace("_", " ")), 1
        if name not in COEFFICIENTS:
            title, scale = f"{title}, %", 100
        values = (spread.mean, plain(spread.deviation), spread.low, spread.high)
        scaled = (None if value is None else scale * value for value in values)
        rows.append({"score": title, **dict(zip(SPREAD, scaled, strict=True))})
    tables.draw(
        rows,
        column_config={
            title: number(format="%.2f", width=78, help=help) for title, help in SPREAD.items()
        },
        alt="Spread of each score over the runs",
    )
