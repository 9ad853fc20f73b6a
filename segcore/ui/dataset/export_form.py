"""The form that writes a dataset for other tools."""

from pathlib import Path

import streamlit as st

from segcore.data.formats.exporters import FORMS
from segcore.ui.shared import session


def form(dataset: str) -> None:
    """Draw the form for a dataset."""
    form = st.selectbox(
        "Format", list(FORMS), format_func=lambda f: FORMS[f].title, key="export_form"
    )
    folder = st.text_input(
        "New folder on this machine", placeholder=f"/data/{dataset}-export", key="export_folder"
    ).strip()
    if st.button("Export dataset", disabled=not folder, icon=":material/upload:", key="export"):
        bar = st.progress(0.0, text="Writing …")

        def progress(done: int, total: int, what: str) -> None:
            bar.progress(done / max(total, 1), text=f"{done:,} of {total:,}: {what}")

        with session.errors_shown():
            written = session.workspace().datasets.export(
                dataset, Path(folder).expanduser(), form, progress
            )
        bar.empty()
        st.success(f"Written to {session.plain(str(written))}.", icon=":material/check_circle:")
