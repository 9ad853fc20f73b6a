"""The images of a dataset as a grid of thumbnails, filtered by class, tag and name."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.ui import viewer
from segcore.ui.compare import panels
from segcore.ui.shared import pictures, session, tags
from segcore.ui.shared.dataset_scans import stamp

ANY = "any class"
ROW = 8
"""Thumbnails side by side."""

ROWS = 4
SIDE = 180
"""Longer side of a thumbnail, pixels."""

LISTED = 2000
"""Images that a list offers at most."""


def show(dataset: Dataset, split: str | None) -> None:
    """Draw filters, a page of thumbnails, and the image that was picked with its mask.

    Args:
        dataset: The dataset.
        split: Its split, None for all.
    """
    samples = _filtered(dataset, split)
    if not samples:
        st.caption("No image matches. Choose another class, tag or name.")
        return
    per_page = ROW * ROWS
    pages = -(-len(samples) // per_page)
    asked = st.session_state.get("sample") or st.query_params.get("sample")
    key = f"gallery_page_{dataset.name}"
    start = samples.index(asked) // per_page + 1 if asked in samples else 1
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        overlay = st.toggle("Masks", value=True, key="gallery_masks", persist_state="session")
        st.caption(f"{len(samples):,} images")
        number = pictures.choose_page(pages, key, start)
    shown = samples[per_page * (number - 1) : per_page * number]
    with st.container(key="gallery"):
        _grid(dataset, shown, overlay)
    _picked(dataset, samples)


def _filtered(dataset: Dataset, split: str | None) -> list[str]:
    workspace = session.workspace()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = session.choose_from(
            "Contains class", [ANY, *dataset.label_set.class_names], "holding"
        )
        samples = workspace.datasets.holding(dataset.name, split, None if wanted == ANY else wanted)
        if not samples:
            return []
        with session.errors_shown():
            samples = tags.choose(dataset.name, samples, "tagged")
        text = st.text_input(
            "Search", key="named", placeholder=f"part of a name, among {len(samples):,}"
        ).strip()
    return [s for s in samples if text in s] if text else samples


def _grid(dataset: Dataset, samples: Sequence[str], overlay: bool) -> None:
    version, titles = stamp(dataset), _titles(samples)
    for start in range(0, len(samples), ROW):
        columns = st.columns(ROW, gap="small")
        for column, sample in zip(columns, samples[start : start + ROW], strict=False):
            with column, st.container(gap=None):
                picture = _thumbnail(dataset, sample, overlay, version)
                if picture is not None:
                    st.image(picture, width="stretch", alt=f"Image {sample}")
                st.button(
                    titles[sample],
                    key=f"pick_{sample}",
                    help=sample,
                    on_click=session.request,
                    args=("sample", sample),
                    width="stretch",
                    type="tertiary",
                )


def _titles(samples: Sequence[str]) -> dict[str, str]:
    """Return what stands below each image: its name, with its folder where names repeat."""
    last = {sample: sample.rsplit("/", 1)[-1] for sample in samples}
    seen = Counter(last.values())
    return {
        sample: name[-18:] if seen[name] == 1 else "/".join(sample.split("/")[-2:])[-24:]
        for sample, name in last.items()
    }


def _picked(dataset: Dataset, samples: list[str]) -> None:
    """Draw one image next to its mask, with its tags."""
    asked = (
        st.session_state.get("sample:requested")
        or st.session_state.get("sample")
        or st.query_params.get("sample")
    )
    listed = samples[:LISTED]
    if asked in samples and asked not in listed:
        listed = [asked, *listed]
    sample = session.choose_image(listed, "sample", f"Image ({len(samples):,})")
    with session.errors_shown():
        scene = panels.truth_scene(session.workspace(), dataset.name, sample)
    result = viewer.show(scene, key="browse")
    if result.step:
        session.step(listed, "sample", result.step)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/edit.py",
            label="Edit mask",
            icon=":material/edit:",
            query_params={"sample": sample},
        )
        tags.edit(dataset.name, sample)


@st.cache_data(max_entries=1000, max_size="60MB", show_spinner=False)
def _thumbnail(_dataset: Dataset, sample: str, mask: bool, stamp: str) -> bytes | None:
    try:
        return pictures.jpeg(pictures.thumbnail(_dataset, sample, SIDE, mask=mask))
    except SegcoreError:
        return None  # the Health tab says why
