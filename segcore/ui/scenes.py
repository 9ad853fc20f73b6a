"""What the viewer shows, put together from the workspace: image, truth, predictions, CRF, maps."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from segcore.config import EvaluateConfig
from segcore.errors import SegcoreError
from segcore.postprocess.dense_crf import CRFParameters
from segcore.ui.viewer import Panel, Scene, TopClasses, pack
from segcore.workspace import Workspace

PANELS: dict[str, str] = {
    "image": "Image",
    "truth": "True mask",
    "prediction": "Predicted mask",
    "crf": "CRF mask",
    "error": "Error",
    "confidence": "Confidence",
    "entropy": "Entropy",
}
DEFAULT_PANELS = ("image", "truth", "prediction", "crf")


def truth_scene(workspace: Workspace, dataset: str, sample: str) -> Scene:
    """Return the scene of an image beside its true mask.

    Raises:
        SegcoreError: There is no such sample, or a file cannot be read.
    """
    label_set = workspace.datasets.open(dataset).label_set
    image = workspace.scenes.image(dataset, sample)
    truth = workspace.scenes.truth(dataset, sample)
    panels = (Panel("Image", "image"), Panel("True mask", "mask", mask=truth))
    return Scene(id=f"{dataset}:{sample}", image=image, panels=panels, label_set=label_set, truth=1)


@st.cache_data(max_entries=64, max_size="200MB", show_spinner=False)
def packed_scene(
    _workspace: Workspace, runs: tuple[str, ...], split: str, sample: str, panels: tuple[str, ...], stamp: tuple[float, ...]
) -> bytes:
    """Return the packed scene of a sample as seen by one or more runs; cached by names and ``stamp``.

    Args:
        _workspace: Where the runs lie (not part of the cache's key).
        runs: Ids of training runs or evaluations.
        split: The split that holds the sample.
        sample: Sample id.
        panels: Names in :data:`PANELS`.
        stamp: When the runs were finished: another value reads them again.

    Raises:
        SegcoreError: A run has no probabilities of the sample, or a file cannot be read.
    """
    return pack(model_scene(_workspace, runs, split, sample, panels))


def model_scene(workspace: Workspace, runs: Sequence[str], split: str, sample: str, panels: Sequence[str]) -> Scene:
    """Return the scene of a sample as seen by one or more runs; see :func:`packed_scene`.

    Raises:
        SegcoreError: A run has no probabilities of the sample, or a file cannot be read.
    """
    shelf = workspace.scenes
    dataset = shelf.dataset_of(runs[0])
    label_map = shelf.label_map_of(runs[0])
    label_set = label_map.merge_label_set(dataset.label_set) if label_map else dataset.label_set
    made: list[Panel] = []
    truth_position: int | None = None
    if "image" in panels:
        made.append(Panel(PANELS["image"], "image"))
    if "truth" in panels:
        truth_position = len(made)
        made.append(Panel(PANELS["truth"], "mask", mask=shelf.truth(dataset.name, sample, label_map)))
    for run in runs:
        made += _panels_of(workspace, run, split, sample, panels, short_name(run) if len(runs) > 1 else "")
    return Scene(
        id=f"{'+'.join(runs)}:{split}:{sample}",
        image=shelf.image(dataset.name, sample),
        panels=tuple(made),
        label_set=label_set,
        truth=truth_position,
    )


def _panels_of(workspace: Workspace, run: str, split: str, sample: str, panels: Sequence[str], name: str) -> list[Panel]:
    probabilities = workspace.scenes.probabilities(run, split, sample)
    prediction = probabilities.argmax(axis=-1).astype(np.uint16)
    confidence = probabilities.max(axis=-1)

    def title(panel: str) -> str:
        return f"{PANELS[panel]} · {name}" if name else PANELS[panel]

    made = []
    if "prediction" in panels:
        made.append(Panel(title("prediction"), "mask", mask=prediction, scalar=confidence, top=TopClasses.of(probabilities[::2, ::2])))
    if "crf" in panels:
        made.append(Panel(title("crf"), "mask", mask=crf_mask(workspace, run, split, sample)))
    if "error" in panels:
        made.append(Panel(title("error"), "error", mask=prediction))
    if "confidence" in panels:
        made.append(Panel(title("confidence"), "scalar", scalar=confidence))
    if "entropy" in panels:
        limit = np.log(probabilities.shape[-1])
        entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-9))).sum(axis=-1) / limit
        made.append(Panel(title("entropy"), "scalar", scalar=np.clip(entropy, 0, 1).astype(np.float32)))
    return made


def crf_mask(workspace: Workspace, run: str, split: str, sample: str) -> np.ndarray:
    """Return a run's mask after the dense CRF: with the run's own parameters where it has some, else the defaults.

    Raises:
        SegcoreError: There are no probabilities, or pydensecrf is missing.
    """
    config = workspace.runs.open(run).config
    parameters = config.crf if isinstance(config, EvaluateConfig) and config.crf else CRFParameters()
    return workspace.scenes.crf_mask(run, split, sample, parameters)


def crf_missing(workspace: Workspace) -> str:
    """Return the sentence that says why the CRF cannot run here, or "" when it can."""
    try:
        workspace.scenes.require_crf()
    except SegcoreError as error:
        return str(error)
    return ""


def short_name(run: str) -> str:
    """Return the part of a run's id that tells it from its siblings."""
    stem = run.split("--")[0]
    return "-".join(stem.split("-")[-2:])
