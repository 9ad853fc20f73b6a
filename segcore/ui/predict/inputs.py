"""The images of the Predict page: uploaded or from a folder, and those rejected."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from segcore.data.files.uploads import MAX_BYTES, MAX_FILES, Upload
from segcore.errors import SegcoreError
from segcore.ui.shared import session, tables
from segcore.ui.shared.page_words import on_page
from segcore.workspace.predictions.batches import MOST_BATCHES, Batch, Progress

KEY = "batch"
KEPT = MOST_BATCHES
SCENE = "Large GeoTIFF"


def choose() -> Batch | None:
    """Let the user load images; return them, those of the link, or None while there are none."""
    source = st.segmented_control(
        "Source",
        ["Upload", "Folder on this machine", SCENE],
        format_func=lambda kind: "Folder" if kind.startswith("Folder") else kind,
        default="Upload",
        key="own_source",
        required=True,
        on_change=_forget,
    )
    if source == SCENE:
        return None
    if source == "Upload":
        _upload()
    else:
        _folder()
    return _opened()


def is_scene() -> bool:
    """Whether a large GeoTIFF was chosen as the source, which is no batch of images."""
    return st.session_state.get("own_source") == SCENE


def _forget() -> None:
    """Leave the images of the other source: what is shown belongs to the source that is chosen."""
    st.session_state.pop(KEY, None)
    st.query_params.pop(KEY, None)


def _upload() -> None:
    files = st.file_uploader(
        f"Images (PNG, JPEG, TIFF, BMP, WebP, GIF or PPM), up to {MAX_FILES} at a time",
        accept_multiple_files=True,
        max_upload_size=MAX_BYTES // 1_000_000,
        key="own_files",
        help="Only the pixels are kept, in the workspace on this machine.",
    )
    file_ids = tuple(file.file_id for file in files)
    if not files or file_ids == st.session_state.get("own_files_seen"):
        return
    st.session_state["own_files_seen"] = file_ids
    uploads = [Upload(file.name, file.getvalue, file.size) for file in files]
    _bring_in(
        lambda progress: session.workspace().predictions.batches.accept(uploads, progress=progress)
    )


def _folder() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        path = st.text_input(
            "Folder or image", placeholder="/data/my-images", key="own_folder"
        ).strip()
        pressed = st.button(
            "Load images", disabled=not path, icon=":material/download:", key="own_take"
        )
    if pressed:
        _bring_in(
            lambda progress: session.workspace().predictions.batches.accept_folder(
                Path(path), progress=progress
            )
        )


def _bring_in(accept: Callable[[Progress], Batch]) -> None:
    bar = st.progress(0.0, text="Reading files …")

    def progress(done: int, total: int, what: str) -> None:
        bar.progress(done / max(total, 1), text=f"{done} of {total}: {session.plain(what)}")

    try:
        batch = accept(progress)
    except SegcoreError as error:
        st.error(session.plain(on_page(str(error))), icon=":material/error:")
        return
    finally:
        bar.empty()
    st.query_params[KEY] = batch.id
    st.session_state.pop("own_image", None)


def _opened() -> Batch | None:
    name = st.query_params.get(KEY) or st.session_state.get(KEY)
    if not name:
        return None
    try:
        batch = session.workspace().predictions.batches.open(name)
    except SegcoreError as error:
        st.info(str(error), icon=":material/info:")
        st.session_state.pop(KEY, None)
        st.query_params.pop(KEY, None)
        return None
    st.session_state[KEY] = st.query_params[KEY] = name
    return batch


def refused(batch: Batch) -> None:
    """List the files of a batch that were not taken, with the reason of each."""
    if not batch.refused:
        return
    count = len(batch.refused)
    with st.expander(
        f"{count} of {count + len(batch.images)} files were rejected",
        icon=":material/block:",
        expanded=count <= 3,
    ):
        tables.draw(
            [{"file": name, "why": why} for name, why in batch.refused],
            alt="Rejected files and the reasons",
        )
