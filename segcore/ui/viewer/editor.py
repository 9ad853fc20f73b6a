"""The mask editor as a Streamlit component: sends a mask to draw on, and takes back what was saved."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import streamlit as st

from segcore.errors import SegcoreError, unknown
from segcore.ui.viewer.panels import Scene
from segcore.ui.viewer.payload import join, pack
from segcore.ui.viewer.planes import EDIT_SIDE, read_plane
from segcore.ui.viewer.questions import TOOLS, Question, Suggestion, describe, read_question
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
        on_done: Called when all are decided, with the mask if it was changed, else None, the
            decisions, and the tools that proposed what was drawn; before the script runs again.
    """

    regions: tuple[RegionQuestion, ...]
    text: str
    on_done: Callable[[npt.NDArray[Any] | None, Decided, tuple[str, ...]], SaveAnswer]


@dataclass(frozen=True)
class Asking:
    """What can be proposed while one draws.

    Attributes:
        tools: Names in :data:`segcore.ui.viewer.questions.TOOLS`.
        on_ask: Answers a question; called before the script runs again.
    """

    tools: Collection[str]
    on_ask: Callable[[Question], Suggestion]


@dataclass(frozen=True)
class _Talk:
    """What the browser sends, and the answers that go back with the next run of the script."""

    key: str
    image: str
    proposal: str
    settings: dict[str, Any]
    memory: Any

    def _sent(self, event: str) -> dict[str, Any]:
        sent = (st.session_state.get(self.key) or {}).get(event)
        return sent if isinstance(sent, dict) else {}

    def keep(self, event: str, take: Callable[[dict[str, Any]], SaveAnswer]) -> None:
        """Let the page keep a mask."""
        sent = self._sent(event)
        answer = _answer(sent, self.settings["token"], take)
        self.memory["answer"] = {
            "number": str(sent.get("number")),
            "saved": answer.saved,
            "kept": answer.kept,
            "text": answer.text,
            "token": _token(self.image, answer.base, self.proposal),
            "base": f"{self.image} {answer.base}",
        }
        following = st.session_state.get(f"{self.key}.ahead", {}).get("held")
        if answer.saved:
            after = following if event == "done" else None
            self.memory["held"] = after or [self.image, answer.base, self.proposal]

    def ask(self, asking: Asking | None) -> None:
        """Let the page answer a question."""
        self.memory["suggestion"] = _asked(self._sent("ask"), self.settings, asking)


def edit(
    scene: Callable[[], Scene],
    *,
    key: str,
    image: str,
    base: str,
    proposal: str = "",
    on_save: Callable[[npt.NDArray[Any], tuple[str, ...]], SaveAnswer],
    work: EditorWork | None = None,
    asking: Asking | None = None,
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
            indices or ``ignore_index``; and the tools of ``asking`` that were used for it.
        work: Regions to decide about, or None.
        asking: What the page can propose while one draws, or None.

    Raises:
        SegcoreError: The image is too large to be edited whole, or the scene cannot be packed.
    """
    memory = st.session_state.setdefault(
        f"{key}.memory", {"held": None, "answer": None, "suggestion": None}
    )
    held = [image, base, proposal]
    settings = {
        **_settings(key, image, base, proposal, work),
        "answer": memory["answer"],
        "suggestion": memory["suggestion"],
        "asks": [] if asking is None else sorted(asking.tools),
    }
    body = b"" if memory["held"] == held else _packed(scene())
    memory.update(held=held)

    talk = _Talk(key, image, proposal, settings, memory)
    with st.container(gap=None):
        _mount(
            key=key,
            data=join(settings, body),
            on_save_change=lambda: talk.keep("save", lambda it: on_save(_mask(it), _used(it))),
            on_ask_change=lambda: talk.ask(asking),
            on_done_change=lambda: talk.keep("done", lambda it: _done(it, work)),
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
    body = b"" if memory["held"] == held else _packed(scene())
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


def _packed(scene: Scene) -> bytes:
    height, width = scene.image.shape[:2]
    if max(height, width) > EDIT_SIDE:
        raise SegcoreError(
            f"Expected a mask of at most {EDIT_SIDE} pixels a side to edit, received {height} x "
            f"{width}: cut it into tiles before the import; rasters, by a window size."
        )
    return pack(scene, EDIT_SIDE)


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


def _done(sent: dict[str, Any], work: EditorWork | None) -> SaveAnswer:
    """Let the page keep what was decided about all regions of an image."""
    if work is None:
        raise SegcoreError(
            "Expected a list of regions to decide about, it is gone: reload the page."
        )
    mask = None if sent.get("mask") is None else _mask(sent)
    return work.on_done(mask, _decided(sent.get("decisions"), len(work.regions)), _used(sent))


def _used(sent: dict[str, Any]) -> tuple[str, ...]:
    """The tools that proposed what was drawn, as the browser names them; anybody's."""
    names = sent.get("used")
    return tuple(name for name in TOOLS if isinstance(names, list) and name in names)


def _asked(sent: dict[str, Any], settings: dict[str, Any], asking: Asking | None) -> dict[str, Any]:
    """Let the page answer a question; a refusal is an answer too."""
    number = str(sent.get("number"))
    try:
        if sent.get("token") != settings["token"] or asking is None:
            raise SegcoreError(
                "Expected a question about the mask that is open here, received another: ask again."
            )
        question = read_question(sent)
        if question.tool not in asking.tools:
            raise unknown("tool", question.tool, asking.tools)
        return {"number": number, **describe(asking.on_ask(question))}
    except SegcoreError as error:
        return {"number": number, "text": str(error)}


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
