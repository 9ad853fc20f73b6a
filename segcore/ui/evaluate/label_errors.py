"""Labels that a confident model contradicts: images, label pairs, and where."""

from typing import Any

import numpy as np
import streamlit as st

from segcore import formatting
from segcore.evaluation.metrics.report import Report
from segcore.evaluation.pages.confused_pixels import densest_box, outline
from segcore.ui.evaluate import boundary
from segcore.ui.shared import background_tasks, cached_scores, session, tables
from segcore.workspace.scores.pixel_metrics import SuspectedImage, Suspects

LISTED = 200
SIDE = 160
"""Height and width of a cut-out, pixels."""

COLOR = (255, 64, 160)


def show(report: Report, run: str, split: str) -> None:
    """List the images of a split by how much of their labels a confident network contradicts."""
    if split == "train":
        st.warning(
            (
                "The model was trained on these labels, so it will seldom contradict them. Use "
                "a split that it has not seen."
            ),
            icon=":material/warning:",
        )
    suspects = _suspects(run, split)
    if suspects is None:
        return
    names = report.label_set.class_names
    listed = [i for i in suspects.images if i.pixels][:LISTED]
    _about(suspects)
    if not listed:
        st.success(
            "The model contradicts no label with confidence.", icon=":material/check_circle:"
        )
        return
    st.page_link(
        "pages/edit.py",
        label="Work through them: accept, keep or redraw, one key each",
        icon=":material/checklist:",
        query_params={"fix": run, "split": split},
    )
    table, picture = st.columns(2, gap="large")
    with table:
        images, pairs = st.tabs(["Images", "Label pairs"])
        with images:
            chosen = _choose_image(listed, names)
        with pairs:
            _pairs(np.asarray(suspects.pairs), names)
    with picture:
        _picture(run, split, chosen, report)


def _suspects(run: str, split: str) -> Suspects | None:
    """Return the suspected labels of a split, or offer to look for them and return None."""
    workspace = session.workspace()
    with session.errors_shown():
        key = (
            f"suspects {run} {split} {workspace.scores.stamp(run, split)} "
            f"{len(workspace.pixel_metrics.samples(run, split))}"
        )
        small = background_tasks.is_small(run, split)
    return background_tasks.passed(
        key,
        lambda tell: workspace.pixel_metrics.suspects(run, split, tell),
        "Find label errors",
        f"Pixels whose label a confident model contradicts. {boundary.HELP}",
        at_once=small,
    )


def _about(suspects: Suspects) -> None:
    """Say how many labels are suspected, by which rule, and why to check them."""
    st.caption(
        (
            f"{suspects.pixels:,} pixels ({formatting.percent(suspects.share)}) have a label "
            "that the model contradicts with confidence: another class is at least as "
            "probable there as it is, on average, where it is the label (confident "
            "learning, Northcutt et al., 2021). Check before you relabel: where the model "
            "is confidently wrong, correct labels are suspected too."
        ),
        help=(
            "The threshold of each class is the mean probability of its own labelled "
            "pixels; a pixel is suspected if another class passes its threshold there. Two "
            "passes over the split."
        ),
    )


def _choose_image(images: list[SuspectedImage], names: list[str]) -> SuspectedImage:
    """List suspected images, most first, and return the selected one, or the first."""
    event = tables.draw(
        [
            {
                "image": i.id,
                "suspected": i.share,
                "pixels": i.pixels,
                "labelled": _name(names, i.given),
                "perhaps": _name(names, i.suggested),
                "trust": i.quality,
            }
            for i in images
        ],
        height=420,
        on_select="rerun",
        selection_mode="single-row",
        key="suspects",
        column_config={
            "suspected": st.column_config.NumberColumn(
                format="percent", help="Fraction of the image's scored pixels"
            ),
            "pixels": st.column_config.NumberColumn(
                format="localized", help="Suspected pixels; most first"
            ),
            "labelled": st.column_config.TextColumn(help="Label of most suspected pixels"),
            "perhaps": st.column_config.TextColumn(help="The model's prediction there"),
            "trust": st.column_config.NumberColumn(
                format="percent", help="Mean probability of the given labels"
            ),
        },
        alt="Images with likely label errors, most first",
    )
    rows = event["selection"]["rows"]
    return images[rows[0] if rows else 0]


def _name(names: list[str], index: int | None) -> str:
    return "" if index is None else names[index]


def _pairs(pairs: Any, names: list[str]) -> None:
    order = [
        divmod(int(i), len(names))
        for i in np.argsort(-pairs, axis=None, kind="stable")[:LISTED]
        if pairs.flat[i]
    ]
    tables.draw(
        [{"labelled": names[a], "perhaps": names[b], "pixels": int(pairs[a, b])} for a, b in order],
        height=420,
        column_config={
            "pixels": st.column_config.NumberColumn(
                format="localized", help="Suspected pixels over all images."
            )
        },
        alt="Pairs of given and suggested label",
    )


def _picture(run: str, split: str, row: SuspectedImage, report: Report) -> None:
    """Show where an image is suspected most, and a link to the viewer."""
    workspace, names = session.workspace(), report.label_set.class_names
    with session.errors_shown():
        dataset = workspace.scenes.dataset_of(run)
        image = workspace.scenes.image(dataset.name, row.id)
        suspects = workspace.pixel_metrics.suspicion(run, split, row.id)
    where = suspects.suspected
    top, left, height, width = densest_box(where, min(SIDE, *image.shape[:2]))
    cut = (slice(top, top + height), slice(left, left + width))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{session.plain(row.id)}**: {session.plain(_name(names, row.given))}, possibly "
            f"{session.plain(_name(names, row.suggested))}"
        )
        if st.button("Open in Compare", icon=":material/open_in_new:", key="suspect_open"):
            cached_scores.look_at(run, split, row.id)
        st.page_link(
            "pages/edit.py",
            label="Edit mask",
            icon=":material/edit:",
            query_params={"sample": row.id, "proposal": run},
        )
    one, two = st.columns(2)
    whole = outline(image, [where], [COLOR], 1)
    y, x, thick = top, left, max(1, round(max(image.shape[:2]) / 200))
    whole[y : y + height, [*range(x, x + thick), *range(x + width - thick, x + width)]] = 255
    whole[[*range(y, y + thick), *range(y + height - thick, y + height)], x : x + width] = 255
    one.image(
        whole,
        caption="Suspected pixels are outlined; the frame shows the close-up",
        width="stretch",
    )
    scale = max(1, 480 // max(height, width))
    two.image(
        outline(image[cut], [where[cut]], [COLOR], scale),
        caption="Close-up of the densest area",
        width="stretch",
    )
