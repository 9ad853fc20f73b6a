"""The predicted images of a batch as a grid: each with its mask and its largest classes."""

import cv2
import numpy as np
import streamlit as st

from segcore.config import PredictOptions
from segcore.errors import SegcoreError
from segcore.ui.shared import pictures, session
from segcore.workspace import Workspace
from segcore.workspace.predictions.batches import Batch
from segcore.workspace.predictions.predictions import shares

ROW = 4
"""Thumbnails side by side."""

ROWS = 2
SIDE = 240
"""Longer side of a thumbnail, pixels."""

NAMED = 3
"""Classes named below a thumbnail, the largest first."""


def show(run: str, batch: Batch, options: PredictOptions, key: str) -> None:
    """Draw the images that were predicted; nothing where the batch has one image only.

    Args:
        run: The model.
        batch: The images.
        options: How they are predicted.
        key: Key of the selector that a thumbnail sets.
    """
    if len(batch.images) < 2:
        return
    predictions = session.workspace().predictions
    with session.errors_shown():
        done = [i for i in batch.images if predictions.is_predicted(run, batch, i.id, options)]
        place = predictions.answer_folder(run, batch, options).id
    st.markdown(f"**Results** ({len(done)} of {len(batch.images)} images)")
    per_page = ROW * ROWS
    number = pictures.choose_page(-(-len(done) // per_page), "own_page")
    shown = done[per_page * (number - 1) : per_page * number]
    for start in range(0, len(shown), ROW):
        columns = st.columns(ROW, gap="small")
        for column, image in zip(columns, shown[start : start + ROW], strict=False):
            with column, st.container(gap=None):
                try:
                    picture, said = _thumbnail(
                        session.workspace(), run, batch.id, image.id, options, place
                    )
                except SegcoreError as error:
                    st.caption(session.plain(str(error)))
                    continue
                st.image(picture, width="stretch", alt=f"{image.name} with its mask: {said}")
                st.button(
                    session.plain(image.name[-24:]),
                    key=f"own_pick_{image.id}",
                    help=f"Show {session.plain(image.name)} above.",
                    on_click=session.request,
                    args=(key, image.id),
                    width="stretch",
                    type="tertiary",
                )
                st.caption(session.plain(said))


@st.cache_data(max_entries=500, max_size="60MB", show_spinner=False)
def _thumbnail(
    _workspace: Workspace, run: str, batch_id: str, image: str, options: PredictOptions, place: str
) -> tuple[bytes, str]:
    """Return a JPEG of an image below its mask, and its largest classes in words.

    Raises:
        SegcoreError: The image or its prediction is gone.
    """
    predictions = _workspace.predictions
    batch, labels = predictions.batches.open(batch_id), predictions.label_set(run)
    mask = predictions.summary(run, batch, image, options).mask
    small = pictures.shrink(predictions.shown_image(run, batch, image), SIDE)
    size = (small.shape[1], small.shape[0])  # OpenCV says (width, height)
    step = max(1, max(mask.shape) // SIDE)
    painted = pictures.paint(np.ascontiguousarray(mask[::step, ::step]), labels)
    painted = cv2.resize(painted, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    said = ", ".join(f"{one.name} {100 * one.share:.0f} %" for one in shares(mask, labels)[:NAMED])
    return pictures.jpeg((0.55 * small + 0.45 * painted).astype(np.uint8)), said
