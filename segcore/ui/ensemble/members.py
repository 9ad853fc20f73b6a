"""The Members tab: their scores, and where they disagree."""

import numpy as np
import streamlit as st

from segcore import formatting
from segcore.labels import plural
from segcore.postprocess.ensemble import resize_probabilities
from segcore.postprocess.uncertainty import measure_uncertainty
from segcore.ui import viewer
from segcore.ui.ensemble.selection import Choice
from segcore.ui.shared import manual, session, split_predictions, tables
from segcore.ui.shared.run_names import middle
from segcore.ui.viewer import Panel, Scene, TopClasses, pack
from segcore.workspace import Workspace

SPLITS = ("validation", "test")


def show(choice: Choice, split: str) -> None:
    """Draw the tab: the members' scores, and where they disagree on an image of a split."""
    with session.errors_shown():
        splits = session.workspace().ensembles.splits(choice.members)
    left, right = st.columns([3.9, 7.1], gap="small")
    with left:
        _table(choice, [s for s in SPLITS if s in splits])
    with right:
        _disagreement(choice, split)


def _table(choice: Choice, splits: list[str]) -> None:
    workspace = session.workspace()
    rows: list[tables.Row] = []
    changed = workspace.mask_changes.since(
        [row for row in workspace.runs.rows() if row.run in choice.members]
    )
    for member in choice.members:
        row: tables.Row = {"member": middle(member, 24)}
        if changed:
            masks = changed.get(member, 0)
            row["data"] = f"changed since: {plural(masks, 'mask')}" if masks else ""
        for split in splits:
            status = workspace.ensembles.predicted(member, split)
            finished = status is not None and status.state == "finished"
            row[split] = status.mean_iou if status is not None and finished else None
        rows.append(row)
    tables.draw(
        rows,
        column_config={
            s: st.column_config.NumberColumn(
                s, format="percent", help=f"Mean IoU on {s}. {manual.MEAN_IOU}"
            )
            for s in splits
        },
        alt="Members and their mean IoU",
    )
    with session.errors_shown():
        split_predictions.offer_missing(choice.members, splits, "Subsets and CRF")


def _disagreement(choice: Choice, split: str) -> None:
    workspace = session.workspace()
    with session.errors_shown():
        samples = workspace.crf.stored(choice.members, split)
    if not samples:
        st.info(
            f"No image of {split} has predictions of all members yet. The button that predicts the "
            "missing ones, or how far they are, is under the members.",
            icon=":material/info:",
        )
        return
    sample = session.choose_image(
        samples, "apart", f"Image ({len(samples)} with all members)", label_visibility="collapsed"
    )
    stamp = tuple(
        p.finished or 0.0 for m in choice.members if (p := workspace.ensembles.predicted(m, split))
    )
    with session.errors_shown():
        scene, sentence = _packed(workspace, choice, split, sample, stamp)
    result = viewer.show(scene, key="apart_viewer", listen=("step",))
    st.caption(sentence)
    if result.step:
        session.step(samples, "apart", result.step)


@st.cache_data(max_entries=32, max_size="100MB", show_spinner=False)
def _packed(
    _workspace: Workspace, choice: Choice, split: str, sample: str, stamp: tuple[float, ...]
) -> tuple[bytes, str]:
    """The packed scene of one image as the members see it, and a line about them."""
    scene = _workspace.crf.scene(choice.members, split, sample, choice.rule, choice.weights)
    size = scene.image.shape[:2]
    members = [
        resize_probabilities(p, (size[0], size[1]))
        for p in _workspace.crf.member_probabilities(choice.members, split, sample)
    ]
    apart = measure_uncertainty(members)
    classes, count = scene.label_set.num_classes, len(members)
    winner = scene.probabilities.argmax(-1).astype(scene.label_set.mask_dtype)
    panels = [Panel("Image", "image")]
    truth = None
    if scene.truth is not None:
        truth = 1
        panels.append(Panel("Ground truth", "mask", mask=scene.truth))
    panels.append(
        Panel(
            "Ensemble prediction",
            "mask",
            mask=winner,
            scalar=scene.probabilities.max(-1),
            top=TopClasses.of(scene.probabilities[::2, ::2]),
        )
    )
    most = np.float32(np.log2(max(2, min(count, classes))))
    panels.append(Panel("Disagreement", "scalar", scalar=np.clip(apart.disagreement / most, 0, 1)))
    panels.append(
        Panel(
            "Entropy",
            "scalar",
            scalar=np.clip(apart.total / np.float32(np.log2(max(2, classes))), 0, 1),
        )
    )
    sentence = (
        "Disagreement is the part of the entropy that comes from members contradicting "
        f"each other, relative to the most that {count} members can reach. Members "
        f"disagree on {formatting.percent(float((apart.dissent > 0).mean()))} of the pixels of "
        "this image."
    )
    return pack(
        Scene(
            f"{'+'.join(choice.members)}:{split}:{sample}",
            scene.image,
            tuple(panels),
            scene.label_set,
            truth,
        )
    ), sentence
