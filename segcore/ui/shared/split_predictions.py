"""Predictions of a split: whether they are there, how to get them, what they score."""

from collections.abc import Sequence

import streamlit as st

from segcore import formatting
from segcore.config import PredictOptions
from segcore.labels import plural
from segcore.runs.folder.status import QUEUED_OR_ACTIVE
from segcore.ui.shared import cached_scores, prediction_options, run_progress, session
from segcore.ui.shared.run_names import called


def offer(runs: Sequence[str], split: str) -> bool:
    """Return whether every run has counts of the split; where not, offer to predict it."""
    workspace = session.workspace()
    missing = [run for run in runs if not workspace.scores.has_counts(run, split)]
    if not missing:
        with session.errors_shown():
            offer_recount(runs, split)
        return True
    imported = [run for run in missing if workspace.runs.open(run).config.kind == "imported"]
    if imported:
        st.info(
            (
                f"{', '.join(f'`{r}`' for r in imported)} was imported from another tool, for "
                "another split. Choose that split, or import its predictions of "
                f"**{session.plain(split)}**."
            ),
            icon=":material/info:",
        )
        return False
    rows = {r.run: r for r in workspace.runs.rows()}
    needed = [
        rows[name] for run in missing for name in workspace.runs.derived(run, split) if name in rows
    ]
    active = [r.run for r in needed if r.status.state in QUEUED_OR_ACTIVE]
    with st.container(border=True):
        if active:
            _follow(active)
        else:
            for row in needed:
                if row.status.state in ("failed", "interrupted"):
                    st.error(
                        f"{row.run}: {row.status.cause or row.status.state}",
                        icon=":material/error:",
                    )
            st.markdown(
                f"**{session.plain(split)}** has no predictions yet from "
                f"{', '.join(f'**{session.plain(called(r))}**' for r in missing)}."
            )
            with st.container(horizontal=True):
                pressed = st.button(
                    f"Predict {split}",
                    type="primary",
                    icon=":material/play_arrow:",
                    key="predict_split",
                )
                with st.popover("Options", icon=":material/tune:"):
                    options = prediction_options.form("split")
            if pressed:
                with session.errors_shown():
                    for run in missing:
                        workspace.runs.predict_any(
                            run, split, None if options == PredictOptions() else options
                        )
                st.rerun()
    return False


def _warn_of_seen(runs: Sequence[str], split: str) -> None:
    """Say whose training has seen images of a split; saying so once is enough for several."""
    workspace = session.workspace()
    for run in runs:
        seen = workspace.scores.seen(run, split)
        if seen:
            st.warning(
                f"{session.plain(called(run))} on {session.plain(split)}: {seen} The splits were "
                "changed after the training; score it on images that it has not seen.",
                icon=":material/warning:",
            )
            return


def offer_recount(runs: Sequence[str], split: str) -> None:
    """Say what is amiss with scores: training has seen the images, or masks were edited since.

    Images with edited masks can be counted anew.
    """
    _warn_of_seen(runs, split)
    recounts = session.workspace().recounts
    outdated = {run: images for run in runs if (images := recounts.outdated(run, split))}
    if not outdated:
        return
    some = max(outdated.values(), key=len)
    whose = ", ".join(session.plain(called(run)) for run in outdated)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/warning: {whose}: {plural(len(some), 'mask')} of **{session.plain(split)}** changed "
            "after scoring: the scores are those of the earlier masks."
        )
        if st.button(
            "Score with the new masks",
            key=f"recount_{runs[0]}",
            icon=":material/refresh:",
            help="Scores these images again from the predictions on disk; nothing is predicted.",
        ):
            with session.errors_shown():
                for run in outdated:
                    recounts.recount(run, split)
            st.rerun()


def offer_missing(members: Sequence[str], splits: Sequence[str], needed_for: str) -> bool:
    """Return whether all probabilities of members on some splits are stored; where not, offer to predict them.

    Args:
        members: Ids of training runs over one dataset.
        splits: Names of splits.
        needed_for: What they are needed for, after "Needed for".
    """
    workspace = session.workspace()
    dataset = workspace.datasets.open(workspace.runs.dataset_of(members))
    lacking = {
        split: count
        for split in splits
        if (count := len(dataset.select(split)) - len(workspace.crf.stored(members, split))) > 0
    }
    active = [
        f"{member}--{split}"
        for split in splits
        for member in members
        if (status := workspace.ensembles.predicted(member, split))
        and status.state in QUEUED_OR_ACTIVE
    ]
    if active:
        run_progress.follow(active, "Predicting", "predict")
    elif lacking:
        missing = ", ".join(f"{count} images of {split}" for split, count in lacking.items())
        st.caption(f"Missing probabilities: {missing}. Needed for {needed_for}.")
        if st.button(
            "Run missing predictions", icon=":material/play_arrow:", key="predict_missing"
        ):
            with session.errors_shown():
                workspace.ensembles.predict_missing(members, list(lacking))
            st.rerun()
    return not active and not lacking


def _follow(names: list[str]) -> None:
    @st.fragment(run_every=1)
    @session.guarded
    def panel() -> None:
        folders = [session.workspace().runs.open(name) for name in names]
        statuses = [folder.status() for folder in folders]
        session.workspace().runs.refresh()
        if all(s.has_ended for s in statuses):
            st.rerun()
        done = sum(s.progress for s in statuses) / len(statuses)
        left = max((s.seconds_left or 0.0) for s in statuses)
        message = next(
            (s.message for s in statuses if s.is_active and s.message), "waiting for a free device"
        )
        st.progress(
            min(done, 1.0),
            text=f"Predicting: {message}" + (f", {formatting.duration(left)} left" if left else ""),
        )

    panel()


def score_line(run: str, split: str) -> str:
    """Return what a run is called with the mean IoU of each of its outputs and their intervals."""
    scores = []
    stages = session.workspace().scores.stages(run, split)
    for stage in stages:
        summary = cached_scores.summary(run, split, stage)
        name = f"{cached_scores.stage_title(stage)} " if len(stages) > 1 else ""
        span = formatting.interval(*summary.interval["mean_iou"])
        scores.append(f"{name}{formatting.percent(summary.mean_iou)} ({span})")
    return f"{called(run)}: {', '.join(scores)}"


def caption(runs: Sequence[str], split: str) -> None:
    """Write the mean IoU of each output of each run, with its interval, as one line."""
    workspace, parts, images, sure = session.workspace(), [], 0, ""
    for run in runs:
        skipped = getattr(workspace.runs.open(run).config, "left_out", 0)
        last = cached_scores.summary(run, split, workspace.scores.stages(run, split)[-1])
        images, sure = last.num_samples, last.how_sure
        short = f", {skipped} images skipped" if skipped else ""
        parts.append(f"{session.plain(score_line(run, split))}{short}")
    st.caption(
        f"Mean IoU, {split} split, {images:,} images, native resolution. {session.plain(sure)} "
        + " · ".join(parts)
    )
