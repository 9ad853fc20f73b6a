"""Scores of parts of a split, and the spread over seeds, folds or members."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from segcore.evaluation.metrics.report import Report
from segcore.ui.evaluate import charts
from segcore.ui.shared import cached_scores, manual, session, tables
from segcore.ui.shared.run_names import short_name

KINDS = {
    "class": "class held",
    "tag": "tag",
    "folder": "group or folder",
    "prefix": "group of like names",
    "brightness": "brightness",
    "size": "size of things",
}

SCORES = {
    "mean_iou": "mean IoU",
    "mean_dice": "mean Dice",
    "frequency_weighted_iou": "IoU by pixels",
    "kappa": "Cohen's kappa",
    "mcc": "MCC",
}
"""Scores in words, where their names say it otherwise."""


def show(report: Report, run: str, split: str, stage: str) -> None:
    """Show the scores of images that share something: a class, a tag, a group, a brightness; or recall by the size of things."""
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
        "Parts by",
        kinds,
        default=kinds[0],
        key="part",
        required=True,
        help="Brightness and size read every image once.",
    )
    kind = next(k for k, t in KINDS.items() if t == title)
    if kind == "size":
        _sizes(report, run, split, stage)
        return
    with session.errors_shown():
        rows = cached_scores.parts(run, split, stage, kind)
    chart, table = st.columns([5, 4], gap="medium")
    with chart:
        figure = charts.part_scores(rows, report.to_json()["mean_iou"])
        st.plotly_chart(
            figure,
            key="parts",
            config=session.CHART,
            alt="Mean IoU of each part of the split, with its interval",
        )
    with table:
        tables.draw(
            [
                {
                    "part": r["name"],
                    "images": r["num_samples"],
                    "mean IoU": r["mean_iou"],
                    "pixel accuracy": r["pixel_accuracy"],
                }
                for r in rows
            ],
            column_config={
                "mean IoU": st.column_config.NumberColumn(
                    format="percent", help="Over the classes that occur in this part"
                ),
                "pixel accuracy": st.column_config.NumberColumn(
                    format="percent", help=manual.PIXEL_ACCURACY
                ),
            },
            alt="Scores of each part",
        )
    told = (
        "A part may lack classes that others have; its mean leaves them out, so compare with care."
    )
    if "tag" not in known:
        told += (
            " Give images tags (night, rain) on the dataset page, under Browse, to score "
            "those apart too."
        )
    st.caption(told)


def _told_apart(runs: Sequence[str]) -> list[str]:
    """Return names that fit into a legend, or the runs' own where these would be alike."""
    short = [short_name(run) for run in runs]
    return short if len(set(short)) == len(short) else list(runs)


def _sizes(report: Report, run: str, split: str, stage: str) -> None:
    with session.errors_shown():
        found, images = cached_scores.sizes(run, split, stage)
    if not images:
        st.info(
            "No probabilities of this split are on disk, so there is no mask to measure.",
            icon=":material/info:",
        )
        return
    counts = np.asarray(found, np.int64)
    figure = charts.recall_by_size(report.label_set.class_names, counts)
    st.plotly_chart(
        figure,
        key="sizes",
        config=session.CHART,
        alt="Share of true pixels found, by the size of the thing they belong to",
    )
    st.caption(
        "A thing is a connected region of one class in the true mask; "
        f"{int(counts[..., 2].sum()):,} of them in {images} of "
        f"{len(report.sample_ids)} images, those whose probabilities are on disk."
    )


def repetitions(run: str, split: str) -> None:
    """Show how far runs of one recipe lie apart, for the set and for each class: seeds, folds, or the members of an ensemble."""
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
        "Repetitions",
        list(dict.fromkeys([*alike, *others])),
        alike,
        key=f"repetitions_{run}_{split}",
        help="Seeds, folds or members: trainings of one recipe. The spread says how well the "
        "recipe pins the network, which is another "
        "question than how well the images pin the score.",
    )
    if len(chosen) < 2:
        st.info(
            (
                "Choose at least two runs. Train several members, or the same recipe with "
                "other seeds, to have some."
            ),
            icon=":material/info:",
        )
        return
    with session.errors_shown():
        spread, reasons = workspace.reports.reliability(chosen, split)
    if reasons:
        told = " ".join(session.plain(reason) for reason in reasons)
        st.warning(
            f"{told} As folds they may be read; as repetitions they may not.",
            icon=":material/warning:",
        )
    scores = spread.to_json()["scores"]
    iou, accuracy = scores["mean_iou"], scores["pixel_accuracy"]
    cards = st.columns(4)
    for card, title, one in (
        (cards[0], "Mean IoU of a run", iou),
        (cards[1], "Pixel accuracy of a run", accuracy),
    ):
        card.metric(
            title,
            f"{100 * one['mean']:.1f} ± {100 * (one['deviation'] or 0):.1f} %",
            border=True,
            height="stretch",
            help=manual.see(
                f"Mean and standard deviation (n - 1) over {len(chosen)} runs, from "
                f"{session.percent(one['range'][0])} to "
                f"{session.percent(one['range'][1])}.",
                "metrics#how-sure",
            ),
        )
    low, high = iou["interval"]
    cards[2].metric(
        "95 % interval of the mean, %",
        "–" if low is None else f"{100 * low:.1f}–{100 * high:.1f}",
        border=True,
        height="stretch",
        help=manual.see(
            (
                "Student's t over runs: mean plus or minus t times deviation over the root of "
                "their number."
            ),
            "metrics#how-sure",
        ),
    )
    agreement = spread.agreement
    cards[3].metric(
        "Confusion that all share",
        "–" if np.isnan(agreement) else f"{100 * agreement:.0f} %",
        border=True,
        height="stretch",
        help=manual.see(
            "Over all confused pairs of classes: the least share of pixels that any run "
            "confuses, divided by the mean share. 100 %: "
            "every run confuses the same classes equally often, which speaks for the "
            "labels or the images. 0 %: none is shared, which "
            "averaging mends.",
            "metrics#how-sure",
        ),
    )
    names = workspace.scores.label_set(chosen[0]).class_names
    chart, table = st.columns([5, 4], gap="medium")
    with chart:
        figure = charts.member_spread(names, _told_apart(chosen), spread.class_iou)
        st.plotly_chart(
            figure, key="members", config=session.CHART, alt="IoU of each class by each run"
        )
    share = st.column_config.NumberColumn
    with table:
        tables.draw(
            [
                {
                    "score": SCORES.get(name, name.replace("_", " ")),
                    "mean": s["mean"],
                    "deviation": s["deviation"],
                    "least": s["range"][0],
                    "most": s["range"][1],
                }
                for name, s in scores.items()
            ],
            column_config={
                "mean": share(
                    format="%.3f", width=64, help="Sum over runs / number of runs; 1 is perfect"
                ),
                "deviation": share(
                    format="%.3f", width=78, help="Standard deviation over runs (n - 1)"
                ),
                "least": share(format="%.3f", width=64, help="Of any run"),
                "most": share(format="%.3f", width=64, help="Of any run"),
            },
            alt="Spread of each score over the runs",
        )
