"""Looking at images one after the other: order, filmstrip, panels, what to take away."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import streamlit as st

from segcore.catalog import IMAGE_ORDERS
from segcore.errors import SegcoreError
from segcore.ui import viewer
from segcore.ui.compare import contact_sheet, image_order
from segcore.ui.compare import panels as compare_panels
from segcore.ui.compare.image_order import Walk
from segcore.ui.shared import session, split_predictions

KEY = "compare"
SHEET_ROWS = 12
PICKER = 400
"""Width of the order's menu and the choice of an image, in CSS pixels."""


def show(runs: Sequence[str], split: str) -> None:
    """Draw the panels of one image by one or more runs, with the filmstrip of the split above them.

    Args:
        runs: Ids of runs over one dataset, which have counts of the split; the first is A.
        split: Name of the split.
    """
    workspace = session.workspace()
    with session.errors_shown():
        if not workspace.scenes.predicted_samples(runs[0], split):
            st.info(
                "No image of this split was predicted by all selected models.",
                icon=":material/info:",
            )
            st.stop()
        row = st.container(
            horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"
        )
        controls = row.container(width="content")
        right = row.container(horizontal=True, vertical_alignment="bottom", width=PICKER)
        with right.popover(
            image_order.menu_label(), icon=":material/sort:", help="Order, filters, labels"
        ):
            found = image_order.choose(runs, split)
            merge, beside = _choose_labels(runs[0])
        dataset = workspace.scenes.dataset_of(runs[0])
    if not found.images:
        st.info(
            "No image that all selected models predicted matches the filters.",
            icon=":material/info:",
        )
        st.stop()
    if st.session_state.pop("from_first", False):
        st.session_state["sample_moved"] = found.images[0]
    with controls:
        panels = _choose_panels(runs, beside)
        if any(
            panel in compare_panels.MERGED for panel in panels
        ):  # without a merged panel every mask stands as it is
            merge = merge or beside
    with right:
        sample = session.choose_image(
            found.images, "sample", f"Image ({len(found.images)} available)"
        )
    make = partial(
        compare_panels.packed_scene,
        workspace,
        tuple(runs),
        split,
        panels=panels,
        stamp=compare_panels.stamp(workspace, runs),
        merge=merge,
    )
    context = compare_panels.context(
        runs, split, panels, compare_panels.stamp(workspace, runs), merge, dataset.fingerprint
    )
    viewer.filmstrip.show(
        found.images,
        key=KEY,
        current=sample,
        source=dataset.fingerprint,
        thumbnail=partial(compare_panels.thumbnail, workspace, dataset.name, dataset.fingerprint),
        scores=found.scores,
        form=found.form,
        label=found.label,
    )
    place = viewer.Place(context, sample, partial(_go, found.images))
    with session.errors_shown():
        result = viewer.show(
            partial(make, sample), key=KEY, state=st.query_params.get("view"), place=place
        )
    if result.share:
        st.query_params["view"] = result.share
    with st.container(horizontal=True):
        _take_away(found, runs, split, panels, merge)
        if "crf_gain" in workspace.rankings.offered(runs[0], split, None):
            told = (
                "Sorts the images by the change in mean IoU that the CRF makes, largest loss "
                "first, and opens the first."
            )
            st.button(
                "Largest CRF regressions",
                key="crf_hurts",
                icon=":material/trending_down:",
                help=told,
                on_click=_to_crf_losses,
            )
    with session.errors_shown():
        split_predictions.caption(runs, split)
    if len(found.images) > 1:
        following = found.beside(sample, st.session_state.get(f"{KEY}.direction", 1))
        with suppress(SegcoreError):  # it is said when that image is looked at
            viewer.filmstrip.prefetch(following, partial(make, following), key=KEY, context=context)


def _go(images: Sequence[str], image: str) -> None:
    """Go to an image that the viewer has gone to; remember which way, for what is sent ahead."""
    before = st.session_state.get("sample")
    if image in images:
        st.session_state["sample_moved"] = image
        if before in images:
            st.session_state[f"{KEY}.direction"] = (
                -1 if (images.index(before) - images.index(image)) % len(images) == 1 else 1
            )


def _to_crf_losses() -> None:
    st.session_state["sort"] = IMAGE_ORDERS["crf_gain"].title
    st.session_state["from_first"] = True


def _choose_panels(runs: Sequence[str], beside: str) -> tuple[str, ...]:
    """Let the user choose the panels, with merged ones beside them where a merge is named; the link keeps them."""
    workspace = session.workspace()
    offered = compare_panels.offered_panels(workspace, runs, bool(beside))
    default = [p for p in compare_panels.DEFAULT_PANELS if p in offered]
    chosen = st.pills(
        "Panels",
        offered,
        selection_mode="multi",
        default=default,
        format_func=lambda p: compare_panels.PANELS[p],
        label_visibility="collapsed",
        wrap=True,
        key="panels",
        bind="query-params",
        persist_state="session",
    )
    panels = tuple(p for p in compare_panels.PANELS if p in (chosen or default))
    missing = compare_panels.crf_missing(workspace) if "crf" in panels else ""
    if missing:
        st.warning(missing, icon=":material/info:")
        panels = tuple(p for p in panels if p != "crf")
    return compare_panels.with_merged(panels)


def _choose_labels(run: str) -> tuple[str, str]:
    """Let the user look at all masks through a merge that was saved with the dataset, or choose one for panels beside the others.

    Returns:
        The merge that all masks go through, and the one of the merged panels; at most one of them
        is a name, the others are "".
    """
    workspace = session.workspace()
    maps = (
        []
        if workspace.scenes.label_map_of(run)
        else list(workspace.scenes.dataset_of(run).label_maps())
    )
    if not maps:
        return "", ""
    own = "unmerged"
    chosen = session.choose_from(
        "Labels",
        [own, *maps],
        "labels",
        help="Shows all masks through a label map saved with the dataset.",
    )
    if chosen != own:
        return chosen, ""
    help = "The label map of the merged panels."
    return "", maps[0] if len(maps) == 1 else session.choose_from(
        "Merged panels use", maps, "beside_labels", help=help
    )


def _take_away(
    found: Walk, runs: Sequence[str], split: str, panels: tuple[str, ...], merge: str
) -> None:
    """Offer the first images of the order as one picture."""
    workspace = session.workspace()
    count = min(SHEET_ROWS, len(found.images))

    def sheet() -> bytes:
        rows = [
            (
                compare_panels.model_scene(workspace, runs, split, image, panels, merge),
                f"{image}   {image_order.written(score, found.form)}",
            )
            for image, score in zip(found.images[:count], found.scores, strict=False)
        ]
        return contact_sheet.draw(rows, f"{', '.join(runs)} on {split}: {found.label}")

    st.download_button(
        "Download contact sheet",
        sheet,
        f"{runs[0]}-{split}-sheet.png",
        "image/png",
        icon=":material/grid_on:",
        on_click="ignore",
        help=(
            f"The first {count} images in this order with the selected panels, as one PNG. "
            "The viewer has its own PNG button for the current image."
        ),
    )
