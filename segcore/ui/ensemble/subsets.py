"""The subsets tab: every ensemble of the members scored at once, what each member adds, and how sure the best is."""

from typing import Any

import streamlit as st

from segcore.ui.ensemble import charts
from segcore.ui.ensemble.selection import Choice, take_weights
from segcore.ui.shared import manual, run_progress, session, tables
from segcore.workspace.ensembles.ensembles import DRAWS


def show(choice: Choice) -> None:
    """Draw the tab."""
    workspace = session.workspace()
    if len(choice.members) < 2:
        st.info("Choose two to ten members to compare their subsets.", icon=":material/info:")
        return
    with session.errors_shown():
        splits = workspace.ensembles.splits(choice.members)
    one, two, three = st.columns([2, 2, 2], vertical_alignment="bottom")
    with one:
        split = session.choose_split(splits, default="validation", key="subsets_split")
    with two:
        searched = st.toggle(
            "Search weights too",
            key="subsets_weights",
            help=f"Also tries {DRAWS} weightings of all members.",
        )
    draws = DRAWS if searched else 0
    with session.errors_shown():
        run = workspace.ensembles.subsets_run(choice.members, split, draws=draws)
        if not run and not searched:  # a run that searched weights has scored every subset too
            run = workspace.ensembles.subsets_run(choice.members, split, draws=DRAWS)
    number = 2 ** len(choice.members) - 1
    with three:
        label = f"Score {number} subsets" if not run else "Score again"
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
            f"One pass over the stored probabilities of {split} scores the mean of every "
            "subset. Members that have not predicted "
            f"{split} yet do so first."
        )
        return
    if not run_progress.follow([run], "Scoring", "subsets"):
        return
    with session.errors_shown():
        found = workspace.ensembles.subsets(run)
    if found["stale"]:
        st.warning(
            "A member has been predicted anew since: score again.", icon=":material/warning:"
        )
    _cards(found)
    for sentence in found["sentences"]:
        _say(sentence, "inside the noise" in sentence or "selection" in sentence)
    _charts(found)
    _table(found)
    if found["weights"]:
        _weights(choice, found["weights"])


def _cards(found: dict[str, Any]) -> None:
    best = found["best"]
    cards = st.columns(4)
    numbers = " ".join(str(found["members"].index(m) + 1) for m in best["members"])
    low, high = best["interval"]
    cards[0].metric(
        "Best subset, mean IoU",
        session.percent(best["mean_iou"]),
        None if low is None else f"{100 * low:.1f} to {100 * high:.1f}",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help=manual.see(
            (
                f"Members {numbers}: the subset whose averaged probabilities give the highest "
                "mean IoU; below it its 95 % interval."
            ),
            "metrics#ensembles-and-the-crf",
        ),
    )
    shown = (
        (
            "Best over best single",
            "best_over_single",
            (
                "Mean IoU of the best subset minus that of the best member, which is itself a "
                "subset; paired by image."
            ),
        ),
        (
            "Best over all together",
            "best_over_all",
            "Mean IoU of the best subset minus that of all: what leaving members out gains.",
        ),
        (
            "All over the mean member",
            "all_over_mean_member",
            (
                "Mean IoU of all minus the mean of the members': what averaging gains, with "
                "nothing chosen."
            ),
        ),
    )
    for card, (title, key, help) in zip(cards[1:], shown, strict=True):
        gain = found["gains"][key]
        low, high = gain["interval"]
        card.metric(
            title,
            "–" if gain["difference"] is None else f"{100 * gain['difference']:+.2f} points",
            None if low is None else f"{100 * low:+.2f} to {100 * high:+.2f}",
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help=manual.see(help, "metrics#ensembles-and-the-crf"),
        )
    share = found["chosen_share"]
    if share is not None:
        st.caption(
            f"Members {numbers} are the best subset in {100 * share:.0f} % of 1,000 "
            "redrawn sets of these images."
        )


def _charts(found: dict[str, Any]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Every subset**")
        st.plotly_chart(
            charts.subset_scores(found),
            key="subset_scores",
            config=session.CHART,
            alt="Mean IoU of every subset by its size",
        )
    with right:
        st.markdown("**What each member adds**")
        values = found["values"]
        names = [f"{i + 1} · {v['run']}" for i, v in enumerate(values)]
        figure = charts.gains(
            names,
            [v["gain"] for v in values],
            [v["gain_interval"] for v in values],
            "points of mean IoU, averaged over what it is added to",
        )
        st.plotly_chart(
            figure,
            key="member_values",
            config=session.CHART,
            alt="Marginal value of each member, with its interval",
        )
        st.caption(
            "A member's value is the mean gain of adding it to the other members: over the "
            "subsets of each size that lack it, then over "
            "the sizes (Shapley 1953, without the empty set)."
        )


def _table(found: dict[str, Any]) -> None:
    ranked = sorted(found["subsets"], key=lambda s: (-(s["mean_iou"] or 0.0), len(s["members"])))[
        :50
    ]
    rows = [
        {
            **{str(m + 1): m in s["members"] for m in range(len(found["members"]))},
            "mean IoU": s["mean_iou"],
            "pixel accuracy": s["pixel_accuracy"],
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
                for m, name in enumerate(found["members"])
            },
            "mean IoU": share(format="percent", help=manual.MEAN_IOU),
            "pixel accuracy": share(format="percent", help=manual.PIXEL_ACCURACY),
        },
        alt="Subsets, best first",
    )
    selected = event["selection"]["rows"]
    taken = (
        ranked[selected[0]]["members"]
        if selected
        else [found["members"].index(m) for m in found["best"]["members"]]
    )
    label = "Take the selected members" if selected else "Take the best subset's members"
    names = [found["members"][m] for m in taken]
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


def _weights(choice: Choice, weights: dict[str, Any]) -> None:
    gain = weights["over_equal"]
    low, high = gain["interval"]
    with st.container(border=True):
        st.markdown(f"**Best of {weights['tried']} weightings of all members**")
        st.markdown(" · ".join(f"{i + 1}: **{w:.3f}**" for i, w in enumerate(weights["weights"])))
        ends = "" if low is None else f" (95 % interval {100 * low:+.2f} to {100 * high:+.2f})"
        noise = low is None or low <= 0 <= high
        unseen = weights["unseen"]
        later = (
            ""
            if unseen is None
            else f" On images that took no part in the choice: {100 * unseen:+.2f} points."
        )
        said = (
            f"Against equal weights {100 * gain['difference']:+.2f} "
            f"points{ends}{': inside the noise' if noise else ''}.{later}"
        )
        _say(said, noise)
        st.button(
            "Take these weights",
            on_click=take_weights,
            args=(choice.members, weights["weights"]),
            icon=":material/balance:",
            key="take_weights",
        )
