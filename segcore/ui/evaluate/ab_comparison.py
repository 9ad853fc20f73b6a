"""A against B: another run on the same images, by how much, how sure, and where each one wins."""

import streamlit as st

from segcore import formatting
from segcore.evaluation.comparison.comparison import ComparisonSummary
from segcore.ui.evaluate import charts
from segcore.ui.shared import cached_scores, manual, session, split_predictions, tables

LISTED = 100
"""Images that a table lists."""


def show(run: str, split: str, stage: str) -> None:
    """Let the user choose B and show how A, the run of this page, compares with it."""
    workspace = session.workspace()
    with session.errors_shown():
        dataset = workspace.scenes.dataset_of(run)
        same = workspace.runs.on_split(run, split)  # an ensemble has one run a split
        known = session.finished_runs(session.SCORED, dataset.name)
        others = list({workspace.runs.on_split(r, split): r for r in reversed(known)}.values())[
            ::-1
        ]
        others = [r for r in others if workspace.runs.on_split(r, split) != same]
        if len(workspace.scores.stages(run, split)) > 1:
            others.append(run)
    if not others:
        st.info(
            (
                "There is no other run on this dataset to compare with. Train another model, or "
                "combine members."
            ),
            icon=":material/info:",
        )
        return
    one, two = st.columns([3, 2], vertical_alignment="bottom")
    with one:
        other = session.choose_model("B (A is selected above)", others, "against")
    if not split_predictions.offer((other,), split):
        return
    with session.errors_shown():
        stages = [s for s in workspace.scores.stages(other, split) if (other, s) != (run, stage)]
        other_stage = stages[0]
        if len(stages) > 1:
            with two:
                other_stage = str(
                    st.segmented_control(
                        "Output of B", stages, default=stages[0], key="against_stage", required=True
                    )
                )
        comparison = cached_scores.comparison(run, other, split, stage, other_stage)
    result(comparison, (run, stage), (other, other_stage), split)


def result(
    comparison: ComparisonSummary, first: tuple[str, str], second: tuple[str, str], split: str
) -> None:
    """Show how A compares with B, or why the two cannot be compared.

    Args:
        comparison: A against B.
        first: Id of A, and what was scored of it.
        second: The same of B.
        split: The split of both.
    """
    if comparison.reasons:
        st.warning(
            " ".join(session.plain(reason) for reason in comparison.reasons),
            icon=":material/warning:",
        )
        return
    _cards(comparison)
    st.markdown(_verdict(comparison))
    plan = cached_scores.plan_sentence(first[0], split, first[1], *second)
    if plan:
        st.caption(plan)
    classes, images = st.columns(2, gap="large")
    with classes:
        st.markdown("**Classes**")
        rows = comparison.classes
        figure = charts.differences(
            [c.name for c in rows],
            [c.difference for c in rows],
            [c.interval for c in rows],
        )
        st.plotly_chart(
            figure,
            key="against_classes",
            config=session.CHART,
            alt="IoU of A minus B for each class, with its interval",
        )
        differ = [c.name for c in rows if c.verdict in ("helps", "hurts")]
        in_words = f"They differ in: {session.plain(', '.join(differ))}." if differ else ""
        st.caption(f"{session.plain(comparison.many)} {in_words}".strip())
    with images:
        st.markdown("**Images**")
        _images(comparison, first[0], second[0], split)


def _cards(comparison: ComparisonSummary) -> None:
    low, high = comparison.interval
    p = comparison.p_value
    cards = st.columns(4)
    cards[0].metric(
        "A minus B, mean IoU",
        formatting.points(comparison.difference),
        border=True,
        height="stretch",
        help=manual.see(
            ("Mean IoU of A minus mean IoU of B, each over the whole split, in percentage points."),
            "metrics#how-sure",
        ),
    )
    cards[1].metric(
        "95 % CI",
        formatting.points_interval(low, high),
        border=True,
        height="stretch",
        help=manual.see(
            f"{comparison.how_sure} The same draws for both.",
            "intervals#how-it-is-made",
        ),
    )
    cards[2].metric(
        "p value",
        formatting.p_value(p),
        border=True,
        height="stretch",
        help=manual.see(
            (
                "How often swapping A and B at random, one image or group at a time, gives at "
                "least this difference."
            ),
            "metrics#how-sure",
        ),
    )
    a_wins, b_wins, ties = comparison.wins
    cards[3].metric(
        "Images won",
        f"{a_wins} : {b_wins}",
        border=True,
        height="stretch",
        help=manual.see(
            (f"Images with a higher mean IoU for A : for B. In {ties} they are equal."),
            "metrics#how-sure",
        ),
    )


def _verdict(comparison: ComparisonSummary) -> str:
    low, high = comparison.interval
    if comparison.chosen:
        return f"**Not judged here.** {session.plain(comparison.chosen)} Compare on another split."
    if low is None or high is None:
        return f"**Undetermined.** {comparison.how_sure}"
    if low > 0 or high < 0:
        better, worse = ("A", "B") if low > 0 else ("B", "A")
        return f"**{better} is significantly better than {worse}**: the interval excludes 0."
    return "**Not significant**: the interval contains 0."


def _images(comparison: ComparisonSummary, run: str, other: str, split: str) -> None:
    images = comparison.images
    names = [i.id for i in images]
    figure = charts.image_pairs(names, [i.a for i in images], [i.b for i in images])
    event = st.plotly_chart(
        figure,
        key="against_images",
        on_select="rerun",
        selection_mode="points",
        config=session.CHART,
        alt="Mean IoU of each image for A and for B",
    )
    points = event["selection"]["points"]
    listed = images if len(images) <= LISTED else [*images[: LISTED // 2], *images[-LISTED // 2 :]]
    share = st.column_config.NumberColumn
    table = tables.draw(
        [
            {"image": i.id, "A": i.a, "B": i.b, "A minus B": formatting.in_points(i.difference)}
            for i in listed
        ],
        height=250,
        on_select="rerun",
        selection_mode="single-row",
        key="against_table",
        column_config={
            "A": share(format="percent", help=manual.MEAN_IOU),
            "B": share(format="percent", help=manual.MEAN_IOU),
            "A minus B": share(
                format="%+.1f pp",
                help="Mean IoU of A in this image minus that of B, in percentage points.",
            ),
        },
        alt="Images, largest advantage of A first",
    )
    st.caption(
        "Above the line A is better. Click a point or a row to compare both models on that image."
    )
    rows = table["selection"]["rows"]
    chosen = points[0]["customdata"][0] if points else listed[rows[0]].id if rows else None
    if chosen is not None:
        cached_scores.look_at(run, split, chosen, beside=other if other != run else None)
