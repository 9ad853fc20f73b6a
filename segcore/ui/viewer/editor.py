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

_mount = component("segscope_editor", "mountEditor", '<div class="viewer editor"></div>')


@dataclass(frozen=True)
class SaveAnswer:
    """What became of a mask that was sent back.

    Attributes:
        saved: Whether it is in use now.
        text: One sentence for the person who drew it.
        base: What the mask in use is known by from now on.
    """

    saved: bool
    text: str
    base: str


def edit(
    scene: Callable[[], Scene],
    *,
    key: str,
    image: str,
    base: str,
    proposal: str = "",
    on_save: Callable[[npt.NDArray[Any]], SaveAnswer],
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

    Raises:
        SegcoreError: The image is too large to be edited whole, or the scene cannot be packed.
    """
    memory = st.session_state.setdefault(f"{key}.memory", {"held": None, "answer": None})
    held = [image, base, proposal]
    settings = {
        "key": key,
        "token": _token(*held),
        "base": f"{image} {base}",
        "answer": memory["answer"],
    }
    body = b"" if memory["held"] == held else packed(_small_enough(scene()))
    memory.update(held=held)

    def save() -> None:
        answer, number = _answer(key, settings["token"], on_save)
        memory["answer"] = {
            "number": number,
            "saved": answer.saved,
            "text": answer.text,
            "token": _token(image, answer.base, proposal),
            "base": f"{image} {answer.base}",
        }
        if answer.saved:
            memory["held"] = [image, answer.base, proposal]

    with st.container(gap=None):
        _mount(
            key=key,
            data=join(settings, body),
            on_save_change=save,
            on_missing_change=lambda: memory.update(held=None),
        )
        deliver(key=f"{key}.script")


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
    key: str, token: str, on_save: Callable[[npt.NDArray[Any]], SaveAnswer]
) -> tuple[SaveAnswer, str]:
    """Read what the browser sent and let the page save it; a refusal is an answer too."""
    sent = (st.session_state.get(key) or {}).get("save")
    sent = sent if isinstance(sent, dict) else {}
    number = str(sent.get("number"))
    try:
        if sent.get("token") != token:
            raise SegcoreError(
                "Expected the mask that is open here, received another: reload the page; what was "
                "saved before is in the history."
            )
        return on_save(read_plane(sent.get("mask"), sent.get("shape"), sent.get("bytes"))), number
    except SegcoreError as error:
        return SaveAnswer(False, str(error), ""), number


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
