"""What is wrong with a dataset, or could be: each finding with pictures and a fix."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.data.health.findings import Finding
from segcore.errors import SegcoreError
from segcore.ui.dataset import split_form
from segcore.ui.shared import pictures, session, tables
from segcore.ui.shared.dataset_scans import LISTED, measured, stamp, table_behind

LEVELS = {
    "problem": ("red", ":material/error:"),
    "warning": ("orange", ":material/warning:"),
    "note": ("gray", ":material/info:"),
}
"""Checks whose findings other splits fix, and the method that does."""

SPLITS_TAB = "Splits"
LEAKS = {"sequences": "grouped", "duplicates": "grouped"}
"""Checks whose findings are leaks between splits, which grouped splits always fix."""
ABOUT_LABELS = ("bare_masks", "classes")
"""Checks whose pictures carry the mask."""

_CARDS = 12
_SMALL = 60
_PICTURES = 4

CHECKED = (
    "mismatched files, corrupt images, empty masks, duplicates, leakage between splits (including "
    "video neighbours), and classes missing from a split"
)


def show(dataset: Dataset, name: str, tab_key: str) -> None:
    """Draw the tab.

    Args:
        dataset: The dataset.
        name: Start of the names of files to download.
        tab_key: Key of the tabs, to lead to the one with splits.
    """
    findings = measured(
        "health",
        dataset,
        None,
        lambda progress: session.workspace().datasets.health(dataset.name, progress),
        "Check the dataset",
    )
    if findings is None:
        st.caption(f"Looks for {CHECKED}.")
        return
    session.workspace().checklist.note("health", dataset.name)
    if not findings:
        st.success(
            f"Every check passed: {CHECKED}.",
            icon=":material/check_circle:",
        )
        return
    _summary(findings, name)
    shown = [f for f in findings if f.check != "left_out"][:_CARDS]
    for number, finding in enumerate(shown):
        _card(dataset, finding, number, tab_key)
    left_out = [f for f in findings if f.check == "left_out"]
    if left_out:
        _left_out(dataset, left_out)
    rest = len(findings) - len(shown) - len(left_out)
    if rest:
        st.caption(f"{rest} more findings in the table.")


def _summary(findings: Sequence[Finding], name: str) -> None:
    """Draw the number of findings of each level, and all of them as a table to download."""
    counts = {level: sum(f.level == level for f in findings) for level in LEVELS}
    with st.container(horizontal=True, vertical_alignment="center"):
        for level, (color, icon) in LEVELS.items():
            if counts[level]:
                st.badge(
                    f"{counts[level]} {level}{'s' if counts[level] > 1 else ''}",
                    color=color,  # type: ignore[arg-type]
                    icon=icon,
                )
        rows = [
            {
                "level": f.level,
                "what": f.what,
                "fix": f.fix,
                "samples": len(f.samples),
                "first": ", ".join(f.samples[:LISTED]),
            }
            for f in findings
        ]
        table_behind(rows, f"{name}-health")


def _left_out(dataset: Dataset, findings: Sequence[Finding]) -> None:
    """Draw what the import skipped or decided, with pictures where there are any."""
    st.markdown("**Skipped or decided at import**")
    rows = [
        {
            "picture": _small(dataset, f.samples[0], stamp(dataset))
            if f.samples and n < _SMALL
            else None,
            "what": f.what,
            "what to do": f.fix,
        }
        for n, f in enumerate(findings[:LISTED])
    ]
    pictured = any(row["picture"] for row in rows)
    tables.draw(
        rows if pictured else [{k: v for k, v in row.items() if k != "picture"} for row in rows],
        row_height=56 if pictured else None,
        column_config={"picture": st.column_config.ImageColumn("", width="small")}
        if pictured
        else None,
        alt="Skipped or decided at import",
    )


def _card(dataset: Dataset, finding: Finding, number: int, tab_key: str) -> None:
    color, icon = LEVELS[finding.level]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(finding.level, color=color, icon=icon)  # type: ignore[arg-type]
            st.markdown(f"**{session.plain(_sentence(finding.what))}**")
        st.markdown(f"Fix: {session.plain(finding.fix)}.")
        if finding.samples:
            if finding.pairs:
                _side_by_side(dataset, finding)
            else:
                _pictures(dataset, finding)
            if len(finding.samples) > _PICTURES:
                with st.popover(
                    f"Show all {len(finding.samples):,} samples",
                    type="tertiary",
                    icon=":material/list:",
                ):
                    rows = [
                        {"sample": s, "split": dataset.sample(s).split}
                        for s in finding.samples[:LISTED]
                    ]
                    tables.draw(rows, alt="Samples of the finding", key=f"samples_{number}")
                    if len(finding.samples) > LISTED:
                        st.caption(
                            f"Showing {LISTED:,}. The table of all findings contains the rest."
                        )
        method = finding.split_method or LEAKS.get(finding.check, "")
        if method and finding.level != "note":
            label = f"Create {method} splits"
            st.button(
                label,
                key=f"mend_{number}",
                icon=":material/call_split:",
                on_click=_go,
                args=(tab_key, method, dataset.name),
            )


def _pictures(dataset: Dataset, finding: Finding) -> None:
    """Some samples of a finding; where it is about labels, each with its mask laid over it."""
    columns = st.columns(_PICTURES)
    for column, sample in zip(columns, _spread(finding), strict=False):
        picture = _thumbnail(dataset, sample, finding.check in ABOUT_LABELS, stamp(dataset))
        if picture is not None:
            column.image(picture, caption=_named(dataset, sample), width="stretch", alt=sample)


def _side_by_side(dataset: Dataset, finding: Finding) -> None:
    """Pairs of samples, each pair in a frame of its own."""
    frames = st.columns(_PICTURES // 2, gap="medium")
    for frame, pair in zip(frames, finding.pairs, strict=False):
        with frame.container(border=True):
            for column, sample in zip(st.columns(2, gap="small"), pair, strict=True):
                picture = _thumbnail(dataset, sample, False, stamp(dataset))
                if picture is not None:
                    column.image(
                        picture, caption=_named(dataset, sample), width="stretch", alt=sample
                    )


def _named(dataset: Dataset, sample: str) -> str:
    split = dataset.sample(sample).split
    return session.plain(f"{sample} ({split})" if split else sample)


def _go(tab_key: str, method: str, dataset: str) -> None:
    st.session_state[tab_key] = SPLITS_TAB
    split_form.propose_method(dataset, method)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _spread(finding: Finding) -> Sequence[str]:
    """Samples to show: the first ones where neighbours belong together, else some of everywhere."""
    ids = finding.samples
    if finding.check == "duplicates" or len(ids) <= _PICTURES:
        return ids[:_PICTURES]
    return [ids[i] for i in np.linspace(0, len(ids) - 1, _PICTURES).astype(int)]


@st.cache_data(max_entries=400, max_size="50MB", show_spinner=False)
def _thumbnail(
    _dataset: Dataset, sample: str, mask: bool, stamp: str
) -> npt.NDArray[np.uint8] | None:
    try:
        return pictures.thumbnail(_dataset, sample, 320, mask=mask)
    except SegcoreError:
        return None  # the finding itself says that it cannot be read


@st.cache_data(max_entries=200, max_size="20MB", show_spinner=False)
def _small(_dataset: Dataset, sample: str, stamp: str) -> str | None:
    try:
        return pictures.data_url(pictures.thumbnail(_dataset, sample, 96))
    except SegcoreError:
        return None
