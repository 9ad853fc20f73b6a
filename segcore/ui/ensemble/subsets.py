"""The Subsets tab: every ensemble scored, what each member adds, and how sure it is."""

import streamlit as st

from segcore import formatting
from segcore.evaluation.metrics.report import plain
from segcore.ui.ensemble import charts
from segcore.ui.ensemble.selection import Choice, keep_test, take_weights
from segcore.ui.shared import manual, run_progress, session, tables
from segcore.workspace.ensembles.ensembles import DRAWS
from segcore.workspace.ensembles.results import SubsetsResult, Weighting

COMPARISONS = (
    (
        "Best subset vs. best member",
        "best_over_single",
        "Mean IoU of the best subset minus that of the best single member; paired by image.",
    ),
    (
        "Best subset vs. all members",
        "best_over_all",
        "Mean IoU of the best subset minus that of all members together: what leaving members "
        "out gains.",
    ),
    (
        "All members vs. average member",
        "all_over_mean_member",
        "Mean IoU of all members together minus the average of the members' own: what averaging "
        "gains, with nothing selected.",
    ),
)
"""Cards after the best subset's score: title, key in ``SubsetsResult.gains``, explanation."""


def show(choice: Choice, split: str) -> None:
    """Draw the tab: all subsets scored on ``split``."""
    workspace = session.workspace()
    if len(choice.members) < 2:
        st.info("Select two to ten members to compare their subsets.", icon=":material/info:")
        return
    with session.errors_shown():
        splits = workspace.ensembles.splits(choice.members)
    keep_test(split, splits)
    one, two = st.columns([2, 1], vertical_alignment="center")
    with one:
        searched = st.toggle(
            "Also search weights",
            key="subsets_weights",
            help=f"Also tries {DRAWS} random weightings of all members.",
        )
    draws = DRAWS if searched else 0
    with session.errors_shown():
        run = workspace.ensembles.subsets_run(choice.members, split, draws=draws)
        if not run and not searched:  # a run that searched weights has scored every subset too
            run = workspace.ensembles.subsets_run(choice.members, split, draws=DRAWS)
    number = 2 ** len(choice.members) - 1
    with two:
        label = f"Score {number} subsets on {split}" if not run else "Score again"
        if st.button(
            label,
            type="secondary" if run else "primary",
            icon=":material/scoreboard:",
            key="score_subsets",
            width="stretch",
        ):
            with session.errors_shown():
                workspace.ensembles.score_subsets(choice.members, split, draws=draws)
            st.rerun()
    if not run:
        st.caption(
            f"A single pass over the stored probabilities of {split} scores the mean of "
            f"every subset. Members without predictions of {split} run first."
        )
        return
    if not run_progress.follow([run], "Scoring", "subsets"):
        return
    with session.errors_shown():
        result = workspace.ensembles.subsets(run)
    if result.is_stale:
        st.warning("Predictions changed; score again.", icon=":material/warning:")
    _cards(result)
    for sentence in result.sentences:
        _say(
            sentence,
            any(w in sentence for w in ("not significant", "inside the noise"))
            or "selection" in sentence,
        )
    _charts(result)
    _table(result)
    if result.weights:
        _weights(choice, result.weights)


def _cards(result: SubsetsResult) -> None:
    first, *others = st.columns(4)
    numbers = " ".join(str(m + 1) for m in result.best)
    best = result.best_score
    first.metric(
        "Best subset, mean IoU",
        formatting.percent(best.value),
        formatting.interval(best.low, best.high) if best.is_known else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help=manual.see(
            f"Members {numbers}: the subset whose averaged probabilities give the highest mean "
            f"IoU. Below: {best.how()}",
            "metrics#ensembles-and-the-crf",
        ),
    )
    for column, (title, key, about) in zip(others, COMPARISONS, strict=True):
        gain = result.gains[key]
        column.metric(
            title,
            formatting.points(gain.value),
            formatting.points_interval(gain.low, gain.high) if gain.is_known else None,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help=manual.see(about, "metrics#ensembles-and-the-crf"),
        )
    share = result.chosen_share
    if share is not None:
        st.caption(
            f"Members {numbers} are the best subset in {formatting.percent(share)} of "
            f"{best.resamples:,} resamples of {best.counted()}."
        )


def _charts(result: SubsetsResult) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Every subset**")
        st.plotly_chart(
            charts.subset_scores(result),
            key="subset_scores",
            config=session.CHART,
            alt="Mean IoU of every subset by its size",
        )
    with right:
        st.markdown("**Contribution of each member**")
        values = result.values
        names = [f"{i + 1} · {v.run}" for i, v in enumerate(values)]
        figure = charts.gains(
            names,
            [plain(v.contribution.value) for v in values],
            [v.contribution.ends() for v in values],
            "average gain in mean IoU, pp",
            undetermined=[v.is_undetermined for v in values],
        )
        st.plotly_chart(
            figure,
            key="member_values",
            config=session.CHART,
            alt="Contribution of each member, with its interval",
        )
        st.caption(
            "A member's contribution is the mean gain of adding it to the others: over all "
            "subsets of each size without it, then over the sizes (Shapley value, 1953, "
            "without the empty set)."
        )
        if result.many:
            st.caption(result.many)


def _table(result: SubsetsResult) -> None:
    ranked = sorted(result.subsets, key=lambda s: (-(s.mean_iou or 0.0), len(s.members)))[:50]
    rows = [
        {
            **{str(m + 1): m in s.members for m in range(len(result.members))},
            "mean IoU": s.mean_iou,
            "pixel accuracy": s.pixel_accuracy,
        }
        for s in ranked
    ]
    share = st.column_config.NumberColumn
    event = tables.draw(
        rows,
        height=250,
        on_select="rerun",
        selection_mode="single-row",
        key="subset_table",
        column_config={
            **{
                str(m + 1): st.column_config.CheckboxColumn(help=name, width="small")
                for m, name in enumerate(result.members)
            },
            "mean IoU": share(format="percent", help=manual.MEAN_IOU),
            "pixel accuracy": share(format="percent", help=manual.PIXEL_ACCURACY),
        },
        alt="Subsets, best first",
    )
    selected = event["selection"]["rows"]
    taken = ranked[selected[0]].members if selected else result.best
    label = "Use selected members" if selected else "Use best subset"
    names = [result.members[m] for m in taken]
    st.button(
        label,
        on_click=_take,
        args=(names,),
        icon=":material/group:",
        key="take_subset",
        help=", ".join(names),
    )


def _say(sentence: str, warning: bool) -> None:
    if warning:
        st.warning(sentence, icon=":material/warning:")
    else:
        st.markdown(sentence)


def _take(members: list[str]) -> None:
    st.session_state["members"] = members


def _weights(choice: Choice, weighting: Weighting) -> None:
    gain = weighting.over_equal
    with st.container(border=True):
        st.markdown(f"**Best of {weighting.tried} weightings of all members**")
        st.markdown(" · ".join(f"{i + 1}: **{w:.3f}**" for i, w in enumerate(weighting.weights)))
        ends = (
            f" ({100 * gain.level:g} % interval {formatting.points_interval(gain.low, gain.high)})"
            if gain.is_known
            else ""
        )
        noise = not gain.excludes_zero
        unseen = weighting.unseen
        later = (
            ""
            if unseen is None
            else f" On images not used for the selection: {formatting.points(unseen)}."
        )
        verdict = (
            f"Compared with equal weights {formatting.points(gain.value)}"
            f"{ends}{': not significant' if noise else ''}.{later}"
        )
        _say(verdict, noise)
        st.button(
            "Use these weights",
            on_click=take_weights,
            args=(choice.members, weighting.weights),
            icon=":material/balance:",
            key="take_weights",
        )
