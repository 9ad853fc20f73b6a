"""The CRF on one image at once: sliders, four panels, the scores of this image before and after."""

from typing import Any

import numpy as np
import streamlit as st

from segcore import formatting
from segcore.catalog import MASK_FILTERS
from segcore.postprocess.components import apply_filter
from segcore.postprocess.parameters import DECODINGS, CRFParameters, MaskFilter
from segcore.ui import viewer
from segcore.ui.compare import panels as compare_panels
from segcore.ui.ensemble.selection import Choice
from segcore.ui.shared import manual, session
from segcore.ui.viewer import Panel, TopClasses, pack
from segcore.ui.viewer import Scene as ViewerScene
from segcore.workspace import Workspace
from segcore.workspace.ensembles.crf import Scene

SLIDERS: dict[str, tuple[str, float, float, float, str]] = {
    "temperature": (
        "Temperature",
        0.5,
        5.0,
        0.05,
        (
            "Divides the logits. Above 1 softens an over-confident model, so that "
            "neighbours can overrule it."
        ),
    ),
    "spatial_width": (
        "Spatial sigma xy, px",
        0.5,
        10.0,
        0.5,
        "Width (theta gamma) of the smoothing term that ignores colour.",
    ),
    "spatial_weight": (
        "Spatial weight",
        0.0,
        15.0,
        0.5,
        "Strength of the smoothing term that ignores colour; 0 disables it.",
    ),
    "bilateral_width": (
        "Bilateral sigma xy, px",
        5.0,
        200.0,
        1.0,
        (
            "Width (theta alpha) of the appearance term: how far apart pixels of similar "
            "colour still interact."
        ),
    ),
    "color_width": (
        "Bilateral sigma rgb",
        1.0,
        60.0,
        1.0,
        "Colour width (theta beta) of the appearance term, on a scale of 0 to 255.",
    ),
    "bilateral_weight": (
        "Bilateral weight",
        0.0,
        25.0,
        0.5,
        "Strength of the appearance term; 0 disables it.",
    ),
}
FILTER_SIZES: dict[str, tuple[int, ...]] = {
    "components": (10, 30, 100, 300, 1000, 3000),
    "median": (3, 5),
    "majority": (3, 5, 7, 9, 13),
}


def show(choice: Choice, split: str, samples: list[str]) -> None:
    """Draw the sliders, the panels and the scores of one image."""
    workspace = session.workspace()
    missing = compare_panels.crf_missing(workspace)
    controls, picture = st.columns([2, 7], gap="medium")
    with controls, st.container(border=True, key="crf_controls"):
        kinds = ["crf", *MASK_FILTERS] if not missing else list(MASK_FILTERS)
        kind = st.selectbox(
            "Post-processing",
            kinds,
            format_func=lambda k: "Dense CRF" if k == "crf" else MASK_FILTERS[k].title,
            key="after_network",
        )
        if missing:
            st.caption(missing)
        step = _parameters() if kind == "crf" else _filter(str(kind))
    with picture:
        sample = session.choose_image(
            samples,
            "crf_sample",
            f"Image ({len(samples)} of {split} with all members)",
        )
        with session.errors_shown():
            scene = _scene(workspace, choice, split, sample, _stamp(workspace, choice, split))
            key = f"{choice}:{split}:{sample}:{_stamp(workspace, choice, split)}"
            full = bool(st.session_state.get("crf_full"))
            if isinstance(step, MaskFilter):
                mask, title = (
                    apply_filter(step, scene.probabilities).astype(scene.label_set.mask_dtype),
                    step.describe(),
                )
            else:
                mask, _ = _refined(workspace, scene, key, step, not full)
                title = "CRF" if full else "CRF, preview"
        result = viewer.show(
            _packed(
                scene,
                mask,
                title,
                bool(st.session_state.get("crf_changes")),
                f"{key}:{step}:{full}",
            ),
            key="crf_viewer",
            listen=("step",),
        )
        if scene.truth is not None:
            _scores(scene, mask, title)
        if isinstance(step, CRFParameters):
            _agreement(workspace, scene, key, step, mask, full)
    if result.step:
        session.step(samples, "crf_sample", result.step)


def take_parameters(parameters: CRFParameters) -> None:
    """Set the sliders; a callback of buttons elsewhere on the page."""
    st.session_state["after_network"] = "crf"
    for name, (_, low, high, _, _) in SLIDERS.items():
        st.session_state[f"crf_{name}"] = float(np.clip(getattr(parameters, name), low, high))
    st.session_state["crf_iterations"] = int(parameters.iterations)
    st.session_state["crf_relative"] = bool(parameters.relative)


def _parameters() -> CRFParameters:
    start = CRFParameters(relative=True)
    values: dict[str, Any] = {}
    for name, (title, low, high, step, help) in SLIDERS.items():
        st.session_state.setdefault(f"crf_{name}", float(getattr(start, name)))
        values[name] = st.slider(
            title, low, high, step=step, key=f"crf_{name}", help=help, persist_state="session"
        )
    st.session_state.setdefault("crf_iterations", start.iterations)
    values["iterations"] = st.slider(
        "Iterations",
        0,
        20,
        key="crf_iterations",
        help="Mean-field iterations.",
        persist_state="session",
    )
    st.session_state.setdefault("crf_relative", True)
    values["relative"] = st.toggle(
        "Scale widths to image size",
        key="crf_relative",
        help=(
            "Widths are given for an image of 360 × 480 and grow with the diagonal of the "
            "actual image."
        ),
        persist_state="session",
    )
    st.toggle(
        "Full resolution",
        key="crf_full",
        help="Off: a preview at half resolution, several times faster.",
    )
    st.toggle(
        "Fixed and broken",
        key="crf_changes",
        help="Adds a panel with the pixels that the step fixed and broke.",
    )
    st.button(
        "Reset parameters",
        on_click=take_parameters,
        args=(start,),
        key="crf_defaults",
        type="tertiary",
        icon=":material/undo:",
    )
    return CRFParameters(**values)


def _filter(kind: str) -> MaskFilter:
    if kind in DECODINGS:
        st.caption(MASK_FILTERS[kind].summary)
        return MaskFilter(kind)
    unit = "Minimum region size, px" if kind == "components" else "Window, px"
    sizes = list(FILTER_SIZES[kind])
    size = st.select_slider(unit, sizes, value=sizes[len(sizes) // 2], key=f"filter_{kind}")
    st.caption(MASK_FILTERS[kind].summary)
    return MaskFilter(kind, int(size))


def _stamp(workspace: Workspace, choice: Choice, split: str) -> tuple[float, ...]:
    return tuple(
        p.finished or 0.0 for m in choice.members if (p := workspace.ensembles.predicted(m, split))
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def _scene(
    _workspace: Workspace, choice: Choice, split: str, sample: str, stamp: tuple[float, ...]
) -> Scene:
    """One image with the members' combination; shared by all sessions, so it is only read."""
    return _workspace.crf.scene(choice.members, split, sample, choice.rule, choice.weights)


@st.cache_data(max_entries=64, max_size="60MB", show_spinner=False)
def _refined(
    _workspace: Workspace, _scene: Scene, key: str, parameters: CRFParameters, preview: bool
) -> tuple[np.ndarray, float]:
    """The refined mask, and how long it took in seconds."""
    return _workspace.crf.refine(_scene, parameters, preview)


@st.cache_data(max_entries=32, max_size="60MB", show_spinner=False)
def _packed(_scene: Scene, _mask: np.ndarray, title: str, changes: bool, key: str) -> bytes:
    """The packed panels: image, ground truth, prediction, CRF, and what it fixed and broke."""
    dtype = _scene.label_set.mask_dtype
    before = _scene.probabilities.argmax(-1).astype(dtype)
    panels = [Panel("Image", "image")]
    if _scene.truth is not None:
        panels.append(Panel("Ground truth", "mask", mask=_scene.truth))
    place = len(panels)
    top = TopClasses.of(_scene.probabilities[::2, ::2])
    panels += [
        Panel("Prediction", "mask", mask=before, scalar=_scene.probabilities.max(-1), top=top),
        Panel(title, "mask", mask=_mask.astype(dtype)),
    ]
    truth = 1 if _scene.truth is not None else None
    if _scene.truth is not None and changes:
        panels.append(
            Panel("Fixed and broken", "difference", mask=_mask.astype(dtype), versus=place)
        )
    return pack(ViewerScene(key, _scene.image, tuple(panels), _scene.label_set, truth))


def _scores(scene: Scene, mask: np.ndarray, title: str) -> None:
    before, after = (
        scene.score(scene.probabilities.argmax(-1).astype(scene.label_set.mask_dtype)),
        scene.score(mask),
    )
    cards = st.columns(4)
    for card, (name, key) in zip(
        cards[::2], (("Mean IoU", "mean_iou"), ("Boundary IoU", "boundary_iou")), strict=True
    ):
        card.metric(
            f"{name} before",
            formatting.percent(getattr(before, key)),
            border=True,
            height="stretch",
            help=manual.see(
                (
                    "Of this image alone: correct / (true + predicted - correct) pixels, averaged "
                    "over its classes."
                ),
                "metrics#scores",
            ),
        )
    for card, key in zip(cards[1::2], ("mean_iou", "boundary_iou"), strict=True):
        change = getattr(after, key) - getattr(before, key)
        shown = None if np.isnan(change) else formatting.points(change)
        card.metric(
            "after",
            formatting.percent(getattr(after, key)),
            shown,
            border=True,
            height="stretch",
            help=manual.see(f"After {title}.", "metrics#scores"),
        )
    changes = after.iou - before.iou
    order = [
        i
        for i in np.argsort(-np.abs(np.nan_to_num(changes)))
        if not np.isnan(changes[i]) and abs(changes[i]) >= 0.0005
    ][:6]
    if order:
        names = scene.label_set.class_names
        st.caption(
            "Largest changes in this image: "
            + ", ".join(f"{session.plain(names[i])} {formatting.points(changes[i])}" for i in order)
            + "."
        )


def _agreement(
    workspace: Workspace,
    scene: Scene,
    key: str,
    parameters: CRFParameters,
    mask: np.ndarray,
    full: bool,
) -> None:
    """Say how closely the preview matches the full CRF, which is computed meanwhile."""
    if full:
        st.caption("The full CRF at native resolution.")
        return
    place = st.empty()
    place.caption("Preview at half resolution; comparing it with the full CRF …")
    with session.errors_shown():
        whole, slow = _refined(workspace, scene, key, parameters, False)
        _, quick = _refined(workspace, scene, key, parameters, True)
    same = float((whole == mask).mean())
    place.caption(
        f"Preview at half resolution: on this image {formatting.percent(same)} of the pixels "
        f"match the full CRF, in {1000 * quick:.0f} ms instead of {1000 * slow:.0f} ms."
    )
