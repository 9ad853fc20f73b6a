"""The form that imports images and masks: from a folder on this machine, or uploaded as an archive."""

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from segcore.ui import state


def form() -> None:
    """Draw the form; on success go on with the new data set."""
    kind = st.segmented_control("From", ["Folder on this machine", "Upload an archive"], default="Folder on this machine", required=True)
    if kind == "Upload an archive":
        upload = st.file_uploader("A zip or tar of images and masks", type=["zip", "tar", "gz", "tgz", "bz2", "xz"], key="archive")
        path = ""
    else:
        upload = None
        path = st.text_input(
            "Folder or archive",
            placeholder="/data/my-images",
            help="For example images/ and masks/ with the same file names, with or without train, val and test below them, "
            "and a classes.csv.",
        )
    suggested = Path(upload.name if upload else path).name.split(".")[0]
    name = st.text_input("Name in the workspace", placeholder=suggested or "my-images", max_chars=64) or suggested
    copy = True
    if not upload:
        copy = st.toggle("Copy the images into the workspace", value=True, help="Off: images stay where they are; only masks are written.")
    if st.button("Import", type="primary", disabled=not (upload or path.strip()), icon=":material/download:"):
        with state.errors_shown():
            if upload:
                with tempfile.TemporaryDirectory() as folder:
                    archive = Path(folder) / f"upload{''.join(Path(upload.name).suffixes[-2:])}"
                    archive.write_bytes(upload.getbuffer())
                    _import(archive, name, copy)
            else:
                _import(Path(path.strip()).expanduser(), name, copy)
    report = st.session_state.get("import_report")
    if report:
        _show(report)


def _import(source: Path, name: str, copy: bool) -> None:
    bar = st.progress(0.0, text="Looking at the files ...")

    def progress(done: int, total: int, what: str) -> None:
        bar.progress(done / max(total, 1), text=f"{done} of {total}: {what}")

    report = state.workspace().datasets.import_(source, name, copy=copy, progress=progress)
    bar.empty()
    st.session_state["import_report"] = report.to_json()
    st.session_state["dataset"] = report.name
    st.rerun()


def _show(report: dict[str, Any]) -> None:
    splits = ", ".join(f"{split or 'no split'} {count}" for split, count in report["splits"].items())
    st.success(f"Imported {report['num_samples']} samples as {report['name']} ({splits}).", icon=":material/check_circle:")
    problems = report["problems"]
    if problems:
        st.caption(f"{len(problems)} things did not fit or were decided for you:")
        st.dataframe(
            [{"sample": p["sample"] or "whole set", "what": p["what"], "what to do": p["mend"]} for p in problems],
            hide_index=True,
            alt="What did not fit",
        )
