"""The viewer as a Streamlit component: mounts it, and returns what the user asked of the page."""

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from segcore.errors import unknown
from segcore.ui.viewer.panels import Scene
from segcore.ui.viewer.payload import pack

FOLDER = Path(__file__).resolve().parent

# Concatenated in this order into one module; each file is one noun.
SCRIPTS = (
    "state.js",
    "scene.js",
    "layers.js",
    "verdicts.js",
    "painter.js",
    "camera.js",
    "gestures.js",
    "controls.js",
    "legend.js",
    "export.js",
    "view.js",
    "viewer.js",
    "mount.js",
)

EVENTS: dict[str, str] = {
    "step": "The next or previous image was asked for (buttons, or the keys n and p).",
    "pixel": "A pixel was clicked.",
    "label": "A class was singled out in the legend, or let go.",
}


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


def _lean(name: str) -> str:
    """A script or style without what only its readers need; no line of them starts inside a literal."""
    lines = (line.strip() for line in (FOLDER / name).read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _bundle() -> str:
    """The viewer's script and style as one JavaScript module's source."""
    style = f"const STYLE = {json.dumps(_lean('viewer.css'))};"
    return "\n".join([style, *map(_lean, SCRIPTS)])


def _deliver(source: str, slot: str) -> str:
    """A module that unpacks ``source`` in the browser and hands it over in ``slot``."""
    packed = base64.b64encode(zlib.compress(source.encode(), 9)).decode()
    return "\n".join(
        [
            slot,
            f'const packed = Uint8Array.from(atob("{packed}"), (c) => c.charCodeAt(0));',
            'const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));',
            'const source = new Blob([await new Response(stream).blob()], { type: "text/javascript" });',
            "slot.resolve(await import(URL.createObjectURL(source)));",
            "export default () => {};",
        ]
    )


# Streamlit sends a component's script along with every new payload. So the script travels in a component
# of its own, which never changes and is sent once; the one that shows scenes only waits for it. The
# two meet in a slot named after the script's content, so that an upgraded app never meets an old script.
_source = _bundle()
_version = hashlib.blake2b(_source.encode(), digest_size=8).hexdigest()
_slot = "\n".join(
    [
        f'const slot = (globalThis[Symbol.for("segscope.viewer.{_version}")] ??= {{}});',
        "slot.ready ??= new Promise((resolve) => (slot.resolve = resolve));",
    ]
)
_deliver_script = st.components.v2.component("segscope_viewer_script", js=_deliver(_source, _slot))
_mount = st.components.v2.component(
    "segscope_viewer",
    html='<div class="viewer"></div>',
    js=_slot + "\nexport default async (component) => (await slot.ready).mount(component);",
)


def show(
    scene: Scene | bytes,
    *,
    key: str,
    state: str | None = None,
    link: str = "view",
    listen: Collection[str] = ("step",),
) -> ViewerResult:
    """Show a scene; zoom, options and colours stay as they are when the scene changes.

    Args:
        scene: A scene, or the bytes :func:`~segcore.ui.viewer.payload.pack` made of one (cache those).
        key: Name of this viewer in the app; one of a kind on its page.
        state: The view to open with, as an earlier ``share`` told it; unreadable parts are left out.
        link: Query parameter that "Copy link" sets in the copied address.
        listen: Names in :data:`EVENTS`: what is worth a rerun of the script.

    Returns:
        What was asked for since the last run.

    Raises:
        SegcoreError: An event in ``listen`` does not exist, or the scene cannot be packed.
    """
    for event in listen:
        if event not in EVENTS:
            raise unknown("viewer event", event, EVENTS)
    settings = {"key": key, "state": _opening_state(key, state), "link": link, "listen": sorted(listen)}
    head = json.dumps(settings).encode()
    data = b"".join([struct.pack("<I", len(head)), head, scene if isinstance(scene, bytes) else pack(scene)])
    callbacks: dict[str, Any] = {f"on_{event}_change": _do_nothing for event in ("share", *EVENTS)}
    with st.container(gap=None):
        found = _mount(key=key, data=data, **callbacks)
        _deliver_script(key=f"{key}.script")
    pixel = found.get("pixel")
    return ViewerResult(
        share=found.get("share"),
        step=int(found.get("step") or 0),
        pixel=(int(pixel["x"]), int(pixel["y"])) if pixel else None,
        label=found.get("label"),
    )


def _do_nothing() -> None:
    """Stand in as a callback: Streamlit reports only events that have one."""


def _opening_state(key: str, state: str | None) -> str | None:
    """The state to send; a link that this very viewer has just made is not sent back to it."""
    shared = (st.session_state.get(key) or {}).get("share")
    memory = f"{key}.opening_state"
    if state is not None and state != shared:
        st.session_state[memory] = state
    opening: str | None = st.session_state.get(memory)
    return opening
