"""The viewer as a Streamlit component: mounts it, and returns what the user wants of the page."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import streamlit as st

from segcore.errors import unknown
from segcore.ui.viewer.panels import Scene
from segcore.ui.viewer.payload import join, pack
from segcore.ui.viewer.script import FOLDER, SCRIPTS, component, deliver
from segcore.ui.viewer.tiles import Tiles, bring

__all__ = ["EVENTS", "FOLDER", "SCRIPTS", "Place", "ViewerResult", "show"]

EVENTS: dict[str, str] = {
    "step": "The next or previous image was asked for (buttons, or the keys n and p).",
    "pixel": "A pixel was clicked.",
    "label": "A class was isolated in the legend, or released.",
}

_mount = component("segscope_viewer", "mount", '<div class="viewer"></div>')


@dataclass(frozen=True)
class ViewerResult:
    """What the user asked for; every event holds for one rerun of the script and is then gone.

    Attributes:
        share: The view as a short text without special characters, set by "Copy link" and kept; a
            page puts it into its query string and gives it back as ``state``.
        step: 1 when the next image was asked for, -1 for the previous one, else 0.
        pixel: (x, y) of the clicked pixel in the full image, or None.
        label: Index of the class singled out, -1 when it was let go, or None.
    """

    share: str | None = None
    step: int = 0
    pixel: tuple[int, int] | None = None
    label: int | None = None


@dataclass(frozen=True)
class Place:
    """The place of a scene among the images of a filmstrip, which the browser walks by itself.

    Attributes:
        context: All that decides what is shown, but the image, as one text: an equal context and
            image is an equal scene.
        image: Id of the image.
        on_pick: Called with the id of the image that the user went to, before the script runs
            again.
    """

    context: str
    image: str
    on_pick: Callable[[str], None]


def show(
    scene: Scene | bytes | Callable[[], Scene | bytes],
    *,
    key: str,
    state: str | None = None,
    link: str = "view",
    listen: Collection[str] = ("step",),
    place: Place | None = None,
    tiles: Tiles | None = None,
) -> ViewerResult:
    """Show a scene; zoom, options and colours stay as they are when the scene changes.

    Args:
        scene: A scene, or the bytes :func:`~segcore.ui.viewer.payload.pack` made of one (cache
            those), or a function that gives either; it is not called where the browser shows the
            scene already.
        key: Name of this viewer in the app; one of a kind on its page.
        state: The view to open with, as an earlier ``share`` gave it; unreadable parts are left
            out.
        link: Query parameter that "Copy link" sets in the copied address.
        listen: Names in :data:`EVENTS`: what is worth a rerun of the script.
        place: Where the scene is in the filmstrip of the same key, or None where there is none.
        tiles: Parts that show more than the scene, which is then an overview of them all.

    Returns:
        What was asked for since the last run.

    Raises:
        SegcoreError: An event in ``listen`` does not exist, or the scene cannot be packed.
    """
    for event in listen:
        if event not in EVENTS:
            raise unknown("viewer event", event, EVENTS)
    settings: dict[str, Any] = {
        "key": key,
        "state": _opening_state(key, state),
        "link": link,
        "listen": sorted(listen),
    }
    callbacks: dict[str, Any] = {f"on_{event}_change": _do_nothing for event in ("share", *EVENTS)}
    held = False
    if place:
        memory = st.session_state.setdefault(f"{key}.place", {"answered": 0, "held": None})
        held = memory["held"] == [place.context, place.image]
        settings |= {"context": place.context, "image": place.image, "answered": memory["answered"]}
        callbacks["on_pick_change"] = lambda: _pick(key, place)
        callbacks["on_missing_change"] = lambda: st.session_state[f"{key}.place"].update(held=None)
    if tiles:
        settings["tiles"] = tiles.to_json()
    body = b"" if held else packed(scene)
    with st.container(gap=None):
        sent = _mount(key=key, data=join(settings, body), **callbacks)
        deliver(key=f"{key}.script")
        if tiles:
            bring(tiles, key)
    pixel = sent.get("pixel")
    return ViewerResult(
        share=sent.get("share"),
        step=int(sent.get("step") or 0),
        pixel=(int(pixel["x"]), int(pixel["y"])) if pixel else None,
        label=sent.get("label"),
    )


def packed(scene: Scene | bytes | Callable[[], Scene | bytes]) -> bytes:
    """Return a scene, or what a function gives, as bytes for the browser.

    Raises:
        SegcoreError: The scene cannot be packed.
    """
    sent = scene() if callable(scene) else scene
    return sent if isinstance(sent, bytes) else pack(sent)


def _pick(key: str, place: Place) -> None:
    """Note what the browser went to, and whether it has that scene; then tell the page."""
    picked = (st.session_state.get(key) or {}).get("pick")
    if not isinstance(picked, dict):
        return
    image, memory = str(picked.get("image")), st.session_state[f"{key}.place"]
    memory.update(
        answered=int(picked.get("number") or 0),
        held=[place.context, image] if picked.get("held") else None,
    )
    place.on_pick(image)


def _do_nothing() -> None:
    """Do nothing: Streamlit reports only events that have a callback."""


def _opening_state(key: str, state: str | None) -> str | None:
    """The state to send; a link that this very viewer has just made is not sent back to it."""
    shared = (st.session_state.get(key) or {}).get("share")
    memory = f"{key}.opening_state"
    if state is not None and state != shared:
        st.session_state[memory] = state
    opening: str | None = st.session_state.get(memory)
    return opening
