"""A run and the masks of today: train it again on them, and what that bought."""

import streamlit as st

from segcore import formatting
from segcore.labels import list_names, plural
from segcore.ui.shared import manual, run_progress, session, tables
from segcore.ui.shared.run_names import called
from segcore.workspace.retraining import Retrained, RetrainingReport

HELP = (
    "Difference of the mean IoU, the clone less the run before, each image's pair kept together. Both "
    "are scored against the masks of today."
)


def show(run: str) -> None:
    """Draw what concerns the masks of a finished training run; nothing where they are the same."""
    workspace = session.workspace()
    with session.errors_shown():
        retrained = workspace.retrainings.of(run)
        if retrained is not None:
            _card(retrained)
        edited = workspace.masks.edited_since(run)
    if edited:
        _offer(run, len(edited))


def _offer(run: str, edited: int) -> None:
    """Say how many masks changed since a run read them, and offer to train again."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="retrain"):
        st.markdown(
            f"**{plural(edited, 'mask')}** changed since this run read its data.", width="stretch"
        )
        for warm, label in ((True, "Retrain from its weights"), (False, "Retrain from scratch")):
            pressed = st.button(
                label,
                icon=":material/model_training:",
                key=f"retrain_{warm}",
                help="The same config and seed on the masks of today, "
                + ("started from this run's network." if warm else "started as this run was."),
            )
            if pressed:
                with session.errors_shown():
                    made = session.workspace().retrainings.start(run, warm)
                session.request("run", made.run)
                st.rerun()


def _card(retrained: Retrained) -> None:
    """Say what the masks that were fixed between two runs bought."""
    workspace = session.workspace()
    start = "its weights" if retrained.warm else "the same start"
    if retrained.of not in workspace.runs.ids():
        st.caption(f"Trained again from {start}; the run before was deleted.")
        return
    with st.container(border=True, key="retrained"):
        name = session.plain(called(retrained.of))
        st.markdown(f"**What the fixing bought**: {name} trained again from {start}")
        if retrained.note:
            st.caption(retrained.note)
        dataset = workspace.datasets.open(workspace.runs.open(retrained.run).config.dataset)
        split = session.choose_split(dataset.splits, key="bought_split")
        pair = (retrained.of, retrained.run)
        missing = [one for one in pair if not workspace.scores.has_counts(one, split)]
        if missing:
            waited = [
                f"{one}--{split}" for one in missing if f"{one}--{split}" in workspace.runs.ids()
            ]
            if waited:
                run_progress.follow(waited, "Predicting", "bought")
            elif st.button(f"Predict {split}", icon=":material/play_arrow:", key="bought_predict"):
                with session.errors_shown():
                    workspace.retrainings.predict(retrained.run, split)
                st.rerun()
            return
        stamp = " ".join(workspace.scores.stamp(one, split) for one in pair)
        _report(_measured(retrained.run, split, stamp))


@st.cache_resource(max_entries=16, show_spinner="Comparing …")
def _measured(run: str, split: str, stamp: str) -> RetrainingReport:
    return session.workspace().retrainings.gain(run, split)


def _report(report: RetrainingReport) -> None:
    difference = report.comparison.difference
    if report.comparison.reasons:
        st.warning(report.sentence, icon=":material/warning:")
        return
    left, right = st.columns([2, 3], vertical_alignment="top")
    with left:
        st.metric(
            "Change of mean IoU",
            formatting.points(difference.value),
            help=manual.see(HELP, "how-to/fix-labels"),
        )
        st.caption(
            f"{difference.range(signed=True)} points, {report.images:,} images"
            if difference.is_known
            else difference.reason()
        )
        if report.touched_gain is not None:
            apart = report.touched_gain
            st.caption(
                f"Classes touched ({session.plain(list_names(report.touched, 4))}): "
                f"{formatting.points(apart.value)}, {apart.range(signed=True)} points"
            )
    with right:
        tables.draw(
            [
                {
                    "split": row.split or "no split",
                    "masks fixed": row.masks,
                    "pixels changed": row.pixels,
                    "newly labelled": row.labelled,
                }
                for row in report.work
            ],
            alt="What changed in the masks between the two runs",
        )
        if difference.is_known and not difference.excludes_zero:
            st.caption("The interval holds 0: the scores do not show the work.")
