"""What a browser asks while one draws is read exactly, or refused in a sentence whatever was sent."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.ui.viewer.planes import read_plane, write_plane
from segcore.ui.viewer.questions import (
    UNCHANGED,
    Suggestion,
    describe,
    read_question,
)

STROKES = np.full((3, 4), UNCHANGED, np.uint16)
STROKES[1, 2], STROKES[0, 0] = 7, 255


def scribble(**values):
    return {
        "tool": "scribble",
        "chosen": 7,
        "left": 10,
        "top": 20,
        "shape": [3, 4],
        "bytes": 1,
        "strokes": write_plane(STROKES),
        "mask": write_plane(np.full((3, 4), 2, np.uint8)),
        **values,
    }


def test_strokes_are_read_back():
    question = read_question(scribble())
    assert (question.left, question.top, question.chosen) == (10, 20, 7)
    assert question.strokes.tolist() == [[255, -1, -1, -1], [-1, -1, 7, -1], [-1] * 4]
    assert (question.mask == 2).all() and question.points == ()


def test_clicks_are_read_back():
    sent = {"tool": "object", "chosen": 3, "left": 0, "top": 0, "points": [[1.5, 2, 1], [4, 5, 0]]}
    question = read_question(sent)
    assert question.points == ((1.5, 2.0, 1), (4.0, 5.0, 0)) and question.strokes is None


def test_a_suggestion_is_packed_as_the_browser_reads_it():
    values = np.array([[1, -1], [65535, 3]], np.int32)
    packed = describe(Suggestion(5, 6, values))
    plane = read_plane(packed["plane"], packed["shape"], 2)
    assert plane.tolist() == [[1, UNCHANGED], [65535, 3]]
    assert (packed["left"], packed["top"]) == (5, 6)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        scribble(tool="paint"),
        scribble(tool=None),
        scribble(left=-1),
        scribble(top="20"),
        scribble(chosen=True),
        scribble(chosen=1e9),
        scribble(shape=[3, 5]),
        scribble(shape=[10**6, 10**6]),
        scribble(strokes="!!!"),
        scribble(mask=None),
        scribble(bytes=8),
        scribble(tool="cut", points=None),
        scribble(tool="cut", points=[]),
        scribble(tool="cut", points=[[1, 2]]),
        scribble(tool="cut", points=[[1, float("nan"), 1]]),
        scribble(tool="cut", points=[[1, 10**9, 1]]),
        scribble(tool="object", points=[[1, 2, 9]]),
        scribble(tool="object", points=[["1", 2, 1]]),
        scribble(tool="object", points=[[1, 2, 1]] * 10_001),
    ],
)
def test_what_is_no_question_is_refused(sent):
    with pytest.raises(SegcoreError):
        read_question(sent)
