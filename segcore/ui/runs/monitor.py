"""More of one run: masks as they evolve, load of its devices, what it was made with."""

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from segcore import formatting
from segcore.labels import LabelSet, plural
from segcore.runs.folder.environment import Start
from segcore.ui.runs import charts
from segcore.ui.shared import pictures, session, tables
from segcore.workspace import Workspace

Picture = npt.NDArray[np.uint8]
WIDTH = 480
"""Pixels, about, that a panel is wide on a screen."""


def mask_history(run: str, active: bool) -> None:
    """Draw the validation samples that are kept by epoch, with a slider through the epochs."""

    @st.fragment(run_every=5 if active else None)
    @session.guarded
    def panel() -> None:
        with session.errors_shown():
            history = session.workspace().monitor.mask_history(run)
            labels = session.workspace().monitor.label_set(run)
        if history is None or labels is None:
            st.caption(
                "No validation previews. Runs with a validation split keep them from the first "
                "epoch on."
            )
            return
        split, samples, epochs = history
        with st.container(horizontal=True, vertical_alignment="bottom"):
            epoch = _choose_epoch(run, epochs)
            overlay = st.segmented_control(
                "Show",
                ["mask", "overlay", "errors"],
                default="mask",
                key="evolution_show",
                required=True,
            )
        st.caption(
            f"{len(samples)} samples of {split} at the model's input size, after epoch "
            f"{epoch} of {epochs[-1]}. Every epoch is kept up to 100, then fewer."
        )
        for sample in samples:
            _row(run, sample, epoch, labels, str(overlay))
        _legend(labels)

    panel()


def _choose_epoch(run: str, epochs: list[int]) -> int:
    if len(epochs) == 1:
        return epochs[0]
    key = f"epoch_{run}"
    newest = f"{key}_newest"
    if st.session_state.get(key) not in epochs or st.session_state.get(key) == st.session_state.get(
        newest
    ):
        st.session_state[key] = epochs[-1]  # who stands at the newest epoch goes along with it
    st.session_state[newest] = epochs[-1]
    return int(st.select_slider("Epoch", epochs, key=key))


def _row(run: str, sample: str, epoch: int, labels: LabelSet, show: str) -> None:
    with session.errors_shown():
        image, truth, predicted = _masks_at(session.workspace(), run, sample, epoch)
    valid = truth != labels.ignore_index
    right = float((truth == predicted)[valid].mean()) if valid.any() else None
    panels = [
        _enlarged(image),
        _shown(image, truth, truth, labels, show),
        _shown(image, predicted, truth, labels, show),
    ]
    words = [sample, "ground truth", f"epoch {epoch}: {formatting.percent(right)} correct"]
    for column, panel, caption in zip(st.columns(3, gap="small"), panels, words, strict=True):
        column.image(panel, caption=caption, width="stretch", alt=f"{sample}, {caption}")


def _shown(
    image: Picture, mask: npt.NDArray[Any], truth: npt.NDArray[Any], labels: LabelSet, show: str
) -> Picture:
    painted = pictures.paint(mask, labels)
    if show == "overlay":
        painted = (0.5 * image + 0.5 * painted).astype(np.uint8)
    elif show == "errors":
        wrong = (mask != truth) & (truth != labels.ignore_index)
        painted = np.where(wrong[..., None], painted, (0.3 * image + 150).astype(np.uint8)).astype(
            np.uint8
        )
    return _enlarged(painted)


def _enlarged(picture: Picture) -> Picture:
    """Repeat pixels up to the size on screen, so that the browser does not blur classes."""
    factor = max(1, round(WIDTH / picture.shape[1]))
    return picture.repeat(factor, 0).repeat(factor, 1)


@st.cache_data(max_entries=400, max_size="200MB", show_spinner=False)
def _masks_at(
    _workspace: Workspace, run: str, sample: str, epoch: int
) -> tuple[Picture, npt.NDArray[Any], npt.NDArray[Any]]:
    return _workspace.monitor.masks_at(run, sample, epoch)


def _legend(labels: LabelSet) -> None:
    if labels.num_classes > 40:
        return
    with st.container(horizontal=True):
        for name, color in zip(labels.class_names, session.hex_colors(labels), strict=True):
            st.markdown(f"![]({pictures.swatch(color)}) {session.plain(name)}")


def devices(run: str, active: bool) -> None:
    """Draw load, memory and temperature over time."""

    @st.fragment(run_every=2 if active else None)
    @session.guarded
    def panel() -> None:
        with session.errors_shown():
            records = session.workspace().monitor.usage(run)
        if not records:
            st.caption(
                "No usage recorded. Runs that train or predict record it every two seconds at "
                "first, then less often."
            )
            return
        left, right = st.columns(2, gap="large")
        with left:
            st.markdown(
                "**Load**",
                help="Percentage of all cores of the machine, and of each GPU of the run.",
            )
            st.plotly_chart(
                charts.load(records),
                key="usage_load",
                config=session.CHART,
                alt="CPU and GPU load over time",
            )
        with right:
            st.markdown("**Memory**")
            st.plotly_chart(
                charts.memory(records),
                key="usage_memory",
                config=session.CHART,
                alt="Memory of the run, the machine and the GPUs",
            )
        heat = charts.temperature(records)
        if heat is not None:
            st.markdown("**Temperature**")
            st.plotly_chart(
                heat,
                key="usage_heat",
                config=session.CHART,
                alt="GPU temperature over time",
            )

    panel()


def made_with(run: str) -> None:
    """Show machine, packages, code and data that a run was started with, each start of it."""
    with session.errors_shown():
        starts = session.workspace().monitor.starts(run)
        current = session.workspace().monitor.is_current(run)
        edited = session.workspace().masks.edited_since(run) if current is False else []
    if not starts:
        st.caption(
            "Not recorded. Runs of earlier versions did not record their environment, and "
            "evaluations need no model."
        )
        return
    if current is False:
        masks = f": {plural(len(edited), 'mask')} edited" if edited else ""
        st.warning(
            f"The dataset has changed since this run started{masks}.", icon=":material/warning:"
        )
        st.page_link(
            "pages/train.py",
            label="Train the same on the dataset of today",
            icon=":material/model_training:",
            query_params={"from_run": run},
            help="Its recipe fills the form. Compare the two runs on Evaluate, A/B test, once the "
            "older one was counted with the new masks.",
        )
    number = len(starts)
    if number > 1:
        number = int(
            st.segmented_control(
                "Start",
                list(range(1, number + 1)),
                default=number,
                key=f"start_{run}",
                required=True,
            )
            or number
        )
    start = starts[number - 1]
    rows = _facts(start, current)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.table([{"what": what, "value": str(value)} for what, value in rows.items()])
        if start.git and start.git.changed:
            st.caption("Changed files: " + ", ".join(f"`{n}`" for n in start.git.changed[:12]))
    with right:
        tables.draw(
            [{"package": name, "version": version} for name, version in start.packages.items()],
            alt="Packages",
        )


def _facts(start: Start, current: bool | None) -> dict[str, str]:
    code = "not in a git checkout"
    if start.git:
        code = f"{start.git.commit[:12]} on {start.git.branch}"
        changed = len(start.git.changed)
        code += f", {changed} files changed" if changed else ""
    data = (start.fingerprint or "not recorded")[:16]
    data += {True: ", unchanged", False: ", changed since"}[current] if current is not None else ""
    return {
        "started": datetime.fromtimestamp(start.time).strftime("%d %B %Y, %H:%M:%S")
        if start.time
        else "",
        "machine": (
            f"{start.host}, {start.platform}, {start.cores} cores, "
            f"{formatting.gib(start.memory or 0, 0)}"
        ),
        "used": (start.device or "not recorded")
        + (f" ({start.device_reason})" if start.device_reason else ""),
        "devices": ", ".join(f"{id}: {name}" for id, name in start.devices.items()),
        "Python": start.python,
        "code": code,
        "dataset": data,
        "variables": " ".join(f"{k}={v}" for k, v in start.variables.items()) or "none",
    }
