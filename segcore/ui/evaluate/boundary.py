"""How good near borders: boundary IoU of each class and the trimap curve."""

import dataclasses
from collections.abc import Sequence

import streamlit as st

from segcore import formatting
from segcore.evaluation.metrics.pixel_metrics import BorderScores
from segcore.evaluation.metrics.report import Report, Summary
from segcore.ui.evaluate import pixel_charts
from segcore.ui.shared import background_tasks, cached_scores, manual, session
from segcore.workspace.scores.pixel_metrics import Measured

LABEL = "Measure boundaries and calibration"
HELP = (
    "Reads the probabilities and masks of the split once; the result is kept until "
    "the predictions change."
)


def present(report: Report, run: str, split: str, stage: str) -> Measured | None:
    """Return the pass over a split whose predictions are on disk; else say what is missing."""
    if not background_tasks.present(run, split, stage, len(report.sample_ids)):
        return None
    return measured(run, split, stage)


def measured(run: str, split: str, stage: str) -> Measured | None:
    """Return the pass over a split, or offer to make it, or show how far it is."""
    workspace = session.workspace()
    with session.errors_shown():
        kept = workspace.pixel_metrics.cached(run, split, stage)
        if kept is not None:
            return kept
        small = background_tasks.is_small(run, split)
        key = (
            f"pixels {run} {split} {workspace.scores.stamp(run, split, stage)} "
            f"{len(workspace.pixel_metrics.samples(run, split, stage))}"
        )
    return background_tasks.passed(
        key,
        lambda tell: workspace.pixel_metrics.measure(run, split, stage, tell),
        LABEL,
        f"How well boundaries are hit, and how far confidence can be trusted. {HELP}",
        at_once=small,
    )


def show(report: Report, summary: Summary, run: str, split: str, stage: str) -> None:
    """Show boundary IoU and the trimap curve of a run over a split."""
    result = present(report, run, split, stage)
    if result is None:
        return
    names = report.label_set.class_names
    borders = cached_scores.borders(run, split, stage, result)
    whole = _whole(report, summary, result.measures.sample_ids)
    _cards(borders, whole.mean_iou)
    one, two = st.columns(2, gap="large")
    with one:
        st.markdown("**Boundary IoU per class**")
        figure = pixel_charts.boundary_bars(names, [c.iou for c in whole.classes], borders.boundary)
        st.plotly_chart(
            figure,
            key="boundary",
            config=session.CHART,
            alt="IoU of each class over its region and over its boundary",
        )
    with two:
        _trimap(borders, whole, names)
    st.caption(
        f"Based on {borders.num_samples} of {len(report.sample_ids)} images, those "
        "with predictions on disk."
    )


def _cards(borders: BorderScores, mean_iou: float | None) -> None:
    low, high = borders.interval
    cards = st.columns(4)
    cards[0].metric(
        "Mean boundary IoU",
        formatting.percent(borders.mean_boundary),
        border=True,
        height="stretch",
        help=manual.see(
            (
                "Only pixels of a class within 2 % of the image diagonal of its contour, in "
                "ground truth and prediction: intersection / union, summed over images, "
                "averaged over classes (Cheng et al., 2021). Higher is better."
            ),
            "metrics#near-borders-and-probabilities",
        ),
    )
    cards[1].metric(
        "95 % CI",
        formatting.interval(low, high),
        border=True,
        height="stretch",
        help=manual.see(
            borders.how_sure,
            "intervals#how-it-is-made",
        ),
    )
    below = (
        None
        if mean_iou is None or borders.mean_boundary is None
        else borders.mean_boundary - mean_iou
    )
    cards[2].metric(
        "vs. mean IoU",
        formatting.points(below),
        border=True,
        height="stretch",
        help=manual.see(
            (
                "Mean boundary IoU minus mean IoU. Far below 0: objects are found but their "
                "outlines are not."
            ),
            "metrics#near-borders-and-probabilities",
        ),
    )
    narrow = borders.trimap[1]
    cards[3].metric(
        f"Accuracy within {narrow.width} px of a boundary",
        formatting.percent(narrow.pixel_accuracy),
        border=True,
        height="stretch",
        help=manual.see(
            (
                "Fraction of correct pixels among those closer than that to a boundary between "
                "two true classes."
            ),
            "metrics#near-borders-and-probabilities",
        ),
    )


def _trimap(borders: BorderScores, whole: Summary, names: list[str]) -> None:
    st.markdown(
        "**Trimap curve**",
        help=(
            "The same scores, counted only within a band around the true boundaries (Kohli "
            "et al., 2009). Dotted: over all pixels. A steep curve loses accuracy at "
            "outlines; a flat one loses it inside objects."
        ),
    )
    chosen = st.multiselect(
        "Classes",
        range(len(names)),
        format_func=lambda i: names[i],
        key="trimap_classes",
        placeholder="Add classes",
    )
    figure = pixel_charts.trimap_curve(borders.trimap, whole, names, chosen)
    st.plotly_chart(
        figure,
        key="trimap",
        config=session.CHART,
        alt="Scores within a given distance of the true boundaries",
    )


def _whole(report: Report, summary: Summary, measured: Sequence[str]) -> Summary:
    """Scores of the measured images alone, which boundary scores are compared with."""
    if len(measured) == len(report.sample_ids):
        return summary
    places = {name: i for i, name in enumerate(report.sample_ids)}
    kept = [places[name] for name in measured if name in places]
    ids, groups = (
        tuple(report.sample_ids[i] for i in kept),
        None if report.groups is None else tuple(report.groups[i] for i in kept),
    )
    return dataclasses.replace(
        report, counts=report.counts[kept], sample_ids=ids, groups=groups
    ).summary()
