"""The mask editor on its page: which image, which proposal, and where a save goes."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.data.editing.versions import MaskChanged
from segcore.errors import SegcoreError
from segcore.ui import viewer
from segcore.ui.shared import band_choice, session
from segcore.ui.shared.band_choice import display_stamp
from segcore.ui.shared.run_names import called
from segcore.workspace.masks import OpenedMask
from segcore.workspace.proposals import Prompt, Scribbles

NO_PROPOSAL = "no proposal"
JOINS = "joins_split"
"""Key of the choice which split an unlabelled image joins when its first mask is saved."""

LISTED = 2000
"""Images that the list offers at most; others are reached by a link."""


def choose(dataset: Dataset) -> tuple[str, str]:
    """Let the user choose an image and a proposal; the link keeps both.

    Returns:
        Id of the image, and of the run whose prediction is proposed; "" for none.
    """
    asked = st.session_state.get("sample") or st.query_params.get("sample")
    siblings = _siblings(dataset, asked)
    listed = siblings[:LISTED]
    if asked in siblings and asked not in listed:
        listed = [asked, *listed]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/dataset.py",
            label="Dataset",
            icon=":material/arrow_back:",
            query_params={"sample": asked} if asked else None,
        )
        sample = session.choose_image(listed, "sample", "Image", label_visibility="collapsed")
        _step(listed, -1, "Previous image", ":material/chevron_left:")
        _step(listed, 1, "Next image", ":material/chevron_right:")
        with session.errors_shown():
            band_choice.choose(dataset.name, "edit_bands")
            proposer = _choose_proposal(dataset.name, sample)
        _choose_network()
    return sample, proposer


def _siblings(dataset: Dataset, asked: str | None) -> list[str]:
    """Return the images of the split of one, or the unlabelled images with it; all where unknown."""
    unlabelled = [sample.id for sample in dataset.pool]
    if asked in unlabelled:
        return unlabelled
    ids = list(dataset.ids())
    split = dataset.sample(asked).split if asked in ids else None
    return list(dataset.ids(split)) if split else ids


def _step(listed: list[str], by: int, label: str, icon: str) -> None:
    names = list(listed)
    after = names[(names.index(st.session_state["sample"]) + by) % len(names)]
    st.button(
        "",
        icon=icon,
        key=f"step_{by}",
        on_click=session.request,
        args=("sample", after),
        help=f"{label}; what is not saved waits until you return",
    )


def show(dataset: Dataset, sample: str, proposer: str) -> None:
    """Draw the editor of one image, with the prediction of a run as its proposal."""
    with session.errors_shown():
        opened = session.workspace().masks.open(dataset.name, sample)
        origin = f"editor, with {called(proposer)}" if proposer else "editor"
        viewer.edit(
            lambda: scene(dataset, sample, opened, proposer),
            key=f"editor_{dataset.name}",
            image=sample,
            base=known_as(opened.digest, dataset),
            proposal=proposer,
            on_save=lambda mask, used: save(
                dataset.name, sample, mask, opened, by_tools(origin, used)
            ),
            asking=asking(dataset, sample, proposer),
        )


def by_tools(origin: str, used: Sequence[str]) -> str:
    """Return where a mask comes from, with the tools that proposed regions of it."""
    return ", ".join([origin, *(viewer.TOOLS[name] for name in used)])


def asking(dataset: Dataset, sample: str, proposer: str) -> viewer.Asking:
    """Return what can be proposed for an image; strokes count together with a run's probabilities."""
    proposals = session.workspace().proposals

    def answer(question: viewer.Question) -> viewer.Suggestion:
        if question.strokes is not None and question.mask is not None:
            drawn = Scribbles(question.left, question.top, question.strokes, question.mask)
            region = proposals.fill(dataset.name, sample, drawn, proposer)
        elif question.tool == "cut":
            around = [(x, y) for x, y, _ in question.points]
            region = proposals.cut(dataset.name, sample, around, question.chosen)
        else:
            prompts = [Prompt(*point) for point in question.points]
            region = proposals.find(dataset.name, sample, prompts, question.chosen)
        return viewer.Suggestion(region.left, region.top, region.values)

    return viewer.Asking(proposals.available(), answer)


def known_as(digest: str, dataset: Dataset) -> str:
    """What the browser knows a mask by: other classes, or other colours, bring it anew."""
    classes = hashlib.blake2b(repr(dataset.label_set).encode(), digest_size=6).hexdigest()
    return f"{digest} {classes} {display_stamp(dataset)}".rstrip()


def save(
    dataset: str, sample: str, mask: npt.NDArray[Any], opened: OpenedMask, origin: str
) -> viewer.SaveAnswer:
    """Save what was drawn on an opened mask; a refusal is an answer too."""
    masks = session.workspace().masks
    try:
        version = masks.save(
            dataset,
            sample,
            mask,
            based_on=opened.digest,
            origin=origin,
            class_ids=opened.class_ids,
            split=st.session_state.get(JOINS, "train"),
        )
    except MaskChanged as error:
        return viewer.SaveAnswer(False, str(error), "", kept=True)
    base = known_as(version.digest, session.workspace().datasets.open(dataset))
    return viewer.SaveAnswer(True, f"Saved as version {version.number}", base)


def _choose_network() -> None:
    """Let the user name the two files of a promptable network; none are named as a rule."""
    proposals = session.workspace().proposals
    with (
        session.errors_shown(),
        st.popover("", icon=":material/settings:", help="A network that masks what you click"),
    ):
        files = proposals.promptable
        st.caption(
            "Two ONNX files of a Segment Anything export. With them, the tool Object masks what "
            "you click or box. They stay where they are, for all who use this workspace."
        )
        encoder = st.text_input("Encoder", files.encoder if files else "", key="promptable_encoder")
        decoder = st.text_input("Decoder", files.decoder if files else "", key="promptable_decoder")
        if st.button("Use these files", icon=":material/check:", key="promptable_use"):
            try:
                with st.spinner("Loading and checking both files …"):
                    proposals.set_promptable(encoder.strip(), decoder.strip())
            except SegcoreError as error:
                st.error(str(error), icon=":material/error:")
            else:
                st.rerun()


def _choose_proposal(dataset: str, sample: str) -> str:
    """Let the user choose whose prediction is offered; "" for nobody's."""
    proposers = session.workspace().masks.proposers(dataset, sample)
    if not proposers:
        st.caption(
            "no proposal",
            help="No run has predicted this image. Predict its split on the Compare page, and its "
            "regions can be accepted here.",
            width="content",
        )
        return ""
    chosen = session.choose_model(
        "Proposal from", [*proposers, NO_PROPOSAL], "proposal", label_visibility="collapsed"
    )
    return "" if chosen == NO_PROPOSAL else chosen


def scene(dataset: Dataset, sample: str, opened: OpenedMask, proposer: str) -> viewer.Scene:
    """Return what the editor shows: the mask, and the prediction of a run as a proposal."""
    image = dataset.read_image(dataset.sample(sample))
    panels = [viewer.Panel("Mask", mask=opened.mask)]
    if proposer:
        proposal = session.workspace().masks.proposal(dataset.name, sample, proposer)
        panels.append(
            viewer.Panel(
                called(proposer), mask=proposal.mask, scalar=proposal.confidence, hidden=True
            )
        )
    return viewer.Scene(f"{dataset.name}:{sample}", image, tuple(panels), dataset.label_set)
