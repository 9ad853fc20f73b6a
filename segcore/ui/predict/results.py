"""The Predict page's results: one image in the viewer, its classes, and exports."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from segcore.config import PredictOptions
from segcore.errors import SegcoreError
from segcore.formatting import size
from segcore.ui.predict import back_off
from segcore.ui.shared import band_choice, pictures, session, tables
from segcore.ui.viewer import Panel, Scene, TopClasses, pack
from segcore.workspace import Workspace
from segcore.workspace.compression.back_offs import BackOffOptions
from segcore.workspace.predictions.archives import write_archive
from segcore.workspace.predictions.batches import Batch, BatchImage
from segcore.workspace.predictions.files import (
    DEFAULT_PARTS,
    PARTS,
    index_png,
    palette_png,
    result_files,
)
from segcore.workspace.predictions.predictions import Answer, shares

PANELS: dict[str, str] = {
    "image": "Image",
    "prediction": "Prediction",
    "crf": "CRF",
    "confidence": "Confidence",
    "entropy": "Entropy",
}
DEFAULT_PANELS = ("image", "prediction", "confidence")


def ensure(run: str, batch: Batch, image: str, options: PredictOptions) -> Answer:
    """Predict the image in view unless that was done; return how it went."""
    predictions = session.workspace().predictions
    if not predictions.is_predicted(run, batch, image, options):
        with (
            session.errors_shown(),
            st.status("Loading the model; the first time takes a few seconds …") as status,
        ):
            loaded = predictions.warm(run, options)
            status.update(label="Predicting …")
            predictions.predict(run, batch, image, options)
            message = (f"Model loaded ({loaded.seconds:.0f} s)") if loaded.networks else "Predicted"
            status.update(label=message, state="complete")
    with session.errors_shown():
        return predictions.predict(run, batch, image, options)


@st.cache_data(max_entries=32, max_size="200MB", show_spinner=False)
def packed_scene(
    _workspace: Workspace,
    run: str,
    batch: str,
    image: str,
    options: PredictOptions,
    panels: tuple[str, ...],
    place: str,
) -> bytes:
    """Return the packed scene of a predicted image; ``place`` changes when a model is retrained.

    Raises:
        SegcoreError: It was not predicted, or the CRF cannot run.
    """
    return pack(own_scene(_workspace, run, batch, image, options, panels))


def own_scene(
    workspace: Workspace,
    run: str,
    batch_id: str,
    image: str,
    options: PredictOptions,
    panels: Sequence[str],
) -> Scene:
    """Return the scene of a predicted image: the chosen panels, at the image's own size.

    Raises:
        SegcoreError: It was not predicted, or the CRF cannot run.
    """
    predictions = workspace.predictions
    batch = predictions.batches.open(batch_id)
    summary = predictions.summary(run, batch, image, options)
    built: list[Panel] = []
    for name in panels:
        title = PANELS[name]
        if name == "image":
            built.append(Panel(title, "image"))
        elif name == "prediction":
            probabilities = predictions.probabilities(run, batch, image, options)
            step = max(1, -(-max(probabilities.shape[:2]) // 512))
            top = TopClasses.of(np.ascontiguousarray(probabilities[::step, ::step]))
            built.append(
                Panel(title, "mask", mask=summary.mask, scalar=summary.confidence, top=top)
            )
        elif name == "crf":
            mask, preview = predictions.crf_mask(run, batch, image, options)
            built.append(Panel(f"{title} (preview)" if preview else title, "mask", mask=mask))
        else:
            built.append(Panel(title, "scalar", scalar=getattr(summary, name)))
    return Scene(
        f"{run}:{batch_id}:{image}",
        predictions.shown_image(run, batch, image),
        tuple(built),
        predictions.label_set(run),
    )


def became(run: str, image: BatchImage) -> str:
    """Say what became of an image's bands on their way to the model, after a semicolon, or ""."""
    bands = session.workspace().predictions.learned_bands(run)
    if bands is not None:
        return f"; read as {bands.bands.sentence}"
    return f"; {image.stretched}" if image.stretched else ""


def choose_bands(run: str) -> None:
    """Offer the bands to show of the dataset that a model was trained on, where it keeps them."""
    workspace = session.workspace()
    if workspace.predictions.learned_bands(run) is None:
        return
    dataset = workspace.scenes.dataset_of(run)
    band_choice.choose(dataset.name, "predict_bands")


def show_shares(run: str, batch: Batch, image: str, options: PredictOptions) -> None:
    """Draw the table of the classes in one image, and buttons for its masks."""
    predictions = session.workspace().predictions
    with session.errors_shown():
        labels = predictions.label_set(run)
        mask = predictions.summary(run, batch, image, options).mask
    colors = session.hex_colors(labels)
    rows = shares(mask, labels)
    tables.draw(
        [
            {
                "": pictures.swatch(colors[r.index]),
                "class": r.name,
                "share": r.share,
                "pixels": r.pixels,
                "id": r.id,
            }
            for r in rows
        ],
        column_config={
            "": st.column_config.ImageColumn(width="small"),
            "share": st.column_config.ProgressColumn(
                min_value=0, max_value=1, format="percent", help="Pixels of the class / all pixels."
            ),
            "pixels": st.column_config.NumberColumn(
                format="localized", help="Predicted pixels of the class."
            ),
        },
        alt="Pixel frequency of each class in this image",
    )
    with st.container(horizontal=True):
        _mask_button("Index mask", lambda: index_png(mask, labels), f"{image}.png", "own_index")
        _mask_button(
            "Colour mask",
            lambda: palette_png(mask, labels),
            f"{image}-colour.png",
            "own_palette",
        )


def _mask_button(label: str, make: Any, file_name: str, key: str) -> None:
    try:
        data = make()
    except SegcoreError as error:
        st.caption(str(error))
        return
    st.download_button(
        label, data, file_name, "image/png", key=key, icon=":material/download:", on_click="ignore"
    )


def take_away(
    run: str, batch: Batch, options: PredictOptions, promised: BackOffOptions | None = None
) -> None:
    """Offer to predict what is left of a batch, and then all of it as one zip.

    Args:
        run: The model.
        batch: The images.
        options: How they are predicted.
        promised: What labels that back off promise; their masks are then included.
    """
    predictions = session.workspace().predictions
    with session.errors_shown():
        left = [i for i in batch.images if not predictions.is_predicted(run, batch, i.id, options)]
    if left:
        st.markdown(f"{len(batch.images) - len(left)} of {len(batch.images)} images predicted.")
        if st.button(
            f"Predict the remaining {len(left)}", icon=":material/play_arrow:", key="own_all"
        ):
            with session.errors_shown(), _Bar() as bar:
                predictions.predict_all(run, batch, options, bar)
            st.rerun()
    parts = st.pills(
        "Include",
        list(PARTS),
        selection_mode="multi",
        default=list(DEFAULT_PARTS),
        format_func=lambda p: PARTS[p],
        key="own_parts",
    )
    built = st.session_state.get("own_zip")
    wanted = (run, batch.id, options, tuple(parts), len(left), promised)
    if built and built[0] == wanted:
        st.download_button(
            f"Download {size(built[1].stat().st_size)}",
            built[1].read_bytes,
            f"{batch.id}.zip",
            "application/zip",
            type="primary",
            icon=":material/download:",
            key="own_download",
            on_click="ignore",
        )
    elif st.button(
        "Create ZIP",
        icon=":material/folder_zip:",
        key="own_make",
        help="Always includes classes.csv and shares.csv.",
    ):
        with session.errors_shown(), _Bar() as bar:
            files = result_files(predictions, run, batch, options, parts, bar)
            path = write_archive(
                batch.folder / "results.zip",
                back_off.with_files(files, run, batch, options, promised),
            )
        st.session_state["own_zip"] = (wanted, path)
        st.rerun()


class _Bar:
    """A progress bar that is gone afterwards."""

    def __enter__(self) -> "_Bar":
        self._bar = st.progress(0.0, text="Working …")
        return self

    def __call__(self, done: int, total: int, what: str) -> None:
        self._bar.progress(done / max(total, 1), text=f"{done} of {total} {session.plain(what)}")

    def __exit__(self, *_: object) -> None:
        self._bar.empty()
