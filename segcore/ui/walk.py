"""The order in which a page walks through the images of a split: sorted by any score, filtered, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from segcore.catalog import IMAGE_ORDERS
from segcore.ui import state
from segcore.workspace import Workspace

Ordered = tuple[list[str], list[float | None]]
SLOW = ("entropy", "disagreement")
"""Orders that read every probability before the first look."""


@dataclass(frozen=True)
class Walk:
    """Images in their order.

    Attributes:
        images: Ids.
        scores: The number each was ordered by, or its mean IoU.
        label: What the numbers are.
        form: "percent", or "points" for signed differences.
    """

    images: list[str]
    scores: list[float | None]
    label: str
    form: str = "percent"

    def beside(self, image: str, by: int) -> str:
        """Return the image some places further, round the end."""
        return self.images[(self.images.index(image) + by) % len(self.images)]


def written(score: float | None, form: str) -> str:
    """Write a score of a walk as the filmstrip does."""
    if score is None:
        return "–"
    return f"{100 * score:+.1f} points" if form == "points" else f"{100 * score:.1f} %"


@st.cache_data(max_entries=200, show_spinner=False)
def _ordered(_workspace: Workspace, run: str, split: str, by: str, label: int, other: str | None, stamps: tuple[str, ...]) -> Ordered:
    return _workspace.rankings.order(run, split, by, label=label, other=other)


@st.cache_data(max_entries=50, show_spinner=False)
def _present(_workspace: Workspace, run: str, split: str, stamp: str) -> dict[str, list[int]]:
    ids, counts = _workspace.scores.counts(run, split)
    return {name: matrix.sum(-1).nonzero()[0].tolist() for name, matrix in zip(ids, counts, strict=True)}


def choose(runs: Sequence[str], split: str) -> tuple[Walk, str]:
    """Let the user choose an order and filters for the images that all runs predicted, and one of them; the link keeps all.

    Returns:
        The walk, and the chosen image; "" where no image is left.

    Raises:
        SegcoreError: A run has no counts of that split yet, or a file cannot be read.
    """
    workspace = state.workspace()
    run, other = runs[0], runs[1] if len(runs) > 1 else None
    names = workspace.scores.label_set(run).class_names
    by_class = (
        st.session_state.get("sort") == IMAGE_ORDERS["class_iou"].title or st.query_params.get("sort") == IMAGE_ORDERS["class_iou"].title
    )
    columns = st.columns([3, 3, 3, 2, 4] if by_class else [3, 3, 2, 4], vertical_alignment="bottom")
    sort, holds, find, picker = columns[0], *columns[-3:]
    offered = workspace.rankings.offered(run, split, other)
    titles = {IMAGE_ORDERS[name].title: name for name in offered}
    with sort:
        chosen = state.choose_from("First look at", list(titles), "sort", help="\n\n".join(_help(name) for name in offered))
    by = titles[chosen]
    label = 0
    if by == "class_iou":
        with columns[1]:
            label = names.index(state.choose_from("IoU of", names, "sort_class"))
    wanted = holds.multiselect(
        "Holds", names, key="holds", bind="query-params", placeholder="any class", help="True masks with all of these."
    )
    text = find.text_input("Find", key="find", bind="query-params", placeholder="part of a name").strip().lower()
    images, values = _order(workspace, runs, split, by, label, other)
    if wanted:
        present = _present(workspace, run, split, workspace.scores.stamp(run, split))
        needed = {names.index(name) for name in wanted}
        kept = [i for i, image in enumerate(images) if needed <= set(present.get(image, ()))]
        images, values = [images[i] for i in kept], [values[i] for i in kept]
    if text:
        kept = [i for i, image in enumerate(images) if text in image.lower()]
        images, values = [images[i] for i in kept], [values[i] for i in kept]
    sample = ""
    if images:
        with picker:
            sample = state.choose_image(images, "sample", f"Image, {len(images)} predicted")
    title = "mean IoU" if by == "order" else IMAGE_ORDERS[by].title if by != "class_iou" else f"IoU of {names[label]}"
    return Walk(images, values, title, "points" if by in ("crf_gain", "difference") else "percent"), sample


def _help(name: str) -> str:
    return f"**{IMAGE_ORDERS[name].title}**: {IMAGE_ORDERS[name].summary}"


def _order(workspace: Workspace, runs: Sequence[str], split: str, by: str, label: int, other: str | None) -> Ordered:
    """Images that every run predicted, in order; in their own order with their mean IoU."""
    run = runs[0]
    compared = other if by == "difference" else None
    stamps = tuple(workspace.scores.stamp(r, split) for r in (run, compared) if r)
    if by in SLOW:
        bar = st.empty()

        def progress(done: int, total: int, what: str) -> None:
            bar.progress(done / max(1, total), text=f"Reading the probabilities of every image, once: {done} of {total}")

        workspace.rankings.unsureness(run, split, progress)
        bar.empty()
    images, values = _ordered(workspace, run, split, by, label, compared, stamps)
    if by == "order":
        scored = dict(zip(*_ordered(workspace, run, split, "mean_iou", 0, None, stamps), strict=True))
        values = [scored[image] for image in images]
    for further in runs[1:]:
        known = {s.id for s in workspace.scenes.predicted_samples(further, split)}
        kept = [i for i, image in enumerate(images) if image in known]
        images, values = [images[i] for i in kept], [values[i] for i in kept]
    return images, values
