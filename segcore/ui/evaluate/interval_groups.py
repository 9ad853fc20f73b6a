"""What intervals draw, images or whole drives: chosen once for a dataset, used everywhere."""

import streamlit as st

from segcore.data.health.interval_groups import IMAGES
from segcore.evaluation.metrics.report import plain
from segcore.ui.shared import cached_scores, login, manual, session, tables


def choose(run: str, dataset: str, split: str, stage: str) -> None:
    """Let the user choose what intervals draw, where images form groups; say what they stand for."""
    workspace = session.workspace()
    _choose(run, dataset, split, stage)
    note = workspace.scores.drawn_by(run, workspace.scores.sample_ids(run, split, stage)).note
    if note:
        st.caption(session.plain(note))


def _choose(run: str, dataset: str, split: str, stage: str) -> None:
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
        disabled=not login.may_edit(),
        key=f"over_{dataset}_{split}_{stage}",
        required=True,
        help=manual.see(
            "Images of one drive or folder are alike, so drawing single images makes intervals "
            "too narrow for new drives. Drawing whole groups answers for new ones; fewer than 6 "
            "groups have no interval. Remembered for the dataset and used for every interval.",
            "intervals#how-it-is-made",
        ),
    )
    if by is not None and str(by) != now and not (now not in units and by == IMAGES):
        workspace.datasets.choose_interval_groups(dataset, str(by))


def coverage(run: str, split: str, stage: str, names: list[str]) -> None:
    """Say how many images a difference needs, and on request how often these intervals cover."""
    sentence = cached_scores.plan_sentence(run, split, stage)
    if sentence:
        st.caption(sentence)
    asked = f"coverage_{run}_{split}_{stage}"
    if not st.toggle(
        "Check the intervals by simulation",
        key=asked,
        help=manual.see(
            "Draws sets of as many images from these, takes the interval of each, and counts how "
            "often it contains the value over all of them. Takes some seconds.",
            "intervals#how-it-is-made",
        ),
    ):
        return
    with session.errors_shown():
        coverages = cached_scores.coverage(run, split, stage)
    sentence = coverages.sentence()
    (st.caption if "too few" not in sentence else st.warning)(sentence)
    tables.draw(
        [
            {"class": name, "coverage": plain(one.share), "sets with an interval": plain(one.known)}
            for name, one in zip(names, coverages.scores["iou"], strict=True)
        ],
        height=38 + 35 * min(len(names), 10),
        column_config={
            "coverage": st.column_config.NumberColumn(
                format="percent", help="Share of 95 % intervals that contain the class's IoU"
            ),
            "sets with an interval": st.column_config.NumberColumn(
                format="percent", help="Below 3 images that contain the class there is none"
            ),
        },
        alt="Coverage of each class's interval",
    )
