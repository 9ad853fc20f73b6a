"""Pixels that model B fixes and breaks of model A, by pair of classes, and their images."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import streamlit as st

from segcore import formatting
from segcore.evaluation.counts.fixed_broken import FixedBroken
from segcore.ui.compare import fixed_broken_chart
from segcore.ui.shared import cached_scores, manual, session, tables
from segcore.ui.shared.dataset_scans import measured

LISTED = 60


def show(runs: Sequence[str], split: str) -> None:
    """Draw the matrix of fixed and broken pixels of two models, and the images behind a cell.

    Args:
        runs: Ids of runs over one dataset, which have counts of the split.
        split: Name of the split.
    """
    with session.errors_shown():
        stages = cached_scores.named(runs, split)
    names = list(stages)
    if len(names) < 2:
        st.info(
            (
                'Add a second model under "Compare with" to count the pixels that each fixes '
                "and breaks."
            ),
            icon=":material/info:",
        )
        return
    first, second, kind = _ask(names)
    a, b = stages[first], stages[second]
    changes = _count(a, b, split)
    if not changes.sample_ids:
        st.info(
            "No image of this split has masks of both models on disk. Choose each of them alone "
            "under Viewer to predict it.",
            icon=":material/info:",
        )
        return
    with session.errors_shown():
        labels = session.workspace().scores.label_set(a[0]).class_names
        scored = len(session.workspace().scores.sample_ids(a[0], split))
    _cards(changes)
    st.caption(_counted_on(len(changes.sample_ids), scored, split))
    matrix, images = st.columns([3, 2], gap="large")
    with matrix:
        _matrix(changes, labels, kind)
    with images:
        _images(changes, labels, kind, (a[0], b[0]), split)


def _ask(names: Sequence[str]) -> tuple[str, str, str]:
    """Ask for two of some models, A and B, and for "net", "fixed" or "broken"."""
    one, two, three = st.columns([3, 3, 3], vertical_alignment="bottom")
    with one:
        first = session.choose_from("A", names, "exchange_a")
    with two:
        second = session.choose_from("B", [n for n in names if n != first], "exchange_b")
    with three:
        kind = str(
            st.segmented_control(
                "Pixels",
                ["net", "fixed", "broken"],
                default="net",
                key="exchange_what",
                required=True,
            )
        )
    return first, second, kind


def _count(a: tuple[str, str], b: tuple[str, str], split: str) -> FixedBroken:
    """Return the fixed and broken pixels of two models, each a run and its stage; cached."""
    workspace, runs, stages = session.workspace(), (a[0], b[0]), (a[1], b[1])
    with session.errors_shown():
        stamps = [workspace.scores.stamp(run, split, stage) for run, stage in (a, b)]
        dataset = workspace.scenes.dataset_of(a[0])
    changes = measured(
        f"fixed and broken {runs} {stages} {stamps}",
        dataset,
        split,
        lambda progress: workspace.rankings.fixed_broken(*runs, split, *stages, progress=progress),
        "Compare masks",
        cheap=True,
    )
    return cast("FixedBroken", changes)


def _counted_on(counted: int, scored: int, split: str) -> str:
    """Return on how many images of a split the pixels were counted."""
    if counted == scored:
        return f"Counted on {counted} images of {session.plain(split)}."
    return (
        f"Counted on {counted} of {scored} images of {session.plain(split)}, those with masks of "
        "both models on disk; the scores are of all. **Predict all images** on the Evaluate page "
        "adds the others."
    )


def _matrix(changes: FixedBroken, labels: list[str], kind: str) -> None:
    pixels = {
        "net": changes.net,
        "fixed": changes.fixed.total,
        "broken": changes.broken.total,
    }[kind]
    st.plotly_chart(
        fixed_broken_chart.matrix(pixels, labels, kind),
        key="fixed_broken_matrix",
        on_select=_clicked,
        selection_mode="points",
        config=session.CHART,
        alt=(
            "Pixels fixed minus pixels broken, by true class and the class that was predicted "
            "instead"
        ),
    )
    st.caption(
        "Rows are the true class, columns the class predicted by whichever model is "
        "wrong. Green: B fixes more than it breaks. Pixels that both get right or both "
        "get wrong are not counted."
    )


def _cards(changes: FixedBroken) -> None:
    fixed, broken = int(changes.fixed.sum()), int(changes.broken.sum())
    gains = changes.pixels()
    cards = st.columns(4)
    for card, (label, value, help) in zip(
        cards,
        [
            ("Fixed", f"{fixed:,}", "Pixels that A gets wrong and B gets right."),
            ("Broken", f"{broken:,}", "Pixels that A gets right and B gets wrong."),
            (
                "Net",
                formatting.points((fixed - broken) / max(1, changes.scored)),
                "Fixed minus broken, as a percentage of all scored pixels.",
            ),
            (
                "Images B : A",
                f"{(gains > 0).sum()} : {(gains < 0).sum()}",
                "Images in which B fixes more than it breaks : the reverse.",
            ),
        ],
        strict=True,
    ):
        card.metric(
            label,
            value,
            border=True,
            height="stretch",
            help=manual.see(help, "metrics#ensembles-and-the-crf"),
        )


def _clicked() -> None:
    points = st.session_state["fixed_broken_matrix"]["selection"]["points"]
    if points and points[0].get("customdata"):
        true, other = points[0]["customdata"][:2]
        st.session_state["fixed_broken_cell"] = (int(true), int(other))


def _images(
    changes: FixedBroken, labels: list[str], kind: str, pair: tuple[str, str], split: str
) -> None:
    """List the images of a cell, or those that change most; a click compares both models there."""
    cell = st.session_state.get("fixed_broken_cell")
    if cell and max(cell) < len(labels):
        true, other = cell
        rows = changes.hardest(true, other, kind)
        st.markdown(
            f"**{session.plain(labels[true])}** predicted as **{session.plain(labels[other])}**"
        )
        if st.button("Show all pairs", icon=":material/close:", type="tertiary"):
            del st.session_state["fixed_broken_cell"]
            st.rerun()
    else:
        st.markdown("**Most changed images**")
        values = changes.pixels(kind)
        order = np.argsort(-np.abs(values), kind="stable")
        rows = [(changes.sample_ids[i], int(values[i])) for i in order if values[i]]
    event = tables.draw(
        [{"image": name, "pixels": pixels} for name, pixels in rows[:LISTED]],
        on_select="rerun",
        selection_mode="single-row",
        key=f"exchange_images_{cell}_{kind}",
        column_config={
            "pixels": st.column_config.NumberColumn(
                format="localized", help="Fixed minus broken, or the kind selected above."
            )
        },
        alt="Images with the most changed pixels",
    )
    st.caption(
        "Click a cell of the matrix to list its images, and an image to compare both models there."
    )
    chosen = event["selection"]["rows"]
    if chosen:
        name = rows[chosen[0]][0]
        cached_scores.look_at(pair[0], split, name, beside=pair[1] if pair[1] != pair[0] else None)
