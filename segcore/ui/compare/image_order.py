"""The order of the images of a split: sorted by a score and filtered."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from segcore import formatting
from segcore.catalog import IMAGE_ORDERS
from segcore.ui.shared import session, tags
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
    return formatting.points(score) if form == "points" else formatting.percent(score)


@st.cache_data(max_entries=200, show_spinner=False)
def _ordered(
    _workspace: Workspace,
    run: str,
    split: str,
    by: str,
    label: int,
    other: str | None,
    stamps: tuple[str, ...],
) -> Ordered:
    return _workspace.rankings.order(run, split, by, label=label, other=other)


@st.cache_data(max_entries=50, show_spinner=False)
def _present(_workspace: Workspace, run: str, split: str, stamp: str) -> dict[str, list[int]]:
    ids, counts = _workspace.scores.counts(run, split)
    return {name: row.nonzero()[0].tolist() for name, row in zip(ids, counts.true, strict=True)}


def choose(runs: Sequence[str], split: str) -> Walk:
    """Let the user choose order and filters for the images of all runs; the link keeps both.

    Raises:
        SegcoreError: A run has no counts of that split yet, or a file cannot be read.
    """
    workspace = session.workspace()
    run, other = runs[0], runs[1] if len(runs) > 1 else None
    names = workspace.scores.label_set(run).class_names
    offered = workspace.rankings.offered(run, split, other)
    titles = {IMAGE_ORDERS[name].title: name for name in offered}
    by = titles[
        session.choose_from(
            "Sort by", list(titles), "sort", help="\n\n".join(_help(name) for name in offered)
        )
    ]
    label = (
        names.index(session.choose_from("IoU of", names, "sort_class")) if by == "class_iou" else 0
    )
    help = "Only images whose ground truth contains all of these classes."
    wanted = st.multiselect(
        "Contains", names, key="holds", bind="query-params", placeholder="any class", help=help
    )
    text = (
        st.text_input("Search", key="find", bind="query-params", placeholder="part of a name")
        .strip()
        .lower()
    )
    images, values = _order(workspace, runs, split, by, label, other)
    if wanted:
        present = _present(workspace, run, split, workspace.scores.stamp(run, split))
        needed = {names.index(name) for name in wanted}
        images, values = _kept(
            images, values, [needed <= set(present.get(image, ())) for image in images]
        )
    if text:
        images, values = _kept(images, values, [text in image.lower() for image in images])
    tagged = set(tags.choose(workspace.scenes.dataset_of(run).name, images, "tagged"))
    images, values = _kept(images, values, [image in tagged for image in images])
    title = (
        "mean IoU"
        if by == "order"
        else IMAGE_ORDERS[by].title
        if by != "class_iou"
        else f"IoU of {names[label]}"
    )
    return Walk(images, values, title, "points" if by in ("crf_gain", "difference") else "percent")


def _kept(images: list[str], values: list[float | None], kept: Sequence[bool]) -> Ordered:
    return [i for i, keep in zip(images, kept, strict=True) if keep], [
        v for v, keep in zip(values, kept, strict=True) if keep
    ]


def menu_label() -> str:
    """Return what the menu of order and filters says while it is closed."""
    filtered = (
        any(st.session_state.get(key) for key in ("holds", "find"))
        or st.session_state.get("tagged", tags.ANY) != tags.ANY
    )
    default = IMAGE_ORDERS["order"].title
    order = st.session_state.get("sort") or st.query_params.get("sort") or default
    if order == default:
        order = "Order"
    return f"{order}, filtered" if filtered else str(order)


def _help(name: str) -> str:
    return f"**{IMAGE_ORDERS[name].title}**: {IMAGE_ORDERS[name].summary}"


def _order(
    workspace: Workspace, runs: Sequence[str], split: str, by: str, label: int, other: str | None
) -> Ordered:
    """Images that every run predicted, in order; in their own order with their mean IoU."""
    run = runs[0]
    compared = other if by == "difference" else None
    stamps = tuple(workspace.scores.stamp(r, split) for r in (run, compared) if r)
    if by in SLOW:
        bar = st.empty()

        def progress(done: int, total: int, what: str) -> None:
            bar.progress(
                done / max(1, total),
                text=f"Reading the probabilities of every image (once): {done} of {total}",
            )

        workspace.rankings.unsureness(run, split, progress)
        bar.empty()
    images, values = _ordered(workspace, run, split, by, label, compared, stamps)
    if by == "order":
        scored = dict(
            zip(*_ordered(workspace, run, split, "mean_iou", 0, None, stamps), strict=True)
        )
        values = [scored[image] for image in images]
    for further in runs[1:]:
        known = {s.id for s in workspace.scenes.predicted_samples(further, split)}
        images, values = _kept(images, values, [image in known for image in images])
    return images, values
