"""The Predict page's large GeoTIFF: predicted by windows, seen at every scale."""

import threading
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from segcore.config import PredictOptions
from segcore.errors import SegcoreError
from segcore.formatting import size
from segcore.labels import LabelSet
from segcore.ui.shared import background_tasks, session
from segcore.ui.viewer import Panel, Scene, Tiles, pack, show
from segcore.workspace import Workspace
from segcore.workspace.predictions.scene_views import TILE, SceneLook, SceneView
from segcore.workspace.predictions.scenes import PredictedScene

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
    go = st.button(
        "Predict scene",
        type="primary",
        disabled=not path,
        icon=":material/play_arrow:",
        key="scene_go",
    )
    image = Path(path).expanduser()
    if go or (path and image.is_file()):
        scenes = session.workspace().scene_predictions
        with session.errors_shown():
            out = scenes.place_of(run, image, options)
        wish = _Wish(run, str(image), str(out), options, polygons)
        if go:
            _stops()[repr(wish)] = threading.Event()
        if go or out.is_file():  # what was predicted before is shown at once
            st.session_state["scene_wish"] = wish
    started = st.session_state.get("scene_wish")
    return started if isinstance(started, _Wish) and started.run == run else None


def show_result(wish: _Wish | None) -> None:
    """Draw progress, then the scene."""
    if wish is None:
        st.caption(
            "A scene of any size becomes a GeoTIFF of classes on the same grid. It is shown here, and "
            "each part of it at full resolution."
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

    scenes, about = workspace.scene_predictions, (wish.run, Path(wish.image), wish.options)
    found = scenes.kept(*about) or scenes.keep(*about, progress=tell)
    if wish.polygons and not found.classes.with_suffix(".gpkg").is_file():
        scenes.outline(wish.run, found, progress=tell)
    scenes.look(wish.run, found.image, found.classes).prepare(tell)
    return found


@st.cache_data(max_entries=4, show_spinner="Reading an overview …")
def _overview(_look: SceneLook, _labels: LabelSet, name: str) -> bytes:
    return _pack(name, _look.overview(), _labels)


@st.cache_data(max_entries=2000, max_size="200MB", show_spinner=False)
def _tile(_look: SceneLook, _labels: LabelSet, name: str, place: tuple[int, int, int]) -> bytes:
    return _pack(f"{name}:{place}", _look.tile(*place), _labels)


def _pack(name: str, seen: SceneView, labels: LabelSet) -> bytes:
    panels = (Panel("Image", "image"), Panel("Prediction", "mask", mask=seen.mask))
    return pack(Scene(name, seen.image, panels, labels))


def _show(wish: _Wish, done: PredictedScene) -> None:
    workspace = session.workspace()
    labels = workspace.predictions.label_set(wish.run)
    stamp = done.classes.stat().st_mtime_ns if done.classes.is_file() else 0
    name = f"{wish.run}:{wish.out}:{stamp}"
    with session.errors_shown():
        look = workspace.scene_predictions.look(wish.run, Path(wish.image), Path(wish.out))
        drawn = _overview(look, labels, name)
    st.caption(
        f"{done.height:,} x {done.width:,} pixels (height x width). Zoom in for full resolution; drag to move."
    )
    if done.note:
        st.warning(done.note, icon=":material/straighten:")
    tiles = Tiles(
        name,
        look.height,
        look.width,
        TILE,
        look.levels,
        lambda *place: _tile(look, labels, name, place),
    )
    show(drawn, key="scene", listen=(), tiles=tiles)
    _files(wish, done)


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
