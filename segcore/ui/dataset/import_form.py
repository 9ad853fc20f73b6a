"""The form that imports images and masks from a folder or an uploaded archive."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segcore.data.formats.importers import (
    ImportReport,
    ImportRules,
    Pairing,
    Preview,
    Problem,
    Windows,
    parse_bands,
)
from segcore.data.formats.importers.windows import LEAST_SIZE, MOST_SIZE
from segcore.errors import SegcoreError
from segcore.formatting import plural
from segcore.ui.shared import pictures, session, tables
from segcore.ui.shared.page_words import on_page
from segcore.ui.shared.sources import Source


def form() -> None:
    """Draw the form; on success continue with the new dataset."""
    _broken_off()
    source = _ask_source()
    suggested = source.suggested_name
    name = (
        st.text_input(
            "Dataset name", placeholder=suggested or "my-images", max_chars=64, key="import_name"
        )
        or suggested
    )
    copy = True
    if not source.upload:
        copy = st.toggle(
            "Copy images into the workspace",
            value=True,
            help="Off: images stay where they are and only masks are written.",
        )
    rules = _ask_rules()
    with st.container(horizontal=True):
        if st.button(
            "Import dataset", type="primary", disabled=not source.given, icon=":material/download:"
        ):
            try:
                with source.files() as files:
                    _import(files, name, copy, rules.read())
            except SegcoreError as error:
                st.error(session.plain(on_page(str(error))), icon=":material/error:")
        previewed = source.given and st.button(
            "Preview",
            icon=":material/visibility:",
            help="Preview a few samples before importing.",
        )
    if previewed:
        _preview(source, rules)


def _ask_source() -> Source:
    """Ask for an upload, or for a path on this machine."""
    kind = st.segmented_control(
        "Source",
        ["Folder on this machine", "Upload an archive"],
        default="Folder on this machine",
        required=True,
    )
    if kind == "Upload an archive":
        kinds = ["zip", "tar", "gz", "tgz", "bz2", "xz", "parquet"]
        upload = st.file_uploader(
            "Zip or tar of images and masks, or a Parquet table", type=kinds, key="archive"
        )
        return Source(upload, "")
    path = st.text_input(
        "Folder or archive",
        placeholder="/data/my-images",
        help=(
            "For example images/ and masks/ with matching file names, optionally in train, "
            "val and test, and a classes.csv. Parquet tables, COCO, Cityscapes, Pascal VOC, "
            "LabelMe, YOLO, Supervisely, VIA, nnU-Net and others work too, as zip or tar or not."
        ),
    )
    return Source(None, path)


def _broken_off() -> None:
    """List interrupted imports, each with a button to remove it."""
    datasets = session.workspace().datasets
    for name, samples in datasets.interrupted_imports():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":material/pause_circle: The import of **{session.plain(name)}** stopped after "
                f"{samples:,} samples. Import the same files under "
                "the same name to continue."
            )
            # no dialog: the form may stand in one already
            with st.popover("Discard", icon=":material/delete:", type="tertiary"):
                st.markdown(
                    "The samples imported so far are removed. The files they came from stay."
                )
                if st.button("Discard import", key=f"throw_away_{name}", type="primary"):
                    with session.errors_shown():
                        datasets.discard_import(name)
                    st.rerun()


def outcome(dataset: str) -> None:
    """Say what the last import brought, until it is dismissed or its dataset or this page is left.

    Args:
        dataset: Name of the dataset that the page shows.
    """
    report: ImportReport | None = st.session_state.get("import_report")
    if report is None:
        return
    if session.arrived() or report.name != dataset:
        del st.session_state["import_report"]
        return
    splits = (
        ", ".join(f"{split or 'no split'} {count:,}" for split, count in report.splits.items())
        or "no splits"
    )
    st.success(
        (
            f"Imported {plural(report.num_samples, 'sample')} as {session.plain(report.name)} "
            f"({splits})"
            + (
                f" and {plural(report.num_unlabelled, 'unlabelled image')}."
                if report.num_unlabelled
                else "."
            )
        ),
        icon=":material/check_circle:",
    )
    if report.problems:
        with st.expander(_title(report.problems), icon=":material/info:"):
            _list_problems(report.problems)
            if any(problem.is_task for problem in report.problems):
                _to_tab("Edit classes", "Classes", ":material/edit:")
    with st.container(horizontal=True):
        if not session.workspace().datasets.open(dataset).splits:
            _to_tab("Create splits", "Splits", ":material/call_split:")
        if st.button("Dismiss", type="tertiary", icon=":material/close:", key="import_seen"):
            del st.session_state["import_report"]
            st.rerun()


def _to_tab(label: str, tab: str, icon: str) -> None:
    """Draw a button that opens a tab of the page."""

    def open_tab() -> None:
        st.session_state["show"] = tab

    st.button(label, key=f"import_to_{tab}", icon=icon, on_click=open_tab)


def _title(problems: Sequence[Problem]) -> str:
    """Say how many problems wait for the user, and how many do not."""
    tasks = sum(problem.is_task for problem in problems)
    counts = [
        f"{plural(tasks, 'thing')} to decide" if tasks else "",
        f"{plural(len(problems) - tasks, 'problem')} skipped or resolved automatically"
        if len(problems) > tasks
        else "",
    ]
    return "; ".join(filter(None, counts))


@dataclass(frozen=True)
class _Rules:
    """How files are to be read, as the user wrote it."""

    pairing: tuple[str, str, str, str]
    bands: tuple[str, str]
    many_classes: bool
    windows: Windows
    unlabelled: bool

    def read(self) -> ImportRules:
        """Return the rules.

        Raises:
            SegcoreError: One is broken.
        """
        return ImportRules(
            pairing=Pairing(*self.pairing),
            bands=parse_bands(*self.bands),
            many_classes=self.many_classes,
            windows=self.windows,
            unlabelled=self.unlabelled,
        )


def _ask_rules() -> _Rules:
    """Ask how images and masks belong together; folded away since most datasets need nothing."""
    with st.expander("File matching, bands and windows", icon=":material/tune:"):
        st.caption(
            "Not needed if masks share the image's name, optionally with _mask, _label or _gt."
        )
        left, middle, right = st.columns(3)
        pairing = _ask_pairing(left, middle)
        bands = _ask_bands(right)
        many = right.toggle(
            "Each number is a class",
            help=(
                "Masks with very many numbers, most of them in one mask only, look like numbered "
                "objects and are not imported. Turn this on if they are classes."
            ),
        )
        windows = _ask_windows(left, middle, right)
        unlabelled = right.toggle(
            "Keep images without a mask",
            help=(
                "They wait on the tab Label next, can be predicted, and are neither trained on nor "
                "scored until they have a mask. Off: they are left out."
            ),
        )
    return _Rules(pairing, bands, many, windows, unlabelled)


def _ask_pairing(left: DeltaGenerator, middle: DeltaGenerator) -> tuple[str, str, str, str]:
    """Ask for the mask suffix, the regex, and the folders of masks and of images."""
    suffix = left.text_input(
        "Mask suffix",
        placeholder="_mask",
        max_chars=64,
        help="What the mask's file name adds to the image's name, before the extension.",
    )
    match = middle.text_input(
        "Matching regex",
        placeholder=r"img_(\d+)",
        max_chars=200,
        help=(
            "A regular expression with one group: the part of the name that an image and "
            "its mask share. Masks are recognised by the suffix, or by a folder called "
            "masks or labels."
        ),
    )
    masks = left.text_input(
        "Mask folder",
        placeholder="masks",
        max_chars=200,
        help="The folder that holds the masks, where several could. Its name is enough.",
    )
    images = middle.text_input(
        "Image folder",
        placeholder="images",
        max_chars=200,
        help="The folder that holds the images, where several could. Its name is enough.",
    )
    return suffix, match, masks, images


def _ask_bands(right: DeltaGenerator) -> tuple[str, str]:
    """Ask for the bands of GeoTIFFs, and for indices derived from them."""
    bands = right.text_input(
        "GeoTIFF bands",
        placeholder="1,2,3",
        max_chars=400,
        help=(
            "Three numbers: the bands to use as red, green and blue, counted from 1. To keep the "
            "values of 1 to 16 bands instead: all, other numbers, or names such as "
            "red=3,green=2,blue=1,nir=4. Georeferencing is kept."
        ),
    )
    indices = right.text_input(
        "Indices",
        placeholder="ndvi,ndwi",
        max_chars=200,
        help=(
            "Channels derived from bands that keep their values: ndvi, ndwi, or name=first:second "
            "for (first - second) / (first + second)."
        ),
    )
    return bands, indices


def _ask_windows(left: DeltaGenerator, middle: DeltaGenerator, right: DeltaGenerator) -> Windows:
    """Ask how large rasters are cut, and what names the class of polygons."""
    size = left.number_input(
        "Window size",
        min_value=0,
        max_value=MOST_SIZE,
        value=0,
        step=128,
        help=(
            "Cut large rasters into square windows of so many pixels, each a sample; 0 keeps "
            "images whole. Rasters above 100 megapixels need it; 512 is usual."
        ),
    )
    overlap = middle.number_input(
        "Window overlap",
        min_value=0,
        max_value=max(0, int(size) // 2),
        value=0,
        step=16,
        disabled=not size,
        help="Pixels that neighbouring windows share.",
    )
    field = right.text_input(
        "Class attribute",
        placeholder="class",
        max_chars=100,
        help="The attribute of polygons (GeoPackage, GeoJSON, Shapefile) that names their class.",
    )
    return Windows(max(int(size), LEAST_SIZE) if size else 0, int(overlap), field.strip())


def _import(source: Path, name: str, copy: bool, rules: ImportRules) -> None:
    bar = st.progress(0.0, text="Reading files …")
    steps: dict[str, float] = {}

    def progress(done: int, total: int, what: str) -> None:
        now = time.monotonic()
        began = steps.setdefault(what, now)
        left = (now - began) / max(done, 1) * (total - done)
        remaining = f", {left:.0f} s left" if left >= 2 else ""
        bar.progress(done / max(total, 1), text=f"{done:,} of {total:,}: {what}{remaining}")

    try:
        report = session.workspace().datasets.import_(
            source, name, rules, copy=copy, progress=progress
        )
    finally:
        bar.empty()
    st.session_state["import_report"] = report
    session.request("dataset", report.name)
    st.query_params.pop("import", None)
    st.rerun()


def _preview(source: Source, rules: _Rules) -> None:
    """Read a few samples and show them, or why they cannot be read."""
    try:
        with st.spinner("Reading a few samples …"), source.files() as files:
            preview = session.workspace().datasets.preview(files, rules.read())
    except SegcoreError as error:
        st.error(session.plain(on_page(str(error))), icon=":material/error:")
    else:
        _show_preview(preview)


def _show_preview(seen: Preview) -> None:
    splits = (
        ", ".join(f"{split} {count:,}" for split, count in seen.splits.items())
        or "none yet; create them after the import"
    )
    st.markdown(
        f"**{session.plain(seen.layout)}**: {seen.num_pairs:,} images; splits: "
        f"{session.plain(splits)}."
    )
    columns = st.columns(max(1, len(seen.samples)))
    for column, (sample, image, mask) in zip(columns, seen.samples, strict=False):
        column.image(pictures.shrink(image, 480), width="stretch", alt=f"Image {sample}")
        column.image(
            pictures.shrink(pictures.paint(mask, seen.label_set), 480),
            caption=session.plain(sample),
            width="stretch",
            alt="Mask",
        )
    colors = session.hex_colors(seen.label_set)
    tables.draw(
        [
            {"": pictures.swatch(h), "class": c.name, "id": c.id}
            for c, h in zip(seen.label_set.classes, colors, strict=True)
        ]
        + [{"": None, "class": f"{c.name} (ignored)", "id": c.id} for c in seen.label_set.ignored],
        column_config={"": st.column_config.ImageColumn(width="small")},
        width="content",
        alt="The classes found",
    )
    if seen.problems:
        st.caption(f"{_title(seen.problems)}:")
        _list_problems(seen.problems)
    st.caption(
        "Based on up to 32 samples; the import reads all of them. You can change names, "
        "colours and ignored classes afterwards."
    )


def _list_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        if problem.is_task:
            st.markdown(
                f"- {session.plain(problem.what)}: **{session.plain(on_page(problem.fix))}**."
            )
    rows = [
        {"sample": p.sample or "whole dataset", "what": p.what, "what to do": on_page(p.fix)}
        for p in problems
        if not p.is_task
    ]
    if rows:
        tables.draw(rows, alt="Skipped or decided at import")
