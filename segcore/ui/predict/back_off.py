"""Labels that back off on the user's own images: a promise calibrated on a split of the dataset."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import streamlit as st

from segcore.config import PredictOptions
from segcore.errors import SegcoreError
from segcore.evaluation.compression.label_tree import node_label_set
from segcore.ui import viewer
from segcore.ui.shared import manual, session
from segcore.ui.viewer import Panel, Scene, pack
from segcore.workspace import Workspace
from segcore.workspace.compression.back_offs import BackOffOptions
from segcore.workspace.predictions.batches import Batch

PREFERRED = "validation"


def choose(run: str, how: PredictOptions) -> BackOffOptions | None:
    """Let the user promise an error; None where that is off or the run cannot be calibrated.

    Args:
        run: The model.
        how: How the images are predicted; the calibration images were predicted without options.
    """
    on = st.toggle(
        "Labels that back off",
        key="own_back_off",
        help=manual.see(
            "Each pixel gets the finest label that keeps a promised error: a class, or a group of "
            "classes. The threshold is calibrated on a split of the model's dataset, so the promise "
            "is for images like those.",
            "back-off#what-the-promise-assumes",
        ),
    )
    if not on:
        return None
    workspace = session.workspace()
    with session.errors_shown():
        splits = [s for s in workspace.scenes.dataset_of(run).splits if s]
        known = workspace.back_offs.unseen(run, splits)
        known = [s for s in known if workspace.scores.has_counts(run, s)]
    if not known:
        st.info(
            "Calibration needs the predictions of a split that the model was not trained on: "
            "predict one on the Evaluate page.",
            icon=":material/info:",
        )
        return None
    if how != PredictOptions():
        st.caption("Calibrated on predictions without these options: the promise may not hold.")
    percent = st.slider(
        "Promise: at most so many pixels wrong, %", 0.5, 30.0, 5.0, 0.5, "%.1f", key="own_promise"
    )
    split = PREFERRED if PREFERRED in known else known[0]
    options = BackOffOptions(float(percent) / 100, split)
    try:
        ready = workspace.back_offs.is_calibrated(run, options)
    except SegcoreError as error:
        st.info(session.plain(str(error)), icon=":material/info:")
        return None
    if not ready:
        st.caption(f"Every image of {session.plain(split)} is read once.")
        if not st.button("Calibrate", key="own_calibrate", icon=":material/tune:"):
            return None
        bar = st.progress(0.0, "Counting …")

        def progress(done: int, total: int, what: str) -> None:
            bar.progress(done / total, f"{done} of {total} images")

        with session.errors_shown():
            workspace.back_offs.calibrate(run, options, progress)
        st.rerun()
    return options


def show(
    run: str, batch: Batch, image: str, options: PredictOptions, chosen: BackOffOptions
) -> None:
    """Draw the image with its labels, and say what was calibrated."""
    workspace = session.workspace()
    with session.errors_shown():
        place = workspace.predictions.answer_folder(run, batch, options).id
        stamp = f"{place} {workspace.scores.stamp(run, chosen.calibrate)}"
        scene, sentence = _scene(workspace, run, batch.id, image, options, chosen, stamp)
    st.caption(sentence)
    viewer.show(scene, key="own_back_off_viewer")


@st.cache_data(max_entries=32, max_size="100MB", show_spinner=False)
def _scene(
    _workspace: Workspace,
    run: str,
    batch_id: str,
    image: str,
    options: PredictOptions,
    chosen: BackOffOptions,
    stamp: str,
) -> tuple[bytes, str]:
    predictions, back_offs = _workspace.predictions, _workspace.back_offs
    batch = predictions.batches.open(batch_id)
    tree, threshold = back_offs.calibrate(run, chosen)
    answers = back_offs.own_answers(run, batch, image, options, (tree, threshold)).astype(np.int64)
    labels = node_label_set(tree, _workspace.scores.label_set(run))
    scene = Scene(
        f"{run}:{batch_id}:{image}:{threshold.value}",
        predictions.shown_image(run, batch, image),
        (Panel("Labels that back off", "levels", mask=answers),),
        labels,
        levels=tuple(int(level) for level in tree.levels),
    )
    finest = (answers < tree.num_classes).mean()
    root = (answers == tree.root).mean()
    return pack(scene), (
        f"{100 * finest:.0f} % of this image keep the finest label, {100 * root:.0f} % say nothing. "
        f"Calibrated on {threshold.units:,} {threshold.unit} of {chosen.calibrate}."
    )


def with_files(
    files: Iterator[tuple[str, bytes]],
    run: str,
    batch: Batch,
    options: PredictOptions,
    chosen: BackOffOptions | None,
) -> Iterator[tuple[str, bytes]]:
    """Yield result files, and below ``back-off/`` the masks and the legend of a promise."""
    if chosen is None:
        return files
    own = session.workspace().back_offs.own_files(run, batch, options, chosen)
    return chain(files, ((f"back-off/{name}", data) for name, data in own))
