"""The form that imports predictions of another tool, and the report of what matches."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from segcore import formatting
from segcore.catalog import MASK_VALUES
from segcore.ui.shared import run_links, session, tables
from segcore.ui.shared.sources import Source
from segcore.workspace.predictions.imported import HowToImport, PredictionReport

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
        splits = [s for s in session.workspace().datasets.open(dataset).splits if s]
    if not splits:
        _no_splits(dataset)
        return
    start = split if split in splits else "test" if "test" in splits else splits[0]
    chosen = str(two.selectbox("Split", splits, index=splits.index(start), key="foreign_split"))
    with three:
        values = _ask_values()
    source, name = _ask_source()
    partial = st.toggle(
        "Skip images without a valid prediction",
        key="foreign_partial",
        help="Fewer images are then scored.",
    )
    with st.container(horizontal=True):
        checked = st.button(
            "Check files",
            icon=":material/fact_check:",
            disabled=not source.given,
            help="Dry run: reads everything, saves nothing.",
        )
        imported = st.button(
            "Import predictions",
            type="primary",
            icon=":material/download:",
            disabled=not source.given,
        )
    if checked or imported:
        how = HowToImport(chosen, values, partial)
        with session.errors_shown(), source.files() as files:
            report = _run(dataset, files, name, how, keep=imported)
        st.session_state["foreign_report"] = report
    if st.session_state.get("foreign_report"):
        _tell(st.session_state["foreign_report"])


def _no_splits(dataset: str) -> None:
    st.info("This dataset has no splits yet. Create them first.", icon=":material/info:")
    st.page_link(
        "pages/dataset.py",
        label="Create splits",
        icon=":material/call_split:",
        query_params={"dataset": dataset, "show": "Splits"},
    )


def _ask_values() -> str:
    """Ask what the numbers in the masks are: a name in ``catalog.MASK_VALUES``."""
    return str(
        st.selectbox(
            "Mask encoding",
            list(MASK_VALUES),
            format_func=lambda v: MASK_VALUES[v].title,
            key="foreign_values",
            help="\n\n".join(
                f"**{choice.title}**: {choice.summary}" for choice in MASK_VALUES.values()
            ),
        )
    )


def _ask_source() -> tuple[Source, str]:
    """Ask for the predictions and the model's name, which is the file's or folder's by default."""
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
        )
        source = Source(upload, path)
        name = st.text_input(
            "Model name",
            placeholder=source.suggested_name or "other-tool",
            max_chars=60,
            key="foreign_name",
        ).strip()
    return source, name or source.suggested_name


def _run(
    dataset: str, source: Path, name: str, how: HowToImport, *, keep: bool
) -> PredictionReport:
    """Check predictions, import them where that is wanted and they fit, and return the report."""
    bar = st.progress(0.0, text="Reading …")

    def progress(done: int, total: int, what: str) -> None:
        bar.progress(done / max(total, 1), text=f"{done:,} of {total:,}: {what}")

    imports = session.workspace().imports
    checked = imports.check(dataset, source, how, progress)
    if keep and checked.fits and (how.partial or len(checked.fits) == checked.samples):
        checked = imports.import_(dataset, source, name, how, progress)
    bar.empty()
    return checked


def _tell(report: PredictionReport) -> None:
    """Say what fits and list what does not."""
    fits, samples = len(report.fits), report.samples
    if report.run:
        score = formatting.percent(report.mean_iou)
        st.success(
            f"Imported {fits} of {samples} images as {report.run}: mean IoU {score}.",
            icon=":material/check_circle:",
        )
        run_links.compare_masks({"run": report.run})
    elif fits == samples and fits:
        st.success(
            f"All {samples} images of {report.split} have a valid prediction.",
            icon=":material/check_circle:",
        )
    else:
        st.warning(
            (
                f"{fits} of {samples} images of {report.split} have a valid prediction. "
                "Nothing was imported."
            ),
            icon=":material/warning:",
        )
    rows = [{"image": r.sample, "file": r.file, "what": r.why} for r in report.refused]
    rows += [
        {"image": name, "file": "", "what": "no file with this name"} for name in report.missing
    ]
    rows += [
        {"image": "", "file": name, "what": "not in this split, ignored"} for name in report.extra
    ]
    if rows:
        counts = (
            f"{len(report.refused)} refused, {len(report.missing)} missing, "
            f"{len(report.extra)} extra"
        )
        st.caption(counts)
        tables.draw(rows, alt=f"Files that do not match: {counts}")
