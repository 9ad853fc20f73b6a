"""The filmstrip of a viewer: all images in order, thumbnails on demand, the next scene ahead."""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from segcore.ui.viewer.component import packed
from segcore.ui.viewer.panels import Scene
from segcore.ui.viewer.payload import join
from segcore.ui.viewer.script import component

FIRST = 14
"""Thumbnails that come with the strip; further ones follow when they are scrolled into view."""

AT_ONCE = 40
"""Thumbnails sent for one request."""

_strip = component("segscope_viewer_strip", "mountStrip", '<div class="strip"></div>')
_thumbnails = component("segscope_viewer_thumbnails", "mountThumbnails")
_ahead = component("segscope_viewer_ahead", "mountAhead")


@dataclass(frozen=True)
class Scores:
    """The numbers under the thumbnails.

    Attributes:
        values: One per image, None for undefined.
        form: "percent" for fractions 0..1, "points" for signed differences of fractions.
        label: What they are.
        note: A sentence about them, shown as a tooltip.
    """

    values: Sequence[float | None]
    form: str = "percent"
    label: str = ""
    note: str = ""


def show(
    images: Sequence[str],
    *,
    key: str,
    current: str,
    source: str,
    thumbnail: Callable[[str], bytes],
    scores: Scores | None = None,
    upright: bool = False,
) -> None:
    """Show the strip of the viewer with the same key; a click, and n and p, go to an image.

    ``Place.on_pick`` tells the page which.

    Args:
        images: Ids in the order to walk through.
        key: Key of the viewer.
        current: The image that is shown.
        source: What the thumbnails are of; other ones are fetched again when it changes.
        thumbnail: Gives the WebP of an image, some hundred bytes; called for those in view.
        scores: The numbers under the thumbnails, or None.
        upright: Whether the strip is a column, as high as the window, instead of a row.
    """
    words = {"form": "percent", "label": "", "note": ""}
    if scores is not None:
        words = {"form": scores.form, "label": scores.label, "note": scores.note}
    with st.container(gap=None):
        _strip(
            key=f"{key}.strip",
            data=join(
                {"viewer": key, "upright": upright, **words},
                _listed(key, list(images), None if scores is None else list(scores.values)),
            ),
        )
        _bring(list(images), key, current, source, thumbnail)


def _listed(key: str, images: list[str], values: list[float | None] | None) -> bytes:
    """Pack ids and numbers of all images for the strip; kept in the session until they change."""
    memory = st.session_state.setdefault(f"{key}.strip.sent", {"of": None, "data": b""})
    if memory["of"] != (images, values):
        rounded = values and [None if v is None else round(v, 4) for v in values]
        listed = json.dumps({"ids": images, "values": rounded})
        memory.update(of=(images, values), data=zlib.compress(listed.encode(), 6))
    packed_list: bytes = memory["data"]
    return packed_list


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
        pictures = [(image, thumbnail(image)) for image in wanted]
        header = {
            "viewer": key,
            "source": source,
            "images": [i for i, _ in pictures],
            "sizes": [len(b) for _, b in pictures],
        }
        memory.update(source=source, data=join(header, b"".join(b for _, b in pictures)))
    _thumbnails(key=name, data=memory["data"], on_wanted_change=lambda: None)


def _wanted(name: str, images: list[str]) -> list[str]:
    asked: Any = (st.session_state.get(name) or {}).get("wanted")
    known = set(images)
    return [image for image in asked if image in known][:AT_ONCE] if isinstance(asked, list) else []


def prefetch(
    image: str, scene: Scene | bytes | Callable[[], Scene | bytes], *, key: str, context: str
) -> None:
    """Send the browser a scene that will probably be asked for next; call it at the page's end.

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
