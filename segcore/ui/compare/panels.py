"""What the viewer shows, put together from the workspace: image, truth, predictions, CRF, maps."""

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
import streamlit as st

from segcore.config import EvaluateConfig, ImportedConfig
from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import merge_probabilities
from segcore.labels import LabelMap, LabelSet
from segcore.postprocess.parameters import CRFParameters
from segcore.ui.compare.merged_panels import Beside
from segcore.ui.shared.run_names import short_name
from segcore.ui.viewer import Panel, Scene, TopClasses, pack
from segcore.workspace import Workspace

PANELS: dict[str, str] = {
    "image": "Image",
    "truth": "Ground truth",
    "prediction": "Prediction",
    "crf": "CRF",
    "merged": "Merged labels",
    "error": "Errors",
    "confidence": "Confidence",
    "entropy": "Entropy",
    "disagreement": "Disagreement",
    "difference": "Fixed and broken",
}
DEFAULT_PANELS = ("image", "truth", "prediction", "crf")
PER_RUN = (
    "prediction",
    "merged_prediction",
    "crf",
    "merged_crf",
    "error",
    "confidence",
    "entropy",
    "disagreement",
)
MERGED: dict[str, str] = {
    "merged_truth": "Ground truth, merged",
    "merged_prediction": "Prediction, merged",
    "merged_crf": "CRF, merged",
}
"""Panels that show a mask through a merge; see :func:`with_merged`."""

THUMBNAIL = (112, 78)
"""Width and height that a filmstrip's pictures fit into."""


def truth_scene(workspace: Workspace, dataset: str, sample: str) -> Scene:
    """Return the scene of an image next to its ground-truth mask.

    Raises:
        SegcoreError: There is no such sample, or a file cannot be read.
    """
    label_set = workspace.datasets.open(dataset).label_set
    image = workspace.scenes.image(dataset, sample)
    truth = workspace.scenes.truth(dataset, sample)
    panels = (Panel("Image", "image"), Panel("Ground truth", "mask", mask=truth))
    return Scene(id=f"{dataset}:{sample}", image=image, panels=panels, label_set=label_set, truth=1)


def stamp(workspace: Workspace, runs: Sequence[str]) -> tuple[float, ...]:
    """Return when runs were finished: what is shown of them is another when one of these is."""
    return tuple(workspace.runs.open(run).status().finished or 0.0 for run in runs)


def context(*parts: object) -> str:
    """Return a short text that is equal only for equal parts."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=9).hexdigest()


@st.cache_data(max_entries=64, max_size="200MB", show_spinner=False)
def packed_scene(
    _workspace: Workspace,
    runs: tuple[str, ...],
    split: str,
    sample: str,
    panels: tuple[str, ...],
    stamp: tuple[float, ...],
    merge: str = "",
    facts: tuple[str, ...] = (),
) -> bytes:
    """Return the packed scene of a sample for one or more runs; cached by names and ``stamp``.

    Args:
        _workspace: Where the runs lie (not part of the cache's key).
        runs: Ids of training runs, evaluations or imports.
        split: The split that holds the sample.
        sample: Sample id.
        panels: Names in :data:`PANELS` or :data:`MERGED`.
        stamp: When the runs were finished: another value reads them again.
        merge: Name of a label map of the dataset, or "". Where ``panels`` names some of
            :data:`MERGED`, those are shown through it; else all masks are.
        facts: Lines that an exported picture carries under the name of the image.

    Raises:
        SegcoreError: A run has no probabilities of the sample, or a file cannot be read.
    """
    return pack(model_scene(_workspace, runs, split, sample, panels, merge, facts))


@st.cache_data(max_entries=4000, max_size="30MB", show_spinner=False)
def thumbnail(_workspace: Workspace, dataset: str, fingerprint: str, sample: str) -> bytes:
    """Return a small WebP of a whole image; nothing where the image cannot be read."""
    try:
        image = _workspace.scenes.image(dataset, sample)
    except SegcoreError:
        return b""
    scale = min(THUMBNAIL[0] / image.shape[1], THUMBNAIL[1] / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    bgr = np.ascontiguousarray(small[..., ::-1])
    return bytes(cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, 62])[1].tobytes())


def model_scene(
    workspace: Workspace,
    runs: Sequence[str],
    split: str,
    sample: str,
    panels: Sequence[str],
    merge: str = "",
    facts: Sequence[str] = (),
) -> Scene:
    """Return the scene of a sample as seen by one or more runs; see :func:`packed_scene`.

    Raises:
        SegcoreError: A run has no probabilities of the sample, or a file cannot be read.
    """
    scenes = workspace.scenes
    dataset = scenes.dataset_of(runs[0])
    own = scenes.label_map_of(runs[0])
    label_set = own.merge_label_set(dataset.label_set) if own else dataset.label_set
    maker = _PanelMaker(
        workspace,
        split,
        sample,
        panels,
        label_set,
        dataset.load_label_map(merge) if merge else None,
    )
    built: list[Panel] = []
    if "image" in panels:
        built.append(Panel(PANELS["image"], "image"))
    hidden: list[Panel] = []
    if dataset.sample(sample).mask is None:
        maker.without("error")
    else:
        truth = scenes.truth(dataset.name, sample, own)
        (built if "truth" in panels else hidden).append(maker.truth(truth))
        if maker.beside:
            built.append(maker.truth_merged(truth, maker.beside, len(built)))
    for run in runs:
        built += maker.of_run(run, short_name(run) if len(runs) > 1 else "")
    if "difference" in panels and len(runs) > 1:
        # the first run's prediction comes after the differences and all hidden panels so far
        first = len(built) + len(runs) - 1 + len(hidden)
        built += [maker.difference(run, first) for run in runs[1:]]
        hidden.append(maker.hidden_prediction(runs[0]))
    if all(panel.hidden for panel in built):
        built.append(Panel(PANELS["image"], "image"))
    everything = [*built, *hidden]
    position = next((i for i, p in enumerate(everything) if p.title == PANELS["truth"]), None)
    return Scene(
        id=f"{'+'.join(runs)}:{split}:{sample}",
        image=scenes.image(dataset.name, sample),
        panels=tuple(everything),
        label_set=maker.label_set,
        truth=position,
        facts=(f"{dataset.name} · {split} · {sample}", *facts),
    )


class _PanelMaker:
    """Makes the panels of one sample, through a label map or with merged ones next to them."""

    def __init__(
        self,
        workspace: Workspace,
        split: str,
        sample: str,
        panels: Sequence[str],
        label_set: LabelSet,
        merge: LabelMap | None,
    ) -> None:
        self._workspace, self._split, self._sample, self._panels = workspace, split, sample, panels
        beside = merge is not None and any(panel in MERGED for panel in panels)
        self._own, self._merge = label_set, None if beside else merge
        self.beside = Beside(label_set, merge) if merge is not None and beside else None
        self.merged_truth: int | None = None
        self.label_set = (
            self.beside.label_set
            if self.beside
            else merge.merge_label_set(label_set)
            if merge
            else label_set
        )

    def without(self, panel: str) -> None:
        """Leave out a kind of panel."""
        self._panels = [p for p in self._panels if p != panel]

    def merged(self, mask: np.ndarray) -> np.ndarray:
        if self.beside:
            return self.beside.plain(mask)
        return self._merge.apply(mask, self._own) if self._merge else mask

    def prediction(self, run: str) -> np.ndarray:
        return self.merged(self._workspace.scenes.prediction(run, self._split, self._sample))

    def truth(self, mask: np.ndarray) -> Panel:
        """The ground truth (H, W), hidden where it was not chosen: errors are held against it."""
        hidden = "truth" not in self._panels
        return Panel(PANELS["truth"], "mask", mask=self.merged(mask), hidden=hidden)

    def truth_merged(self, mask: np.ndarray, beside: Beside, position: int) -> Panel:
        """The ground truth merged, at a position: what other merged panels are held against.

        It is itself held against nothing, that is against its own position.
        """
        self.merged_truth = position
        return Panel(
            MERGED["merged_truth"],
            "mask",
            mask=beside.merged(mask),
            versus=position,
            hidden="merged_truth" not in self._panels,
        )

    def hidden_prediction(self, run: str) -> Panel:
        """A run's prediction that is not drawn: differences are held against it."""
        title = f"{PANELS['prediction']} · {short_name(run)}"
        return Panel(title, "mask", mask=self.prediction(run), hidden=True)

    def difference(self, run: str, versus: int) -> Panel:
        """What a run fixes and breaks of the prediction at another position."""
        title = f"{PANELS['difference']} · {short_name(run)}"
        return Panel(title, "difference", mask=self.prediction(run), versus=versus)

    def of_run(self, run: str, name: str) -> list[Panel]:
        """The panels of one run; what it has not (entropy of an import of masks) is left out."""
        scenes, where = self._workspace.scenes, (run, self._split, self._sample)

        def title(panel: str) -> str:
            words = PANELS.get(panel) or MERGED[panel]
            return f"{words} · {name}" if name else words

        built: dict[str, Panel] = {}
        stored = scenes.stored_mask(*where)
        has_probabilities = scenes.has_probabilities(*where, approximate=True)
        probabilities = (
            scenes.probabilities(*where, approximate=True) if has_probabilities else None
        )
        if probabilities is None:
            first = scenes.prediction(*where) if stored is None else stored
            mask, confidence, top = self.merged(first), None, None
        else:
            first = probabilities.argmax(axis=-1).astype(self._own.mask_dtype)
            first = first if stored is None else stored
            mask = self.merged(first)
            if self._merge:
                probabilities = merge_probabilities(probabilities, self._merge)
            confidence = probabilities.max(axis=-1)
            top = TopClasses.of(probabilities[::2, ::2])
        built["prediction"] = Panel(
            title("prediction"), "mask", mask=mask, scalar=confidence, top=top
        )
        built["error"] = Panel(title("error"), "error", mask=mask)
        if self.beside:
            built["merged_prediction"] = self._merged_prediction(
                title("merged_prediction"), self.beside, first, probabilities
            )
        if probabilities is not None and confidence is not None:
            built["confidence"] = Panel(title("confidence"), "scalar", scalar=confidence)
            if "crf" in self._panels or "merged_crf" in self._panels:
                refined = crf_mask(self._workspace, *where)
                built["crf"] = Panel(title("crf"), "mask", mask=self.merged(refined))
                if self.beside:
                    built["merged_crf"] = Panel(
                        title("merged_crf"),
                        "mask",
                        mask=self.beside.merged(refined),
                        versus=self.merged_truth,
                    )
            if "entropy" in self._panels:
                limit = np.log(probabilities.shape[-1])
                entropy = (
                    -(probabilities * np.log(np.maximum(probabilities, 1e-9))).sum(axis=-1) / limit
                )
                built["entropy"] = Panel(
                    title("entropy"), "scalar", scalar=np.clip(entropy, 0, 1).astype(np.float32)
                )
        if "disagreement" in self._panels:
            apart = scenes.disagreement(*where)
            if apart is not None:
                built["disagreement"] = Panel(title("disagreement"), "scalar", scalar=apart)
        return [built[panel] for panel in PER_RUN if panel in self._panels and panel in built]

    def _merged_prediction(
        self, title: str, beside: Beside, first: np.ndarray, probabilities: np.ndarray | None
    ) -> Panel:
        """A prediction (H, W) merged; its probabilities (H, W, C) are summed over each group."""
        mask = beside.merged(first)
        if probabilities is None:
            return Panel(title, "mask", mask=mask, versus=self.merged_truth)
        summed = merge_probabilities(probabilities, beside.merge)
        top = TopClasses.of(summed[::2, ::2])
        placed = TopClasses(beside.places[top.labels], top.probabilities)
        return Panel(
            title,
            "mask",
            mask=mask,
            scalar=np.minimum(summed.max(axis=-1), 1),
            top=placed,
            versus=self.merged_truth,
        )


def offered_panels(workspace: Workspace, runs: Sequence[str], merge: bool = False) -> list[str]:
    """Return the names in :data:`PANELS` that runs can fill; "merged" where there is a merge.

    Raises:
        SegcoreError: There is no such run.
    """
    configs = [workspace.runs.open(run).config for run in runs]
    left_out = set()
    if not merge:
        left_out.add("merged")
    if all(isinstance(c, ImportedConfig) for c in configs):
        left_out |= {"crf", "confidence", "entropy"}
    if not any(isinstance(c, EvaluateConfig) and len(c.members) > 1 for c in configs):
        left_out.add("disagreement")
    if len(runs) < 2:
        left_out.add("difference")
    return [panel for panel in PANELS if panel not in left_out]


def with_merged(panels: Sequence[str]) -> tuple[str, ...]:
    """Replace "merged" by a merged panel of each chosen mask."""
    if "merged" not in panels:
        return tuple(panels)
    masks = [panel for panel in ("truth", "prediction", "crf") if panel in panels] or [
        "truth",
        "prediction",
    ]
    return (
        *(panel for panel in panels if panel != "merged"),
        *(f"merged_{panel}" for panel in masks),
    )


def crf_mask(workspace: Workspace, run: str, split: str, sample: str) -> np.ndarray:
    """Return a run's mask after the dense CRF, with the run's own parameters where it has some.

    Raises:
        SegcoreError: There are no probabilities, or pydensecrf is missing.
    """
    config = workspace.runs.open(run).config
    parameters = (
        config.crf if isinstance(config, EvaluateConfig) and config.crf else CRFParameters()
    )
    return workspace.scenes.crf_mask(run, split, sample, parameters)


def crf_missing(workspace: Workspace) -> str:
    """Return the sentence that says why the CRF cannot run here, or "" when it can."""
    try:
        workspace.scenes.require_crf()
    except SegcoreError as error:
        return str(error)
    return ""
