"""The work list of suspected labels: one region after the other, a key for each answer."""

from typing import Any
from uuid import uuid4

import numpy.typing as npt
import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.evaluation.metrics.suspected_regions import SuspectedRegion
from segcore.labels import plural
from segcore.ui import viewer
from segcore.ui.edit import drawing
from segcore.ui.shared import background_tasks, session
from segcore.ui.shared.run_names import called
from segcore.workspace.fixes import DECISIONS, WorkList

AT = "fix_at"
"""Position in the list, for this session."""


def is_asked() -> bool:
    """Whether the link asks for the work list of a run."""
    return bool(st.query_params.get("fix"))


def show(dataset: Dataset) -> str | None:
    """Ask about the regions of one image after the other; return the image, None without one."""
    run, split = st.query_params["fix"], st.query_params.get("split", "validation")
    with session.errors_shown():
        made = session.workspace().fixes.work_list(run, split)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                "pages/evaluate.py",
                label="Label errors",
                icon=":material/arrow_back:",
                query_params={"run": run, "split": split, "tab": "Calibration and label errors"},
            )
            again = "Search again" if made else "Search for suspected labels"
            made = _search(run, split, made, again)
        if made is None:
            st.caption(
                f"Looks through the {split} split for connected regions whose label "
                f"{called(run)} contradicts with confidence, and lists the most worthwhile first."
            )
            return None
        return _work(dataset, made)


def _search(run: str, split: str, made: WorkList | None, label: str) -> WorkList | None:
    fixes = session.workspace().fixes
    number = st.session_state.setdefault("fix_search", uuid4().hex)
    found = background_tasks.passed(
        f"fixes {run} {split} {number}",
        lambda tell: fixes.make_list(run, split, tell),
        label,
        "Two passes over the split. Needs whole probabilities.",
        at_once=False,
    )
    if found is None:
        return made
    st.session_state["fix_search"] = uuid4().hex
    st.session_state[AT] = 0
    return fixes.work_list(run, split)


def _work(dataset: Dataset, made: WorkList) -> str | None:
    images = [work.sample for work in made.images]
    large = sum(not _fits(dataset, image) for image in images)
    if large:
        st.caption(
            f"{plural(large, 'image')} with a side above {viewer.EDIT_SIDE} pixels left out: to edit "
            "their masks, cut them into tiles before the import; rasters, by a window size."
        )
    at = _next_open(dataset, made, int(st.session_state.get(AT, 0)))
    if at is None:
        st.success(
            f"All of {plural(len(images), 'image')} were looked through. Skipped regions come "
            "again when you reload the page.",
            icon=":material/check_circle:",
        )
        return None
    st.session_state[AT] = at
    _edit(dataset, made, at, viewer.edit)
    following = _next_open(dataset, made, at + 1)
    if following is not None:
        _edit(dataset, made, following, viewer.edit_ahead)
    return images[at]


def _edit(dataset: Dataset, made: WorkList, at: int, show_in: Any) -> None:
    """Show the image at a position of the list, or send it ahead."""
    workspace, sample = session.workspace(), made.images[at].sample
    opened = workspace.masks.open(dataset.name, sample)
    regions = _regions(dataset, made, sample)
    origin = f"label errors, by {called(made.run)}"

    def done(
        mask: npt.NDArray[Any] | None, decided: viewer.Decided, used: tuple[str, ...]
    ) -> viewer.SaveAnswer:
        answer = viewer.SaveAnswer(True, "", drawing.known_as(opened.digest, dataset))
        if mask is not None:
            by = drawing.by_tools(origin, used)
            answer = drawing.save(dataset.name, sample, mask, opened, by)
        if answer.saved:
            answers = [(d, regions[i]) for d, i in decided if d in DECISIONS]
            workspace.fixes.decide(dataset.name, sample, answers)
            st.session_state[AT] = at + 1
        return answer

    work = viewer.EditorWork(
        tuple(viewer.RegionQuestion(r.given, r.suggested, r.pixels, r.rows) for r in regions),
        f"image {at + 1} of {len(made.images)}: {sample}",
        done,
    )
    shared: dict[str, Any] = {
        "key": f"fixes_{dataset.name}",
        "image": sample,
        "base": drawing.known_as(opened.digest, dataset),
        "proposal": made.run,
        "work": work,
    }
    if show_in is viewer.edit:
        shared["on_save"] = lambda mask, used: drawing.save(
            dataset.name, sample, mask, opened, drawing.by_tools(origin, used)
        )
        shared["asking"] = drawing.asking(dataset, sample, made.run)
    show_in(lambda: drawing.scene(dataset, sample, opened, made.run), **shared)


def _next_open(dataset: Dataset, made: WorkList, at: int) -> int | None:
    """Return the first position from one on whose image still has an open region."""
    for number in range(at, len(made.images)):
        sample = made.images[number].sample
        if _fits(dataset, sample) and _regions(dataset, made, sample):
            return number
    return None


def _fits(dataset: Dataset, sample: str) -> bool:
    one = dataset.sample(sample)
    return max(one.height, one.width) <= viewer.EDIT_SIDE


def _regions(dataset: Dataset, made: WorkList, sample: str) -> list[SuspectedRegion]:
    workspace = session.workspace()
    digest = dataset.sample(sample).mask_digest
    stamp = workspace.fixes.stamp(made.run, made.split)
    return _open_regions(made.run, made.split, sample, f"{digest} {stamp}")


@st.cache_data(max_entries=64, show_spinner=False)
def _open_regions(run: str, split: str, sample: str, stamp: str) -> list[SuspectedRegion]:
    return session.workspace().fixes.regions(run, split, sample)
