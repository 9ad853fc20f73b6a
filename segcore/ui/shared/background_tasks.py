"""Passes over a whole split in a background thread, with progress; the page stays free."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar, cast

import streamlit as st

from segcore import acting
from segcore.errors import SegcoreError
from segcore.ui.shared import run_progress, session
from segcore.ui.shared.page_words import on_page

Result = TypeVar("Result")
Progress = Callable[[int, int, str], None]

AT_ONCE = 40_000_000
"""Up to so many values (pixels times classes) a pass begins without being asked."""

PATIENCE = 1.0
"""Seconds that a page waits for a pass before it shows how far it is."""

_KEPT = 64


class _Pass:
    """One pass: its answer to come, and how far it is."""

    def __init__(self) -> None:
        self.future: Future[Any]
        self.done, self.total, self.what = 0, 1, "starting"

    def tell(self, done: int, total: int, what: str) -> None:
        self.done, self.total, self.what = done, total, what


class _Board:
    """The passes of all sessions, oldest first; one runs at a time."""

    def __init__(self) -> None:
        self.passes: dict[str, _Pass] = {}
        self.pool = ThreadPoolExecutor(1, "passes")


@st.cache_resource(show_spinner=False)
def _board() -> _Board:
    return _Board()


def passed(
    key: str, work: Callable[[Progress], Result], label: str, help: str, *, at_once: bool
) -> Result | None:
    """Return the result of a pass, or offer to make it, or show its progress and return None.

    Args:
        key: Another text whenever the result would be another.
        work: Makes it, given a progress function; runs in a thread, so it draws nothing.
        label: Text of the button.
        help: What the pass reads; stands below the button.
        at_once: Whether it begins without a click.
    """
    board = _board()
    one = board.passes.get(key)
    if one is None:
        if not at_once and not st.button(label, key=f"pass_{key}", icon=":material/play_arrow:"):
            st.caption(help)
            return None
        one = _Pass()
        one.future = board.pool.submit(_work_as, acting.person(), work, one.tell)
        board.passes[key] = one
        while len(board.passes) > _KEPT:
            board.passes.pop(next(iter(board.passes)), None)
    wait([one.future], PATIENCE)
    if not one.future.done():
        st.fragment(_panel, run_every=0.7)(key, label)
        return None
    error = one.future.exception()
    if error is not None:
        board.passes.pop(key, None)
        if not isinstance(error, SegcoreError):
            raise error
        st.error(on_page(str(error)), icon=":material/error:")
        return None
    return cast("Result", one.future.result())


def _work_as(one: acting.Person, work: Callable[[Progress], Result], tell: Progress) -> Result:
    """Work in a thread for the person who asked."""
    with acting.acting_as(one):
        return work(tell)


def _panel(key: str, label: str) -> None:
    one = _board().passes.get(key)
    if one is None or one.future.done():
        st.rerun()
    st.progress(
        min(one.done / max(one.total, 1), 1.0),
        text=f"{label}: {one.done:,} of {one.total:,} ({session.plain(one.what)})",
    )


def present(run: str, split: str, stage: str, counted: int) -> bool:
    """Return whether a split can be measured; say how much is on disk, offer to predict all.

    Args:
        run: Id of the run.
        split: Name of the split.
        stage: What was scored.
        counted: How many images were scored.
    """
    workspace = session.workspace()
    with session.errors_shown():
        on_disk = len(workspace.pixel_metrics.samples(run, split, stage))
        kind = workspace.runs.open(run).config.kind
        waited = (
            [f"{member}--{split}" for member in workspace.runs.members(run)]
            if kind != "imported"
            else []
        )
    if waited and not run_progress.follow(waited, "Predicting", f"whole_{split}"):
        return False
    if on_disk >= counted or kind == "imported":
        return bool(on_disk)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            (
                f"**{on_disk} of {counted}** images of {session.plain(split)} have probabilities "
                "on disk"
            )
            + (
                "; the results below are based on these."
                if on_disk
                else ", so there is nothing to show yet."
            )
        )
        if st.button("Predict all images", icon=":material/play_arrow:", key=f"keep_{split}"):
            with session.errors_shown():
                for member in workspace.runs.members(run):
                    workspace.runs.predict_whole(member, split)
            st.rerun()
    return bool(on_disk)


def is_small(run: str, split: str) -> bool:
    """Return whether a pass over a split is quick enough to begin without being asked."""
    samples = session.workspace().pixel_metrics.samples(run, split)
    members = len(session.workspace().runs.members(run))
    classes = session.workspace().scores.label_set(run).num_classes
    return sum(s.height * s.width for s in samples) * classes * members <= AT_ONCE
