"""A merge as expected, with summed probabilities, and retrained, side by side."""

from collections.abc import Mapping, Sequence
from math import isfinite

import streamlit as st

from segcore import formatting
from segcore.evaluation.compression.tiers import Tier
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.metrics.report import plain
from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.ui.compress import charts, queries
from segcore.ui.compress.queries import Groups
from segcore.ui.shared import session, tables
from segcore.workspace.compression.retraining import RetrainedRun
from segcore.workspace.compression.tiers import TierComparison

TITLES = {
    "merged": "Expected: merged predictions",
    "summed": "Summed probabilities",
    "retrained": "Retrained",
}
SCORES = (
    ("mean_iou", "mean IoU"),
    ("accuracy", "accuracy"),
    ("honest_accuracy", "chance-adjusted accuracy"),
    ("kappa", "kappa"),
    ("mcc", "MCC"),
)
SHARES = ("mean_iou", "accuracy")
"""Those from 0 to 1; the others go from -1 to 1."""


def show(
    run: str, split: str, splits: Sequence[str], groups: Groups, names: Mapping[int, str]
) -> None:
    """Draw the tiers of a merge on a split, and what is still to do for those that are missing.

    Args:
        run: Id of the run whose labels are merged.
        split: The split that the merge is chosen on.
        splits: All splits.
        groups: Groups of class ids.
        names: Class names by id.
    """
    if len(groups) == len(names):
        st.info(
            (
                "Nothing is merged. Select labels above to see what a merge promises and what "
                "it delivers."
            ),
            icon=":material/info:",
        )
        return
    workspace = session.workspace()
    counted = [s for s in splits if workspace.scores.has_counts(run, s)]
    start = "test" if "test" in counted else split
    st.session_state.setdefault("tier_split", start)
    if st.session_state["tier_split"] not in counted:
        st.session_state["tier_split"] = start
    scored_on = str(st.segmented_control("Score on", counted, key="tier_split", required=True))
    if scored_on == split:
        st.caption(
            f"Selected and scored on {session.plain(split)}, which is optimistic. Prefer "
            "another split."
        )
    else:
        st.caption(f"Selected on {session.plain(split)}, scored on {session.plain(scored_on)}.")
    with session.errors_shown():
        rows = workspace.tiers.retrained(run, groups, scored_on)
        merged = len(groups) > 1
        summed, retrained = st.columns(2, gap="large")
        with summed, st.container(border=True, height="stretch"):
            _summed(run, scored_on, groups, merged)
        with retrained, st.container(border=True, height="stretch"):
            chosen = _retrained(run, [split, scored_on], groups, rows, merged)
        comparison = queries.tiers(run, scored_on, groups, chosen)
    _compare(comparison, [" + ".join(names[i] for i in group) for group in comparison.groups])


def _summed(run: str, split: str, groups: Groups, merged: bool) -> None:
    """Offer T1, or say that it is there."""
    tiers = session.workspace().tiers
    st.markdown("**Summed probabilities**")
    images = tiers.can_sum(run, split)
    if tiers.is_summed(run, split, groups):
        st.caption(f"Scored on the {images} images whose probabilities are on disk.")
        return
    st.caption(
        "Probabilities are summed over each group before taking the most probable one. "
        "No training; every image is read once."
    )
    if not images:
        st.info(
            (
                f"No probabilities of {session.plain(split)} are on disk. Predict the split "
                "again to use this."
            ),
            icon=":material/info:",
        )
    if st.button(
        f"Sum probabilities of {images} images",
        key="sum",
        icon=":material/functions:",
        disabled=not (images and merged),
    ):
        bar = st.progress(0.0, "Summing …")

        def progress(done: int, total: int, what: str) -> None:
            bar.progress(done / total, f"{done} of {total} images")

        tiers.sum_probabilities(run, split, groups, progress)
        st.rerun()


def _retrained(
    run: str, splits: Sequence[str], groups: Groups, rows: Sequence[RetrainedRun], merged: bool
) -> str:
    """Offer retraining, follow it, or choose one of several; return the id to score, or ""."""
    st.markdown("**Retrained model**")
    done = [row.run for row in rows if row.counted]
    active = [
        row
        for row in rows
        if row.state in QUEUED_OR_ACTIVE or (row.state == "finished" and not row.counted)
    ]
    chosen = ""
    if done:
        linked = {row.run: row.linked for row in rows}
        chosen = str(
            st.selectbox(
                "Trained with these labels",
                done,
                key="retrained_run",
                format_func=lambda r: f"{r}{'' if linked[r] else ' (different config)'}",
            )
        )
        if not linked[chosen]:
            st.caption(
                "This run does not have the same config, so a difference may also come from "
                "other hyperparameters, another model or seed."
            )
        st.page_link("pages/runs.py", label="Training curves", icon=":material/show_chart:")
    for row in rows:
        if row.state in ("failed", "interrupted"):
            st.error(
                f"{session.plain(row.run)}: {session.plain(row.cause or row.state)}",
                icon=":material/error:",
            )
    if active:
        _follow(run, splits[-1], groups)
    elif not done:
        st.caption(
            "Trains this run's config on the merged labels: same model, hyperparameters, "
            "size, seed and splits. An ensemble is retrained member by member. Predictions "
            "follow automatically."
        )
        if st.button(
            "Retrain with these labels",
            key="retrain",
            type="primary",
            icon=":material/model_training:",
            disabled=not merged,
        ):
            session.workspace().tiers.retrain(run, groups, list(dict.fromkeys(splits)))
            st.rerun()
    return chosen


def _follow(run: str, split: str, groups: Groups) -> None:
    @st.fragment(run_every=2)
    @session.guarded
    def panel() -> None:
        workspace = session.workspace()
        workspace.runs.refresh()
        rows = workspace.tiers.retrained(run, groups, split)
        active = [row for row in rows if row.state in QUEUED_OR_ACTIVE]
        waiting = [row for row in rows if row.state == "finished" and not row.counted]
        if not active and not any(_predicting(row.run, split) for row in waiting):
            if any(row.counted for row in rows) or any(
                row.state in ("failed", "interrupted") for row in rows
            ):
                st.rerun()
            for row in waiting:
                if st.button(
                    f"Predict {split}", key=f"predict_{row.run}", icon=":material/play_arrow:"
                ):
                    workspace.runs.predict_any(row.run, split)
                    st.rerun()
            return
        if any(row.counted for row in rows if row.linked) and not active:
            st.rerun()
        for row in active:
            st.progress(
                min(row.progress, 1.0),
                text=f"{row.run}: {row.state}, training on the merged labels",
            )
        for row in waiting:
            st.progress(1.0, text=f"{row.run} is trained; predicting {split}")
        st.page_link("pages/runs.py", label="Monitor run", icon=":material/monitoring:")

    panel()


def _predicting(run: str, split: str) -> bool:
    rows = {r.run: r for r in session.workspace().runs.rows()}
    return any(
        rows[name].status.state in QUEUED_OR_ACTIVE
        for name in session.workspace().runs.derived(run, split)
        if name in rows
    )


def _compare(comparison: TierComparison, titles: Sequence[str]) -> None:
    """Draw the tiers that exist: gains with intervals, all scores, the groups."""
    left, right = st.columns([3, 2], gap="large")
    rows = []
    columns: dict[str, Sequence[float]] = {}
    for tier in comparison.tiers:
        if tier.images < comparison.images:
            # what was predicted for the same images, so that the next row has its equal
            promised = f"Expected, on the same {tier.images} images"
            rows.append(_row(promised, tier, promised=True))
            columns[promised] = tier.predicted_iou.tolist()
        rows.append(_row(TITLES[tier.name], tier))
        columns[TITLES[tier.name]] = tier.group_iou.tolist()
    percent = st.column_config.NumberColumn(format="percent")
    index = st.column_config.NumberColumn(format="%.2f")
    with left:
        figure = charts.tier_gains(comparison.tiers, TITLES)
        st.plotly_chart(
            figure,
            key="tier_gains",
            config=session.CHART,
            alt="Gain of each variant over the unmerged model, with intervals",
        )
    with right:
        for tier in comparison.tiers:
            if tier.beyond:
                st.markdown(sentence(tier.name, tier.images, tier.beyond["mean_iou"]))
        st.caption(
            "All rows score the merged labels on the same images, so differences are fair. "
            "Intervals are 95 %, paired by image. Part of any gain over the unmerged model "
            "is the class-mix effect: averaging over fewer labels."
        )
    tables.draw(
        rows,
        column_config={t: percent if k in SHARES else index for k, t in SCORES},
        alt="Scores of each variant",
    )
    if len(comparison.tiers) > 1:
        table = [
            {"label": title, **{name: plain(values[k]) for name, values in columns.items()}}
            for k, title in enumerate(titles)
        ]
        tables.draw(
            table, column_config=dict.fromkeys(columns, percent), alt="IoU of each group by variant"
        )


def _row(title: str, tier: Tier, *, promised: bool = False) -> tables.Row:
    """Scores of a tier, or what was predicted for the images that it was compared on."""
    row: tables.Row = {"tier": title, "images": tier.images}
    for key, name in SCORES:
        over = tier.beyond[key].value if promised and tier.beyond else 0.0
        row[name] = plain(tier.scores[key] - over)
    return row


def sentence(tier: str, images: int, change: Interval) -> str:
    """Say what a tier gave beyond what was predicted, in points of mean IoU."""
    name = {"summed": "Summing probabilities", "retrained": "Retraining"}[tier]
    if not isfinite(change.value):
        return f"**{name}**: mean IoU is undefined here."
    gained = (
        f"**{name}** gained {formatting.points(change.value)} of mean IoU over the expected value"
    )
    if not change.is_known:
        return f"{gained}. {change.reason()}"
    verdict = (
        "not significant"
        if not change.excludes_zero
        else "better than expected"
        if change.low > 0
        else "worse than expected"
    )
    ends = formatting.points_interval(change.low, change.high)
    return f"{gained} ({ends}): {verdict}, on {images} images."
