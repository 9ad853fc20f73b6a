"""What the editor asks while one draws, and the suggestion that answers it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown
from segcore.ui.viewer.planes import EDIT_SIDE, read_plane, write_plane

TOOLS: dict[str, str] = {
    "scribble": "scribble",
    "cut": "cut out",
    "object": "object",
}
"""Tools of the editor that ask, and what the history of a mask calls them."""

UNCHANGED = 65534
"""On the way to the browser and back: no stroke here, or the mask stays as it is."""

MAX_POINTS = 10_000


@dataclass(frozen=True, eq=False)
class Question:
    """Strokes, a line or clicks on a mask, and the class they are meant for.

    Attributes:
        tool: A name in :data:`TOOLS`.
        chosen: Class index, or the ignored index.
        left: First column of the part that the strokes lie in.
        top: First row of that part.
        strokes: (h, w) int32 class indices under strokes, -1 elsewhere; None with other tools.
        mask: (h, w) int32, that part of the mask as it is drawn so far; None with other tools.
        points: (x, y, label): corners of a line; of the tool "object" clicks, labelled 1 (the object),
            0 (not the object), 2 and 3 (first and last corner of a box).
    """

    tool: str
    chosen: int
    left: int = 0
    top: int = 0
    strokes: npt.NDArray[np.int32] | None = None
    mask: npt.NDArray[np.int32] | None = None
    points: tuple[tuple[float, float, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Suggestion:
    """What a part of the mask would become.

    Attributes:
        left: First column of the part.
        top: First row of the part.
        values: (h, w) int32 class indices or the ignored index; -1 where the mask stays as it is.
    """

    left: int
    top: int
    values: npt.NDArray[np.int32]


def read_question(sent: dict[str, Any]) -> Question:
    """Read a question as the browser sends it; anybody's.

    Raises:
        SegcoreError: It is no question, or larger than an image can be.
    """
    tool = str(sent.get("tool"))
    if tool not in TOOLS:
        raise unknown("tool", tool, TOOLS)
    left, top, chosen = (_whole(sent.get(name)) for name in ("left", "top", "chosen"))
    if tool != "scribble":
        return Question(tool, chosen, points=_points(sent.get("points")))
    strokes, mask = (
        read_plane(sent.get(name), sent.get("shape"), item)
        for name, item in (("strokes", 2), ("mask", sent.get("bytes")))
    )
    drawn = np.where(strokes == UNCHANGED, -1, strokes.astype(np.int32))
    return Question(tool, chosen, left, top, drawn.astype(np.int32), mask.astype(np.int32))


def describe(suggestion: Suggestion) -> dict[str, Any]:
    """Return a suggestion as the browser reads it."""
    values = suggestion.values
    plane = np.where(values < 0, UNCHANGED, values).astype(np.uint16)
    return {
        "left": suggestion.left,
        "top": suggestion.top,
        "shape": list(plane.shape),
        "plane": write_plane(plane),
    }


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value <= 65535:
        raise SegcoreError("Expected a place on the image, received none: draw again.")
    return value


def _points(sent: object) -> tuple[tuple[float, float, int], ...]:
    rows = sent if isinstance(sent, list) else []
    sound = [
        (float(row[0]), float(row[1]), row[2])
        for row in rows[:MAX_POINTS]
        if isinstance(row, list)
        and len(row) == 3
        and all(type(n) in (int, float) and math.isfinite(n) for n in row)
        and max(abs(row[0]), abs(row[1])) <= 2 * EDIT_SIDE
        and row[2] in (0, 1, 2, 3)
    ]
    if len(sound) != len(rows) or not sound:
        raise SegcoreError("Expected points on the image, received others: draw again.")
    return tuple((x, y, int(label)) for x, y, label in sound)
