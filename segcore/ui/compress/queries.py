"""What the Compress page needs of the workspace, computed once and cached."""

import numpy as np
import streamlit as st

from segcore.evaluation.compression.back_off_report import BackOffReport
from segcore.evaluation.compression.chosen_map import MapReport
from segcore.evaluation.compression.label_tree import node_label_set
from segcore.evaluation.compression.what_if import WhatIf
from segcore.labels import LabelMap, LabelSet
from segcore.ui.shared import session
from segcore.ui.viewer import Panel, Scene, pack
from segcore.workspace import Workspace
from segcore.workspace.compression.back_offs import BackOffOptions
from segcore.workspace.compression.examples import Example
from segcore.workspace.compression.merges import Band, WhatIfOptions
from segcore.workspace.compression.tiers import TierComparison

Groups = tuple[tuple[int, ...], ...]
"""Groups of the user's class ids; labels in no group stay as they are."""

Importance = tuple[tuple[int, float], ...]
"""Weight by class id, of those that do not weigh 1."""


def _weights(prior: str, importance: Importance) -> dict[str, float] | None:
    return (
        {str(i): weight for i, weight in importance}
        if prior == "importance" or importance
        else None
    )


@st.cache_data(max_entries=64, show_spinner="Comparing merges …")
def _what_if(
    _workspace: Workspace,
    run: str,
    split: str,
    prior: str,
    importance: Importance,
    apart: Groups,
    rate: float,
    stamp: str,
) -> tuple[WhatIf, list[Band | None]]:
    pairs = [(str(a), str(b)) for a, b in apart]
    weights = _weights(prior, importance)
    options = WhatIfOptions(prior, weights, pairs, trade_off_rate=rate)
    answer = _workspace.merges.what_if(run, split, options=options).answer
    maps = [row.label_map.in_ids(answer.ids) for row in answer.path]
    return answer, _workspace.merges.null_band(run, split, maps)


def what_if(
    run: str,
    split: str,
    prior: str,
    importance: Importance = (),
    apart: Groups = (),
    rate: float = 0.1,
) -> tuple[WhatIf, list[Band | None]]:
    """Return the what-if over all merges of a run, and a band of random merges by row of its path.

    Args:
        run: Id of a run.
        split: Name of a split.
        prior: What weighs entropy.
        importance: Weights for the "importance" prior.
        apart: Pairs of class ids that never meet.
        rate: The trade-off rate of the advice.

    Raises:
        SegcoreError: The run has no counts of that split yet.
    """
    workspace = session.workspace()
    return _what_if(
        workspace, run, split, prior, importance, apart, rate, workspace.scores.stamp(run, split)
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _class_pixels(_workspace: Workspace, run: str, split: str, stamp: str) -> list[int]:
    pixels: list[int] = _workspace.scores.counts(run, split)[1].sum((0, 2)).tolist()
    return pixels


def class_pixels(run: str, split: str) -> list[int]:
    """Return the true pixels of each class in a split, in index order.

    Raises:
        SegcoreError: The run has no counts of that split yet.
    """
    workspace = session.workspace()
    return _class_pixels(workspace, run, split, workspace.scores.stamp(run, split))


@st.cache_data(max_entries=500, show_spinner=False)
def _merge(
    _workspace: Workspace,
    run: str,
    split: str,
    groups: Groups,
    prior: str,
    importance: Importance,
    apart: Groups,
    stamp: str,
) -> MapReport:
    return _workspace.merges.judge(
        run, split, groups, prior, importance=_weights(prior, importance), forbidden=apart
    ).report


def merge(
    run: str,
    split: str,
    groups: Groups,
    prior: str,
    importance: Importance = (),
    apart: Groups = (),
) -> MapReport:
    """Return every score of one merge on a split.

    Raises:
        SegcoreError: The run has no counts of that split yet.
    """
    workspace = session.workspace()
    return _merge(
        workspace, run, split, groups, prior, importance, apart, workspace.scores.stamp(run, split)
    )


@st.cache_data(max_entries=100, show_spinner=False)
def _tiers(
    _workspace: Workspace, run: str, split: str, groups: Groups, retrained: str, stamps: str
) -> TierComparison:
    return _workspace.tiers.compare(run, split, groups, retrained)


def tiers(run: str, split: str, groups: Groups, retrained: str) -> TierComparison:
    """Return the variants of a merge side by side.

    Raises:
        SegcoreError: There are no counts, or two tiers do not fit together.
    """
    workspace = session.workspace()
    stamps = f"{workspace.scores.stamp(run, split)} {workspace.tiers.is_summed(run, split, groups)}"
    if retrained:
        stamps += workspace.scores.stamp(retrained, split)
    return _tiers(workspace, run, split, groups, retrained, stamps)


@st.cache_data(max_entries=64, show_spinner="Looking for examples …")
def _examples(
    _workspace: Workspace, run: str, split: str, pair: tuple[int, int], stamp: str
) -> tuple[list[Example], int]:
    return _workspace.merges.examples(run, split, pair)


def examples(run: str, split: str, pair: tuple[int, int]) -> tuple[list[Example], int]:
    """Return examples of a pair, and how many images confuse it.

    Raises:
        SegcoreError: The run has no counts of that split, or a file cannot be read.
    """
    workspace = session.workspace()
    return _examples(workspace, run, split, pair, workspace.scores.stamp(run, split))


@st.cache_data(max_entries=200, show_spinner=False)
def _back_off(
    _workspace: Workspace, run: str, split: str, options: BackOffOptions, stamps: str
) -> BackOffReport:
    return _workspace.back_offs.report(run, split, options).report


def back_off(run: str, split: str, options: BackOffOptions) -> BackOffReport:
    """Return the report of a promise.

    Raises:
        SegcoreError: The promise or the hierarchy is refused, or probabilities are missing.
    """
    workspace = session.workspace()
    return _back_off(workspace, run, split, options, _stamps(run, split, options))


def _stamps(run: str, split: str, options: BackOffOptions) -> str:
    scores = session.workspace().scores
    saved = session.workspace().merges.saved(run) if options.hierarchy else ""
    return f"{scores.stamp(run, split)} {scores.stamp(run, options.calibrate)} {saved}"


@st.cache_data(max_entries=32, max_size="100MB", show_spinner=False)
def _back_off_scene(
    _workspace: Workspace, run: str, split: str, sample: str, options: BackOffOptions, stamps: str
) -> bytes:
    scenes, label_set = _workspace.scenes, _workspace.scores.label_set(run)
    tree, threshold = _workspace.back_offs.calibrate(run, options)
    labels = node_label_set(tree, label_set)
    dataset = scenes.dataset_of(run)
    truth = scenes.truth(dataset.name, sample, scenes.label_map_of(run)).astype(np.int64)
    ignored = truth == label_set.ignore_index
    truth[ignored] = labels.ignore_index
    answers = _workspace.back_offs.answers(run, split, sample, tree, threshold).astype(np.int64)
    right = ~ignored & tree.contains[answers, np.where(ignored, 0, truth)]
    panels = (
        Panel("Ground truth", "mask", mask=truth),
        Panel("Prediction", "mask", mask=scenes.prediction(run, split, sample)),
        # Held against itself: a group is right where it contains the truth, which "Errors" shows.
        Panel("Labels that back off", "levels", mask=answers, versus=2),
        Panel("Errors after backing off", "error", mask=np.where(right, truth, answers)),
    )
    name = f"{run}:{split}:{sample}:{options.promise:g}:{threshold.value}"
    image = scenes.image(dataset.name, sample)
    levels = tuple(int(level) for level in tree.levels)
    return pack(Scene(name, image, panels, labels, truth=0, levels=levels))


def back_off_scene(run: str, split: str, sample: str, options: BackOffOptions) -> bytes:
    """Return the packed scene of a sample with labels that back off.

    Raises:
        SegcoreError: As :func:`back_off`, or the sample was not predicted.
    """
    workspace = session.workspace()
    stamps = _stamps(run, split, options)
    return _back_off_scene(workspace, run, split, sample, options, stamps)


@st.cache_data(max_entries=32, max_size="100MB", show_spinner=False)
def merged_scene(
    _workspace: Workspace,
    run: str,
    split: str,
    sample: str,
    groups: Groups,
    retrained: str,
    stamps: str,
) -> bytes:
    """Return the packed scene of a sample under a merge.

    Args:
        _workspace: Where the runs lie (not part of the cache's key).
        run: Id of the run whose labels are merged.
        split: The split that holds the sample.
        sample: Sample id.
        groups: Groups of class ids.
        retrained: Id of a run that was trained with this merge, or "".
        stamps: When the runs were finished.

    Raises:
        SegcoreError: A run has no probabilities of the sample, or a file cannot be read.
    """
    scenes, label_set = _workspace.scenes, _workspace.scores.label_set(run)
    label_map: LabelMap = _workspace.merges.label_map(run, groups)
    merged: LabelSet = label_map.merge_label_set(label_set)
    dataset, before = scenes.dataset_of(run), scenes.label_map_of(run)
    probabilities = scenes.probabilities(run, split, sample)
    truth = label_map.apply(scenes.truth(dataset.name, sample, before), label_set)
    plain = label_map.apply(probabilities.argmax(-1), label_set)
    panels = [
        Panel("Image", "image"),
        Panel("Ground truth, merged", "mask", mask=truth),
        Panel("Prediction, merged", "mask", mask=plain),
        Panel("Errors, merged", "error", mask=plain),
        Panel(
            "Summed probabilities",
            "mask",
            mask=_workspace.tiers.summed_mask(probabilities, label_map),
        ),
    ]
    if retrained:
        panels.append(
            Panel(
                "Retrained", "mask", mask=scenes.probabilities(retrained, split, sample).argmax(-1)
            )
        )
    image = scenes.image(dataset.name, sample)
    return pack(
        Scene(f"{run}:{split}:{sample}:{label_map.groups}", image, tuple(panels), merged, truth=1)
    )
