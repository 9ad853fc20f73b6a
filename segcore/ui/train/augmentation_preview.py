"""A preview of the augmentation, as the first epochs of the run will see an image."""

import numpy as np
import numpy.typing as npt
import streamlit as st

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.ui.shared import pictures, session
from segcore.ui.shared.dataset_scans import LISTED, stamp
from segcore.workspace import Workspace

EPOCHS = 4

Pictures = list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], tuple[str, ...]]]
"""Image and painted mask, both (h, w, 3) RGB, and the names of the transforms."""


def preview(config: TrainConfig) -> None:
    """Draw a preview of one training image under the config's augmentation."""
    dataset = session.workspace().datasets.open(config.dataset)
    if config.train_split not in dataset.splits:
        return
    samples = [
        sample.id for sample in dataset.select(config.train_split) if sample.mask is not None
    ][:LISTED]
    panel = st.expander(
        "Augmentation preview",
        icon=":material/auto_awesome_motion:",
        on_change="rerun",
        key="augmentation_preview",
    )
    with panel:
        if not panel.open or not samples:
            return
        sample = str(
            st.selectbox(
                "Image", samples, key="augmented_image", help="An image of the training split."
            )
        )
        plan = str(dataset.load_plan(config.balance_plan)) if config.balance_plan else ""
        try:
            views = _views(session.workspace(), config, sample, stamp(dataset) + plan)
        except SegcoreError as error:
            st.warning(str(error), icon=":material/warning:")
            return
        for number, (column, (image, mask, drawn)) in enumerate(
            zip(st.columns(EPOCHS, gap="small"), views, strict=True), 1
        ):
            column.image(image, width="stretch", alt=f"{sample} in epoch {number}")
            words = ", ".join(name.replace("_", " ") for name in drawn) or "unchanged"
            column.image(
                mask,
                caption=f"Epoch {number}: {words}",
                width="stretch",
                alt=f"Mask of {sample} in epoch {number}",
            )
        st.caption(
            f"Image and mask as a run with seed {config.seed} sees them. Dark pixels are ignored."
        )


@st.cache_data(max_entries=40, max_size="60MB", show_spinner="Drawing ...")
def _views(_workspace: Workspace, config: TrainConfig, sample: str, stamp: str) -> Pictures:
    label_set = _workspace.datasets.open(config.dataset).label_set
    epochs = _workspace.launch.augmented(config, sample, EPOCHS)
    return [
        (copy.image, pictures.paint(copy.mask, label_set), tuple(copy.parameters))
        for copy in epochs
    ]
