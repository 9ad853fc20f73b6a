"""A page with nothing but the mask editor on a dataset of one drawn frame, for the browser tests.

Query parameters: ``side`` (of a square enlargement), ``classes`` (11 or 150).
The workspace is that of ``$SEGCORE_WORKSPACE``.
"""

import cv2
import numpy as np
import streamlit as st

from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.editing.versions import MaskChanged
from segcore.ui.viewer import Panel, SaveAnswer, Scene, edit
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
        guess, _ = split_classes(guess, labels)
        mask, labels = split_classes(mask, labels)
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


def main() -> None:
    st.set_page_config(layout="wide", page_icon="🔎")
    side, classes = int(st.query_params.get("side", 0)), int(st.query_params.get("classes", 11))
    workspace, name, guess, sure = made(side, classes)
    dataset, opened = workspace.datasets.open(name), workspace.masks.open(name, IMAGE)
    image = dataset.read_image(dataset.sample(IMAGE))
    panels = (
        Panel("Mask", mask=opened.mask),
        Panel("Prediction", mask=guess, scalar=sure, hidden=True),
    )

    def save(mask: np.ndarray) -> SaveAnswer:
        try:
            version = workspace.masks.save(name, IMAGE, mask, based_on=opened.digest, author="ada")
        except MaskChanged as error:
            return SaveAnswer(False, str(error), "")
        return SaveAnswer(True, f"Saved as version {version.number}", version.digest)

    edit(
        lambda: Scene(IMAGE, image, panels, dataset.label_set),
        key="editor",
        image=IMAGE,
        base=opened.digest,
        on_save=save,
    )
    st.text(f"versions {len(workspace.masks.history(name, IMAGE).versions)}")


if __name__ == "__main__":
    main()
