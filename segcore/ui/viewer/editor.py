"""The mask editor as a Streamlit component: sends a mask to draw on, and takes back what was saved."""

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from segcore.errors import SegcoreError
from segcore.ui.viewer.component import join, packed
from segcore.ui.viewer.panels import Scene
from segcore.ui.viewer.payload import MAX_SIDE
from segcore.ui.viewer.script import component, deliver

_ahead = component("segscope_editor_ahead", "mountEditorAhead")
_mount = component("segscope_editor", "mountEditor", '<div class="viewer editor"></div>')


@dataclass(frozen=True)
class SaveAnswer:
    """What became of a mask that was sent back.

    Attributes:
        saved: Whether it is in use now.
        text: One sentence for the person who drew it.
        base: What the mask in use is known by from now on.
        kept: Whether it was not taken into use but is kept as a version, so the browser need not
            keep it.
    """

    saved: bool
    text: str
    base: str
    kept: bool = False


@dataclass(frozen=True)
class RegionQuestion:
    """A region whose label is in doubt.

    Attributes:
        given: Class index of its label.
        suggested: Class index that is suggested.
        pixels: Its size.
        rows: Its pixels: (row, first column, column after the last).
    """

    given: int
    suggested: int
    pixels: int
    rows: tuple[tuple[int, int, int], ...]


Decided = list[tuple[str, int]]
"""What was decided: "accepted", "kept" or "skipped", and the position of the region."""


@dataclass(frozen=True)
class EditorWork:
    """Regions of an image to be decided about one by one.

    Attributes:
        regions: The regions, in the order of the questions.
        text: The place of the image in the list: "image 3 of 40".
        on_done: Called when all are decided, with the mask if it was changed, else None; before
            the script runs again.
    """

    regions: tuple[RegionQuestion, ...]
    text: str
    on_done: Callable[[npt.NDArray[Any] | None, Decided], SaveAnswer]


def edit(
    scene: Callable[[], Scene],
    *,
    key: str,
    image: str,
    base: str,
    proposal: str = "",
    on_save: Callable[[npt.NDArray[Any]], SaveAnswer],
    work: EditorWork | None = None,
) -> None:
    """Show a mask to draw on; what was drawn stays while only the proposal changes.

    Args:
        scene: Gives the image; its first panel holds the mask, the others are proposals: hidden
            panels with a mask and, where there is one, the confidence in it. Not called where the
            browser holds it already.
        key: Name of this editor in the app.
        image: Id of the image, in the app.
        base: What the mask is known by, such as its digest; another one brings the mask anew.
        proposal: What the proposals are known by.
        on_save: Called before the script runs again, with the mask that was drawn: (H, W) class
            indices or ``ignore_index``.
        work: Regions to decide about, or None.

    Raises:
        SegcoreError: The image is too large to be edited whole, or the scene cannot be packed.
    """
    memory = st.session_state.setdefault(f"{key}.memory", {"held": None, "answer": None})
    held = [image, base, proposal]
    settings = {**_settings(key, image, base, proposal, work), "answer": memory["answer"]}
    body = b"" if memory["held"] == held else packed(_small_enough(scene()))
    memory.update(held=held)

    def receive(event: str, keep: Callable[[dict[str, Any]], SaveAnswer]) -> None:
        sent = (st.session_state.get(key) or {}).get(event)
        sent = sent if isinstance(sent, dict) else {}
        answer = _answer(sent, settings["token"], keep)
        memory["answer"] = {
            "number": str(sent.get("number")),
            "saved": answer.saved,
            "kept": answer.kept,
            "text": answer.text,
            "token": _token(image, answer.base, proposal),
            "base": f"{image} {answer.base}",
        }
        following = st.session_state.get(f"{key}.ahead", {}).get("held")
        if answer.saved:
            after = following if event == "done" else None
            memory["held"] = after or [image, answer.base, proposal]

    def done(sent: dict[str, Any]) -> SaveAnswer:
        if work is None:
            raise SegcoreError(
                "Expected a list of regions to decide about, it is gone: reload the page."
            )
        mask = None if sent.get("mask") is None else _mask(sent)
        return work.on_done(mask, _decided(sent.get("decisions"), len(work.regions)))

    with st.container(gap=None):
        _mount(
            key=key,
            data=join(settings, body),
            on_save_change=lambda: receive("save", lambda sent: on_save(_mask(sent))),
            on_done_change=lambda: receive("done", done),
            on_missing_change=lambda: memory.update(held=None),
        )
        deliver(key=f"{key}.script")


def edit_ahead(
    scene: Callable[[], Scene],
    *,
    key: str,
    image: str,
    base: str,
    proposal: str = "",
    work: EditorWork | None = None,
) -> None:
    """Send what the editor of that key will be asked for next, so that it can be shown at once.

    Args: as of :func:`edit`.
    """
    memory = st.session_state.setdefault(f"{key}.ahead", {"held": None})
    held = [image, base, proposal]
    body = b"" if memory["held"] == held else packed(_small_enough(scene()))
    memory.update(held=held)
    with st.container(gap=None):
        _ahead(key=f"{key}.next", data=join(_settings(key, image, base, proposal, work), body))


def _settings(
    key: str, image: str, base: str, proposal: str, work: EditorWork | None
) -> dict[str, Any]:
    regions = None if work is None else [vars(region) for region in work.regions]
    return {
        "key": key,
        "token": _token(image, base, proposal),
        "base": f"{image} {base}",
        "work": None if work is None else {"regions": regions, "text": work.text},
    }


def _token(*parts: str) -> str:
    return " ".join(parts)


def _small_enough(scene: Scene) -> Scene:
    height, width = scene.image.shape[:2]
    if max(height, width) > MAX_SIDE:
        raise SegcoreError(
            f"Expected a mask of at most {MAX_SIDE} pixels a side to edit, received {height} x "
            f"{width}: cut the image into tiles before the import."
        )
    return scene


def _answer(
    sent: dict[str, Any], token: str, keep: Callable[[dict[str, Any]], SaveAnswer]
) -> SaveAnswer:
    """Let the page keep what the browser sent; a refusal is an answer too."""
    try:
        if sent.get("token") != token:
            raise SegcoreError(
                "Expected the mask that is open here, received another: what you drew waits in "
                "this window; open its image and save again."
            )
        return keep(sent)
    except SegcoreError as error:
        return SaveAnswer(False, str(error), "")


def _mask(sent: dict[str, Any]) -> npt.NDArray[Any]:
    return read_plane(sent.get("mask"), sent.get("shape"), sent.get("bytes"))


def _decided(sent: object, regions: int) -> Decided:
    """Read decisions as the browser sends them; anybody's."""
    rows = sent if isinstance(sent, list) else []
    sound = [
        (str(row[0]), row[1])
        for row in rows
        if isinstance(row, list) and len(row) == 2 and type(row[1]) is int and 0 <= row[1] < regions
    ]
    if len(sound) != len(rows) or len(rows) > regions:
        raise SegcoreError(
            "Expected decisions about the regions of this image, received others: reload the page."
        )
    return sound


def read_plane(text: object, shape: object, item: object) -> npt.NDArray[np.integer[Any]]:
    """Read a plane of indices as the browser packs it: base64 of deflated differences of rows.

    Args:
        text: What was sent; anybody's, like the others.
        shape: [H, W] that it says it has.
        item: 1 or 2 bytes a pixel.

    Raises:
        SegcoreError: It is something else, or larger than can be edited.
    """
    sides = shape if isinstance(shape, list) else []
    sound = len(sides) == 2 and all(type(n) is int and 0 < n <= MAX_SIDE for n in sides)
    if not sound or item not in (1, 2):
        raise SegcoreError(
            f"Expected a mask of at most {MAX_SIDE} pixels a side from the editor, received "
            "something else: reload the page."
        )
    dtype = np.dtype(np.uint8 if item == 1 else np.uint16)
    wanted = sides[0] * sides[1] * dtype.itemsize
    try:
        packed_plane = base64.b64decode(str(text), validate=True)
        raw = zlib.decompressobj().decompress(packed_plane, wanted + 1)
    except (ValueError, zlib.error) as error:
        raise SegcoreError(
            "Expected a mask from the editor, received bytes that are none: save it again."
        ) from error
    if len(raw) != wanted:
        raise SegcoreError(
            f"Expected a mask of {sides[0]} x {sides[1]} pixels (height x width) from the editor, "
            "received another size: save it again."
        )
    rows = np.frombuffer(raw, dtype.newbyteorder("<")).reshape(sides)
    return np.cumsum(rows, axis=0, dtype=dtype)
