"""Cached reports and what follows from them, and opening the image behind a number."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import streamlit as st

from segcore.errors import SegcoreError
from segcore.evaluation.comparison.comparison import ComparisonSummary
from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.evaluation.counts.coverage import CoverageTable
from segcore.evaluation.metrics.pixel_metrics import BorderScores
from segcore.evaluation.metrics.report import Report, Summary
from segcore.evaluation.metrics.slices import (
    SliceScores,
    score_slices,
    slice_by_class,
    slice_by_tag,
    slice_by_tags,
    slice_by_value,
)
from segcore.ui.shared import session
from segcore.ui.shared.run_names import output_name, short_name
from segcore.workspace import Workspace
from segcore.workspace.scores.pixel_metrics import Measured
from segcore.workspace.scores.reports import STAGE_TITLES


@st.cache_resource(max_entries=32, show_spinner=False)
def _report(_workspace: Workspace, run: str, split: str, stage: str, stamp: str) -> Report:
    return _workspace.scores.report(run, split, stage)


def report(run: str, split: str, stage: str = "") -> Report:
    """Return a run's report; shared by all sessions, so it is only read.

    Args:
        run: Id of the run.
        split: Name of the split.
        stage: What was scored.

    Raises:
        SegcoreError: The run has no counts of that split yet.
    """
    workspace = session.workspace()
    return _report(workspace, run, split, stage, workspace.scores.stamp(run, split, stage))


@st.cache_resource(max_entries=32, show_spinner=False)
def _summary(_report: Report, key: str) -> Summary:
    return _report.summary()


def summary(run: str, split: str, stage: str = "") -> Summary:
    """Return the scores of a run's report as plain numbers.

    Args:
        run: Id of the run.
        split: Name of the split.
        stage: What was scored.

    Raises:
        SegcoreError: The run has no counts of that split yet.
    """
    return _summary(report(run, split, stage), _key(run, split, stage))


def _key(run: str, split: str, stage: str) -> str:
    workspace = session.workspace()
    return f"{workspace.folder} {run} {workspace.scores.stamp(run, split, stage)}"


@st.cache_data(max_entries=32, show_spinner=False)
def _label_scores(_report: Report, key: str) -> str:
    return _report.label_scores()


def label_scores(run: str, split: str, stage: str = "") -> str:
    """Return the CSV of a run's scores by class; arguments and errors as for :func:`summary`."""
    return _label_scores(report(run, split, stage), _key(run, split, stage))


@st.cache_data(max_entries=32, show_spinner="Simulating intervals on sets drawn from these images")
def _coverage(_workspace: Workspace, run: str, split: str, stage: str, stamp: str) -> CoverageTable:
    return _workspace.scores.coverage(run, split, stage)


def coverage(run: str, split: str, stage: str = "") -> CoverageTable:
    """Return how often intervals over a run's images contain the value that they should.

    Raises:
        SegcoreError: The run has no counts of that split yet, or there are too few images.
    """
    workspace = session.workspace()
    return _coverage(workspace, run, split, stage, workspace.scores.stamp(run, split, stage))


@st.cache_data(max_entries=64, show_spinner=False)
def _plan_sentence(
    _workspace: Workspace,
    run: str,
    split: str,
    stage: str,
    other: str,
    other_stage: str,
    stamp: str,
) -> str:
    plan = _workspace.scores.plan_test(run, split, stage, other, other_stage=other_stage)
    return plan.sentence()


def plan_sentence(
    run: str, split: str, stage: str = "", other: str = "", other_stage: str = ""
) -> str:
    """Say how many images or groups a difference of one point needs; "" where there are too few to say."""
    workspace = session.workspace()
    stamp = workspace.scores.stamp(run, split, stage)
    try:
        if other:
            stamp += workspace.scores.stamp(other, split, other_stage)
        return _plan_sentence(workspace, run, split, stage, other, other_stage, stamp)
    except SegcoreError:
        return ""


UNITS = {"folder": "folders or drives", "prefix": "name prefixes", "scene": "scenes"}
"""What can be resampled besides images, by the name in ``GROUPINGS`` of the splits."""


@st.cache_data(max_entries=64, show_spinner=False)
def _groupings(
    _workspace: Workspace, run: str, split: str, stage: str, stamp: str
) -> dict[str, int]:
    counted = {by: set(_workspace.reports.grouping(run, split, stage, by)) for by in UNITS}
    return {by: len(groups) for by, groups in counted.items() if groups}


def groupings(run: str, split: str, stage: str) -> dict[str, int]:
    """Return the number of groups by grouping, of those groupings that part the images.

    Raises:
        SegcoreError: The run has no counts of that split yet.
    """
    workspace = session.workspace()
    return _groupings(workspace, run, split, stage, workspace.scores.stamp(run, split, stage))


def named(runs: Sequence[str], split: str) -> dict[str, tuple[str, str]]:
    """Return all outputs of some runs as (run, stage), by a unique name.

    Raises:
        SegcoreError: A run has no counts of that split yet.
    """
    stages = {run: session.workspace().scores.stages(run, split) for run in runs}
    short = {run: short_name(run) for run in runs}
    short = {
        run: name if list(short.values()).count(name) == 1 else run for run, name in short.items()
    }
    return {output_name(short[run], stage): (run, stage) for run in runs for stage in stages[run]}


def stage_title(stage: str) -> str:
    """Return what a stage is called; one that this version does not know keeps its own name."""
    return STAGE_TITLES.get(stage, stage)


@st.cache_data(max_entries=64, show_spinner=False)
def _comparison(
    _workspace: Workspace, run: str, other: str, split: str, stages: tuple[str, str], stamps: str
) -> ComparisonSummary:
    return _workspace.reports.compare(run, other, split, *stages).summary()


def comparison(
    run: str, other: str, split: str, stage: str = "", other_stage: str = ""
) -> ComparisonSummary:
    """Return how two runs compare on a split, as plain numbers.

    Raises:
        SegcoreError: One has no counts of that split yet.
    """
    workspace = session.workspace()
    stamps = (
        f"{workspace.scores.stamp(run, split, stage)} "
        f"{workspace.scores.stamp(other, split, other_stage)}"
    )
    return _comparison(workspace, run, other, split, (stage, other_stage), stamps)


@st.cache_resource(max_entries=32, show_spinner=False)
def _confusion(
    _workspace: Workspace, run: str, split: str, stage: str, stamp: str
) -> npt.NDArray[np.int64]:
    total: npt.NDArray[np.int64] = _workspace.scores.counts(run, split, stage)[1].total
    return total


def confusion(run: str, split: str, stage: str = "") -> npt.NDArray[np.int64]:
    """Return a run's confusion matrix (C, C) in pixels, rows true; shared, so it is only read.

    Raises:
        SegcoreError: The run has no counts of that split yet.
    """
    workspace = session.workspace()
    return _confusion(workspace, run, split, stage, workspace.scores.stamp(run, split, stage))


@st.cache_data(max_entries=64, show_spinner=False)
def _borders(
    _workspace: Workspace, run: str, split: str, _measured: Measured, images: int, stamp: str
) -> BorderScores:
    return _workspace.pixel_metrics.borders(run, split, _measured)


def borders(run: str, split: str, stage: str, measured: Measured) -> BorderScores:
    """Return the scores at borders of what was measured of a stage, with the mean's interval.

    Raises:
        SegcoreError: The run has no counts of that split yet.
    """
    workspace = session.workspace()
    stamp = workspace.scores.stamp(run, split, stage)
    images = len(measured.measures.sample_ids)
    return _borders(workspace, run, split, measured, images, f"{stage} {stamp}")


@st.cache_data(max_entries=64, show_spinner=False)
def _similar_order(
    _workspace: Workspace, run: str, split: str, stage: str, stamp: str
) -> list[int]:
    return build_dendrogram(_workspace.scores.counts(run, split, stage)[1].total).order


def similar_order(run: str, split: str, stage: str = "") -> list[int]:
    """Return the class indices so that classes which the run answers alike stand together.

    Raises:
        SegcoreError: The run has no counts of that split yet.
    """
    workspace = session.workspace()
    return _similar_order(workspace, run, split, stage, workspace.scores.stamp(run, split, stage))


def tags(run: str, split: str, stage: str) -> list[tuple[str, ...]]:
    """Return the tags of each scored image, none where it has none.

    Raises:
        SegcoreError: The run has no counts of that split yet, or the tags are damaged.
    """
    workspace = session.workspace()
    known = workspace.tags.of(workspace.scenes.dataset_of(run).name)
    return [known.get(name, ()) for name in workspace.scores.sample_ids(run, split, stage)]


@st.cache_data(max_entries=64, show_spinner="Scoring slices …")
def _parts(
    _workspace: Workspace,
    run: str,
    split: str,
    stage: str,
    kind: str,
    stamp: str,
    tags: list[tuple[str, ...]],
) -> list[SliceScores]:
    ids, counts = _workspace.scores.counts(run, split, stage)
    if kind == "class":
        parts = slice_by_class(counts, _workspace.scores.label_set(run).class_names)
    elif kind == "tag":
        parts = slice_by_tags(tags)
    elif kind in UNITS:
        parts = slice_by_tag(
            _workspace.reports.grouping(run, split, stage, kind),
            "group" if kind == "folder" else "name",
        )
    else:
        parts = slice_by_value(_workspace.reports.brightness(run, split, stage), "brightness")
    return score_slices(counts, parts, groups=_workspace.scores.drawn_by(run, ids).groups)


def parts(run: str, split: str, stage: str, kind: str) -> list[SliceScores]:
    """Return the scores of slices by "class", "tag", "folder", "prefix" or "brightness".

    Raises:
        SegcoreError: The run has no counts of that split yet, or an image cannot be read.
    """
    workspace = session.workspace()
    carried = tags(run, split, stage) if kind == "tag" else []
    return _parts(
        workspace, run, split, stage, kind, workspace.scores.stamp(run, split, stage), carried
    )


@st.cache_data(max_entries=64, show_spinner="Measuring objects …")
def _sizes(
    _workspace: Workspace, run: str, split: str, stage: str, stamp: str
) -> tuple[list[list[list[int]]], int]:
    counted, images = _workspace.reports.sizes(run, split, stage)
    return counted.tolist(), images


def sizes(run: str, split: str, stage: str = "") -> tuple[list[list[list[int]]], int]:
    """Return correct pixels, true pixels and objects per class and size, and the images read.

    Raises:
        SegcoreError: The run has no counts of that split yet, or a file cannot be read.
    """
    workspace = session.workspace()
    return _sizes(workspace, run, split, stage, workspace.scores.stamp(run, split, stage))


def look_at(run: str, split: str, sample: str, beside: str | None = None) -> None:
    """Open an image in Compare, perhaps with another run; say so where it is not on disk."""
    with session.errors_shown():
        on_disk = {s.id for s in session.workspace().scenes.predicted_samples(run, split)}
    if sample in on_disk:
        query = {
            "run": run,
            "split": split,
            "sample": sample,
            **({"beside": beside} if beside else {}),
        }
        st.switch_page("pages/compare.py", query_params=query)
    name = session.plain(sample)
    st.info(
        (f"{name} was scored, but its probabilities are not on disk, so it cannot be shown."),
        icon=":material/info:",
    )
