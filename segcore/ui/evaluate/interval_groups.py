"""What intervals draw, single images or whole drives: chosen once for a dataset, used everywhere."""

import streamlit as st

from segcore.data.health.interval_groups import IMAGES
from segcore.ui.shared import cached_scores, manual, session


def choose(run: str, dataset: str, split: str, stage: str) -> None:
    """Let the user choose what all intervals over this dataset draw, where its images form groups."""
    workspace = session.workspace()
    units = {
        IMAGES: "images",
        **{
            by: f"{number} {cached_scores.UNITS[by]}"
            for by, number in cached_scores.groupings(run, split, stage).items()
        },
    }
    now = workspace.datasets.interval_groups(dataset).by
    if len(units) < 2:
        return
    by = st.segmented_control(
        "Intervals over",
        list(units),
        default=now if now in units else IMAGES,
        format_func=units.__getitem__,
        key=f"over_{dataset}_{split}_{stage}",
        required=True,
        help=manual.see(
            "Images of one drive or folder are alike, so drawing single images makes intervals "
            "too narrow for new drives. Drawing whole groups answers for new ones; fewer than 6 "
            "groups have no interval. Remembered for the dataset and used for every interval.",
            "intervals",
        ),
    )
    if by is not None and str(by) != now and not (now not in units and by == IMAGES):
        workspace.datasets.choose_interval_groups(dataset, str(by))
    note = workspace.scores.drawn_by(run, workspace.scores.counts(run, split, stage)[0]).note
    if note:
        st.caption(session.plain(note))
