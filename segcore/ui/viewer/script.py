"""The viewer's script: bundled once, sent once, and the components that call into it."""

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import streamlit as st

from segcore.ui.viewer.panels import KINDS_FILE

FOLDER = Path(__file__).resolve().parent

# Concatenated in this order into one module; each file is one noun.
SCRIPTS = (
    "kinds.js",
    "state.js",
    "scene.js",
    "album.js",
    "layers.js",
    "verdicts.js",
    "painter.js",
    "tiles.js",
    "camera.js",
    "gestures.js",
    "controls.js",
    "legend.js",
    "export.js",
    "view.js",
    "looking.js",
    "strip.js",
    "viewer.js",
    "drawing/regions.js",
    "drawing/edits.js",
    "drawing/drafts.js",
    "drawing/task.js",
    "drawing/marks.js",
    "drawing/tools.js",
    "drawing/suggestions.js",
    "drawing/gestures.js",
    "drawing/panels.js",
    "drawing/editor.js",
    "mount.js",
)


def _lean(name: str) -> str:
    """A script or style without comments and indentation."""
    lines = (line.strip() for line in (FOLDER / name).read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _bundle() -> str:
    """The viewer's script and style as one JavaScript module's source."""
    style = f"const STYLE = {json.dumps(_lean('viewer.css'))};"
    kinds = f"const KINDS = {KINDS_FILE.read_text(encoding='utf-8')};"
    return "\n".join([style, kinds, *map(_lean, SCRIPTS)])


def _deliver(source: str, slot: str) -> str:
    """A module that unpacks ``source`` in the browser and hands it over in ``slot``."""
    packed = base64.b64encode(zlib.compress(source.encode(), 9)).decode()
    return "\n".join(
        [
            slot,
            f'const packed = Uint8Array.from(atob("{packed}"), (c) => c.charCodeAt(0));',
            (
                "const stream = new Blob([packed]).stream().pipeThrough(new "
                'DecompressionStream("deflate"));'
            ),
            (
                "const source = new Blob([await new Response(stream).blob()], { type: "
                '"text/javascript" });'
            ),
            "slot.resolve(await import(URL.createObjectURL(source)));",
            "export default () => {};",
        ]
    )


# Streamlit sends a component's script along with every new payload. So the script travels in a
# component
# of its own, which never changes and is sent once; the ones that show things only wait for it. They
# meet in a slot named after the script's content, so that an upgraded app never meets an old
# script.
_source = _bundle()
_version = hashlib.blake2b(_source.encode(), digest_size=8).hexdigest()
_slot = "\n".join(
    [
        f'const slot = (globalThis[Symbol.for("segscope.viewer.{_version}")] ??= {{}});',
        "slot.ready ??= new Promise((resolve) => (slot.resolve = resolve));",
    ]
)
deliver = st.components.v2.component("segscope_viewer_script", js=_deliver(_source, _slot))
"""Mounts the component that brings the script."""


def component(name: str, function: str, html: str = "") -> Any:
    """Register a component that calls one of the script's functions as soon as the script is there.

    Args:
        name: Name of the component.
        function: Name of an exported function of ``mount.js``.
        html: What the component's element holds at first.
    """
    return st.components.v2.component(
        name,
        html=html or "<i></i>",
        js=f"{_slot}\nexport default async (it) => (await slot.ready).{function}(it);",
    )
