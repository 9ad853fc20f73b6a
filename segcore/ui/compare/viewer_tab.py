"""The viewer of the Compare page: order, filmstrip, panels, and what can be downloaded."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segcore.catalog import IMAGE_ORDERS
from segcore.errors import SegcoreError
from segcore.ui import viewer
from segcore.ui.compare import contact_sheet, image_order
from segcore.ui.compare import panels as compare_panels
from segcore.ui.compare.image_order import Walk
from segcore.ui.shared import background_tasks, band_choice, session, split_predictions
from segcore.ui.shared.run_names import called, model_id, shown

KEY = "compare"
SHEET_ROWS = 12
STRIP = 124
"""Width of the filmstrip in CSS pixels."""

POOLED = (
    "Of one image: its mean IoU averages the classes in that image. The score of a split adds up "
    "the pixels of all images first, so the two differ."
)


@dataclass(frozen=True)
class Places:
    """Where the page's row of controls has room for those of the viewer.

    Attributes:
        order: For the menu of order and filters.
        panels: For the menu of panels.
        images: For the choice of an image.
    """

    order: DeltaGenerator
    panels: DeltaGenerator
    images: DeltaGenerator


def choose_others(run: str, candidates: Sequence[str]) -> list[str]:
    """Let the user choose models to compare with, in a menu; the link keeps them.

    Args:
        run: Id of the first model.
        candidates: Ids of all finished runs on its dataset.
    """
    siblings = [r for r in dict.fromkeys(session.once_per_model(candidates).values()) if r != run]
    session.prepare_many("beside", siblings)
    chosen = st.session_state.get("beside") or []
    with st.popover(
        f"Compare with ({len(chosen)})" if chosen else "Compare with",
        width="stretch",
        help="Add models to compare with",
    ):
        others: list[str] = st.multiselect(
            "Compare with",
            siblings,
            key="beside",
            bind="query-params",
            placeholder="add models",
            max_selections=5,
            format_func=shown,
        )
        st.page_link(
            "pages/runs.py",
            label="Import predictions of another tool",
            icon=":material/download:",
            query_params={"import": "predictions"},
        )
    return others


def show(runs: Sequence[str], split: str, places: Places) -> None:
    """Draw the panels of one image by one or more runs, next to the filmstrip of the split.

    Args:
        runs: Ids of runs over one dataset, which have counts of the split; the first is A.
        split: Name of the split.
        places: Where the controls go.
    """
    workspace = session.workspace()
    with session.errors_shown():
        if not workspace.scenes.predicted_samples(runs[0], split):
            counted = len(workspace.scores.counts(runs[0], split)[0])
            if not background_tasks.present(runs[0], split, "", counted):
                st.stop()
        with places.order.popover(
            image_order.menu_label(), width="stretch", help="Sort, filter, merge labels"
        ):
            walk = image_order.choose(runs, split)
            merge, beside = _choose_labels(runs[0])
        dataset = workspace.scenes.dataset_of(runs[0])
    if not walk.images:
        st.info(
            "No image that all selected models predicted matches the filters.",
            icon=":material/info:",
        )
        st.stop()
    if st.session_state.pop("from_first", False):
        session.request("sample", walk.images[0])
    with places.panels.popover("Panels", width="stretch"):
        panels = _choose_panels(runs, beside)
        _downloads(walk, runs, split, panels, merge)
    if any(panel in compare_panels.MERGED for panel in panels):
        merge = merge or beside  # without a merged panel every mask stays as it is
    with places.images:
        sample = session.choose_image(walk.images, "sample", "Image", label_visibility="collapsed")
    _walk(runs, split, walk, sample, _Look(panels, merge, dataset.name, dataset.fingerprint))
    with st.container(horizontal=True, vertical_alignment="center"):
        with session.errors_shown():
            split_predictions.caption(runs, split)
            band_choice.choose(dataset.name, "compare_bands")
        st.page_link(
            "pages/edit.py",
            label="Edit mask",
            icon=":material/edit:",
            query_params={"sample": sample, "proposal": runs[0]},
        )
        if "crf_gain" in workspace.rankings.offered(runs[0], split, None):
            st.button(
                "Largest CRF regressions",
                key="crf_hurts",
                type="tertiary",
                icon=":material/trending_down:",
                help="Sorts the images by the change in mean IoU that the CRF makes, largest loss "
                "first, and opens the first.",
                on_click=_to_crf_losses,
            )


@dataclass(frozen=True)
class _Look:
    """How masks are shown: the panels, the label map they go through, and the dataset."""

    panels: tuple[str, ...]
    merge: str
    dataset: str
    fingerprint: str


def _walk(runs: Sequence[str], split: str, walk: Walk, sample: str, look: _Look) -> None:
    """Draw filmstrip and viewer side by side, and send the browser the scene that comes next."""
    workspace = session.workspace()
    stamp = compare_panels.stamp(workspace, runs)
    with session.errors_shown():
        facts = tuple(
            f"Mean IoU on {split}, {split_predictions.score_line(r, split)}" for r in runs
        )
    make = partial(
        compare_panels.packed_scene,
        workspace,
        tuple(runs),
        split,
        panels=look.panels,
        stamp=stamp,
        merge=look.merge,
        facts=facts,
    )
    context = compare_panels.context(
        *(runs, split, look.panels, stamp, look.merge, look.fingerprint, facts)
    )
    row = st.container(horizontal=True, gap="xsmall")
    with row.container(width=STRIP):
        viewer.filmstrip.show(
            walk.images,
            key=KEY,
            current=sample,
            source=look.fingerprint,
            thumbnail=partial(compare_panels.thumbnail, workspace, look.dataset, look.fingerprint),
            scores=viewer.filmstrip.Scores(walk.scores, walk.form, walk.label, POOLED),
            upright=True,
        )
    place = viewer.Place(context, sample, partial(_go, walk.images))
    with row.container(width="stretch"), session.errors_shown():
        result = viewer.show(
            partial(make, sample), key=KEY, state=st.query_params.get("view"), place=place
        )
    if result.share:
        st.query_params["view"] = result.share
    if len(walk.images) > 1:
        following = walk.beside(sample, st.session_state.get(f"{KEY}.direction", 1))
        with suppress(SegcoreError):  # it is shown when that image is opened
            viewer.filmstrip.prefetch(following, partial(make, following), key=KEY, context=context)


def _go(images: Sequence[str], image: str) -> None:
    """Go to an image that the viewer has gone to; remember which way, for what is sent ahead."""
    before = st.session_state.get("sample")
    if image in images:
        session.request("sample", image)
        if before in images:
            st.session_state[f"{KEY}.direction"] = (
                -1 if (images.index(before) - images.index(image)) % len(images) == 1 else 1
            )


def _to_crf_losses() -> None:
    session.request("sort", IMAGE_ORDERS["crf_gain"].title)
    st.session_state["from_first"] = True


def _choose_panels(runs: Sequence[str], beside: str) -> tuple[str, ...]:
    """Let the user choose the panels; the link keeps them.

    Args:
        runs: Ids of the models.
        beside: Name of the label map of merged panels, "" where there is none.
    """
    workspace = session.workspace()
    offered = compare_panels.offered_panels(workspace, runs, bool(beside))
    default = [p for p in compare_panels.DEFAULT_PANELS if p in offered]
    session.prepare_many("panels", offered, default)
    chosen = st.pills(
        "Panels",
        offered,
        selection_mode="multi",
        default=default,
        format_func=lambda p: compare_panels.PANELS[p],
        wrap=True,
        key="panels",
        bind="query-params",
        persist_state="session",
    )
    session.settle("panels", chosen)
    panels = tuple(p for p in compare_panels.PANELS if p in (chosen or default))
    missing = compare_panels.crf_missing(workspace) if "crf" in panels else ""
    if missing:
        st.warning(missing, icon=":material/info:")
        panels = tuple(p for p in panels if p != "crf")
    return compare_panels.with_merged(panels)


def _choose_labels(run: str) -> tuple[str, str]:
    """Let the user show masks through a label map of the dataset, or choose one for merged panels.

    Returns:
        The label map that all masks go through, and the one of the merged panels; at most one of
        them is a name, the others are "".
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


def _downloads(
    walk: Walk, runs: Sequence[str], split: str, panels: tuple[str, ...], merge: str
) -> None:
    """Offer the first images of the order as one picture."""
    workspace = session.workspace()
    count = min(SHEET_ROWS, len(walk.images))

    def sheet() -> bytes:
        rows = [
            (
                compare_panels.model_scene(workspace, runs, split, image, panels, merge),
                f"{image}   {image_order.written(score, walk.form)}",
            )
            for image, score in zip(walk.images[:count], walk.scores, strict=False)
        ]
        return contact_sheet.draw(rows, f"{', '.join(map(called, runs))} on {split}: {walk.label}")

    st.download_button(
        "Download contact sheet",
        sheet,
        f"{model_id(runs[0])}-{split}-sheet.png",
        "image/png",
        icon=":material/grid_on:",
        on_click="ignore",
        help=f"The first {count} images in this order with the selected panels, as one PNG. The "
        "viewer has its own PNG button for the current image.",
    )
