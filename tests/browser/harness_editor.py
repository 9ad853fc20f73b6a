"""A page with nothing but the mask editor on a dataset of one drawn frame, for the browser tests.

Query parameters: ``side`` (of a square enlargement), ``classes`` (11 or more), ``work`` (any text: the
regions of three images, one after the other), ``many`` (name of a dataset of images with odd
names, one of them without a mask), ``asks`` (any text: strokes and objects are answered). Saves
fail as on a full disk while the workspace holds a file ``full``.
The workspace is that of ``$SEGCORE_WORKSPACE``.
"""

import errno
from dataclasses import replace
from unittest.mock import patch

import cv2
import numpy as np
import streamlit as st

from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.editing.versions import MaskChanged
from segcore.errors import disk_error
from segcore.ui.edit.drawing import asking, by_tools
from segcore.ui.viewer import (
    EditorWork,
    Panel,
    RegionQuestion,
    SaveAnswer,
    Scene,
    edit,
    edit_ahead,
)
from segcore.workspace import Workspace
from tests.browser.harness_viewer import drawn_frame, drawn_labels, made_up, split_classes

IMAGE = "frame"


def dataset_name(side: int, classes: int) -> str:
    return f"drawn-{side}-{classes}"


def make(side: int = 0, classes: int = 11) -> tuple[Workspace, str, np.ndarray, np.ndarray]:
    """The workspace, its dataset's name, the prediction that is offered and its confidence."""
    workspace, name = Workspace(), dataset_name(side, classes)
    _, image, mask = drawn_frame(0)
    probabilities, guess = made_up(mask, drawn_labels().num_classes, 1)
    labels = drawn_labels()
    if classes > 11:
        guess, _ = split_classes(guess, labels, classes)
        mask, labels = split_classes(mask, labels, classes)
    if side:
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        mask, guess = (
            cv2.resize(m, (side, side), interpolation=cv2.INTER_NEAREST) for m in (mask, guess)
        )
    if name not in workspace.datasets.names():
        folder = workspace.datasets.folder / name
        write_dataset(folder, name, labels, [ArraySample(IMAGE, image, mask, "test")])
    return workspace, name, guess, probabilities.max(-1)


made = st.cache_resource(make)


WORK = "work"
"""Dataset of the three images; each has two squares of Car (8) that should be Road (3)."""

SQUARES = ((250, 60, 270, 90), (300, 200, 330, 240))
"""First row, first column, row and column after the last."""


def make_work() -> Workspace:
    workspace = Workspace()
    if WORK not in workspace.datasets.names():
        samples = []
        for number in range(3):
            _, image, mask = drawn_frame(number)
            for top, left, bottom, right in SQUARES:
                mask[top - 4 : bottom + 4, left - 4 : right + 4] = 3
                mask[top:bottom, left:right] = 8
            samples.append(ArraySample(f"image-{number}", image, mask, "test"))
        write_dataset(workspace.datasets.folder / WORK, WORK, drawn_labels(), samples)
    return workspace


made_work = st.cache_resource(make_work)


def walk() -> None:
    workspace = made_work()
    at = st.session_state.setdefault("at", 0)
    dataset = workspace.datasets.open(WORK)
    st.text(f"at {at}")
    for number, show in ((at, edit), (at + 1, edit_ahead)):
        if number >= 3:
            continue
        sample = f"image-{number}"
        opened = workspace.masks.open(WORK, sample)

        def done(mask, decided, used, sample=sample, opened=opened) -> SaveAnswer:
            st.session_state.setdefault("decided", []).append([sample, decided])
            if mask is not None:
                workspace.masks.save(WORK, sample, mask, based_on=opened.digest, author="ada")
            st.session_state.at = at + 1
            return SaveAnswer(True, "", opened.digest)

        regions = tuple(
            RegionQuestion(
                8, 3, (y1 - y0) * (x1 - x0), tuple((row, x0, x1) for row in range(y0, y1))
            )
            for y0, x0, y1, x1 in SQUARES
        )
        scene = Scene(
            sample,
            dataset.read_image(dataset.sample(sample)),
            (Panel("Mask", mask=opened.mask),),
            dataset.label_set,
        )
        shared = {"on_save": lambda mask, used: SaveAnswer(False, "", "")} if show is edit else {}
        show(
            lambda scene=scene: scene,
            key="editor",
            image=sample,
            base=opened.digest,
            work=EditorWork(regions, f"image {number + 1} of 3", done),
            **shared,
        )
    st.text(f"decided {st.session_state.get('decided', [])}")


NAMES = ("day.1/a b.v2-left", "day.1/a b", "night/ä")
"""Images of one size whose names hold folders, dots and blanks; the last has no mask."""


def make_many(name: str) -> Workspace:
    workspace = Workspace()
    if name not in workspace.datasets.names():
        samples = []
        for number, sample in enumerate(NAMES):
            _, image, mask = drawn_frame(number)
            samples.append(ArraySample(sample, image, mask, "test"))
        folder = workspace.datasets.folder / name
        write_dataset(folder, name, drawn_labels(), samples)
        dataset = workspace.datasets.open(name)
        bare = replace(dataset.sample(NAMES[-1]), mask=None, mask_digest="")
        rows = tuple(bare if s.id == bare.id else s for s in dataset.samples)
        replace(dataset, samples=rows).save()
    return workspace


made_many = st.cache_resource(make_many)


def leaf() -> None:
    name = st.query_params["many"]
    workspace = made_many(name)
    dataset = workspace.datasets.open(name)
    with st.container(horizontal=True):
        for number in range(len(NAMES)):
            if st.button(f"image {number}"):
                st.session_state.at = number
    sample = NAMES[st.session_state.setdefault("at", 0)]
    opened = workspace.masks.open(name, sample)
    edit(
        lambda: Scene(
            f"{name}:{sample}",
            dataset.read_image(dataset.sample(sample)),
            (Panel("Mask", mask=opened.mask),),
            dataset.label_set,
        ),
        key="editor",
        image=sample,
        base=opened.digest,
        on_save=lambda mask, used: save(workspace, name, sample, mask, opened.digest),
    )


def save(
    workspace: Workspace,
    name: str,
    sample: str,
    mask: np.ndarray,
    base: str,
    origin: str = "editor",
) -> SaveAnswer:
    if (workspace.folder / "full").exists():
        try:
            full = OSError(errno.ENOSPC, "No space left on device")
            with patch("segcore.data.editing.versions.write_document", side_effect=full):
                workspace.masks.save(name, sample, mask, based_on=base, author="ada")
        except OSError as error:
            raise disk_error("write", workspace.folder, error) from error
    try:
        version = workspace.masks.save(
            name, sample, mask, based_on=base, author="ada", origin=origin
        )
    except MaskChanged as error:
        return SaveAnswer(False, str(error), "", kept=True)
    return SaveAnswer(True, f"Saved as version {version.number}", version.digest)


def main() -> None:
    st.set_page_config(layout="wide", page_icon="🔎")
    if "many" in st.query_params:
        leaf()
        return
    if "work" in st.query_params:
        walk()
        return
    side, classes = int(st.query_params.get("side", 0)), int(st.query_params.get("classes", 11))
    workspace, name, guess, sure = made(side, classes)
    dataset, opened = workspace.datasets.open(name), workspace.masks.open(name, IMAGE)
    image = dataset.read_image(dataset.sample(IMAGE))
    panels = (
        Panel("Mask", mask=opened.mask),
        Panel("Prediction", mask=guess, scalar=sure, hidden=True),
    )

    edit(
        lambda: Scene(IMAGE, image, panels, dataset.label_set),
        key="editor",
        image=IMAGE,
        base=opened.digest,
        on_save=lambda mask, used: save(
            workspace, name, IMAGE, mask, opened.digest, by_tools("editor", used)
        ),
        asking=asking(dataset, IMAGE, "") if "asks" in st.query_params else None,
    )
    st.text(f"versions {len(workspace.masks.history(name, IMAGE).versions)}")


if __name__ == "__main__":
    main()
