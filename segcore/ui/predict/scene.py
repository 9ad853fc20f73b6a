"""The Predict page's large GeoTIFF: predicted by windows, seen as an overview and in full by parts."""

import threading
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from segcore.config import PredictOptions
from segcore.data.files.windows import Window
from segcore.errors import SegcoreError
from segcore.formatting import size
from segcore.labels import LabelSet
from segcore.ui.shared import background_tasks, session
from segcore.ui.viewer import Panel, Scene, pack, show
from segcore.workspace import Workspace
from segcore.workspace.predictions.scene_views import SceneView
from segcore.workspace.predictions.scenes import PredictedScene

SIDE = 2048
"""Height and width of the part that is shown at full resolution, in pixels."""

MOVES = (
    ("Left", ":material/arrow_back:", 0, -1),
    ("Up", ":material/arrow_upward:", -1, 0),
    ("Down", ":material/arrow_downward:", 1, 0),
    ("Right", ":material/arrow_forward:", 0, 1),
)
"""Buttons that move the part by half its side: title, icon, rows and columns."""

OFFERED_BYTES = 500_000_000
"""Largest file that is offered for download; larger ones are named by their path."""


@dataclass(frozen=True)
class _Wish:
    """What is to be predicted, and into which file."""

    run: str
    image: str
    out: str
    options: PredictOptions
    polygons: bool


@st.cache_resource(show_spinner=False)
def _stops() -> dict[str, threading.Event]:
    """By wish, what ends it."""
    return {}


def ask(run: str, options: PredictOptions) -> _Wish | None:
    """Ask for a GeoTIFF of this machine; return what was started last, or None."""
    path = st.text_input(
        "GeoTIFF on this machine",
        placeholder="/data/scene.tif",
        key="scene_path",
        help="Of any size: it is read and written by windows, and only classes are kept.",
    ).strip()
    polygons = st.toggle(
        "Polygons too",
        key="scene_polygons",
        help="Also write a GeoPackage with the class and area of each region.",
    )
    if st.button(
        "Predict scene",
        type="primary",
        disabled=not path,
        icon=":material/play_arrow:",
        key="scene_go",
    ):
        with session.errors_shown():
            out = session.workspace().scene_predictions.place_of(run, Path(path).expanduser())
        wish = _Wish(run, str(Path(path).expanduser()), str(out), options, polygons)
        _stops()[repr(wish)] = threading.Event()
        st.session_state["scene_wish"] = wish
    started = st.session_state.get("scene_wish")
    return started if isinstance(started, _Wish) and started.run == run else None


def show_result(wish: _Wish | None) -> None:
    """Draw progress, then the scene: an overview, and the part that was clicked at full resolution."""
    if wish is None:
        st.caption(
            "A scene of any size becomes a GeoTIFF of classes on the same grid. An overview and any "
            "part at full resolution are shown here."
        )
        return
    key = repr(wish)
    stop = _stops().setdefault(key, threading.Event())
    board = st.empty()
    if board.button("Stop", icon=":material/stop:", key="scene_stop"):
        stop.set()
    workspace = session.workspace()
    done = background_tasks.passed(
        f"scene {key}",
        lambda progress: _predict(workspace, wish, stop, progress),
        "Predict scene",
        "Reads the scene by windows.",
        at_once=True,
    )
    if done is None:
        return
    board.empty()
    _show(wish, done)


def _predict(
    workspace: Workspace, wish: _Wish, stop: threading.Event, progress: background_tasks.Progress
) -> PredictedScene:
    """Predict in a thread; whoever stops it gets a sentence, and no file is left."""

    def tell(done: int, total: int, what: str) -> None:
        if stop.is_set():
            raise SegcoreError("The prediction was stopped: start it again.")
        progress(done, total, what)

    found = workspace.scene_predictions.predict(
        wish.run, Path(wish.image), Path(wish.out), wish.options, progress=tell
    )
    if wish.polygons:
        workspace.scene_predictions.outline(wish.run, found, progress=tell)
    return found


@st.cache_data(max_entries=4, show_spinner="Reading an overview …")
def _overview(_workspace: Workspace, run: str, image: str, classes: str, stamp: float) -> SceneView:
    return _workspace.scene_predictions.overview(run, Path(image), Path(classes))


@st.cache_data(max_entries=16, max_size="200MB", show_spinner=False)
def _part(
    _workspace: Workspace, run: str, image: str, classes: str, stamp: float, corner: tuple[int, int]
) -> bytes:
    window = Window(*corner, SIDE, SIDE)
    found = _workspace.scene_predictions.view(run, Path(image), Path(classes), window)
    labels = _workspace.predictions.label_set(run)
    return pack(_scene(f"{classes}:{corner}", found, labels))


def _scene(name: str, seen: SceneView, labels: LabelSet) -> Scene:
    panels = (Panel("Image", "image"), Panel("Prediction", "mask", mask=seen.mask))
    return Scene(name, seen.image, panels, labels)


def _show(wish: _Wish, done: PredictedScene) -> None:
    workspace = session.workspace()
    labels = workspace.predictions.label_set(wish.run)
    stamp = done.classes.stat().st_mtime if done.classes.is_file() else 0.0
    with session.errors_shown():
        small = _overview(workspace, wish.run, wish.image, wish.out, stamp)
        drawn = pack(_scene(f"{wish.out}:overview", small, labels))
    st.caption(
        f"{done.width:,} x {done.height:,} pixels, here 1 : {small.factor:.0f}. Click a place to see it "
        "at full resolution below."
    )
    if done.note:
        st.warning(done.note, icon=":material/straighten:")
    clicked = show(drawn, key="scene_overview", listen=("pixel",)).pixel
    if clicked:
        at = (int(clicked[1] * small.factor), int(clicked[0] * small.factor))
        st.session_state["scene_place"] = at
    row, column = _moved(st.session_state.get("scene_place", (done.height // 2, done.width // 2)))
    top = max(0, min(row - SIDE // 2, done.height - SIDE))
    left = max(0, min(column - SIDE // 2, done.width - SIDE))
    with session.errors_shown():
        part = _part(workspace, wish.run, wish.image, wish.out, stamp, (top, left))
    st.caption(f"Rows {top:,} to {min(top + SIDE, done.height):,}, columns {left:,} to "
               f"{min(left + SIDE, done.width):,} at full resolution.")  # fmt: skip
    show(part, key="scene_part", listen=())
    _files(wish, done)


def _moved(place: tuple[int, int]) -> tuple[int, int]:
    """Draw buttons that go half a part on; return the (row, column) of its middle."""
    row, column = place
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, icon, down, right in MOVES:
            if st.button(name, icon=icon, key=f"scene_{name}", type="tertiary"):
                row, column = max(0, row + down * SIDE // 2), max(0, column + right * SIDE // 2)
                st.session_state["scene_place"] = (row, column)
    return row, column


def _files(wish: _Wish, done: PredictedScene) -> None:
    files = [done.classes]
    if wish.polygons:
        files.append(done.classes.with_suffix(".gpkg"))
    for file in files:
        if not file.is_file():
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{session.plain(str(file))} ({size(file.stat().st_size)})")
            if file.stat().st_size <= OFFERED_BYTES:
                st.download_button(
                    "Download",
                    file.read_bytes,
                    file.name,
                    icon=":material/download:",
                    key=f"scene_{file.suffix}",
                )
