"""What a chosen merge of labels does: cards, charts, and the report on another split."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from operator import attrgetter

import numpy as np
import streamlit as st

from segcore import formatting
from segcore.evaluation.compression.advice import ends
from segcore.evaluation.compression.chosen_map import MapReport
from segcore.evaluation.compression.what_if import WhatIf
from segcore.evaluation.counts.bootstrap import Interval
from segcore.labels import LabelSet
from segcore.ui.compress import charts, queries
from segcore.ui.compress.queries import Groups, Importance
from segcore.ui.compress.tree_chart import tree_and_matrix
from segcore.ui.compress.verdict import emphasised, judge
from segcore.ui.shared import manual, session, tables

MEASURES = (
    ("accuracy", "accuracy", "%"),
    ("mean_iou", "mean IoU", "%"),
    ("kappa", "kappa", ""),
    ("mcc", "MCC", ""),
    ("honest_accuracy", "chance-adjusted accuracy U", ""),
    ("entropy_bits", "entropy", "bits"),
    ("lost_bits", "entropy lost", "bits"),
    ("information_bits", "information", "bits"),
    ("retained_information", "information kept", "%"),
    ("truth_cost_bits", "expected cost to truth", "bits"),
    ("itca", "ITCA", "nats"),
    ("expected_accuracy", "accuracy, random merges", "%"),
)
"""What the table shows, by key of ``segcore.evaluation.compression.compression.MapScore``, and its
unit: "%" for shares, "" for indices from -1 to 1."""


def cards(report: MapReport) -> None:
    """Draw three figures of a merge."""
    before, after = report.before, report.after
    merges = after.label_map.num_groups < after.label_map.num_classes
    kept = ", ".join(
        f"{formatting.percent(share)} by {prior}" for prior, share in after.retained.items()
    )
    main: list[Entry] = [
        (
            "Accuracy",
            formatting.percent(after.accuracy),
            formatting.change(after.accuracy - before.accuracy),
            "Correct pixels / all pixels, on the merged labels. Merging can only raise it, so a rise "
            "alone proves nothing.",
        ),
        (
            "Entropy kept",
            formatting.percent(after.retained_entropy),
            None,
            f"How much of the labels' entropy is kept: {kept}. Higher is better.",
        ),
        (
            "Better than random merges",
            # with nothing merged there is nothing to compare: every "random merge" is the same map
            formatting.percent(report.percentile["accuracy"] if merges else None),
            None,
            "Fraction of 1,000 random merges with the same group sizes whose accuracy is no higher.",
        ),
    ]
    _metrics(main)
    again = chosen_again(report)
    st.caption(f"Entropy kept: {kept}." + (f" {again}" if again else ""))


def all_metrics(report: MapReport) -> None:
    """Draw all other figures of a merge and its table of scores, folded away."""
    with st.expander("All metrics", icon=":material/functions:"):
        _metrics(_further(report))
        table(report)


Entry = tuple[str, str, str | None, str]
"""Title, value, change and tooltip of a figure."""


def _metrics(entries: Sequence[Entry]) -> None:
    for start in range(0, len(entries), 4):
        row = entries[start : start + 4]
        for column, (title, value, delta, help) in zip(st.columns(len(row)), row, strict=True):
            span = title == "Lift over random"  # what stands below it is an interval, no change
            column.metric(
                title,
                value,
                delta,
                "off" if span else "normal",
                border=True,
                height="stretch",
                help=manual.see(help, "label-compression#what-each-number-says"),
                delta_arrow="off" if span else "auto",
            )


def _further(report: MapReport) -> list[Entry]:
    before, after, lift = report.before, report.after, report.lift
    kappa = after.kappa - before.kappa
    honest = after.honest_accuracy - before.honest_accuracy
    return [
        (
            "Mean IoU",
            formatting.percent(after.mean_iou),
            formatting.change(after.mean_iou - before.mean_iou),
            "IoU averaged over the merged labels. Its change is the sum of the confusion resolved "
            "and the class-mix effect.",
        ),
        (
            "Confusion resolved",
            formatting.points(after.resolved_confusion),
            None,
            "The part of the change in mean IoU that comes from confusion inside the merged groups. "
            "Only this part speaks for a merge.",
        ),
        (
            "Class-mix effect",
            formatting.points(after.composition),
            None,
            "The part of the change in mean IoU that comes from averaging over fewer, larger labels. "
            "It proves nothing.",
        ),
        (
            "Kappa",
            formatting.number(after.kappa, 2),
            formatting.signed(kappa, 2) if isfinite(kappa) else None,
            "(accuracy - chance) / (1 - chance), with chance from the class frequencies of ground "
            "truth and prediction. 0 is chance, 1 is perfect.",
        ),
        (
            "Lift over random",
            formatting.number(after.lift, 2),
            ends(lift) if lift.is_known else None,
            "(accuracy - expected) / (1 - expected), expected over random merges of the same group "
            "sizes. Above 0 only if labels that are truly confused were merged. Below the value: its "
            "95 % interval over images.",
        ),
        (
            "pp gained per % entropy lost",
            formatting.number(after.rate, 2),
            None,
            "Percentage points of accuracy gained for each point of entropy given up. Compare it "
            "with your trade-off rate.",
        ),
        (
            "Chance-adjusted accuracy",
            formatting.number(after.honest_accuracy, 2),
            formatting.signed(honest, 2) if isfinite(honest) else None,
            "Information that the prediction gives about the merged label, divided by that label's "
            "entropy (Theil's U): 0 is chance, 1 is perfect.",
        ),
    ]


def table(report: MapReport) -> None:
    """Draw the scores before and after a merge, with the interval of each change."""
    rows = []
    for key, title, unit in MEASURES:
        change = report.intervals.get(key)
        rows.append(
            {
                "what": title,
                "before": written(getattr(report.before, key), unit),
                "after": written(getattr(report.after, key), unit),
                "change, 95 %": _ends(change, unit) if change and change.is_known else "",
            }
        )
    number = st.column_config.TextColumn(alignment="right")
    tables.draw(
        rows,
        height=38 + 35 * len(rows),
        column_config=dict.fromkeys(("before", "after", "change, 95 %"), number),
        alt="Before and after the merge",
    )


def written(value: float, unit: str) -> str:
    """Write a score of a merge with its unit, as the cards do: "81.6 %", "0.79", "2.62 bits"."""
    if unit == "%":
        return formatting.percent(value)
    number = formatting.number(value, 2)
    return f"{number} {unit}" if unit and isfinite(value) else number


def _read(read: Callable[[MapReport], float], unit: str, report: MapReport) -> str:
    return written(read(report), unit)


def _ends(change: Interval, unit: str) -> str:
    if unit == "%":
        return formatting.points_interval(change.low, change.high)
    return f"{ends(change, signed=True)} {unit}".strip()


def chosen_again(report: MapReport) -> str:
    """Say how often resampled images lead to the same merge."""
    stability = report.stability
    if not isfinite(stability.same):
        return ""
    return (
        f"Chosen again in {formatting.percent(stability.same)} of {stability.resamples:,} resamples "
        f"of {stability.drawn}; a merged pair of labels in {formatting.percent(stability.pairs)}."
    )


def tree(what_if: WhatIf, label_set: LabelSet, counts: np.ndarray, groups: Groups) -> None:
    """Draw the tree of labels next to the confusion matrix in its order."""
    figure = tree_and_matrix(
        what_if.dendrogram, counts, label_set.class_names, _indices(groups, label_set)
    )
    st.plotly_chart(
        figure,
        key="tree",
        config=session.CHART,
        alt="Tree of labels next to the confusion matrix in the order of the tree",
    )
    st.caption(
        "Labels with similar confusion join first; selected merges are orange. Percent "
        "of the true class, before merging."
    )


def flow(what_if: WhatIf, label_set: LabelSet, report: MapReport) -> None:
    """Draw which label goes where, and the IoU of each before and after."""
    names, own = label_set.class_names, report.after.label_map.groups
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Label flow**")
        figure = charts.sankey(
            names, session.hex_colors(label_set), what_if.priors[what_if.prior], own
        )
        st.plotly_chart(
            figure, key="flow", config=session.CHART, alt="Which label goes into which group"
        )
    with right:
        st.markdown("**IoU before and after**")
        figure = charts.before_and_after(names, report.class_iou, report.group_iou, own)
        st.plotly_chart(
            figure,
            key="iou_after",
            config=session.CHART,
            alt="IoU of each group after the merge, and of its labels before",
        )


def _indices(groups: Groups, label_set: LabelSet) -> list[list[int]]:
    """Turn groups of ids into groups of indices in the order of a label map."""
    place = {name: index for index, name in enumerate(label_set.class_ids)}
    return sorted(sorted(place[i] for i in group) for group in groups)


def reported(
    run: str,
    split: str,
    splits: Sequence[str],
    groups: Groups,
    names: Mapping[int, str],
    terms: tuple[str, Importance, Groups, float],
) -> None:
    """Report on another split what was chosen on this one, side by side.

    Args:
        run: Id of the run whose labels are merged.
        split: The split that the merge is chosen on.
        splits: All splits.
        groups: Groups of class ids.
        names: Class names by id, in index order.
        terms: Entropy weighting, importance, pairs that never meet, trade-off rate.
    """
    others = [s for s in splits if s != split and session.workspace().scores.has_counts(run, s)]
    if not others:
        st.info(
            (
                f"Only {session.plain(split)} has predictions. Predict another split on the "
                "Evaluate page to check the merge there."
            ),
            icon=":material/info:",
        )
        return
    start = others.index("test") if "test" in others else 0
    other = str(
        st.segmented_control(
            "Report on", others, default=others[start], key="report_on", required=True
        )
    )
    with session.errors_shown():
        here, there = (queries.merge(run, s, groups, *terms[:2]) for s in (split, other))
        pairs = queries.what_if(run, other, *terms)[0].verdicts
    verdict = judge(there, list(names.values()), other, pairs)
    kinds = {"recommended": st.success, "rejected": st.warning}
    kinds.get(verdict.kind, st.info)(f"On {session.plain(other)}: {emphasised(verdict)}")
    _both_splits(f"selected on {split}", here, f"checked on {other}", there)
    if split == "test":
        st.caption(
            "Selected on test: scores of a split that was used for the selection are too "
            "optimistic."
        )


def _both_splits(first: str, here: MapReport, second: str, there: MapReport) -> None:
    """Draw the scores of a merge on the split it was selected on, next to those on another."""
    rows: list[tables.Row] = []

    def add(what: str, read: Callable[[MapReport], str]) -> None:
        rows.append({"what": what, first: read(here), second: read(there)})

    for title, key, unit in (
        ("accuracy", "accuracy", "%"),
        ("mean IoU", "mean_iou", "%"),
        ("chance-adjusted accuracy", "honest_accuracy", ""),
        ("kappa", "kappa", ""),
    ):
        for when in ("before", "after"):
            read = attrgetter(f"{when}.{key}")
            add(f"{title}, {when}", partial(_read, read, unit))
    add("confusion resolved", lambda r: formatting.points(r.after.resolved_confusion))
    add("class-mix effect", lambda r: formatting.points(r.after.composition))
    add("lift over random", lambda r: written(r.after.lift, ""))
    add("lift over random, 95 %", lambda r: ends(r.lift) if r.lift.is_known else "")
    number = st.column_config.TextColumn(alignment="right")
    tables.draw(
        rows,
        height=38 + 35 * len(rows),
        column_config={first: number, second: number},
        alt="The merge on both splits",
    )
