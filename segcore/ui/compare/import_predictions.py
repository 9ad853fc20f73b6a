"""The form that imports predictions of another tool, and the report of what matches."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from segcore import formatting
from segcore.catalog import MASK_VALUES
from segcore.ui.shared import session, tables
from segcore.workspace.predictions.imported import HowToImport

MAX_UPLOAD = 500
"""Megabytes of an upload; larger sets are read from a folder."""


def form(datasets: Sequence[str], split: str = "", *, dataset: str = "") -> None:
    """Draw the form; what was imported appears among the models.

    Args:
        datasets: Names of the datasets to choose from.
        split: Split to match first, "" for the usual one.
        dataset: Dataset to match first, "" for the first one.
    """
    st.caption(
        "Masks with class ids, palette or class colours, or arrays of probabilities "
        "(.npy, .npz), named like the images. They are matched by name, checked and "
        "scored, and then appear among your models."
    )
    workspace = session.workspace()
    one, two, three = st.columns([2, 2, 2], vertical_alignment="bottom")
    names = list(datasets)
    dataset = str(
        one.selectbox(
            "Dataset",
            names,
            index=names.index(dataset) if dataset in names else 0,
            key="foreign_dataset",
            disabled=len(names) < 2,
        )
    )
    with session.errors_shown():
        splits = [s for s in workspace.datasets.open(dataset).splits if s]
    if not splits:
        st.info("This dataset has no splits yet. Create them first.", icon=":material/info:")
        query = {"dataset": dataset, "show": "Splits"}
        st.page_link(
            "pages/dataset.py",
            label="Create splits",
            icon=":material/call_split:",
            query_params=query,
        )
        return
    start = split if split in splits else "test" if "test" in splits else splits[0]
    chosen = str(two.selectbox("Split", splits, index=splits.index(start), key="foreign_split"))
    values = str(
        three.selectbox(
            "Mask encoding",
            list(MASK_VALUES),
            format_func=lambda v: MASK_VALUES[v].title,
            key="foreign_values",
            help=_value_help(),
        )
    )
    left, right = st.columns(2, gap="large")
    with left:
        upload = st.file_uploader(
            "Zip or tar of predictions",
            type=["zip", "tar", "gz", "tgz"],
            key="foreign_file",
            max_upload_size=MAX_UPLOAD,
        )
    with right:
        path = st.text_input(
            "Or a folder on this machine", placeholder="/data/their-predictions", key="foreign_path"
        ).strip()
        suggested = Path(upload.name if upload else path).name.split(".")[0]
        name = (
            st.text_input(
                "Model name",
                placeholder=suggested or "other-tool",
                max_chars=60,
                key="foreign_name",
            ).strip()
            or suggested
        )
    given = bool(upload or path)
    partial = st.toggle(
        "Skip images without a valid prediction",
        key="foreign_partial",
        help="Fewer images are then scored.",
    )
    with st.container(horizontal=True):
        looked = st.button(
            "Check files",
            icon=":material/fact_check:",
            disabled=not given,
            help="Dry run: reads everything, saves nothing.",
        )
        brought = st.button(
            "Import predictions", type="primary", icon=":material/download:", disabled=not given
        )
    if looked or brought:
        with session.errors_shown(), _source(upload, path) as source:
            report = _run(dataset, source, name, chosen, values, partial, keep=brought)
        st.session_state["foreign_report"] = report
    if st.session_state.get("foreign_report"):
        _tell(st.session_state["foreign_report"])


def _run(
    dataset: str, source: Path, name: str, split: str, values: str, partial: bool, *, keep: bool
) -> dict[str, Any]:
    bar = st.progress(0.0, text="Reading …")

    def progress(done: int, total: int, what: str) -> None:
        bar.progress(done / max(total, 1), text=f"{done:,} of {total:,}: {what}")

    imports = session.workspace().imports
    how = HowToImport(split, values, partial)
    checked = imports.check(dataset, source, how, progress)
    if keep and checked.fits and (partial or len(checked.fits) == checked.samples):
        checked = imports.import_(dataset, source, name, how, progress)
    bar.empty()
    return checked.to_json()


def _tell(report: dict[str, Any]) -> None:
    """Say what fits and list what does not."""
    fits, samples = len(report["fits"]), report["samples"]
    if report["run"]:
        score = formatting.percent(report["mean_iou"])
        st.success(
            f"Imported {fits} of {samples} images as {report['run']}: mean IoU {score}.",
            icon=":material/check_circle:",
        )
        st.page_link(
            "pages/compare.py",
            label="Compare masks",
            icon=":material/view_column:",
            query_params={"run": report["run"]},
        )
    elif fits == samples and fits:
        st.success(
            f"All {samples} images of {report['split']} have a valid prediction.",
            icon=":material/check_circle:",
        )
    else:
        st.warning(
            (
                f"{fits} of {samples} images of {report['split']} have a valid prediction. "
                "Nothing was imported."
            ),
            icon=":material/warning:",
        )
    rows = [{"image": r["sample"], "file": r["file"], "what": r["why"]} for r in report["refused"]]
    rows += [
        {"image": name, "file": "", "what": "no file with this name"} for name in report["missing"]
    ]
    rows += [
        {"image": "", "file": name, "what": "not in this split, ignored"}
        for name in report["extra"]
    ]
    if rows:
        counts = (
            f"{len(report['refused'])} refused, {len(report['missing'])} missing, "
            f"{len(report['extra'])} extra"
        )
        st.caption(counts)
        tables.draw(rows, alt=f"Files that do not match: {counts}")


def _value_help() -> str:
    return "\n\n".join(f"**{choice.title}**: {choice.summary}" for choice in MASK_VALUES.values())


@contextmanager
def _source(upload: UploadedFile | None, path: str) -> Iterator[Path]:
    """The folder or archive to read; an upload lies in a temporary folder meanwhile."""
    if upload is None:
        yield Path(path).expanduser()
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / f"upload{''.join(Path(upload.name).suffixes[-2:])}"
        archive.write_bytes(upload.getbuffer())
        yield archive
