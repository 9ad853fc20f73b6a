"""Scans of every image or mask of a dataset: on a click, with progress, cached."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.ui.shared import session, tables
from segcore.ui.shared.band_choice import display_stamp

Result = TypeVar("Result")
Progress = Callable[[int, int, str], None]

AT_ONCE = 12_000_000
"""Up to so many pixels are read without being asked."""

LISTED = 1000
"""Rows of a table that a page draws at most."""

_KEPT = 48


@st.cache_resource(show_spinner=False)
def _results() -> dict[tuple[str, ...], Any]:
    """Results of all sessions, the oldest first."""
    return {}


def stamp(dataset: Dataset) -> str:
    """Return a text that changes whenever the dataset does: what caches are keyed by."""
    return (
        f"{dataset.name} {dataset.fingerprint} "
        f"{(dataset.folder / 'dataset.json').stat().st_mtime_ns} {display_stamp(dataset)}"
    )


def measured(
    what: str,
    dataset: Dataset,
    split: str | None,
    work: Callable[[Progress], Result],
    label: str,
    *,
    cheap: bool = False,
) -> Result | None:
    """Return a measurement of a dataset, or offer to make it and return None.

    Args:
        what: Name of the measurement.
        dataset: The dataset.
        split: Its split, None for all.
        work: Measures, given a progress function.
        label: Text of the button, "Measure instances".
        cheap: Whether to start without being asked however many images there are.

    Returns:
        The measurement, kept for all sessions until the dataset changes.
    """
    key = (what, stamp(dataset), split or "")
    results = _results()
    if key not in results:
        samples = dataset.select(split)
        pixels = sum(sample.height * sample.width for sample in samples)
        if (
            not cheap
            and pixels > AT_ONCE
            and not st.button(
                label,
                key=f"measure_{what}",
                icon=":material/play_arrow:",
                help=f"Reads {len(samples):,} files once; the result is kept until they change.",
            )
        ):
            return None
        bar = st.progress(0.0, text="Reading …")

        def progress(done: int, total: int, doing: str) -> None:
            bar.progress(done / max(total, 1), text=f"{done:,} of {total:,}: {doing}")

        with session.errors_shown():
            results[key] = work(progress)
        while len(results) > _KEPT:
            results.pop(next(iter(results)), None)
        bar.empty()
        if not cheap and pixels > AT_ONCE:
            st.rerun()  # without the button
    return cast("Result", results[key])


def table_behind(rows: Sequence[Mapping[str, Any]], file_name: str, **columns: Any) -> None:
    """Offer the figures behind a chart: a table in a popover, and the same as a CSV file.

    Args:
        rows: One mapping a row.
        file_name: Name of the file, without ending; one of a kind on its page.
        columns: Streamlit column settings by column name.
    """
    with st.popover("Table", icon=":material/table:", type="tertiary"):
        tables.draw(list(rows[:LISTED]), column_config=columns or None, alt=f"Table {file_name}")
        if len(rows) > LISTED:
            st.caption(f"Showing {LISTED:,} of {len(rows):,} rows. The file contains all.")
        tables.download_csv(rows, file_name, f"csv_{file_name}")
