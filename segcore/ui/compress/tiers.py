"""Three tiers of a merge side by side: promised from counts, with summed probabilities, and retrained by one click."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.ui.compress import charts, queries
from segcore.ui.compress.queries import Groups
from segcore.ui.shared import session, tables

TITLES = {
    "merged": "T0 merged: predicted",
    "summed": "T1 probabilities summed",
    "retrained": "T2 retrained: realised",
}
SCORES = (
    ("mean_iou", "mean IoU"),
    ("accuracy", "accuracy"),
    ("honest_accuracy", "honest accuracy"),
    ("kappa", "kappa"),
    ("mcc", "MCC"),
)


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
                "Nothing is merged: choose labels above, then see here what it promises and "
                "what it gives."
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
    scored_on = str(st.segmented_control("Scored on", counted, key="tier_split", required=True))
    if scored_on == split:
        st.caption(
            f"Chosen and scored on {session.plain(split)}: what was chosen there looks "
            "better there. Prefer another split."
        )
    else:
        st.caption(
            f"The merge is chosen on {session.plain(split)} and scored on "
            f"{session.plain(scored_on)}."
        )
    with session.errors_shown():
        rows = workspace.tiers.retrained(run, groups, scored_on)
        merged = len(groups) > 1
        summed, retrained = st.columns(2, gap="large")
        with summed, st.container(border=True, height="stretch"):
            _summed(run, scored_on, groups, merged)
        with retrained, st.container(border=True, height="stretch"):
            chosen = _retrained(run, [split, scored_on], groups, rows, merged)
        found = queries.tiers(run, scored_on, groups, chosen)
    _compare(found, [" + ".join(names[i] for i in group) for group in found["groups"]])


def _summed(run: str, split: str, groups: Groups, merged: bool) -> None:
    """Offer T1, or say that it is there."""
    tiers = session.workspace().tiers
    st.markdown("**T1, summed probabilities**")
    images = tiers.can_sum(run, split)
    if tiers.is_summed(run, split, groups):
        st.caption(f"Counted on the {images} images whose probabilities are on disk.")
        return
    st.caption(
        "Probabilities are added up over each group before the most probable one is taken. "
        "Nothing is trained; every image is read once."
    )
    if not images:
        st.info(
            (
                f"No probabilities of {session.plain(split)} are on disk: predict it again to "
                "have this tier."
            ),
            icon=":material/info:",
        )
    if st.button(
        f"Sum on {images} images",
        key="sum",
        icon=":material/functions:",
        disabled=not (images and merged),
    ):
        bar = st.progress(0.0, "Summing")

        def progress(done: int, total: int, what: str) -> None:
            bar.progress(done / total, f"{done} of {total} images")

        tiers.sum_probabilities(run, split, groups, progress)
        st.rerun()


def _retrained(
    run: str, splits: Sequence[str], groups: Groups, rows: Sequence[Mapping[str, Any]], merged: bool
) -> str:
    """Offer T2, follow it, or let the user choose among several; return the id of the one to score, or ""."""
    st.markdown("**T2, retrained**")
    done = [row["run"] for row in rows if row["counted"]]
    active = [
        row
        for row in rows
        if row["state"] in QUEUED_OR_ACTIVE or (row["state"] == "finished" and not row["counted"])
    ]
    chosen = ""
    if done:
        linked = {row["run"]: row["linked"] for row in rows}
        chosen = str(
            st.selectbox(
                "Trained with these labels",
                done,
                key="retrained_run",
                format_func=lambda r: f"{r}{'' if linked[r] else ' (not cloned from this run)'}",
            )
        )
        if not linked[chosen]:
            st.caption(
                "It is no clone of this run: a difference may also come from another "
                "recipe, network or seed."
            )
        st.page_link("pages/runs.py", label="Its curves", icon=":material/show_chart:")
    for row in rows:
        if row["state"] in ("failed", "interrupted"):
            st.error(
                f"{session.plain(row['run'])}: {session.plain(row['cause'] or row['state'])}",
                icon=":material/error:",
            )
    if active:
        _follow(run, splits[-1], groups)
    elif not done:
        st.caption(
            "A clone of this run learns the merged labels: same network, recipe, size, "
            "seed and splits. An ensemble is cloned member by "
            "member. Its predictions follow by themselves."
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
    def panel() -> None:
        workspace = session.workspace()
        workspace.runs.refresh()
        rows = workspace.tiers.retrained(run, groups, split)
        active = [row for row in rows if row["state"] in QUEUED_OR_ACTIVE]
        waiting = [row for row in rows if row["state"] == "finished" and not row["counted"]]
        if not active and not any(_predicting(row["run"], split) for row in waiting):
            if any(row["counted"] for row in rows) or any(
                row["state"] in ("failed", "interrupted") for row in rows
            ):
                st.rerun()
            for row in waiting:
                if st.button(
                    f"Predict {split}", key=f"predict_{row['run']}", icon=":material/play_arrow:"
                ):
                    workspace.runs.predict_any(row["run"], split)
                    st.rerun()
            return
        if any(row["counted"] for row in rows if row["linked"]) and not active:
            st.rerun()
        for row in active:
            st.progress(
                min(row["progress"], 1.0),
                text=f"{row['run']}: {row['state']}, learns the merged labels",
            )
        for row in waiting:
            st.progress(1.0, text=f"{row['run']} has learned; predicting {split}")
        st.page_link("pages/runs.py", label="Watch it", icon=":material/monitoring:")

    panel()


def _predicting(run: str, split: str) -> bool:
    rows = {r.run: r for r in session.workspace().runs.rows()}
    return any(
        rows[name].status.state in QUEUED_OR_ACTIVE
        for name in session.workspace().runs.derived(run, split)
        if name in rows
    )


def _compare(found: Mapping[str, Any], titles: Sequence[str]) -> None:
    """Draw the tiers that exist: gains with intervals, all scores, the groups."""
    left, right = st.columns([3, 2], gap="large")
    rows = []
    for tier in found["tiers"]:
        if (
            tier["images"] < found["images"]
        ):  # what was predicted for the same images, so that the next row has its equal
            rows.append(_row(f"T0 on the same {tier['images']} images", tier, promised=True))
        rows.append(_row(TITLES[tier["tier"]], tier))
    number = st.column_config.NumberColumn(format="%.4f")
    with left:
        figure = charts.tier_gains(found["tiers"], TITLES)
        st.plotly_chart(
            figure,
            key="tier_gains",
            config=session.CHART,
            alt="Gain of each tier over the unmerged model, with intervals",
        )
    with right:
        for tier in found["tiers"]:
            if tier["beyond"]:
                st.markdown(sentence(tier))
        st.caption(
            "All tiers are scored on the merged labels of the same images, so their "
            "differences are fair; intervals draw images anew and "
            "keep each image's pair together (95 %). A gain over the unmerged model is "
            "partly composition: the average of fewer labels."
        )
    tables.draw(
        rows, column_config={title: number for _, title in SCORES}, alt="Scores of each tier"
    )
    if len(found["tiers"]) > 1:
        columns: dict[str, Sequence[float | None]] = {}
        for tier in found["tiers"]:
            if tier["images"] < found["images"]:
                columns[f"T0 on the same {tier['images']} images"] = tier["predicted_iou"]
            columns[TITLES[tier["tier"]]] = tier["group_iou"]
        table = [
            {"label": title, **{name: values[k] for name, values in columns.items()}}
            for k, title in enumerate(titles)
        ]
        percent = st.column_config.NumberColumn(format="percent")
        tables.draw(
            table, column_config=dict.fromkeys(columns, percent), alt="IoU of each group by tier"
        )


def _row(title: str, tier: Mapping[str, Any], *, promised: bool = False) -> dict[str, Any]:
    """Scores of a tier, or what was predicted for the images that it was compared on."""
    row: dict[str, Any] = {"tier": title, "images": tier["images"]}
    for key, name in SCORES:
        value = tier["scores"][key]
        over = tier["beyond"][key]["difference"] if promised else 0.0
        row[name] = None if value is None or over is None else value - over
    return row


def sentence(tier: Mapping[str, Any]) -> str:
    """Say what a tier gave beyond what was predicted, in points of mean IoU."""
    change = tier["beyond"]["mean_iou"]
    difference, (low, high) = change["difference"], change["interval"]
    name = {"summed": "Summing probabilities", "retrained": "Retraining"}[tier["tier"]]
    if difference is None:
        return f"**{name}**: mean IoU is undefined here."
    told = f"**{name}** gave {100 * difference:+.2f} points of mean IoU beyond what was predicted"
    if low is None:
        return f"{told}; one image has no interval."
    verdict = (
        "better than predicted"
        if low > 0
        else "worse than predicted"
        if high < 0
        else "no more than chance, as predicted"
    )
    return f"{told} ({100 * low:+.2f} to {100 * high:+.2f}): {verdict}, on {tier['images']} images."
