"""The filmstrip of a viewer: every image in an order of the page's choosing, thumbnails as they come into view, the next one ahead."""

import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from segcore.ui.viewer.component import join, packed
from segcore.ui.viewer.panels import Scene
from segcore.ui.viewer.script import component

FIRST = 14
"""Thumbnails that come with the strip, around the shown image; further ones when they are scrolled into view."""

AT_ONCE = 40
"""Thumbnails sent for one request."""

_strip = component("segscope_viewer_strip", "mountStrip", '<div class="strip"></div>')
_thumbnails = component("segscope_viewer_thumbnails", "mountThumbnails")
_ahead = component("segscope_viewer_ahead", "mountAhead")


def show(
    images: Sequence[str],
    *,
    key: str,
    current: str,
    source: str,
    thumbnail: Callable[[str], bytes],
    scores: Sequence[float | None] | None = None,
    form: str = "percent",
    label: str = "",
) -> None:
    """Show the strip of the viewer with the same key; a click, and n and p, go to an image as ``Place.on_pick`` tells the page.

    Args:
        images: Ids in the order to walk through.
        key: Key of the viewer.
        current: The image that is shown.
        source: What the thumbnails are of; other ones are fetched anew when it changes.
        thumbnail: Gives the WebP of an image, some hundred bytes; called for those in view.
        scores: One number an image, None for undefined, or None for no scores.
        form: "percent" for shares 0..1, "points" for signed differences of shares.
        label: What the scores are.
    """
    listed = json.dumps(
        {
            "ids": list(images),
            "values": None
            if scores is None
            else [None if v is None else round(v, 4) for v in scores],
        }
    )
    with st.container(gap=None):
        _strip(
            key=f"{key}.strip",
            data=join(
                {"viewer": key, "form": form, "label": label}, zlib.compress(listed.encode(), 6)
            ),
        )
        _bring(list(images), key, current, source, thumbnail)


@st.fragment
def _bring(
    images: list[str], key: str, current: str, source: str, thumbnail: Callable[[str], bytes]
) -> None:
    """Send the thumbnails that came into view; only this fragment runs for them."""
    name = f"{key}.thumbnails"
    memory = st.session_state.setdefault(f"{name}.sent", {"source": "", "data": b""})
    wanted = _wanted(name, images)
    if memory["source"] != source:
        place = images.index(current) if current in images else 0
        start = max(0, min(place - FIRST // 2, len(images) - FIRST))
        wanted = images[start : start + FIRST]
    if wanted:
        made = [(image, thumbnail(image)) for image in wanted]
        header = {
            "viewer": key,
            "source": source,
            "images": [i for i, _ in made],
            "sizes": [len(b) for _, b in made],
        }
        memory.update(source=source, data=join(header, b"".join(b for _, b in made)))
    _thumbnails(key=name, data=memory["data"], on_wanted_change=lambda: None)


def _wanted(name: str, images: list[str]) -> list[str]:
    asked: Any = (st.session_state.get(name) or {}).get("wanted")
    known = set(images)
    return [image for image in asked if image in known][:AT_ONCE] if isinstance(asked, list) else []


def prefetch(
    image: str, scene: Scene | bytes | Callable[[], Scene | bytes], *, key: str, context: str
) -> None:
    """Send the browser a scene that will probably be asked for next; call it last, when the page is whole.

    Args:
        image: Id of the image.
        scene: As in :func:`segcore.ui.viewer.show`.
        key: Key of the viewer.
        context: As in :class:`segcore.ui.viewer.Place`.

    Raises:
        SegcoreError: The scene cannot be packed.
    """
    _ahead(
        key=f"{key}.ahead",
        data=join({"viewer": key, "context": context, "image": image}, packed(scene)),
    )
