"""Which images a plan repeats and why, and the very copies that training will see."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from segcore.catalog import AUGMENTATIONS
from segcore.data.balance.plans import BalancePlan
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.ui.shared import pictures, session, tables
from segcore.ui.shared.dataset_scans import LISTED, stamp
from segcore.workspace import Workspace
from segcore.workspace.datasets.datasets import RepeatedImage

SHOWN_COPIES = 5
PICTURED = 60
"""Rows of the table that carry a picture."""

Pictures = list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], tuple[str, ...]]]
"""Image and painted mask, both (h, w, 3) RGB, and the names of the transforms."""


@dataclass(frozen=True)
class CopiesView:
    """Which copies are previewed.

    Attributes:
        sample: The repeated sample.
        preset: A name in ``catalog.AUGMENTATIONS``.
        seed: The run's seed.
        epoch: The run's epoch, from 0.
    """

    sample: str
    preset: str
    seed: int
    epoch: int


def table(dataset: Dataset, rows: Sequence[RepeatedImage], name: str) -> None:
    """Draw the repeated images, most repeats first, with a picture and the classes that they bring.

    Args:
        dataset: The dataset.
        rows: As ``datasets.repeated`` returns them.
        name: Start of the names of files to download.
    """
    shown = [
        {
            "picture": _small(dataset, row.sample, stamp(dataset)) if number < PICTURED else None,
            "image": row.sample,
            "repeats": row.repeats,
            "brings": ", ".join(row.brings),
        }
        for number, row in enumerate(rows[:LISTED])
    ]
    tables.draw(
        shown,
        row_height=64,
        height=420,
        column_config={
            "picture": st.column_config.ImageColumn("", width="small"),
            "repeats": st.column_config.NumberColumn(
                format="×%d", help="Occurrences in every epoch, the original included."
            ),
            "brings": st.column_config.TextColumn(
                help=(
                    "Classes that the split has too few of and that this image contains more of "
                    "than most."
                )
            ),
        },
        alt="Repeated images and the reason",
    )
    file_rows = [
        {"sample": r.sample, "repeats": r.repeats, "brings": ", ".join(r.brings)} for r in rows
    ]
    if len(rows) > LISTED:
        st.caption(f"Showing {LISTED:,} of {len(rows):,} images. The file contains all.")
    tables.download_csv(file_rows, f"{name}-repeats", "csv_repeats")


@st.cache_data(max_entries=600, max_size="20MB", show_spinner=False)
def _small(_dataset: Dataset, sample: str, stamp: str) -> str | None:
    try:
        return pictures.data_url(pictures.thumbnail(_dataset, sample, 112))
    except SegcoreError:
        return None  # its health says so


def preview(dataset: Dataset, plan: BalancePlan, plan_key: str, samples: list[str]) -> None:
    """Draw a few copies of one repeated sample as an epoch sees them.

    Args:
        dataset: The dataset.
        plan: The plan.
        plan_key: A text that is another for another plan.
        samples: Samples that can be chosen.
    """
    view = _ask_view(samples)
    st.caption(AUGMENTATIONS[view.preset].summary)
    with session.errors_shown():
        copies = _copies(session.workspace(), plan, dataset.name, stamp(dataset), plan_key, view)
    columns = st.columns(min(len(copies), SHOWN_COPIES), gap="small")
    for number, (column, (image, mask, drawn)) in enumerate(zip(columns, copies, strict=False), 1):
        column.image(image, width="stretch", alt=f"Copy {number} of {view.sample}")
        words = ", ".join(name.replace("_", " ") for name in drawn) or "unchanged"
        column.image(
            mask,
            caption=f"{number} of {len(copies)}: {words}",
            width="stretch",
            alt=f"Mask of copy {number}",
        )
    if len(copies) == 1:
        st.caption("This image occurs once.")
    st.caption(
        "Image and mask get the same transform, in the order of the epoch, exactly as a "
        "run with this seed, plan and augmentation sees them. Pixels from outside the "
        "image, or cut out, are ignored (dark)."
    )


def _ask_view(samples: list[str]) -> CopiesView:
    """Ask for one of some samples, the augmentation, the run's seed and the epoch."""
    one, two, three, four = st.columns([4, 3, 2, 2], vertical_alignment="bottom")
    with one:
        sample = session.choose_from("Image", samples, "copies_of")
    with two:
        presets = list(AUGMENTATIONS)
        preset = str(
            st.selectbox(
                "Augmentation",
                presets,
                index=presets.index("light"),
                format_func=lambda p: AUGMENTATIONS[p].title,
                key="preset",
            )
        )
    with three:
        seed = int(st.number_input("Run seed", 0, 2**31 - 1, 0, key="copies_seed"))
    with four:
        epoch = int(st.number_input("Epoch", 1, 100_000, 1, key="copies_epoch"))
    return CopiesView(sample, preset, seed, epoch - 1)


@st.cache_data(max_entries=60, max_size="120MB", show_spinner="Drawing copies …")
def _copies(
    _workspace: Workspace,
    _plan: BalancePlan,
    dataset: str,
    stamp: str,
    plan_key: str,
    view: CopiesView,
) -> Pictures:
    label_set = _workspace.datasets.open(dataset).label_set
    copies = _workspace.datasets.copies(
        dataset, _plan, view.sample, view.preset, view.seed, view.epoch
    )
    return [
        (copy.image, pictures.paint(copy.mask, label_set), tuple(copy.parameters))
        for copy in copies[:SHOWN_COPIES]
    ]
