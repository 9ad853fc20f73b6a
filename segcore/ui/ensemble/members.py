"""The Members tab: scores, combining and saving the members, and their disagreement."""

from typing import Any

import numpy as np
import streamlit as st

from segcore import formatting
from segcore.errors import SegcoreError
from segcore.evaluation.metrics.report import plain
from segcore.postprocess.ensemble import resize_probabilities
from segcore.postprocess.uncertainty import measure_uncertainty
from segcore.ui import viewer
from segcore.ui.ensemble.selection import Choice
from segcore.ui.shared import cards, manual, run_links, run_progress, session, tables
from segcore.ui.viewer import Panel, Scene, TopClasses, pack
from segcore.workspace import Workspace
from segcore.workspace.ensembles.ensembles import AgainstMembers

SPLITS = ("validation", "test")


def show(choice: Choice) -> None:
    """Draw the tab."""
    workspace = session.workspace()
    with session.errors_shown():
        splits = workspace.ensembles.splits(choice.members)
    left, right = st.columns([5, 4], gap="medium")
    with left, st.container(border=True, height="stretch"):
        _table(choice, [s for s in SPLITS if s in splits])
    with right, st.container(border=True, height="stretch"):
        run, split = _combine(choice, splits)
    if run and run_progress.follow([run], "Combining", "combine"):
        _result(run, split)
    _disagreement(choice, splits)


def _table(choice: Choice, splits: list[str]) -> None:
    workspace = session.workspace()
    rows: list[tables.Row] = []
    lacking = {}
    for number, member in enumerate(choice.members):
        row: tables.Row = {"no": number + 1, "member": member}
        for split in splits:
            status = workspace.ensembles.predicted(member, split)
            finished = status is not None and status.state == "finished"
            row[split] = status.mean_iou if status is not None and finished else None
        rows.append(row)
    for split in splits:
        with session.errors_shown():
            total = len(workspace.datasets.open(choice.dataset).select(split))
            there = len(workspace.crf.stored(choice.members, split))
        if there < total:
            lacking[split] = total - there
    tables.draw(
        rows,
        column_config={
            s: st.column_config.NumberColumn(
                f"mean IoU, {s}", format="percent", help=manual.MEAN_IOU
            )
            for s in splits
        },
        alt="Members and their scores",
    )
    active = [
        f"{m}--{s}"
        for s in splits
        for m in choice.members
        if (p := workspace.ensembles.predicted(m, s)) and p.is_active
    ]
    if active:
        run_progress.follow(active, "Predicting", "predict")
    elif lacking:
        missing_text = ", ".join(f"{count} images of {split}" for split, count in lacking.items())
        st.caption(f"Missing probabilities: {missing_text}. Needed for Subsets and CRF.")
        if st.button(
            "Run missing predictions", icon=":material/play_arrow:", key="predict_missing"
        ):
            with session.errors_shown():
                workspace.ensembles.predict_missing(choice.members, list(lacking))
            st.rerun()


def _combine(choice: Choice, splits: list[str]) -> tuple[str | None, str]:
    workspace = session.workspace()
    split = session.choose_split(splits, key="combine_split")
    name = st.text_input(
        "Name",
        key="ensemble_name",
        placeholder="optional; saved as a model",
        max_chars=60,
    ).strip()
    arguments: dict[str, Any] = {"rule": choice.rule, "weights": choice.weights, "name": name}
    try:
        run = workspace.ensembles.combined(choice.members, split, **arguments)
    except SegcoreError as error:
        st.warning(str(error), icon=":material/warning:")
        return None, split
    count = len(choice.members)
    label = (
        f"Combine {count} member{'' if count == 1 else 's'} on {split}"
        if not name
        else f"Save and combine on {split}"
    )
    if st.button(
        label,
        type="primary" if not run else "secondary",
        icon=":material/join:",
        key="combine",
        width="stretch",
    ):
        with session.errors_shown():
            workspace.ensembles.combine(choice.members, split, **arguments)
        st.rerun()
    if not run and not name:
        others = workspace.ensembles.names(choice.members, split)
        plain = [r for r in others if choice.rule in r and not choice.weights]
        run = plain[0] if plain else None
    return run, split


def _result(run: str, split: str) -> None:
    """Draw how an ensemble compares with its members, and the ways to look at it."""
    with session.errors_shown():
        against = session.workspace().ensembles.against_members(run, split)
    _result_cards(against, f"{session.plain(run)} on {split}")
    low, high = against.comparison.difference.ends()
    if low is not None and high is not None and low <= 0 <= high:
        st.warning(
            ("The gain over the best member is not significant: its 95 % interval contains 0."),
            icon=":material/warning:",
        )
    with st.container(horizontal=True):
        query = {"run": run, "split": split}
        run_links.compare_masks(query)
        run_links.evaluate(query)


def _result_cards(against: AgainstMembers, title: str) -> None:
    """Draw an ensemble's score, its interval, and its gain over the best and the average member."""
    difference = against.comparison.difference
    columns, section = st.columns(4), "metrics#ensembles-and-the-crf"
    cards.score(
        columns[0],
        "Ensemble mean IoU",
        against.ensemble,
        f"{title}: IoU of each class, correct / (true + predicted - correct) pixels, averaged "
        "over the classes.",
        section,
    )
    columns[1].metric(
        "95 % CI",
        formatting.interval(*against.interval),
        border=True,
        height="stretch",
        help=manual.see(difference.how(), "intervals#how-it-is-made"),
    )
    cards.gain(
        columns[2],
        "vs. best member",
        plain(difference.value),
        f"Mean IoU of the ensemble minus that of {session.plain(against.best)}. Below: its "
        f"interval. {difference.how()}",
        section,
        interval=difference.ends(),
    )
    mean = against.mean_member
    cards.gain(
        columns[3],
        "vs. average member",
        None if mean is None or against.ensemble is None else against.ensemble - mean,
        "Mean IoU of the ensemble minus the average of its members' mean IoU.",
        section,
    )


def _disagreement(choice: Choice, splits: list[str]) -> None:
    workspace = session.workspace()
    st.subheader("Disagreement", anchor=False)
    one, two = st.columns([3, 2], vertical_alignment="bottom")
    with two:
        split = session.choose_split(splits, key="apart_split")
    with session.errors_shown():
        samples = workspace.crf.stored(choice.members, split)
    if not samples:
        st.info(
            (
                f"No image of {split} has predictions of all members. Run the missing "
                "predictions above."
            ),
            icon=":material/info:",
        )
        return
    with one:
        sample = session.choose_image(samples, "apart", f"Image ({len(samples)} with all members)")
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
