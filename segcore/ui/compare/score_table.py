"""Scores of several models side by side, and each against the first with what chance explains."""

from collections.abc import Sequence

import streamlit as st

from segcore import formatting
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.comparison import ComparisonSummary
from segcore.evaluation.metrics.report import Summary
from segcore.ui.evaluate import ab_comparison
from segcore.ui.shared import cached_scores, manual, session, tables
from segcore.ui.shared.charts.classes import model_scores


def show(runs: Sequence[str], split: str) -> None:
    """Draw a row of scores per model, the classes side by side, and an A/B test.

    Args:
        runs: Ids of runs over one dataset, which have counts of the split.
        split: Name of the split.
    """
    with session.errors_shown():
        named = cached_scores.named(runs, split)
        columns = list(named.values())
        reports = {
            name: cached_scores.report(run, split, stage) for name, (run, stage) in named.items()
        }
        summaries = {
            name: cached_scores.summary(run, split, stage) for name, (run, stage) in named.items()
        }
        comparisons: dict[str, ComparisonSummary] = {}
        refused: dict[str, str] = {}
        for name, (run, stage) in list(named.items())[1:]:
            try:
                comparisons[name] = cached_scores.comparison(
                    *(columns[0][0], run, split), columns[0][1], stage
                )
            except SegcoreError as error:
                refused[name] = str(error)
    _draw_scores(summaries, comparisons, refused, next(iter(reports.values())).interval().how())
    first = next(iter(reports.values())).label_set
    series = {
        name: [c.iou for c in summaries[name].classes]
        for name, r in reports.items()
        if r.label_set.class_names == first.class_names
    }
    figure = model_scores(first.class_names, series)
    st.plotly_chart(
        figure, key="compared_classes", config=session.CHART, alt="IoU of each class for each model"
    )
    if len(columns) < 2:
        st.caption('Add a second model under "Compare with".')
        return
    _ab_test(named, split)


def _draw_scores(
    summaries: dict[str, Summary],
    comparisons: dict[str, ComparisonSummary],
    refused: dict[str, str],
    drawn: str,
) -> None:
    """Draw the scores of each model, and each against the first.

    Args:
        summaries: Scores, by the name of the model.
        comparisons: The first model against each other one, by its name.
        refused: Why one was not compared, by its name.
        drawn: How intervals are made.
    """
    reasons = {
        name: refused.get(name) or " ".join(comparisons[name].reasons)
        for name in summaries
        if name in refused or name in comparisons
    }
    rows = [
        score_row(name, scores, comparisons.get(name), comparable=not reasons.get(name))
        for name, scores in summaries.items()
    ]
    points = st.column_config.NumberColumn
    tables.draw(
        rows,
        column_config={
            "mean IoU": points(format="percent", help=manual.MEAN_IOU),
            **dict.fromkeys(("from", "to"), points(format="percent", help=drawn)),
            "pixel accuracy": points(format="percent", help=manual.PIXEL_ACCURACY),
            "first minus this, pp": points(
                format="%+.1f",
                help="Mean IoU of the first row minus that of this row, in percentage points.",
            ),
            "interval": st.column_config.TextColumn(help=f"{drawn} The same draws for both."),
            "p value": st.column_config.TextColumn(
                help=(
                    "How often swapping the two at random, one image or group at a time, gives at "
                    "least this difference."
                )
            ),
        },
        alt="Scores of each model",
    )
    for name, reason in reasons.items():
        if reason:
            st.warning(session.plain(f"{name}: {reason}"), icon=":material/warning:")


def score_row(
    name: str, scores: Summary, against_first: ComparisonSummary | None, *, comparable: bool
) -> tables.Row:
    """Return a model's row of the table.

    Args:
        name: The model.
        scores: Its scores.
        against_first: The first model against this one; None for the first itself, or where the
            two were not compared.
        comparable: Whether that comparison holds.
    """
    low, high = scores.interval["mean_iou"]
    row: tables.Row = {
        "model": name,
        "images": scores.num_samples,
        "mean IoU": scores.mean_iou,
        "from": low,
        "to": high,
        "pixel accuracy": scores.pixel_accuracy,
    }
    difference, written, p_value = None, "", ""
    if not comparable:
        written = "not comparable"
    elif against_first is not None and against_first.difference is not None:
        difference = formatting.in_points(against_first.difference)
        ends, p = against_first.interval, against_first.p_value
        written = "" if ends[0] is None else formatting.points_interval(ends[0], ends[1])
        p_value = "" if p is None else formatting.p_value(p)
    return {**row, "first minus this, pp": difference, "interval": written, "p value": p_value}


def _ab_test(named: dict[str, tuple[str, str]], split: str) -> None:
    """Let the user choose two of the models and compare them pairwise."""
    names = list(named)
    st.subheader("A/B test", anchor=False)
    one, two = st.columns(2)
    with one:
        first_name = session.choose_from("A", names, "pair_a")
    with two:
        second_name = session.choose_from("B", [n for n in names if n != first_name], "pair_b")
    a, b = named[first_name], named[second_name]
    with session.errors_shown():
        both = cached_scores.comparison(a[0], b[0], split, a[1], b[1])
    ab_comparison.result(both, a, b, split)
